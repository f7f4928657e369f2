// Loupe is a visual quality inspection server: camera stations send frames, a
// model judges each one, people correct it, and it learns from them.
package main

import (
	"os"

	"loupe/commands"
)

func main() { os.Exit(commands.Main(os.Args[1:])) }
