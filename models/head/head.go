// Package head fits the small network that sits on the frozen backbone: a 1×1
// convolution on each tap, summed at stride 8 and pooled by log-sum-exp, plus a
// linear layer on the pooled features. Its local map is the heat map of each
// class.
package head

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"math"

	"loupe/models/onnx"
)

// Channels of the taps at stride 8, 16 and 32.
var Channels = [3]int{40, 112, 320}

// What a training states about itself.
const (
	Loss       = "class-weighted cross-entropy"
	MarkedLoss = Loss + ", of frames and of the places marked in them"
	Optimiser  = "Adam"
)

// Features are one frame's, for an input of side S.
type Features struct {
	// Taps are float16: stride8, stride16 and stride32 after each other, each
	// channel after channel, each channel's places padded with zeros to a multiple
	// of eight.
	Taps   []uint16
	Pooled []float32 // 2,696
}

// NewFeatures makes room for the features of an input of the given side.
func NewFeatures(size int) Features {
	return Features{make([]uint16, TapsLen(size)), make([]float32, onnx.PooledLen)}
}

// TapsLen is the length of Features.Taps for an input of the given side.
func TapsLen(size int) int {
	n := 0
	for t, c := range Channels {
		n += c * row(size, t)
	}
	return n
}

// area is how many places tap t has, row the same padded to a multiple of eight.
func area(size, t int) int { side := size / 8 >> t; return side * side }
func row(size, t int) int  { return (area(size, t) + 7) / 8 * 8 }

// tap gives one tap of the features of an input of the given side.
func (f *Features) tap(size, t int) []uint16 {
	at := 0
	for before := range t {
		at += Channels[before] * row(size, before)
	}
	return f.Taps[at : at+Channels[t]*row(size, t)]
}

// Cut makes what lies beyond the reach of a network zero, in the features of an
// input of the given side: a fit then leaves its weights at zero.
func (f *Features) Cut(size int, reach onnx.Reach) {
	clear(f.Pooled[reach.PooledLen():])
	if reach == onnx.Stride16 {
		clear(f.tap(size, 2))
	}
}

// FromTaps makes Features of an extractor's outputs, each flattened row-major.
// Taps that are not those of one square input give Features that no cache and
// no head takes.
func FromTaps(stride8, stride16, stride32, pooled []float32) Features {
	size := 8 * int(math.Sqrt(float64(len(stride8)/Channels[0])))
	f := Features{Pooled: pooled}
	for t, tap := range [][]float32{stride8, stride16, stride32} {
		if len(tap) != Channels[t]*area(size, t) {
			return Features{}
		}
	}
	f.Taps = make([]uint16, TapsLen(size))
	for t, tap := range [][]float32{stride8, stride16, stride32} {
		n, to := area(size, t), f.tap(size, t)
		for c := range Channels[t] {
			narrow(to[c*row(size, t):], tap[c*n:(c+1)*n])
		}
	}
	return f
}

// Head is a trained head. K is the number of classes.
type Head struct {
	Classes []string
	Size    int // input side in pixels
	Options Options
	// The standardisation of the training frames: mean and standard deviation of
	// each channel of the three taps, and of each pooled feature.
	Mean, Std             [3][]float32
	PooledMean, PooledStd []float32
	// Weights that apply to standardised features, class after class.
	Local      [3][]float32 // K×40, K×112, K×320
	LocalBias  []float32
	Pooled     []float32 // K×2696
	PooledBias []float32
	// Temperature divides the logits before Softmax (Guo et al. 2017); 0 leaves
	// them as they are. The heat map is not divided.
	Temperature float64
	// Bank are the places of the training frames; nil where they are not kept. A
	// head of good parts only has a bank and no weights.
	Bank *onnx.Bank
}

// NormalOnly says that the head knows good parts only: it judges by its bank.
func (h *Head) NormalOnly() bool { return h.Bank != nil && len(h.Pooled) == 0 }

// Forward gives the probabilities and the local logits (K × S/8 × S/8) of one
// frame, as the version's file does.
func (h *Head) Forward(f Features) (probabilities, heat []float32) {
	p := NewPredictor(h)
	p.m.forward(&f, p.s)
	for c := range h.Classes {
		for _, v := range p.s.class(p.s.heat, 0, c) {
			heat = append(heat, v+p.m.localBias[c])
		}
	}
	return p.s.p, heat
}

// Predictor runs a head over many frames without allocating for each. It
// belongs to one goroutine.
type Predictor struct {
	m *model
	s *scratch
}

// NewPredictor prepares a head.
func NewPredictor(h *Head) *Predictor {
	return &Predictor{newModel(h), newScratch(len(h.Classes), h.Size)}
}

// Predict gives the probabilities of one frame. The slice is used again by the next call.
func (p *Predictor) Predict(f *Features) []float32 {
	p.m.forward(f, p.s)
	return p.s.p
}

// format tells heads of later Loupes apart.
const format = 1

type stored struct {
	Format int
	Head   Head
}

// Bytes writes the head compactly.
func (h *Head) Bytes() ([]byte, error) {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(stored{format, *h}); err != nil {
		return nil, fmt.Errorf("write the head: %w", err)
	}
	return b.Bytes(), nil
}

// Read reads what Bytes wrote.
func Read(data []byte) (*Head, error) {
	var s stored
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&s); err != nil {
		return nil, fmt.Errorf("this is not a head: %w", err)
	}
	if s.Format != format {
		return nil, fmt.Errorf("the head is of format %d, this Loupe reads %d", s.Format, format)
	}
	return &s.Head, s.Head.check()
}

func (h *Head) check() error {
	k := len(h.Classes)
	if h.Bank != nil {
		if err := h.Bank.Check(); err != nil {
			return err
		}
	}
	if h.NormalOnly() && k == 2 && h.Size >= 224 {
		return nil
	}
	bad := k < 2 || len(h.LocalBias) != k || len(h.PooledBias) != k || len(h.Pooled) != k*onnx.PooledLen || len(h.PooledMean) != onnx.PooledLen || len(h.PooledStd) != onnx.PooledLen
	for t, c := range Channels {
		bad = bad || len(h.Local[t]) != k*c || len(h.Mean[t]) != c || len(h.Std[t]) != c
	}
	bad = bad || !(h.Temperature >= 0 && h.Temperature <= hottest)
	if bad || h.Size < 224 {
		return errors.New("the head is damaged: its parts do not fit together")
	}
	return nil
}
