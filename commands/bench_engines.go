package commands

import (
	"context"
	"errors"

	"loupe/vision/engine"
)

// enginesResult compares whole servers whose workers have different engines.
type enginesResult struct {
	OpenCV      serverResult `json:"opencv"`
	ONNXRuntime serverResult `json:"onnxruntime"`
	Speedup     float64      `json:"speedup"`     // frames a second of ONNX Runtime over OpenCV, from post to verdict
	RawSpeedup  float64      `json:"raw_speedup"` // the same of the bare network
}

// turn is how many frames one server judges before the other is: a machine that
// others share is not equally fast for long.
const turn = 200

// engines posts the test half to two servers in turns; one judges by OpenCV, the
// other by ONNX Runtime.
func (b *Bench) engines(pictures []picture, classes []string) (*enginesResult, error) {
	ctx, stop := interruptible()
	defer stop()
	other := b.choice()
	other.Name = engine.ONNXRuntime
	if _, err := chooseEngine(other, b.Threads); err != nil {
		return nil, err
	}
	var servers []*benchServer
	var err error
	for _, c := range []engine.Choice{{Name: engine.OpenCV}, other} {
		var s *benchServer
		if s, err = b.startServer(ctx, c); err != nil {
			break
		}
		servers = append(servers, s)
	}
	if err == nil {
		err = takeTurns(ctx, servers, pictures, classes)
	}
	for _, s := range servers {
		err = errors.Join(err, s.close())
	}
	if err != nil {
		return nil, err
	}
	r := &enginesResult{OpenCV: servers[0].result, ONNXRuntime: servers[1].result}
	r.Speedup = r.ONNXRuntime.FramesPerS / r.OpenCV.FramesPerS
	r.RawSpeedup = r.ONNXRuntime.RawForwardS / r.OpenCV.RawForwardS
	return r, nil
}

// takeTurns has each server learn the train half, then posts to one after the
// other, and times the bare network of each at the beginning and at the end.
func takeTurns(ctx context.Context, servers []*benchServer, pictures []picture, classes []string) error {
	postings := make([]*posting, len(servers))
	raw := make([][]float64, len(servers))
	for i, s := range servers {
		train, test := choose(pictures, s.PerClass, s.Seed)
		err := s.prepare(ctx, train, classes)
		if err == nil {
			postings[i], err = s.newPosting(test)
		}
		if err != nil {
			return err
		}
	}
	timeRaw := func() error {
		for i, s := range servers {
			rate, err := s.rawForward(ctx)
			if err != nil {
				return err
			}
			raw[i] = append(raw[i], rate)
		}
		return nil
	}
	if err := timeRaw(); err != nil {
		return err
	}
	for !postings[0].done() {
		for _, p := range postings {
			if err := p.post(ctx, turn); err != nil {
				return err
			}
		}
	}
	err := timeRaw()
	for i, s := range servers {
		s.conclude(postings[i], raw[i])
	}
	return err
}
