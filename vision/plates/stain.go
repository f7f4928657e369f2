package plates

import "math/rand/v2"

// stain is a dried spot with smaller drops around it.
type stain struct {
	drops  []drop
	cloud  *texture
	colour [3]float32
	ring   float32
	extent rect
}

type drop struct{ u, v, r float32 }

func newStain(rng *rand.Rand, p *part) *stain {
	d := &stain{extent: rect{1e6, 1e6, -1e6, -1e6}, cloud: newCloud(rng, 30, 22, 17), ring: between(rng, 0.12, 0.3)}
	r := between(rng, 20, 56)
	u, v := p.free(rng, r*0.6)
	d.add(u, v, r)
	if rng.IntN(2) == 0 { // two spots that ran into each other
		d.add(u+between(rng, -0.9, 0.9)*r, v+between(rng, -0.5, 0.5)*r, r*between(rng, 0.4, 0.75))
	}
	for range rng.IntN(6) {
		d.add(u+between(rng, -2.2, 2.2)*r, v+between(rng, -1.6, 1.6)*r, between(rng, 3, 8))
	}
	dark := between(rng, 0.42, 0.62)
	switch rng.IntN(3) {
	case 0: // oil
		d.colour = [3]float32{dark * 1.12, dark, dark * 0.74}
	case 1: // coolant
		d.colour = [3]float32{dark * 0.94, dark, dark * 1.04}
	default: // rust water
		d.colour = [3]float32{dark * 1.25, dark * 0.94, dark * 0.66}
	}
	e := rect{-p.halfU, -p.halfV, p.halfU, p.halfV}
	d.extent = rect{max(d.extent.u0, e.u0), max(d.extent.v0, e.v0), min(d.extent.u1, e.u1), min(d.extent.v1, e.v1)}
	return d
}

func (d *stain) add(u, v, r float32) {
	d.drops = append(d.drops, drop{u, v, r})
	x := &d.extent
	room := r*1.3 + 2
	x.u0, x.v0, x.u1, x.v1 = min(x.u0, u-room), min(x.v0, v-room), max(x.u1, u+room), max(x.v1, v+room)
}

func (d *stain) bounds() rect { return d.extent }

func (d *stain) mark(s *surface) {
	warp := d.cloud.at(s.u, s.v)
	depth := float32(-1)
	for i := range d.drops {
		q := &d.drops[i]
		du, dv := s.u-q.u, s.v-q.v
		if du > q.r*1.3 || du < -q.r*1.3 || dv > q.r*1.3 || dv < -q.r*1.3 {
			continue
		}
		// Pixels inside the edge, which the noise bends.
		in := q.r*(1+0.34*warp) - sqrt(du*du+dv*dv)
		depth = max(depth, in)
	}
	if depth <= -1 {
		return
	}
	cover := smooth(-1, 2.2, depth)
	rim := cover * (1 - smooth(1.5, 6.5, depth))
	body := cover * clamp(0.72+0.24*warp+0.12*d.cloud.at(s.v*1.7, s.u*1.7), 0.3, 1)
	for c := range 3 {
		s.tint[c] *= (1 - body*(1-d.colour[c])) * (1 - rim*d.ring)
	}
	s.gloss *= 1 - 0.75*body
}
