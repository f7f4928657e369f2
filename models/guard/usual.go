package guard

import (
	"math"
	"math/bits"
	"slices"

	"loupe/storage"
	"loupe/vision"
)

// interval is what is usual of one measurement.
type interval struct{ low, high float64 }

const (
	// deviations is how far from the median is unusual, in robust standard
	// deviations of its own side.
	deviations = 6
	madScale   = 1.4826 // of the median deviation to the standard one, for a normal distribution
	tail       = 0.025  // of the training frames may be beyond the interval on one side
)

// usual finds the interval of values: six robust deviations from the median,
// each side by itself, as most measurements lean to one (Rousseeuw & Croux 1993
// on the median absolute deviation), but never less than what all but a few of
// the frames show. A few bad ones among them do not widen it.
func usual(values []float64, least float64) interval {
	m := middle(values)
	var below, above []float64
	for _, v := range values {
		if v <= m {
			below = append(below, m-v)
		}
		if v >= m {
			above = append(above, v-m)
		}
	}
	return interval{
		low:  min(m-deviations*max(least, madScale*middle(below)), quantile(values, tail)-least),
		high: max(m+deviations*max(least, madScale*middle(above)), quantile(values, 1-tail)+least),
	}
}

// quality is what is usual of the pictures themselves.
type quality struct {
	light, focus, dark, bright interval
}

func learnQuality(samples []Sample) *quality {
	var light, focus, dark, bright []float64
	for _, s := range samples {
		if s.Quality == nil {
			continue
		}
		light, focus = append(light, math.Log(s.Quality.Brightness+0.02)), append(focus, s.Quality.Sharpness)
		dark, bright = append(dark, s.Quality.Dark), append(bright, s.Quality.Bright)
	}
	if len(light) < Few {
		return nil
	}
	return &quality{usual(light, 0.02), usual(focus, 0.02), usual(dark, 0.02), usual(bright, 0.02)}
}

func (u *quality) check(q *vision.Quality) (all []storage.Reason) {
	if u == nil || q == nil {
		return nil
	}
	lit := func(v float64) float64 { return max(0, math.Exp(v)-0.02) }
	if q.Sharpness < u.focus.low {
		all = append(all, storage.Reason{Kind: storage.Blurred, Value: q.Sharpness, Low: u.focus.low, High: u.focus.high})
	}
	switch light := math.Log(q.Brightness + 0.02); {
	case light < u.light.low:
		all = append(all, storage.Reason{Kind: storage.Dark, Value: q.Brightness, Low: lit(u.light.low), High: lit(u.light.high)})
	case light > u.light.high:
		all = append(all, storage.Reason{Kind: storage.Overexposed, Value: q.Brightness, Low: lit(u.light.low), High: lit(u.light.high)})
	}
	if q.Bright > u.bright.high && !slices.ContainsFunc(all, func(r storage.Reason) bool { return r.Kind == storage.Overexposed || r.Kind == storage.Dark }) {
		all = append(all, storage.Reason{Kind: storage.Overexposed, Value: q.Bright, Low: 0, High: min(1, u.bright.high)})
	}
	return all
}

// sizes are what is usual of the pictures' sizes, in pixels.
type sizes struct{ width, height interval }

// fixedShare of the frames with one size make it the only usual one.
const fixedShare = 0.95

func learnSizes(samples []Sample) *sizes {
	count := map[[2]int]int{}
	var w, h []float64
	for _, s := range samples {
		if s.Width > 0 {
			count[[2]int{s.Width, s.Height}]++
			w, h = append(w, float64(s.Width)), append(h, float64(s.Height))
		}
	}
	if len(w) < leastSizes {
		return nil
	}
	for size, n := range count {
		if float64(n) >= fixedShare*float64(len(w)) {
			a, b := float64(size[0]), float64(size[1])
			return &sizes{interval{a, a}, interval{b, b}}
		}
	}
	return &sizes{interval{0.8 * slices.Min(w), 1.25 * slices.Max(w)}, interval{0.8 * slices.Min(h), 1.25 * slices.Max(h)}}
}

// leastSizes is from how many frames something is known of sizes.
const leastSizes = 10

func (u *sizes) check(w, h int) (all []storage.Reason) {
	if u == nil || w == 0 {
		return nil
	}
	for _, side := range []struct {
		v     int
		usual interval
	}{{w, u.width}, {h, u.height}} {
		if v := float64(side.v); v < side.usual.low || v > side.usual.high {
			return []storage.Reason{{Kind: storage.WrongSize, Value: v, Low: side.usual.low, High: side.usual.high, Width: w, Height: h}}
		}
	}
	return nil
}

// print is what is kept of a picture to know it again.
type print struct {
	frame int64
	part  string
	white []float64
	hash  uint64
	known bool // the hash
}

// near is how much alike two pictures of one recipe must be to be nearly the
// same: much more than any two of different parts are.
type near struct {
	distance float64 // squared, a component
	bits     int     // of the hash, that differ
}

const (
	nearShare = 0.1 // of the squared distance of the most alike training frames
	mostBits  = 6
)

func learnNear(prints []print) near {
	var nearest []float64
	for i, a := range prints {
		best := math.Inf(1)
		for j, b := range prints {
			if i != j && a.part != b.part {
				best = min(best, squared(a.white, b.white))
			}
		}
		if !math.IsInf(best, 1) {
			nearest = append(nearest, best)
		}
	}
	if len(nearest) < Few {
		return near{}
	}
	return near{nearShare * quantile(nearest, 0.02), mostBits}
}

// find gives the print that is nearly the same, and the distance; nil for none.
func (n near) find(p print, among []print) (*print, float64) {
	var found *print
	best := n.distance
	for i, other := range among {
		if other.frame == p.frame || len(other.white) != len(p.white) || p.known && other.known && bits.OnesCount64(p.hash^other.hash) > n.bits {
			continue
		}
		if d := squared(p.white, other.white); d < best {
			best, found = d, &among[i]
		}
	}
	return found, best
}
