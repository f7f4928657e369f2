package head

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/x448/float16"
)

// Both kernels must give what their definition says, for every padding there is.
func TestKernelsFollowTheirDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, shape := range [][3]int{{784, 784, 40}, {200, 196, 112}, {56, 49, 320}, {8, 1, 1}} {
		row, used, channels := shape[0], shape[1], shape[2]
		tap, w, deltas := make([]uint16, row*channels), make([]float32, channels*block), make([]float32, block*row)
		for i := range tap {
			if i%row < used {
				tap[i] = float16.Fromfloat32(float32(rng.NormFloat64())).Bits()
			}
		}
		for i := range w {
			w[i] = float32(rng.NormFloat64())
		}
		for i := range deltas {
			deltas[i] = float32(rng.NormFloat64())
		}
		value := func(c, p int) float64 { return float64(float16.Frombits(tap[c*row+p]).Float32()) }
		stride := row + 8
		for name, run := range map[string]func(out, into []float32){
			"go": func(out, into []float32) {
				mapsGo(out, stride, tap, row, channels, w)
				gradientsGo(into, deltas, row, tap, channels, block)
			},
			"this machine's": func(out, into []float32) {
				maps(out, stride, tap, row, channels, w)
				gradients(into, deltas, row, tap, channels, block)
			},
		} {
			out, into := make([]float32, block*stride), make([]float32, channels*block)
			into[0] = 5 // is added to
			run(out, into)
			for k := range block {
				for p := range row {
					var want float64
					for c := range channels {
						want += float64(w[c*block+k]) * value(c, p)
					}
					if got := float64(out[k*stride+p]); math.Abs(got-want) > 1e-4*(1+math.Abs(want)) {
						t.Fatalf("%s maps %v: class %d place %d is %v, not %v", name, shape, k, p, got, want)
					}
				}
			}
			for c := range channels {
				for k := range block {
					var want float64
					if c == 0 && k == 0 {
						want = 5
					}
					for p := range row {
						want += float64(deltas[k*row+p]) * value(c, p)
					}
					if got := float64(into[c*block+k]); math.Abs(got-want) > 2e-4*(1+math.Abs(want)) {
						t.Fatalf("%s gradients %v: channel %d class %d is %v, not %v", name, shape, c, k, got, want)
					}
				}
			}
		}
	}
}

// The upsampler is the transposed convolution with the file's kernel, and
// transpose is its adjoint.
func TestUpsamplerIsTheTransposedConvolution(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	for factor, side := range map[int]int{2: 14, 4: 7} {
		u := newUpsampler(side, factor)
		n := side * factor
		small, out, want := noise(rng, side*side), make([]float32, n*n), make([]float32, n*n)
		u.add(small, out)
		for y := range side {
			for x := range side {
				for i, a := range u.line {
					for j, b := range u.line {
						if Y, X := y*factor+i-factor/2, x*factor+j-factor/2; Y >= 0 && X >= 0 && Y < n && X < n {
							want[Y*n+X] += a * b * small[y*side+x]
						}
					}
				}
			}
		}
		for i := range out {
			if math.Abs(float64(out[i]-want[i])) > 1e-5 {
				t.Fatalf("enlarged by %d: place %d is %v, not %v", factor, i, out[i], want[i])
			}
		}
		big, back := noise(rng, n*n), make([]float32, side*side)
		u.transpose(big, back)
		if a, b := dot(big, out), dot(back, small); math.Abs(a-b) > 1e-3 {
			t.Fatalf("enlarged by %d: <big, up small> = %v, <down big, small> = %v", factor, a, b)
		}
	}
}

func TestExp32(t *testing.T) {
	for x := float32(-86.9); x <= 0; x += 0.0137 {
		want := math.Exp(float64(x))
		if got := float64(exp32(x)); math.Abs(got-want) > 3e-7*want {
			t.Fatalf("e^%v is %v, not %v", x, got, want)
		}
	}
	for _, x := range []float32{-88, -1e30, float32(math.Inf(-1)), float32(math.NaN())} {
		if exp32(x) != 0 {
			t.Errorf("e^%v is %v, not 0", x, exp32(x))
		}
	}
	if exp32(0) != 1 {
		t.Errorf("e^0 is %v", exp32(0))
	}
}

func TestExponentials(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	for _, n := range []int{8, 784, 1600, 13} {
		heat := noise(rng, n)
		for i := range heat {
			heat[i] *= 8
		}
		heat[n-1] = -1000
		var sum float64
		top := float64(slices.Max(heat))
		share := make([]float32, n)
		gotTop, gotSum := exponentials(share, heat, 4)
		for i, v := range heat {
			want := math.Exp(4 * (float64(v) - top))
			sum += want
			if math.Abs(float64(share[i])-want) > 1e-5*want+1e-37 {
				t.Fatalf("place %d of %d with %v below the top gives %v, not %v", i, n, top-float64(v), share[i], want)
			}
		}
		if float64(gotTop) != top || math.Abs(float64(gotSum)-sum) > 1e-5*sum {
			t.Errorf("%d places: top %v and sum %v, not %v and %v", n, gotTop, gotSum, top, sum)
		}
	}
}

func TestNarrowKeepsValuesFinite(t *testing.T) {
	to := make([]uint16, 4)
	narrow(to, []float32{1e9, -1e9, 0.5, float32(math.Inf(1))})
	for i, want := range []float32{largest, -largest, 0.5, largest} {
		if got := float16.Frombits(to[i]).Float32(); got != want {
			t.Errorf("value %d became %v, not %v", i, got, want)
		}
	}
}

func noise(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

func dot(a, b []float32) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}
