package head

import "loupe/models/onnx"

// Grid brings the three taps of a frame to stride 16, as the ONNX file does for
// its bank of known places: the mean of four places of stride8, stride16 as it
// is, and stride32 enlarged bilinearly. It belongs to one goroutine.
type Grid struct {
	Places int // side², without what pads a row
	size   int
	row    int       // places padded to a multiple of eight
	values []float32 // PatchLen × row
	half   []uint16  // the same standardised
	small  []float32
	up     *upsampler
}

// NewGrid makes room for frames of an input of the given side.
func NewGrid(size int) *Grid {
	n := row(size, 1)
	return &Grid{
		Places: area(size, 1), size: size, row: n, values: make([]float32, onnx.PatchLen*n), half: make([]uint16, onnx.PatchLen*n),
		small: make([]float32, area(size, 2)), up: newUpsampler(size/32, 2),
	}
}

// Fill takes the places of a frame.
//
//go:norace
func (g *Grid) Fill(f *Features) {
	wide, channel := widened(), 0
	next := func() []float32 {
		to := g.values[channel*g.row : channel*g.row+g.Places]
		channel++
		clear(to)
		return to
	}
	side, fine := g.size/16, g.size/8
	for c := range Channels[0] {
		from, to := f.tap(g.size, 0)[c*row(g.size, 0):], next()
		for i := range to {
			at := i/side*2*fine + i%side*2
			to[i] = (wide[from[at]] + wide[from[at+1]] + wide[from[at+fine]] + wide[from[at+fine+1]]) / 4
		}
	}
	for c := range Channels[1] {
		from, to := f.tap(g.size, 1)[c*g.row:], next()
		for i := range to {
			to[i] = wide[from[i]]
		}
	}
	for c := range Channels[2] {
		from, to := f.tap(g.size, 2)[c*row(g.size, 2):], next()
		for i := range g.small {
			g.small[i] = wide[from[i]]
		}
		g.up.add(g.small, to)
	}
}

// Place copies one place, PatchLen values.
//
//go:norace
func (g *Grid) Place(i int, to []float32) {
	for c := range to {
		to[c] = g.values[c*g.row+i]
	}
}

// Standardise prepares Products and adds to lengths the squared length of each place.
//
//go:norace
func (g *Grid) Standardise(mean, std, lengths []float32) {
	line := make([]float32, g.row)
	for c := range onnx.PatchLen {
		m, s := mean[c], 1/std[c]
		for i, v := range g.values[c*g.row : c*g.row+g.Places] {
			line[i] = (v - m) * s
			lengths[i] += line[i] * line[i]
		}
		narrow(g.half[c*g.row:], line)
	}
}

// Products gives the products of each standardised place with eight vectors,
// laid out as Interleave does: out[k·Row()+place].
func (g *Grid) Products(out, vectors []float32) {
	maps(out, g.row, g.half, g.row, onnx.PatchLen, vectors)
}

// Row is the distance of two rows of Products.
func (g *Grid) Row() int { return g.row }

// Interleave lays vectors of PatchLen out in blocks of eight for Products; the
// last block is filled up with zeros.
func Interleave(vectors []float32) []float32 {
	n := len(vectors) / onnx.PatchLen
	out := make([]float32, (n+block-1)/block*block*onnx.PatchLen)
	for k := range n {
		for i, v := range vectors[k*onnx.PatchLen : (k+1)*onnx.PatchLen] {
			out[at(k, i, onnx.PatchLen)] = v
		}
	}
	return out
}
