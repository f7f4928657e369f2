package worker

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"loupe/vision"
	"loupe/vision/engine"
	"loupe/vision/opencv"
	"loupe/vision/trial"
)

// Try is the process of a trial: it reads a trial.Request and the file, loads it
// as a worker with the same engine does, judges a drawn picture and writes a
// trial.Answer. It ends when its input does, for then nobody waits for the answer.
func Try(choice engine.Choice, in io.Reader, out io.Writer) error {
	r := bufio.NewReader(in)
	line, err := r.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read what to try: %w", err)
	}
	var q trial.Request
	if err := json.Unmarshal(line, &q); err != nil {
		return fmt.Errorf("read what to try: %w", err)
	}
	if q.Bytes < 1 || q.Bytes > math.MaxInt32 {
		return fmt.Errorf("a file of %d bytes is not tried", q.Bytes)
	}
	file := make([]byte, q.Bytes)
	if _, err := io.ReadFull(r, file); err != nil {
		return fmt.Errorf("read the file to try: %w", err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, r)
		os.Exit(1)
	}()
	runs, err := engine.Choose(choice, 1)
	if err != nil {
		return err
	}
	if err := limitMemory(); err != nil {
		return fmt.Errorf("limit the memory: %w", err)
	}
	// Live frames go first: the thread that runs the network is a low one.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 10)
	answer := trial.Answer{Engine: runs.Label}
	e, err := runs.OpenVersion(file, q.Classes)
	if err != nil {
		answer.Unread = err.Error()
		return json.NewEncoder(out).Encode(answer)
	}
	defer e.Close()
	if answer.ForwardMS, err = judgeOnce(e, q.Size); err != nil {
		answer.Trouble = err.Error()
	}
	return json.NewEncoder(out).Encode(answer)
}

// judgeOnce has a network judge a drawn picture, after a first pass in which it
// takes its memory. It gives the milliseconds of the second.
func judgeOnce(e *engine.Engine, size int) (float64, error) {
	if err := e.Warm(size); err != nil {
		return 0, err
	}
	data, err := drawn(size)
	if err != nil {
		return 0, err
	}
	p, err := opencv.Decode(data, 1)
	if err != nil {
		return 0, err
	}
	defer p.Close()
	prep := vision.Preparation{Size: size}
	input, err := p.Prepare(prep)
	if err != nil {
		return 0, err
	}
	defer input.Close()
	o, err := e.Forward(input)
	if err == nil {
		err = check(o, size)
	}
	if err != nil {
		return 0, err
	}
	j, err := e.Judge(p, prep, nil, vision.DefaultThresholds)
	return j.Timings.Forward, err
}

// mostPooled is how many pooled features a worker sends with each frame at most.
const mostPooled = 1 << 16

// check says what is wrong with a network's outputs.
func check(o engine.Output, size int) error {
	var sum float64
	for i, p := range o.Probabilities {
		if !(p >= 0 && p <= 1.001) {
			return fmt.Errorf("the probability of %q is %v for a drawn picture, not within 0 and 1: end the network with Softmax", o.Heat.Classes[i], p)
		}
		sum += float64(p)
	}
	switch {
	case math.Abs(sum-1) > 1e-3:
		return fmt.Errorf("its probabilities sum to %.4f for a drawn picture, not to 1: end the network with Softmax", sum)
	case o.Heat.H < 1 || o.Heat.W < 1 || o.Heat.H > size || o.Heat.W > size || len(o.Heat.Data) != len(o.Heat.Classes)*o.Heat.H*o.Heat.W:
		return fmt.Errorf("heat is no map of at most %d×%d places for each class", size, size)
	case len(o.Pooled) < 1 || len(o.Pooled) > mostPooled:
		return fmt.Errorf("pooled holds %d numbers, not 1 to %d", len(o.Pooled), mostPooled)
	case !finite(o.Heat.Data):
		return errors.New("heat is not finite for a drawn picture")
	case !finite(o.Pooled):
		return errors.New("pooled is not finite for a drawn picture")
	}
	return nil
}

func finite(all []float32) bool {
	for _, v := range all {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return false
		}
	}
	return true
}

// drawn is a picture with waves of all three colours and an edge, as a PNG.
func drawn(size int) ([]byte, error) {
	img := image.NewRGBA(image.Rect(0, 0, size, size))
	for y := range size {
		for x := range size {
			c := color.RGBA{R: uint8(x * 255 / size), G: uint8(128 + 100*math.Sin(float64(x+2*y)/9)), B: uint8(y * 255 / size), A: 255}
			if x > size/2 && y > size/3 {
				c.R, c.G = 255-c.R, 30
			}
			img.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, img)
	return b.Bytes(), err
}

// limitMemory lets the process take trial.Room beyond what it has, leave no core
// file, and be the first that the system ends when memory runs out.
func limitMemory() error {
	status, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return err
	}
	pages, _, _ := strings.Cut(string(status), " ")
	has, err := strconv.ParseUint(pages, 10, 64)
	if err != nil {
		return err
	}
	most := has*uint64(os.Getpagesize()) + trial.Room
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return err
	}
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0o600) // not all systems allow it
	return nil
}
