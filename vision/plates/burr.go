package plates

import (
	"math"
	"math/rand/v2"
)

// burr is metal that the drill tore out of a hole: a jagged bright rim, and
// chips that fell beside it.
type burr struct {
	at      hole
	rim     [burrSteps]tooth
	chips   []chip
	lx, ly  float32
	extent  rect
	highest float32
}

// burrSteps is how many teeth a whole rim has.
const burrSteps = 72

type tooth struct{ out, in, light float32 }

// chip is a curl of metal: an arc with its thickness and its shadow.
type chip struct {
	u, v, r, thick, from, sweep, light float32
}

func newBurr(rng *rand.Rand, p *part) *burr {
	d := &burr{at: p.holes[rng.IntN(len(p.holes))], lx: p.lx, ly: p.ly}
	from, span := rng.IntN(burrSteps), burrSteps*(75+rng.IntN(26))/100
	height := between(rng, 13, 20)
	for i := range span {
		t := float32(i) / float32(span)
		k := smooth(0, 0.12, t) * (1 - smooth(0.88, 1, t))
		if span == burrSteps {
			k = 1
		}
		tooth := tooth{out: height * k * between(rng, 0.35, 1), in: 6 * k * between(rng, 0, 1), light: between(rng, 0.25, 1.25)}
		if tooth.light < 0.5 {
			tooth.light *= 0.35 // a fold in its own shadow
		}
		d.rim[(from+i)%burrSteps] = tooth
		d.highest = max(d.highest, tooth.out)
	}
	reach := d.at.r + d.highest + 2
	d.extent = rect{d.at.u - reach, d.at.v - reach, d.at.u + reach, d.at.v + reach}
	for range 9 + rng.IntN(7) {
		d.drop(rng, p)
	}
	return d
}

// drop lets a chip fall near the hole.
func (d *burr) drop(rng *rand.Rand, p *part) {
	a := rng.Float64() * 2 * math.Pi
	away := d.at.r + d.highest + between(rng, 2, 34)
	c := chip{
		u: d.at.u + away*float32(math.Cos(a)), v: d.at.v + away*float32(math.Sin(a)),
		r: between(rng, 3.2, 7.5), thick: between(rng, 1.1, 2), from: between(rng, 0, 6.28), sweep: between(rng, 1.2, 5), light: between(rng, 0.75, 1.25),
	}
	if e, _, _ := p.edge(c.u, c.v); e > -c.r-4 {
		return // it fell on the belt and rode away
	}
	d.chips = append(d.chips, c)
	x := &d.extent
	room := c.r + c.thick + 4
	x.u0, x.v0, x.u1, x.v1 = min(x.u0, c.u-room), min(x.v0, c.v-room), max(x.u1, c.u+room), max(x.v1, c.v+room)
}

func (d *burr) bounds() rect { return d.extent }

func (d *burr) mark(s *surface) {
	d.tear(s)
	for i := range d.chips {
		c := &d.chips[i]
		// Its shadow falls away from the light.
		if k := c.cover(s.u+d.lx*2.2, s.v+d.ly*2.2); k > 0 {
			s.tint = scaled(s.tint, 1-0.6*k)
		}
		if k := c.cover(s.u, s.v); k > 0 {
			s.over, s.overTone = k, c.light
		}
	}
}

// tear is the rim.
func (d *burr) tear(s *surface) {
	du, dv := s.u-d.at.u, s.v-d.at.v
	r := sqrt(du*du + dv*dv)
	gap := r - d.at.r
	if gap > d.highest+2 || gap < -8 {
		return
	}
	turn := float32(math.Atan2(float64(dv), float64(du)))/(2*math.Pi) + 0.5
	x := turn * burrSteps
	i := int(x)
	f := x - float32(i)
	a, b := d.rim[i%burrSteps], d.rim[(i+1)%burrSteps]
	out, in := a.out+(b.out-a.out)*f, a.in+(b.in-a.in)*f
	if out < 0.6 && in < 0.6 {
		return
	}
	// Each tooth is a facet with a light of its own, brightest at its ridge.
	cover := smooth(-in-0.8, -in+0.4, gap) * (1 - smooth(out-0.9, out+0.5, gap))
	ridge := 1 - absolute(f-0.5)*0.9
	light := a.light * ridge
	if gap < 0.5 {
		light *= 0.75
	}
	if cover > s.over {
		s.over, s.overTone = cover, light
	}
	if gap > out-1 { // the shadow that the torn metal throws on the plate
		toward := (du*d.lx + dv*d.ly) / r
		s.tint = scaled(s.tint, 1-0.5*clamp(0.4-toward, 0, 1)*(1-smooth(out, out+4, gap)))
	}
}

// cover is the share of the place that the chip lies on.
func (c *chip) cover(u, v float32) float32 {
	du, dv := u-c.u, v-c.v
	if du > c.r+3 || du < -c.r-3 || dv > c.r+3 || dv < -c.r-3 {
		return 0
	}
	off := absolute(sqrt(du*du+dv*dv) - c.r)
	if off > c.thick+0.6 {
		return 0
	}
	turn := float32(math.Atan2(float64(dv), float64(du))) - c.from
	for turn < 0 {
		turn += 2 * math.Pi
	}
	if turn > c.sweep {
		return 0
	}
	return 1 - smooth(c.thick-0.6, c.thick+0.6, off)
}
