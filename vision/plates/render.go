package plates

import (
	"image"
	"math"
)

// light is a picture in linear light, three values a pixel.
type light []float32

// surface is a place on the plate as a defect may change it.
type surface struct {
	u, v     float32
	nu, nv   float32    // tilt of the surface
	tint     [3]float32 // share of light that comes back
	gloss    float32    // strength of grain and reflection
	sparkle  float32    // light added by a bare or torn edge
	over     float32    // metal or dirt lying above all else: its share …
	overTone float32    // … and its light
}

// render draws belt, shadow, plate and defect.
//
//go:norace
func (p *part) render(d defect) light {
	out := make(light, Width*Height*3)
	b := newBelt(p)
	var extent rect
	if d != nil {
		extent = d.bounds()
	}
	var s surface // one for all: a defect behind an interface would move each to the heap
	for y := range Height {
		for x := range Width {
			fx, fy := float32(x)+0.5, float32(y)+0.5
			u, v := p.onPlate(fx, fy)
			at := out[(y*Width+x)*3:][:3]
			even := 1 + (fx-Width/2)*p.slopeX + (fy-Height/2)*p.slopeY
			e, nu, nv := p.edge(u, v)
			if e > 0.7 {
				b.shade(at, x, y, even*p.shadow(u, v, e))
				continue
			}
			s = surface{u: u, v: v, gloss: 1, tint: [3]float32{1, 1, 1}}
			cover := clamp(0.5-e*p.scale, 0, 1)
			if e > -3.4 { // the broken outer edge
				k := smooth(-3.4, -0.6, e)
				s.nu, s.nv = nu*0.75*k, nv*0.75*k
			}
			h, hd := p.nearest(u, v)
			if hd < h.chamfer {
				cover = min(cover, clamp(0.5+hd*p.scale, 0, 1))
				if hd > -1 {
					p.chamfer(&s, h, hd)
				}
			}
			if d != nil && extent.contains(u, v) {
				d.mark(&s)
			}
			if cover < 1 {
				b.shade(at, x, y, even*p.depth(u, v, e, h, hd))
			}
			p.paint(at, &s, cover, even)
		}
	}
	return out
}

// nearest is the hole closest to the place and the distance to its wall,
// negative inside the hole. Far from every hole the distance is large.
//
//go:norace
func (p *part) nearest(u, v float32) (*hole, float32) {
	best, dist := &p.holes[0], float32(1e6)
	for i := range p.holes {
		h := &p.holes[i]
		du, dv := u-h.u, v-h.v
		reach := h.r + 8
		if h.missing || du > reach || du < -reach || dv > reach || dv < -reach {
			continue
		}
		if d := sqrt(du*du+dv*dv) - h.r; d < dist {
			best, dist = h, d
		}
	}
	return best, dist
}

// chamfer tilts the rim of a hole towards its middle.
func (p *part) chamfer(s *surface, h *hole, d float32) {
	l := d + h.r
	k := (1 - smooth(h.chamfer-1, h.chamfer, d)) * 0.85
	s.nu, s.nv = s.nu-(s.u-h.u)/l*k, s.nv-(s.v-h.v)/l*k
	s.gloss *= 1 - 0.8*k
	if d < 0.9 { // the sharp inner edge
		s.tint = scaled(s.tint, 0.55)
	}
}

// depth is the light on the belt below the plate: through a hole it comes from
// one side only.
func (p *part) depth(u, v, e float32, h *hole, hd float32) float32 {
	if hd >= 1 {
		return p.shadow(u, v, e)
	}
	const thick = 13
	du, dv := u+p.lx*thick-h.u, v+p.ly*thick-h.v
	lit := 1 - smooth(-7, 4, sqrt(du*du+dv*dv)-h.r)
	return 0.16 + 0.62*lit
}

// shadow is the light on the belt beside the plate.
//
//go:norace
func (p *part) shadow(u, v, e float32) float32 {
	if e > 34 {
		return 1
	}
	d, _, _ := p.edge(u+p.lx*11, v+p.ly*11)
	cast := 1 - 0.72*(1-smooth(-9, 10, d))
	near := 1 - 0.45*(1-smooth(0, 14, e))
	return cast * near
}

