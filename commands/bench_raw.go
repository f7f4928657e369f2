package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"loupe/models"
)

// RawForward times the bare network; bench starts as many as there are workers.
type RawForward struct {
	Size    int           `default:"224"`
	Threads int           `default:"1"`
	For     time.Duration `default:"4s"`
	EngineFlags
}

// Run prints forward passes a second.
func (r *RawForward) Run() error {
	runs, err := chooseEngine(r.choice(), r.Threads)
	if err != nil {
		return err
	}
	backbone, err := models.Backbone()
	if err != nil {
		return err
	}
	engine, err := runs.OpenBackbone(backbone)
	if err != nil {
		return err
	}
	defer engine.Close()
	if err := engine.Warm(r.Size); err != nil {
		return err
	}
	n := 0
	began := time.Now()
	for time.Since(began) < r.For {
		if err := engine.Warm(r.Size); err != nil {
			return err
		}
		n++
	}
	return json.NewEncoder(os.Stdout).Encode(float64(n) / time.Since(began).Seconds())
}

// rawForward sums the forward passes a second of as many processes, with as
// many threads, as the server has workers.
func (s *benchServer) rawForward(ctx context.Context) (float64, error) {
	program, err := os.Executable()
	if err != nil {
		return 0, err
	}
	rates := make([]float64, s.Workers)
	errs := make([]error, s.Workers)
	var all sync.WaitGroup
	for i := range s.Workers {
		all.Go(func() {
			out, err := exec.CommandContext(ctx, program, append([]string{"raw-forward", "--size", strconv.Itoa(s.Size), "--threads", strconv.Itoa(s.result.Threads)}, engineArgs(s.engine)...)...).Output()
			if err == nil {
				err = json.Unmarshal(out, &rates[i])
			}
			errs[i] = err
		})
	}
	all.Wait()
	var sum float64
	for i, r := range rates {
		if errs[i] != nil {
			return 0, fmt.Errorf("time the bare network: %w", errs[i])
		}
		sum += r
	}
	return sum, nil
}
