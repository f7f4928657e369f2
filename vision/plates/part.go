package plates

import (
	"image"
	"math"
	"math/rand/v2"
)

// hole is a drilled and chamfered hole; u, v and r are in plate units.
type hole struct {
	u, v, r, chamfer float32
	missing          bool
}

// rect is an extent in plate units.
type rect struct{ u0, v0, u1, v1 float32 }

func (r rect) contains(u, v float32) bool {
	return u >= r.u0 && u < r.u1 && v >= r.v0 && v < r.v1
}

// part is a plate under its light, before a defect. A plate's own coordinates
// u, v have their origin in its middle, u along the grain; a unit is about a pixel.
type part struct {
	halfU, halfV, corner float32 // half extents and corner radius
	holes                []hole
	grain, mottle        *texture
	code                 code

	// pose: where the plate lies in the picture
	x, y, cos, sin, scale float32

	// light
	lx, ly         float32 // direction to the light, in plate coordinates
	towardX        float32 // the same, in the picture
	towardY        float32
	exposure       float32
	slopeX, slopeY float32 // uneven light over the picture
	bandU, bandW   float32 // the stretched reflection across the grain
	bandTilt, band float32
	cast           [3]float32
	grainDepth     float32

	// camera
	focus, noise float32
	seed         uint64
	beltTone     [3]float32
}

// between draws from [lo, hi).
func between(rng *rand.Rand, lo, hi float64) float32 {
	return float32(lo + rng.Float64()*(hi-lo))
}

// sign draws -1 or 1.
func sign(rng *rand.Rand) float32 {
	if rng.IntN(2) == 0 {
		return -1
	}
	return 1
}

func newPart(rng *rand.Rand) *part {
	p := &part{halfU: 236, halfV: 158, corner: 22}
	turn := rng.NormFloat64() * 2.2
	turn = math.Max(-6, math.Min(6, turn)) * math.Pi / 180
	p.cos, p.sin = float32(math.Cos(turn)), float32(math.Sin(turn))
	p.scale = between(rng, 0.97, 1.03)
	p.x = Width/2 + between(rng, -26, 26)
	p.y = Height/2 + between(rng, -22, 22)

	p.drill(rng)
	p.illuminate(rng)

	p.focus = between(rng, 0.05, 0.17)
	p.noise = between(rng, 0.6, 1.5)
	p.seed = rng.Uint64()
	p.grain = newGrain(rng)
	p.mottle = newMottle(rng)
	p.code = newCode(rng)
	return p
}

// drill places six bolt holes, a bore in the middle and their tolerances.
func (p *part) drill(rng *rand.Rand) {
	place := func(u, v, r float64) {
		p.holes = append(p.holes, hole{
			u: float32(u + rng.NormFloat64()*1.1), v: float32(v + rng.NormFloat64()*1.1),
			r: float32(r * (1 + rng.NormFloat64()*0.015)), chamfer: between(rng, 3.2, 4.6),
		})
	}
	for _, v := range []float64{-104, 104} {
		for _, u := range []float64{-178, 0, 178} {
			place(u, v, 21)
		}
	}
	place(0, 0, 46)
}

func (p *part) illuminate(rng *rand.Rand) {
	a := rng.Float64() * 2 * math.Pi
	p.towardX, p.towardY = float32(math.Cos(a)), float32(math.Sin(a))
	p.lx = p.towardX*p.cos + p.towardY*p.sin
	p.ly = -p.towardX*p.sin + p.towardY*p.cos
	p.exposure = between(rng, 0.72, 1.18)
	uneven := between(rng, 0.06, 0.30)
	p.slopeX, p.slopeY = p.towardX*uneven/(Width/2), p.towardY*uneven/(Height/2)
	p.bandU = between(rng, -230, 230)
	p.bandW = between(rng, 55, 150)
	p.bandTilt = between(rng, -0.5, 0.5)
	p.band = between(rng, 0.15, 0.62)
	warm := between(rng, -0.06, 0.06)
	green := between(rng, -0.015, 0.015)
	p.cast = [3]float32{1 + warm, 1 + green, 1 - warm}
	p.grainDepth = between(rng, 0.045, 0.095)
	tone := between(rng, 0.018, 0.042)
	p.beltTone = [3]float32{tone * between(rng, 0.86, 1.0), tone * between(rng, 0.98, 1.08), tone * between(rng, 1.0, 1.2)}
}

// onPlate turns a place in the picture into plate coordinates.
func (p *part) onPlate(x, y float32) (u, v float32) {
	dx, dy := (x-p.x)/p.scale, (y-p.y)/p.scale
	return dx*p.cos + dy*p.sin, -dx*p.sin + dy*p.cos
}

// inPicture is the upright box, in pixels, around an extent on the plate.
func (p *part) inPicture(r rect) image.Rectangle {
	x0, y0, x1, y1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, c := range [][2]float32{{r.u0, r.v0}, {r.u1, r.v0}, {r.u0, r.v1}, {r.u1, r.v1}} {
		x := float64(p.x + p.scale*(c[0]*p.cos-c[1]*p.sin))
		y := float64(p.y + p.scale*(c[0]*p.sin+c[1]*p.cos))
		x0, y0, x1, y1 = math.Min(x0, x), math.Min(y0, y), math.Max(x1, x), math.Max(y1, y)
	}
	box := image.Rect(int(math.Floor(x0)), int(math.Floor(y0)), int(math.Ceil(x1)), int(math.Ceil(y1)))
	return box.Intersect(image.Rect(0, 0, Width, Height))
}

// edge is the signed distance to the plate's outline, negative inside, and the
// direction out of it.
//
//go:norace
func (p *part) edge(u, v float32) (d, nu, nv float32) {
	su, sv := float32(1), float32(1)
	if u < 0 {
		u, su = -u, -1
	}
	if v < 0 {
		v, sv = -v, -1
	}
	qu, qv := u-(p.halfU-p.corner), v-(p.halfV-p.corner)
	switch {
	case qu > 0 && qv > 0:
		l := sqrt(qu*qu + qv*qv)
		return l - p.corner, su * qu / l, sv * qv / l
	case qu > qv:
		return qu - p.corner, su, 0
	default:
		return qv - p.corner, 0, sv
	}
}
