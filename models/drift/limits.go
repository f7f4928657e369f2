package drift

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Scalar measurements of a frame, in the order of Reading.Scalars.
const (
	Light = iota
	Focus
	PlaceX
	PlaceY
	Scalars // how many there are
)

// Reading is what one frame says: how far each measurement is from what is usual
// for what the picture shows, in standard deviations.
type Reading struct {
	Scalars [Scalars]float64
	Known   bool      // the scalars were measured
	Looks   []float64 // whitened components of the features; nil where there are none
}

// most bounds what a single frame can add: some strange frames are no drift.
const most = 3.0

// bounded is the reading with nothing beyond what one frame may say.
func (r Reading) bounded(looks float64) Reading {
	for i, z := range r.Scalars {
		r.Scalars[i] = max(-most, min(most, z))
	}
	length := 0.0
	for _, z := range r.Looks {
		length += z * z
	}
	if length = math.Sqrt(length); length > looks && looks > 0 {
		bounded := make([]float64, len(r.Looks))
		for i, z := range r.Looks {
			bounded[i] = z * looks / length
		}
		r.Looks = bounded
	}
	return r
}

// Limits of the charts of one recipe.
type Limits struct {
	Allow  [Scalars]float64 `json:"allow"`
	Scalar [Scalars]float64 `json:"scalar"` // 0 for a chart that cannot be used
	// AllowLooks and Looks are those of the features; Looks 0 where they cannot
	// be used. LongestLooks bounds a single frame.
	AllowLooks   float64 `json:"allow_looks"`
	Looks        float64 `json:"looks"`
	LongestLooks float64 `json:"longest_looks"`
}

const (
	blockFrames = 1000
	blocks      = 100 // of each held-out stream
	// alarmsIn10000 of each chart are aimed at, so that all together stay well
	// below one.
	alarmsIn10000 = 0.06
	leastAllow    = 0.5
	// leastAllowLooks is higher: what stations show differs a little in some of
	// so many directions always.
	leastAllowLooks = 1.25
	// slowest is the limit above which a chart would need more than 50 frames
	// for a shift of twice its bound; it is of no use then.
	slowest = 50 * (most - leastAllow)
)

// Calibrate finds limits from streams of readings, each taken by a model of
// what is usual that has not seen the stream's frames: then the error of having
// seen only so many frames is in the limits too. Runs of the charts over frames
// drawn from a stream give the distribution of their greatest level in a
// thousand frames, which a Gumbel law continues to the rate that is aimed at.
func Calibrate(streams [][]Reading, seed uint64) Limits {
	var l Limits
	for _, s := range streams {
		halve(s)
	}
	var lengths []float64
	for _, s := range streams {
		for _, r := range s {
			lengths = append(lengths, norm(r.Looks))
		}
	}
	l.LongestLooks = 1.5 * median(lengths)
	l.allow(streams)
	rng := rand.New(rand.NewPCG(seed, 71))
	for _, stream := range streams {
		if len(stream) > 0 {
			l.raise(stream, rng)
		}
	}
	for i, limit := range l.Scalar {
		if limit > slowest {
			l.Scalar[i] = 0
		}
	}
	if l.Looks > 50*(l.LongestLooks-l.AllowLooks) {
		l.Looks = 0
	}
	return l
}

// halve takes half of its mean off a stream: where half of the frames told what
// is usual of the other half, both err, each by 1.4 times as much as all frames
// do, so that the mean is off twice as far as it will be.
func halve(stream []Reading) {
	scalars, looks := means(stream)
	for i := range stream {
		r := &stream[i]
		for k := range r.Scalars {
			r.Scalars[k] -= scalars[k] / 2
		}
		for k := range r.Looks {
			r.Looks[k] -= looks[k] / 2
		}
	}
}

func means(stream []Reading) (scalars [Scalars]float64, looks []float64) {
	n := float64(len(stream))
	for _, r := range stream {
		for i, z := range r.Scalars {
			scalars[i] += z / n
		}
		if looks == nil {
			looks = make([]float64, len(r.Looks))
		}
		for i, z := range r.Looks {
			looks[i] += z / n
		}
	}
	return scalars, looks
}

// allow sets the allowances: half the shift that is worth an alarm, and more
// than what the mean of a held-out stream is off by itself.
func (l *Limits) allow(streams [][]Reading) {
	for i := range l.Allow {
		l.Allow[i] = leastAllow
	}
	for _, stream := range streams {
		sum, looks := means(stream)
		for i, bias := range sum {
			l.Allow[i] = max(l.Allow[i], 1.5*math.Abs(bias))
		}
		l.AllowLooks = max(l.AllowLooks, 1.5*norm(looks))
	}
	l.AllowLooks = max(l.AllowLooks, leastAllowLooks)
}

// raise lifts the limits to what a stream needs.
func (l *Limits) raise(stream []Reading, rng *rand.Rand) {
	var scalars [Scalars][]float64
	var looks []float64
	bounded := make([]Reading, len(stream))
	for i, r := range stream {
		bounded[i] = r.bounded(l.LongestLooks)
	}
	for range blocks {
		var sums [Scalars]Sum
		var sum Vector
		var top [Scalars]float64
		topLooks := 0.0
		for range blockFrames {
			r := bounded[rng.IntN(len(bounded))]
			for i := range sums {
				sums[i].Add(r.Scalars[i], l.Allow[i], math.Inf(1))
				top[i] = max(top[i], sums[i].Level())
			}
			sum.Add(r.Looks, l.AllowLooks, math.Inf(1))
			topLooks = max(topLooks, sum.Level())
		}
		for i, v := range top {
			scalars[i] = append(scalars[i], v)
		}
		looks = append(looks, topLooks)
	}
	for i := range scalars {
		l.Scalar[i] = max(l.Scalar[i], rare(scalars[i]))
	}
	l.Looks = max(l.Looks, rare(looks))
}

// rare is the level that the greatest of a block exceeds as seldom as is aimed
// at, by the Gumbel law with the mean and deviation of the maxima.
func rare(maxima []float64) float64 {
	mean, square := 0.0, 0.0
	for _, v := range maxima {
		mean += v / float64(len(maxima))
		square += v * v / float64(len(maxima))
	}
	beta := math.Sqrt(max(0, square-mean*mean)) * math.Sqrt(6) / math.Pi
	const euler = 0.5772156649
	p := alarmsIn10000 * blockFrames / 10000
	return mean - euler*beta - beta*math.Log(-math.Log1p(-p))
}

func norm(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x * x
	}
	return math.Sqrt(sum)
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
