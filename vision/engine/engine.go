// Package engine judges pictures and extracts their features by networks that
// run in OpenCV or in ONNX Runtime. What is not trusted runs in a worker process.
package engine

import (
	"errors"
	"fmt"
	"time"

	"loupe/vision"
	"loupe/vision/opencv"
)

// Outputs of the files.
var (
	backboneOutputs  = []string{"stride8", "stride16", "stride32", "head"}
	versionOutputs   = []string{"probabilities", "heat", "pooled"}
	noveltyOutputs   = []string{"novelty", "novelty_map"} // of a version that knows what it was trained on
	extractorOutputs = []string{"stride8", "stride16", "stride32", "pooled"}
)

// Engine runs one network. It belongs to one goroutine at a time.
type Engine struct {
	network vision.Network
	classes []string // of a version
}

// Features are the outputs of an extractor, each flattened row-major.
type Features struct {
	Stride8  []float32 // 40 × S/8 × S/8
	Stride16 []float32 // 112 × S/16 × S/16
	Stride32 []float32 // 320 × S/32 × S/32
	Pooled   []float32 // 2,696
}

// OpenVersion loads a version's ONNX file, which must be one that Loupe wrote or
// that passed its trial: OpenCV ends the process over a corrupt one. Classes are named in the order of its outputs.
func (r Runtime) OpenVersion(onnx []byte, classes []string) (*Engine, error) {
	if len(classes) == 0 {
		return nil, errors.New("a version needs its classes")
	}
	return r.open(onnx, versionOutputs, noveltyOutputs, classes)
}

// OpenExtractor loads an extractor's ONNX file, which must be one that Loupe wrote.
func (r Runtime) OpenExtractor(onnx []byte) (*Engine, error) {
	return r.open(onnx, extractorOutputs, nil, nil)
}

// OpenBackbone loads the bare backbone, for comparing with what a version costs.
func (r Runtime) OpenBackbone(onnx []byte) (*Engine, error) {
	return r.open(onnx, backboneOutputs, nil, nil)
}

func (r Runtime) open(onnx []byte, outputs, optional, classes []string) (*Engine, error) {
	n, err := r.Open(onnx, outputs, optional)
	if err != nil {
		return nil, err
	}
	return &Engine{n, classes}, nil
}

// Close frees the network.
func (e *Engine) Close() error { return e.network.Close() }

// forward runs the network on a prepared picture.
func (e *Engine) forward(in *opencv.Input) ([]vision.Tensor, error) {
	image, err := in.Tensor()
	if err != nil {
		return nil, err
	}
	return e.network.Forward(image)
}

// Warm runs the network once, which makes it allocate what it needs.
func (e *Engine) Warm(size int) error {
	if err := vision.CheckSize(size); err != nil {
		return err
	}
	_, err := e.network.Forward(vision.Tensor{Shape: []int{1, 3, size, size}, Data: make([]float32, 3*size*size)})
	return err
}

// Time says how long the network alone takes for a decoded picture.
func (e *Engine) Time(p *opencv.Picture, prep vision.Preparation) (time.Duration, error) {
	in, err := p.Prepare(prep)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	began := time.Now()
	_, err = e.forward(in)
	return time.Since(began), err
}

// Output is what a version's network says about an input.
type Output struct {
	Probabilities []float32
	Heat          vision.Logits
	Pooled        []float32
	Knows         bool    // the version knows what it was trained on, and says:
	Novelty       float64 // see vision.Judgement
	NoveltyMap    vision.NoveltyMap
}

// Forward runs a version's network.
func (e *Engine) Forward(in *opencv.Input) (Output, error) {
	if e.classes == nil {
		return Output{}, errors.New("this network is no version")
	}
	v, err := e.forward(in)
	if err != nil {
		return Output{}, err
	}
	probabilities, heat, pooled := v[0], v[1], v[2]
	if len(probabilities.Data) != len(e.classes) || len(heat.Shape) != 4 || heat.Shape[1] != len(e.classes) {
		return Output{}, fmt.Errorf("the network tells %d classes apart, not %d", len(probabilities.Data), len(e.classes))
	}
	out := Output{Probabilities: probabilities.Data, Heat: vision.Logits{Classes: e.classes, H: heat.Shape[2], W: heat.Shape[3], Data: heat.Data}, Pooled: pooled.Data}
	if len(v) == len(versionOutputs) {
		return out, nil
	}
	novelty, places := v[3], v[4]
	if len(novelty.Data) != 1 || len(places.Shape) != 4 || len(places.Data) == 0 || len(places.Data) != places.Shape[2]*places.Shape[3] {
		return Output{}, errors.New("the network's novelty is not one number with its map")
	}
	out.Knows, out.Novelty, out.NoveltyMap = true, float64(novelty.Data[0]), vision.NoveltyMap{H: places.Shape[2], W: places.Shape[3], Data: places.Data}
	return out, nil
}

// Judge judges a decoded picture. Timings hold preparation, forward pass and
// explanation only.
func (e *Engine) Judge(p *opencv.Picture, prep vision.Preparation, classes []vision.Class, t vision.Thresholds) (vision.Judgement, error) {
	var j vision.Judgement
	began := time.Now()
	in, err := p.Prepare(prep)
	if err != nil {
		return j, err
	}
	defer in.Close()
	prepared := time.Now()
	out, err := e.Forward(in)
	if err != nil {
		return j, err
	}
	forwarded := time.Now()
	for i, name := range e.classes {
		j.Probabilities = append(j.Probabilities, vision.Probability{Class: name, P: float64(out.Probabilities[i])})
	}
	j.Verdict, j.Class, j.Score = vision.Decide(classes, j.Probabilities, t)
	j.Width, j.Height = p.Size()
	if j.Verdict != vision.OK {
		j.Findings = vision.Findings(out.Heat, j.Probabilities, classes, prep.Region, j.Width, j.Height)
	}
	j.Heat, j.Pooled = out.Heat.Map(), out.Pooled
	if out.Knows {
		j.Doubt(out.Novelty, out.NoveltyMap, prep.Region, j.Width, j.Height)
	}
	vision.SortProbabilities(j.Probabilities)
	j.Timings.Prepare = milliseconds(prepared.Sub(began))
	j.Timings.Forward = milliseconds(forwarded.Sub(prepared))
	j.Timings.Explain = milliseconds(time.Since(forwarded))
	return j, nil
}

// Extract gives the features of a decoded picture by an extractor's network.
func (e *Engine) Extract(p *opencv.Picture, prep vision.Preparation) (Features, error) {
	in, err := p.Prepare(prep)
	if err != nil {
		return Features{}, err
	}
	defer in.Close()
	v, err := e.forward(in)
	if err != nil {
		return Features{}, err
	}
	if len(v) != 4 || len(v[3].Data) == 0 {
		return Features{}, errors.New("this network is no extractor")
	}
	return Features{v[0].Data, v[1].Data, v[2].Data, v[3].Data}, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
