package commands

import (
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// newBar draws the progress of steps on standard error where that is a
// terminal: a log keeps no bars. A negative count of steps has no known end.
func newBar(steps int, what string, more ...progressbar.Option) *progressbar.ProgressBar {
	return progressbar.NewOptions(steps, append([]progressbar.Option{
		progressbar.OptionSetDescription(what), progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionSetVisibility(term.IsTerminal(int(os.Stderr.Fd()))),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetPredictTime(steps > 0), progressbar.OptionClearOnFinish(),
	}, more...)...)
}

// percentBar shows progress from 0 to 1.
func percentBar(what string) func(done float64) {
	const steps = 1000
	bar := newBar(steps, what)
	return func(done float64) { _ = bar.Set(int(done * steps)) }
}
