package novelty

import (
	"context"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas/blas32"

	"loupe/models/head"
	"loupe/models/onnx"
)

// places are rows of PatchLen values.
type places []float32

func (p places) len() int            { return len(p) / onnx.PatchLen }
func (p places) row(i int) []float32 { return p[i*onnx.PatchLen : (i+1)*onnx.PatchLen] }

// mostLooks bounds how many views of frames are read: with few frames each is
// looked at from all sides, with many each from one.
const mostLooks = 400

// sample takes places of frames at random, as many of each class.
func sample(ctx context.Context, source head.Source, frames []int, size, most int, seed uint64) (places, error) {
	counts := map[int]int{}
	for _, i := range frames {
		counts[source.Class(i)]++
	}
	views := max(1, min(source.Views(), mostLooks/max(1, len(frames))))
	g, f := head.NewGrid(size), head.NewFeatures(size)
	var all places
	for _, i := range frames {
		n := min(g.Places, max(4, most/len(counts)/counts[source.Class(i)]/views))
		for v := range views {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := source.Read(i, (i+v)%source.Views(), &f); err != nil {
				return nil, err
			}
			g.Fill(&f)
			rng := rand.New(rand.NewPCG(seed, uint64(i)<<2|uint64(v)))
			for _, p := range rng.Perm(g.Places)[:n] {
				at := len(all)
				all = append(all, make([]float32, onnx.PatchLen)...)
				g.Place(p, all[at:])
			}
		}
	}
	return all, nil
}

// standardise brings each channel to mean 0 and deviation 1, and gives both.
func (p places) standardise() (mean, std []float32) {
	mean, std = make([]float32, onnx.PatchLen), make([]float32, onnx.PatchLen)
	sum, square := make([]float64, onnx.PatchLen), make([]float64, onnx.PatchLen)
	for i := range p.len() {
		for c, v := range p.row(i) {
			sum[c] += float64(v)
			square[c] += float64(v) * float64(v)
		}
	}
	n := float64(p.len())
	for c := range sum {
		mean[c], std[c] = head.MeanStd(sum[c]/n, square[c]/n)
	}
	p.apply(mean, std)
	return mean, std
}

func (p places) apply(mean, std []float32) {
	for i := range p.len() {
		row := p.row(i)
		for c, v := range row {
			row[c] = (v - mean[c]) / std[c]
		}
	}
}

// shadow is how many numbers a place is projected to at random before the
// coreset is chosen: distances stay nearly what they were (Johnson and
// Lindenstrauss 1984).
const shadow = 32

type coreset struct{ directions [][]float32 }

func newCoreset(seed uint64) coreset {
	rng := rand.New(rand.NewPCG(seed, 5))
	var c coreset
	for range shadow {
		d := make([]float32, onnx.PatchLen)
		for i := range d {
			d[i] = float32(rng.NormFloat64() / math.Sqrt(shadow))
		}
		c.directions = append(c.directions, d)
	}
	return c
}

func (c coreset) project(p places) []float32 {
	out := make([]float32, 0, p.len()*shadow)
	for i := range p.len() {
		row := p.row(i)
		for _, d := range c.directions {
			out = append(out, dot(row, d))
		}
	}
	return out
}

// grow adds to a bank, one after the other, the place that is furthest from all
// that are in it, until there are n or no place is left.
func (c coreset) grow(from places, bank []float32, n int) []float32 {
	all, seen := c.project(from), c.project(bank)
	nearest := make([]float32, from.len())
	for i := range nearest {
		nearest[i] = math.MaxFloat32
	}
	for p := 0; p < len(seen); p += shadow {
		approach(nearest, all, seen[p:p+shadow])
	}
	for len(bank)/onnx.PatchLen < n {
		far := 0
		for i, d := range nearest {
			if d > nearest[far] {
				far = i
			}
		}
		if len(nearest) == 0 || nearest[far] <= 0 {
			break
		}
		bank = append(bank, from.row(far)...)
		approach(nearest, all, all[far*shadow:(far+1)*shadow])
		nearest[far] = 0
	}
	return bank
}

// approach lowers the squared distances to that of one more place.
//
//go:norace
func approach(nearest, all, to []float32) {
	to = to[:shadow]
	for i, was := range nearest {
		var a, b, c, d float32
		x := all[i*shadow : (i+1)*shadow]
		for j := 0; j < shadow; j += 4 {
			e, f, g, h := x[j]-to[j], x[j+1]-to[j+1], x[j+2]-to[j+2], x[j+3]-to[j+3]
			a, b, c, d = a+e*e, b+f*f, c+g*g, d+h*h
		}
		if sum := a + b + c + d; sum < was {
			nearest[i] = sum
		}
	}
}

func dot(a, b []float32) float32 {
	return blas32.Dot(blas32.Vector{N: len(a), Inc: 1, Data: a}, blas32.Vector{N: len(b), Inc: 1, Data: b})
}

func squared(a []float32) float32 { return dot(a, a) }
