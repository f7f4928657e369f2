// Package embedding makes frames comparable by their pooled features: each
// feature is standardised, each frame scaled to length one, and the cosine of two
// frames says how alike they look.
package embedding

import (
	"math"

	"gonum.org/v1/gonum/blas/blas32"

	"loupe/models/head"
)

// Scale standardises pooled features: mean and standard deviation of each.
type Scale struct{ Mean, Std []float32 }

// Moments are the sums that a Scale is made of; the zero value is empty.
type Moments struct {
	n           float64
	sum, square []float64
}

// Add counts the pooled features of one frame. All frames have equally many.
func (m *Moments) Add(pooled []float32) {
	if m.sum == nil {
		m.sum, m.square = make([]float64, len(pooled)), make([]float64, len(pooled))
	}
	m.n++
	for i, v := range pooled {
		x := float64(v)
		m.sum[i] += x
		m.square[i] += x * x
	}
}

// Scale is the standardisation of the frames added; the zero Scale of none.
func (m *Moments) Scale() Scale {
	s := Scale{make([]float32, len(m.sum)), make([]float32, len(m.sum))}
	for i := range m.sum {
		s.Mean[i], s.Std[i] = head.MeanStd(m.sum[i]/m.n, m.square[i]/m.n)
	}
	return s
}

// Unit turns pooled features into an embedding, in place.
func (s Scale) Unit(x []float32) {
	for i := range x {
		x[i] = (x[i] - s.Mean[i]) / s.Std[i]
	}
	unit(x)
}

// unit scales a vector to length one; that of zeros stays.
func unit(x []float32) {
	var square float64
	for _, v := range x {
		square += float64(v) * float64(v)
	}
	if square == 0 {
		return
	}
	length := float32(1 / math.Sqrt(square))
	for i := range x {
		x[i] *= length
	}
}

// Cosine of two vectors of length one, -1 to 1.
func Cosine(a, b []float32) float64 {
	return float64(blas32.Dot(blas32.Vector{N: len(a), Inc: 1, Data: a}, blas32.Vector{N: len(b), Inc: 1, Data: b}))
}

// All makes embeddings of the pooled features of frames, standardised over all of them.
func All(pooled [][]float32) [][]float32 {
	var m Moments
	for _, p := range pooled {
		m.Add(p)
	}
	s := m.Scale()
	all := make([][]float32, len(pooled))
	for i, p := range pooled {
		all[i] = append([]float32(nil), p...)
		s.Unit(all[i])
	}
	return all
}
