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
	Loss      = "class-weighted cross-entropy"
	Optimiser = "Adam"
)

// Features are one frame's, for an input of side S.
type Features struct {
	Stride8  []float32 // 40 × (S/8)²: channel after channel
	Stride16 []float32 // 112 × (S/16)²: channel after channel
	Stride32 []float32 // (S/32)² × 320: place after place
	Pooled   []float32 // 2,696
}

// NewFeatures makes room for the features of an input of the given side.
func NewFeatures(size int) Features {
	n := Lengths(size)
	return Features{make([]float32, n[0]), make([]float32, n[1]), make([]float32, n[2]), make([]float32, onnx.PooledLen)}
}

// Lengths are the numbers of values of the three taps for an input of the given side.
func Lengths(size int) [3]int {
	var n [3]int
	for i, c := range Channels {
		side := size / 8 >> i
		n[i] = c * side * side
	}
	return n
}

// FromTaps makes Features of an extractor's outputs, each flattened row-major.
func FromTaps(stride8, stride16, stride32, pooled []float32) Features {
	return Features{stride8, stride16, PlaceMajor(stride32, Channels[2]), pooled}
}

// PlaceMajor turns a tap from channel after channel into place after place.
func PlaceMajor(tap []float32, channels int) []float32 {
	places := len(tap) / channels
	out := make([]float32, len(tap))
	for c := range channels {
		for p := range places {
			out[p*channels+c] = tap[c*places+p]
		}
	}
	return out
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
}

// Weights folds the standardisation into the weights, for the ONNX file.
func (h *Head) Weights() onnx.Weights {
	k := len(h.Classes)
	w := onnx.Weights{LocalBias: append([]float32(nil), h.LocalBias...), PooledBias: append([]float32(nil), h.PooledBias...), Sharpness: float32(h.Options.Sharpness)}
	for t := range h.Local {
		w.Local[t] = fold(h.Local[t], h.Mean[t], h.Std[t], w.LocalBias, k)
	}
	w.Pooled = fold(h.Pooled, h.PooledMean, h.PooledStd, w.PooledBias, k)
	return w
}

// fold gives weights for raw inputs, and takes what the means amount to off the bias.
func fold(weights, mean, std, bias []float32, k int) []float32 {
	n := len(mean)
	folded := make([]float32, len(weights))
	for c := range k {
		var off float64
		for i := range n {
			folded[c*n+i] = weights[c*n+i] / std[i]
			off += float64(folded[c*n+i]) * float64(mean[i])
		}
		bias[c] -= float32(off)
	}
	return folded
}

// Forward gives the probabilities and the local logits (K × S/8 × S/8) of one
// frame, as the version's file does.
func (h *Head) Forward(f Features) (probabilities, heat []float32) {
	m := newModel(h)
	m.fold()
	s := newScratch(len(h.Classes), h.Size)
	m.forward(&f, s)
	return append([]float32(nil), s.p...), append([]float32(nil), s.heat...)
}

// Predictor runs a head over many frames without allocating for each. It
// belongs to one goroutine.
type Predictor struct {
	m *model
	s *scratch
}

// NewPredictor prepares a head.
func NewPredictor(h *Head) *Predictor {
	m := newModel(h)
	m.fold()
	return &Predictor{m, newScratch(len(h.Classes), h.Size)}
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
	bad := k < 2 || len(h.LocalBias) != k || len(h.PooledBias) != k || len(h.Pooled) != k*onnx.PooledLen || len(h.PooledMean) != onnx.PooledLen || len(h.PooledStd) != onnx.PooledLen
	for t, c := range Channels {
		bad = bad || len(h.Local[t]) != k*c || len(h.Mean[t]) != c || len(h.Std[t]) != c
	}
	if bad || h.Size < 224 {
		return errors.New("the head is damaged: its parts do not fit together")
	}
	return nil
}

func softmax(logits, p []float32) {
	top := logits[0]
	for _, v := range logits {
		top = max(top, v)
	}
	var sum float64
	for i, v := range logits {
		e := math.Exp(float64(v - top))
		p[i] = float32(e)
		sum += e
	}
	for i := range p {
		p[i] = float32(float64(p[i]) / sum)
	}
}
