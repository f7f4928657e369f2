package plates

import (
	"math"
	"math/rand/v2"
)

// defect changes the surface of a part inside its bounds, in plate units.
type defect interface {
	bounds() rect
	mark(s *surface)
}

// newDefect makes the defect of a kind on the part; nil for a good part.
func newDefect(rng *rand.Rand, kind Kind, p *part) defect {
	switch kind {
	case Scratch:
		return newScratch(rng, p)
	case Dent:
		return newDent(rng, p)
	case Stain:
		return newStain(rng, p)
	case MissingHole:
		return newUndrilled(rng, p)
	case Burr:
		return newBurr(rng, p)
	}
	return nil
}

// free finds a place on bare metal with the given room around it.
func (p *part) free(rng *rand.Rand, room float32) (u, v float32) {
	for try := 0; ; try++ {
		u = between(rng, -1, 1) * (p.halfU - room - 6)
		v = between(rng, -1, 1) * (p.halfV - room - 6)
		clear := float32(math.Inf(1))
		for _, h := range p.holes {
			clear = min(clear, sqrt((u-h.u)*(u-h.u)+(v-h.v)*(v-h.v))-h.r)
		}
		// A large defect may reach into a hole when there is no better place.
		if clear > room+4-float32(try) {
			return u, v
		}
	}
}

// undrilled is a hole that was never made.
type undrilled struct{ at hole }

func newUndrilled(rng *rand.Rand, p *part) *undrilled {
	h := &p.holes[rng.IntN(len(p.holes)-1)] // the bore in the middle is always there
	h.missing = true
	return &undrilled{*h}
}

func (d *undrilled) bounds() rect {
	r := d.at.r + d.at.chamfer
	return rect{d.at.u - r, d.at.v - r, d.at.u + r, d.at.v + r}
}

func (d *undrilled) mark(*surface) {}

// dent is a smooth hollow, sometimes with a sharper bruise in it.
type dent struct {
	u, v, a, b float32 // middle and half axes
	cos, sin   float32
	deep       float32
	bruise     float32
	wobble     [3]float32
}

func newDent(rng *rand.Rand, p *part) *dent {
	a := between(rng, 17, 44)
	d := &dent{a: a, b: a * between(rng, 0.6, 1), deep: between(rng, 0.55, 0.9), bruise: between(rng, 0, 0.6)}
	d.u, d.v = p.free(rng, a*0.8)
	turn := rng.Float64() * math.Pi
	d.cos, d.sin = float32(math.Cos(turn)), float32(math.Sin(turn))
	d.wobble = [3]float32{between(rng, -0.12, 0.12), between(rng, -0.08, 0.08), between(rng, 0, 6.28)}
	return d
}

func (d *dent) bounds() rect {
	r := d.a * 1.25
	return rect{d.u - r, d.v - r, d.u + r, d.v + r}
}

func (d *dent) mark(s *surface) {
	du, dv := s.u-d.u, s.v-d.v
	x, y := (du*d.cos+dv*d.sin)/d.a, (-du*d.sin+dv*d.cos)/d.b
	r := sqrt(x*x + y*y)
	if r > 1.25 || r < 1e-4 {
		return
	}
	angle := math.Atan2(float64(y), float64(x))
	r *= 1 + d.wobble[0]*float32(math.Cos(2*angle+float64(d.wobble[2]))) + d.wobble[1]*float32(math.Cos(3*angle))
	if r >= 1.08 {
		return
	}
	// The slope is steepest two thirds of the way out, with a small raised lip.
	slope := d.deep * 2.9 * r * (1 - r*r) * (1 - 0.3*r)
	if r > 0.93 {
		slope -= 0.3 * d.deep * (1 - smooth(0.93, 1.08, r))
	}
	nx, ny := -x/r*slope, -y/r*slope*d.a/d.b
	s.nu += nx*d.cos - ny*d.sin
	s.nv += nx*d.sin + ny*d.cos
	inside := 1 - smooth(0.75, 1, r)
	s.gloss *= 1 - 0.45*inside
	s.v += ny * 3 * inside // the brushing bends with the metal
	core := 1 - smooth(0.12, 0.3, r)
	s.tint = scaled(s.tint, 1-0.16*inside-0.4*core*d.bruise)
}
