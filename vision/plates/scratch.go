package plates

import (
	"math"
	"math/rand/v2"
)

// scratch is one or more grooves, each a chain of short straight pieces.
type scratch struct {
	pieces []piece
	extent rect
}

type piece struct {
	u, v, du, dv, length float32 // start, direction, length
	w0, w1               float32 // half width at both ends
	force0, force1       float32 // how hard the tool pressed, 0 to 1
	groove               int     // which groove it belongs to
}

func newScratch(rng *rand.Rand, p *part) *scratch {
	d := &scratch{extent: rect{1e6, 1e6, -1e6, -1e6}}
	length := between(rng, 80, 250)
	// Across the grain, where a person sees it: 25° to 155°.
	angle := (25 + rng.Float64()*130) * math.Pi / 180
	width := between(rng, 1.6, 2.9)
	u, v := p.free(rng, 18)
	bend := rng.NormFloat64() * 0.5
	d.groove(rng, p, 0, u, v, angle, bend, length, width)
	for i := range rng.IntN(3) {
		side := between(rng, 6, 20) * sign(rng)
		du, dv := float32(-math.Sin(angle)), float32(math.Cos(angle))
		d.groove(rng, p, 1+i, u+du*side, v+dv*side, angle+rng.NormFloat64()*0.06, bend, length*between(rng, 0.25, 0.85), width*between(rng, 0.55, 0.9))
	}
	return d
}

// groove runs from both sides of u, v until its length or the plate ends.
func (d *scratch) groove(rng *rand.Rand, p *part, id int, u, v float32, angle, bend float64, length, width float32) {
	const step = 9
	n := int(length / step)
	angle -= bend / 2
	u -= float32(math.Cos(angle)) * length / 2
	v -= float32(math.Sin(angle)) * length / 2
	press := between(rng, 0.75, 1)
	force := func(i int) float32 {
		t := float32(i) / float32(n)
		return press * smooth(0, 0.12, t) * (1 - 0.75*smooth(0.55, 1, t))
	}
	skip := -1
	if rng.IntN(3) == 0 {
		skip = n/3 + rng.IntN(n/3+1) // the tool jumped
	}
	last := force(0)
	for i := range n {
		angle += bend/float64(n) + rng.NormFloat64()*0.018
		du, dv := float32(math.Cos(angle)), float32(math.Sin(angle))
		next := force(i+1) * (0.82 + 0.18*float32(rng.Float64()))
		e, _, _ := p.edge(u, v)
		_, clear := p.nearest(u+du*step/2, v+dv*step/2)
		if e < -3 && clear > 0 && i != skip {
			q := piece{groove: id, u: u, v: v, du: du, dv: dv, length: step, force0: last, force1: next,
				w0: width * (0.45 + 0.55*last), w1: width * (0.45 + 0.55*next)}
			d.pieces = append(d.pieces, q)
			const room = 4
			d.extent.u0, d.extent.u1 = min(d.extent.u0, u-room, u+du*step-room), max(d.extent.u1, u+room, u+du*step+room)
			d.extent.v0, d.extent.v1 = min(d.extent.v0, v-room, v+dv*step-room), max(d.extent.v1, v+room, v+dv*step+room)
		}
		u, v, last = u+du*step, v+dv*step, next
	}
}

func (d *scratch) bounds() rect { return d.extent }

func (d *scratch) mark(s *surface) {
	// Of each groove only the nearest piece counts, so that bends have no seams.
	type hit struct {
		across, t float32
		q         *piece
	}
	var nearest [3]hit
	for i := range d.pieces {
		q := &d.pieces[i]
		x, y := s.u-q.u, s.v-q.v
		along := clamp(x*q.du+y*q.dv, 0, q.length)
		t := along / q.length
		x, y = x-q.du*along, y-q.dv*along
		w := q.w0 + (q.w1-q.w0)*t
		if limit := 2.2 * w; x > limit || x < -limit || y > limit || y < -limit {
			continue
		}
		across := sqrt(x*x+y*y) / w
		if n := &nearest[q.groove]; across < 2.2 && (n.q == nil || across < absolute(n.across)) {
			if -x*q.dv+y*q.du < 0 {
				across = -across
			}
			*n = hit{across, t, q}
		}
	}
	for _, n := range nearest {
		if n.q != nil {
			n.q.cut(s, n.across, n.t)
		}
	}
}

// cut is the surface at a share t of the piece, across half widths from its middle.
func (q *piece) cut(s *surface, across, t float32) {
	force := q.force0 + (q.force1-q.force0)*t
	// Two walls and, outside them, the metal that was pushed up.
	slope := across * (1.9 - across*across) * 0.5 * force
	s.nu += q.dv * slope
	s.nv -= q.du * slope
	a := absolute(across)
	core := 1 / (1 + a*a*a*a)
	s.gloss *= 1 - 0.8*core*force
	s.sparkle += 0.36 * core * force
	s.tint = scaled(s.tint, 1-0.5*force*smooth(0.7, 1.3, a)*(1-smooth(1.5, 2.2, a)))
}

func absolute(x float32) float32 {
	if x < 0 {
		return -x
	}
	return x
}
