// Package trial tries a foreign model file in a process that may die over it:
// OpenCV answers what it cannot read with a C++ exception, a signal or an
// endless loop. The server's side is here; the process runs worker.Try.
package trial

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"
)

// Request is the first line on the standard input of the process, as JSON; as
// many bytes of the file follow. The input then stays open: when it ends, the
// server is gone.
type Request struct {
	Bytes   int      `json:"bytes"`
	Size    int      `json:"size"`    // input side, pixels
	Classes []string `json:"classes"` // in the order of the outputs
}

// Answer is what the process prints on standard output, as JSON.
type Answer struct {
	Engine    string  `json:"engine"`            // that tried it, with its version
	ForwardMS float64 `json:"forward_ms"`        // of one pass on one thread
	Unread    string  `json:"unread,omitempty"`  // why the engine cannot load the file, where it survives that
	Trouble   string  `json:"trouble,omitempty"` // what is wrong with the outputs
}

// Settings of a Bench.
type Settings struct {
	Command func() *exec.Cmd // makes the process
	Limit   time.Duration    // for one file; 0 means 45 s, which proxies wait for
}

// Bench tries files, each in a new process.
type Bench struct{ settings Settings }

// New makes a bench.
func New(s Settings) *Bench {
	if s.Limit == 0 {
		s.Limit = 45 * time.Second
	}
	return &Bench{s}
}

// Room is the memory that a trial may take beyond what its process has when it
// begins, in bytes.
const Room = 2 << 30

const (
	slowest    = 5 * time.Second // a pass that takes longer would be given up by the server, live
	keptErrors = 64 << 10        // bytes of standard error
	keptAnswer = 1 << 20
	endAfter   = time.Second // for the pipes of a process that was killed
	ownFault   = 1           // exit code of a process that could not begin; what dies over a file has others
)

// Try loads the file as a worker would and judges a drawn picture with it. The
// error is a *Failure where the file is at fault.
func (b *Bench) Try(ctx context.Context, model []byte, size int, classes []string) (Answer, error) {
	var answer Answer
	head, err := json.Marshal(Request{Bytes: len(model), Size: size, Classes: classes})
	if err != nil {
		return answer, err
	}
	limited, stop := context.WithTimeout(ctx, b.settings.Limit)
	defer stop()
	cmd := b.settings.Command()
	in, err := cmd.StdinPipe()
	if err != nil {
		return answer, err
	}
	said, complained := &beginning{room: keptAnswer}, &beginning{room: keptErrors}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = said, complained, endAfter
	if err := cmd.Start(); err != nil {
		return answer, fmt.Errorf("start the process that tries a model: %w", err)
	}
	go func() { // it may die before it has read everything
		_, _ = io.Copy(in, io.MultiReader(bytes.NewReader(head), bytes.NewReader([]byte("\n")), bytes.NewReader(model)))
	}()
	end := context.AfterFunc(limited, func() { _ = cmd.Process.Kill() })
	err = cmd.Wait()
	inTime := end()
	_ = in.Close()
	switch {
	case ctx.Err() != nil:
		return answer, context.Cause(ctx)
	case !inTime && died(err) == killed:
		return answer, &Failure{Reason: Hangs, words: fmt.Sprintf("The file did not judge one picture of %d×%d pixels within %s", size, size, b.settings.Limit)}
	case cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == ownFault:
		return answer, fmt.Errorf("the process that tries a model failed: %s", plain(string(complained.kept)))
	case err != nil:
		return answer, explain(err, string(complained.kept), size)
	}
	if err := json.Unmarshal(said.kept, &answer); err != nil {
		return answer, fmt.Errorf("read what the process that tried a model says: %w", err)
	}
	switch pass := time.Duration(answer.ForwardMS * float64(time.Millisecond)); {
	case answer.Unread != "" || noMemory.MatchString(answer.Trouble):
		return answer, unread(answer, size)
	case answer.Trouble != "":
		return answer, &Failure{Reason: Wrong, words: "The file does not give what a worker needs: " + answer.Trouble}
	case pass > slowest:
		return answer, &Failure{Reason: Hangs, words: fmt.Sprintf("The file takes %.1f s for one picture of %d×%d pixels, more than the %s that are allowed", pass.Seconds(), size, size, slowest)}
	}
	return answer, nil
}

// beginning keeps the beginning of what is written and lets the rest go. It does
// not embed a Buffer, whose ReadFrom would take everything.
type beginning struct {
	kept []byte
	room int
}

func (b *beginning) Write(text []byte) (int, error) {
	kept := text[:min(len(text), b.room)]
	b.room -= len(kept)
	b.kept = append(b.kept, kept...)
	return len(text), nil
}

// Reason says in one word why a file is refused.
type Reason string

const (
	Operator Reason = "operator" // the engine cannot read an operator
	Crashes  Reason = "crash"    // the engine cannot read the file, or the process died over it
	Hangs    Reason = "time"
	Memory   Reason = "memory"
	Wrong    Reason = "outputs" // it runs, and its outputs make no sense
)

// Failure says that a file cannot be used, and what to do.
type Failure struct {
	Reason   Reason
	Operator string // such as NonMaxSuppression, "" where it is not known
	Node     string // its name in the file
	words    string
}

func (f *Failure) Error() string { return f.words + ". " + f.advice() }

func (f *Failure) advice() string {
	switch f.Reason {
	case Operator:
		return "Export the model with opset 10, or replace this operator by others; those of Loupe's own files are Conv, ConvTranspose, Add, Mul, Sub, Exp, Log, Sqrt, Relu, Clip, GlobalAveragePool, GlobalMaxPool, Concat, Flatten, Gemm and Softmax. What comes after the probabilities, such as non-maximum suppression, does not belong into the file."
	case Hangs:
		return "Use a smaller network or a smaller input: a worker gives a frame up after 10 s."
	case Memory:
		return "Use a smaller network or a smaller input."
	case Wrong:
		return "Compare the outputs with those of a file that Loupe exported, then export the model again."
	}
	return "Check the file with onnx.checker and in another runtime, then export it again with opset 10 and fixed shapes."
}

// killed is what died says of a process that was ended from outside.
const killed = "signal: killed"

// died says how a process ended.
func died(err error) string {
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return exit.String()
	case err != nil:
		return err.Error()
	}
	return "exit status 0"
}
