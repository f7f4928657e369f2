package commands

import (
	"os"
	"os/exec"
	"os/signal"
	"strings"

	"loupe/vision/engine"
	"loupe/vision/wire"
	"loupe/vision/worker"
)

// TryModel tries a foreign model file; the server starts it for each upload.
type TryModel struct{ EngineFlags }

// Run reads the file from standard input and prints one JSON object.
func (t *TryModel) Run() error {
	signal.Ignore(os.Interrupt) // Ctrl-C in a terminal is the server's business
	return worker.Try(t.choice(), os.Stdin, os.Stdout)
}

// trialCommand starts this program as a trial, which gets no secret of the
// server's environment.
func trialCommand(c engine.Choice) *exec.Cmd {
	cmd := exec.Command(ownProgram(), append([]string{"try-model"}, engineArgs(c)...)...)
	for _, one := range accessEnvironment(wire.Access{}) {
		if !strings.HasPrefix(one, "AWS_") {
			cmd.Env = append(cmd.Env, one)
		}
	}
	cmd.Env = append(cmd.Env, "OPENCV_LOG_LEVEL=ERROR", "GOTRACEBACK=none")
	return cmd
}
