package head

import (
	"math"
	"sync"

	"github.com/x448/float16"
)

// block is how many classes the kernels treat at once; weights and gradients
// are padded to it and lie place after place in blocks: [block][channel][8].
const block = 8

// Three kernels do nearly all the work of a fit. maps is the 1×1 convolution,
//
//	out[k·stride+p] = Σc w[c·8+k] · tap[c·row+p]   for k < 8, p < row,
//
// and gradients its derivative by the weights,
//
//	into[c·8+k] += Σp deltas[k·row+p] · tap[c·row+p].
//
// Taps are float16, a row is one channel's places padded with zeros to a
// multiple of 8. The third is exponentials. kernels_amd64.s holds all for processors with AVX2, FMA and
// F16C; elsewhere the functions below run.

func mapsGo(out []float32, stride int, tap []uint16, row, channels int, w []float32) {
	wide := widened()
	for k := range block {
		clear(out[k*stride : k*stride+row])
	}
	for c := range channels {
		x := tap[c*row : (c+1)*row]
		for k := range block {
			v := w[c*block+k]
			if v == 0 {
				continue // a class that only pads the block
			}
			o := out[k*stride : k*stride+row]
			for p, half := range x {
				o[p] += v * wide[half]
			}
		}
	}
}

func gradientsGo(into, deltas []float32, row int, tap []uint16, channels, classes int) {
	wide := widened()
	line := make([]float32, row)
	for c := range channels {
		for p, half := range tap[c*row : (c+1)*row] {
			line[p] = wide[half]
		}
		for k := range classes {
			var sum float32
			for p, v := range deltas[k*row : (k+1)*row] {
				sum += v * line[p]
			}
			into[c*block+k] += sum
		}
	}
}

// exponentials gives the largest value of a map and the sum of
// exp(sharp·(value−largest)), whose terms it leaves in share.
func exponentialsGo(share, heat []float32, sharp float32) (top, sum float32) {
	top = heat[0]
	for _, v := range heat {
		top = max(top, v)
	}
	for i, v := range heat {
		share[i] = exp32(sharp * (v - top))
		sum += share[i]
	}
	return top, sum
}

// exp32 is e^x for x ≤ 0, with a relative error under 3e-7; below -87 it is 0.
func exp32(x float32) float32 {
	if !(x >= -87) {
		return 0
	}
	n := int32(x*1.44269504 - 0.5) // to the nearest, as x is not positive
	f := float32(n)
	r := x - f*0.693359375 - f*-2.12194440e-4
	p := ((((((1.9875691500e-4*r+1.3981999507e-3)*r+8.3334519073e-3)*r+4.1665795894e-2)*r+1.6666665459e-1)*r+5.0000001201e-1)*r*r + r + 1)
	return p * math.Float32frombits(uint32(n+127)<<23)
}

// widened holds each float16 as a float32: a look-up is three times as fast as converting.
var widened = sync.OnceValue(func() *[1 << 16]float32 {
	var t [1 << 16]float32
	for i := range t {
		t[i] = float16.Frombits(uint16(i)).Float32()
	}
	return &t
})

// largest is the largest finite float16.
const largest = 65504

// narrow stores values as float16, those out of range as the nearest in range.
func narrow(to []uint16, from []float32) {
	for i, v := range from {
		to[i] = float16.Fromfloat32(min(max(v, -largest), largest)).Bits()
	}
}