// paint adds the plate's light at a place that it covers by the share given.
//
//go:norace
func (p *part) paint(at []float32, s *surface, cover, even float32) {
	g := p.grain.at(s.u, s.v)
	m := p.mottle.at(s.u, s.v)
	// The reflection is stretched across the grain; each streak sends it a little aside.
	x := (s.u - p.bandU + p.bandTilt*s.v + 17*g) / p.bandW
	band := p.band * bell(x)
	face := 0.40*(1+p.grainDepth*g*s.gloss+0.035*m) + band*s.gloss*(0.8+0.12*g)*0.55
	toward := s.nu*p.lx + s.nv*p.ly
	tilt := s.nu*s.nu + s.nv*s.nv
	lit := 1 + 1.25*toward - 0.42*tilt
	if lit < 0.4 { // what the room's own light leaves
		lit = 0.4 - (0.4-lit)*0.5
	}
	lit = max(lit, 0.07)
	glint := max(0, toward-0.25)
	tone := face*lit + 0.9*glint*glint + s.sparkle
	if k := p.code.cover(s.u, s.v); k > 0 {
		tone *= 1 - 0.62*k
	}
	metal := [3]float32{0.985, 1, 1.02}
	for c := range 3 {
		l := tone * s.tint[c] * metal[c] * even
		at[c] = at[c]*(1-cover) + l*cover
		if s.over > 0 {
			at[c] = at[c]*(1-s.over) + s.overTone*metal[c]*even*s.over
		}
	}
}

// bell is near exp(-x²), without the cost.
func bell(x float32) float32 {
	t := 1 + x*x*0.5
	return 1 / (t * t)
}

func scaled(c [3]float32, k float32) [3]float32 {
	return [3]float32{c[0] * k, c[1] * k, c[2] * k}
}

// develop is the camera: focus, vignette, exposure, sensor noise and tone.
//
//go:norace
func (p *part) develop(l light) *image.RGBA {
	soften(l, p.focus)
	img := image.NewRGBA(image.Rect(0, 0, Width, Height))
	q := quick(p.seed | 1)
	var fall [Width]float32
	for x := range fall {
		dx := (float32(x) - Width/2) / (Width / 2)
		fall[x] = 1 - 0.13*dx*dx
	}
	gain := [3]float32{p.exposure * p.cast[0], p.exposure * p.cast[1], p.exposure * p.cast[2]}
	for y := range Height {
		dy := (float32(y) - Height/2) / (Height / 2)
		fallY := 1 - 0.09*dy*dy
		row := img.Pix[y*img.Stride:]
		for x := range Width {
			f := fall[x] * fallY
			bits := q.next()
			luma := gauss[bits&4095]
			for c := range 3 {
				v := tone(l[(y*Width+x)*3+c] * f * gain[c])
				v += p.noise * (1.3*luma + 0.7*gauss[bits>>(12+12*c)&4095])
				row[x*4+c] = uint8(clamp(v+0.5, 0, 255))
			}
			row[x*4+3] = 255
		}
	}
	return img
}

// gauss and curve are tables: normal deviates, and linear light to a pixel value.
var gauss, curve = func() (g [4096]float32, c [2049]float32) {
	for i := range g {
		g[i] = float32(math.Sqrt2 * math.Erfinv(2*(float64(i)+0.5)/4096-1))
	}
	for i := range c {
		x := float64(i) / 1024
		x = x * (1 + x/4) / (1 + x*0.72) // a soft shoulder
		c[i] = float32(255 * math.Pow(x/1.05, 1/2.1))
	}
	return g, c
}()

func tone(l float32) float32 {
	x := clamp(l*1024, 0, 2047)
	i := int(x)
	return curve[i] + (curve[i+1]-curve[i])*(x-float32(i))
}

// soften spreads each pixel to its neighbours by the share a, as a lens does.
//
//go:norace
func soften(l light, a float32) {
	const row = Width * 3
	keep := 1 - 2*a
	before := make([]float32, row)
	for y := range Height {
		line := l[y*row : (y+1)*row]
		copy(before, line)
		for i := 3; i < row-3; i++ {
			line[i] = before[i]*keep + (before[i-3]+before[i+3])*a
		}
	}
	copy(before, l[:row])
	for y := 1; y < Height-1; y++ {
		line, below := l[y*row:(y+1)*row], l[(y+1)*row:(y+2)*row]
		for i, v := range line {
			line[i] = v*keep + (before[i]+below[i])*a
			before[i] = v
		}
	}
}
