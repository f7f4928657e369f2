package head

import "math"

// What a place of a frame may show beside a class.
const (
	Unknown int8 = -1 // nobody said anything about it
	Clear   int8 = -2 // nothing that fails
)

// Hinted is a Source that knows where people marked what in its frames. A head
// that is fitted on it learns from these places too, not only from the classes of
// whole frames.
type Hinted interface {
	// Places gives what each place of frame i at stride 8, row-major S/8 × S/8 and
	// not mirrored, shows: the index of a class, Clear or Unknown; nil where nothing
	// is known.
	Places(i int) []int8
	// Passes reports whether a class passes: clear places speak for these.
	Passes(class int) bool
}

// hints are the places of a source as a fit uses them.
type hints struct {
	Hinted
	passes  []bool // by class
	all     bool   // some class passes, so that clear places can speak for it
	side    int
	options Options
}

// hintsOf prepares the places of a source; nil where it knows none or the
// options do without.
func hintsOf(source Source, k, size int, o Options) *hints {
	s, ok := source.(Hinted)
	if !ok || o.MarkWeight <= 0 {
		return nil
	}
	h := &hints{Hinted: s, side: size / 8, options: o}
	for c := range k {
		h.passes = append(h.passes, s.Passes(c))
		h.all = h.all || h.passes[c]
	}
	return h
}

// mirrored gives the place of the frame that one of its views shows at x, y.
func mirrored(view, side, x, y int) int {
	if view&1 != 0 {
		x = side - 1 - x
	}
	if view&2 != 0 {
		y = side - 1 - y
	}
	return y*side + x
}

// hint adds the cross-entropy of the local logits at the known places of a frame,
// and its derivative to gmaps[0]: towards the class inside its marks, towards the
// classes that pass where nothing is. Each of the two is a mean over its places:
// a large defect teaches no more than a small one, and the many clear places no
// more than the few others. forward must have run on s.
func (m *model) hint(h *hints, places []int8, view int, weight float32, s *scratch, g *gradient) {
	var marked, clear float64
	for _, v := range places {
		switch {
		case v >= 0:
			marked++
		case v == Clear && h.all:
			clear++
		}
	}
	inside := float64(weight) * h.options.MarkWeight / math.Max(marked, 1)
	outside := float64(weight) * h.options.ClearWeight / math.Max(clear, 1)
	z := make([]float64, m.k)
	for y := range h.side {
		for x := range h.side {
			switch v := places[mirrored(view, h.side, x, y)]; {
			case v >= 0:
				m.hintPlace(h, y*h.side+x, v, inside, z, s, g)
			case v == Clear && h.all:
				m.hintPlace(h, y*h.side+x, v, outside, z, s, g)
			}
		}
	}
}

// hintPlace is hint at one place; z is room for a number a class.
func (m *model) hintPlace(h *hints, place int, shows int8, weight float64, z []float64, s *scratch, g *gradient) {
	top := math.Inf(-1)
	for c := range z {
		z[c] = float64(s.heat[c*s.row[0]+place] + m.localBias[c])
		top = math.Max(top, z[c])
	}
	var sum, right float64
	for c := range z {
		z[c] = math.Exp(z[c] - top)
		sum += z[c]
		if h.right(shows, c) {
			right += z[c]
		}
	}
	right = math.Max(right, 1e-30)
	g.loss -= weight * math.Log(right/sum)
	for c := range z {
		d := z[c] / sum
		if h.right(shows, c) {
			d -= z[c] / right
		}
		v := float32(weight * d)
		s.gmaps[0][c*s.row[0]+place] += v
		g.localSum[c] += v
		g.mapSum[0][c] += v
	}
}

// right says whether a class is what a place shows.
func (h *hints) right(shows int8, class int) bool {
	return int(shows) == class || shows == Clear && h.passes[class]
}
