package commands

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"loupe/static"
)

// Systemd writes the unit files.
type Systemd struct {
	Folder string `arg:"" help:"Folder to write the unit files into." default:"/etc/systemd/system" type:"path"`
}

// Help teaches the command.
func (Systemd) Help() string {
	return `Writes loupe.service, loupe-worker.service, loupe-backup.service and
loupe-backup.timer, with this program's own path in them.

Examples:

  sudo cp loupe /usr/local/bin/ && sudo /usr/local/bin/loupe systemd
  sudo systemctl enable --now loupe.service loupe-backup.timer
  sudo systemctl enable --now loupe-worker.service     on a machine that only judges`
}

const unitProgram = "/usr/local/bin/loupe"

// Run writes the files.
func (s *Systemd) Run() error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if strings.ContainsAny(program, " \"'\\%$") {
		return usage("%s cannot be written into a unit file: put the program at a plain path such as %s", program, unitProgram)
	}
	names, err := fs.Glob(static.Units(), "*")
	if err != nil {
		return fmt.Errorf("read the unit files: %w", err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(static.Units(), name)
		if err != nil {
			return fmt.Errorf("read the unit files: %w", err)
		}
		path := filepath.Join(s.Folder, name)
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), unitProgram, program)), 0o644); err != nil { //nolint:gosec // systemd reads it
			return usage("cannot write %s: %v", path, err)
		}
		fmt.Fprintln(os.Stderr, path)
	}
	fmt.Fprintln(os.Stderr, "Now: systemctl daemon-reload && systemctl enable --now loupe.service loupe-backup.timer")
	return nil
}
