package plates

import (
	"math"
	"math/rand/v2"
)

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// clamp is written out: min and max mind values that are not numbers, at a price.
func clamp(x, lo, hi float32) float32 {
	if x < lo {
		return lo
	}
	if x > hi {
		return hi
	}
	return x
}

// smooth rises from 0 at lo to 1 at hi.
func smooth(lo, hi, x float32) float32 {
	t := clamp((x-lo)/(hi-lo), 0, 1)
	return t * t * (3 - 2*t)
}

// quick is a xorshift source for the many numbers of a texture.
type quick uint64

func (q *quick) next() uint64 {
	x := uint64(*q)
	x ^= x << 13
	x ^= x >> 7
	x ^= x << 17
	*q = quick(x)
	return x
}

// signed draws from [-1, 1).
func (q *quick) signed() float32 {
	return float32(int32(q.next()>>32)) * (1.0 / (1 << 31))
}

// texture is a grid of values that is read between its cells; step is the
// extent of a cell in the units of the reader.
type texture struct {
	w, h  int
	step  float32
	cells []float32
}

func newTexture(w, h int, step float32) *texture {
	return &texture{w: w, h: h, step: step, cells: make([]float32, w*h)}
}

// at reads at u, v with the texture's middle at the origin.
//
//go:norace
func (t *texture) at(u, v float32) float32 {
	x := clamp(u/t.step+float32(t.w)*0.5, 0, float32(t.w)-1.001)
	y := clamp(v/t.step+float32(t.h)*0.5, 0, float32(t.h)-1.001)
	i, j := int(x), int(y)
	fx, fy := x-float32(i), y-float32(j)
	row := t.cells[j*t.w+i:]
	a := row[0] + (row[1]-row[0])*fx
	b := row[t.w] + (row[t.w+1]-row[t.w])*fx
	return a + (b-a)*fy
}

// round reads like at, without kinks at the cells' borders.
func (t *texture) round(u, v float32) float32 {
	fade := func(x float32) float32 {
		i := float32(math.Floor(float64(x)))
		return i + smooth(0, 1, x-i)
	}
	w, h := float32(t.w)*0.5, float32(t.h)*0.5
	return t.at((fade(u/t.step+w)-w)*t.step, (fade(v/t.step+h)-h)*t.step)
}

// newGrain is the brushing: streaks of several lengths along u, values about -2 to 2.
func newGrain(rng *rand.Rand) *texture {
	t := newTexture(500, 344, 1)
	q := quick(rng.Uint64() | 1)
	coarse := q.signed()
	for j := range t.h {
		coarse = 0.72*coarse + 0.5*q.signed()
		line := coarse + 0.5*q.signed()
		var long, short float32
		row := t.cells[j*t.w : (j+1)*t.w]
		for i := range row {
			n := q.signed()
			long = 0.985*long + 0.13*n
			short = 0.86*short + 0.42*n
			row[i] = 0.75*line + 0.9*long + 0.45*short
		}
	}
	return t
}

// newMottle is slow unevenness over the plate, values about -1 to 1.
func newMottle(rng *rand.Rand) *texture {
	return newCloud(rng, 16, 11, 34)
}

// newCloud is smooth noise: a grid of random values, refined twice.
func newCloud(rng *rand.Rand, w, h int, step float32) *texture {
	coarse := newTexture(w, h, 4)
	fine := newTexture(w*2, h*2, 2)
	for _, t := range []*texture{coarse, fine} {
		for i := range t.cells {
			t.cells[i] = between(rng, -1, 1)
		}
	}
	out := newTexture(w*4, h*4, step/4)
	for j := range out.h {
		for i := range out.w {
			u, v := float32(i)-float32(out.w)/2, float32(j)-float32(out.h)/2
			out.cells[j*out.w+i] = 0.8*coarse.round(u, v) + 0.35*fine.round(u, v)
		}
	}
	return out
}

// code is the square mark that a laser leaves beside the bore.
type code struct {
	u, v, module float32
	dark         [codeSide * codeSide]bool
}

const codeSide = 14

func newCode(rng *rand.Rand) code {
	c := code{u: between(rng, 98, 104), v: between(rng, -22, -16), module: 2.7}
	for j := range codeSide {
		for i := range codeSide {
			dark := rng.IntN(2) == 0
			switch { // the finder pattern: two solid sides, two dotted ones
			case i == 0 || j == codeSide-1:
				dark = true
			case j == 0:
				dark = i%2 == 0
			case i == codeSide-1:
				dark = j%2 == 1
			}
			c.dark[j*codeSide+i] = dark
		}
	}
	return c
}

// cover is how much of the place is marked, 0 to 1.
func (c *code) cover(u, v float32) float32 {
	x, y := (u-c.u)/c.module, (v-c.v)/c.module
	if x < 0 || y < 0 || x >= codeSide || y >= codeSide {
		return 0
	}
	if c.dark[int(y)*codeSide+int(x)] {
		return 1
	}
	return 0
}
