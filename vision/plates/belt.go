package plates

import "math"

// belt is the woven conveyor below the parts, a value a pixel about 1.
type belt struct {
	weave [Width * Height]float32
	tone  [3]float32
}

//go:norace
func newBelt(p *part) *belt {
	b := &belt{tone: p.beltTone}
	q := quick(p.seed ^ 0x9e3779b97f4a7c15 | 1)
	var up, down [Width + Height]float32
	phase := float64(q.signed()) * math.Pi
	for i := range up {
		up[i] = float32(math.Sin(float64(i)*0.74 + phase))
		down[i] = float32(math.Sin(float64(i)*0.81 - phase))
	}
	drift := q.signed()
	for y := range Height {
		drift = 0.985*drift + 0.06*q.signed()
		for x := range Width {
			n := q.signed()
			b.weave[y*Width+x] = 1 + 0.16*up[x+y]*down[x-y+Height] + 0.17*n + 0.18*drift
		}
	}
	for range 140 { // dust
		x, y := int(q.next()>>8%Width), int(q.next()>>8%Height)
		b.weave[y*Width+x] += 1.2 + 1.1*q.signed()
	}
	for range 7 { // scuffs along the way the belt runs
		x, y, n := int(q.next()>>8%Width), int(q.next()>>8%Height), 20+int(q.next()>>8%120)
		k := 0.12 + 0.1*q.signed()
		for i := x; i < min(x+n, Width); i++ {
			b.weave[y*Width+i] += k
		}
	}
	return b
}

// shade sets a pixel to the belt under the share of light given.
func (b *belt) shade(at []float32, x, y int, lit float32) {
	k := b.weave[y*Width+x] * lit
	at[0], at[1], at[2] = b.tone[0]*k, b.tone[1]*k, b.tone[2]*k
}
