// Package guard learns what pictures of a recipe usually are like, from those
// that it is trained on, and says of others why they are not like them.
package guard

import (
	"math"
	"math/rand/v2"
	"slices"

	"loupe/models/drift"
	"loupe/vision"
)

// Sample is one training frame.
type Sample struct {
	FrameID int64
	Class   string
	Part    string // frames of one part are kept together
	Pooled  []float32
	Quality *vision.Quality
}

// Few is the number of training frames below which a profile knows nothing but
// duplicates and sizes.
const Few = 30

// Profile is what is usual in a recipe.
type Profile struct {
	Frames int // that it was learned from
	Limits drift.Limits

	space   *space
	scalars scalars
}

// scalars are the usual measurements, for each class.
type scalars struct {
	middle [][drift.Scalars]float64 // by class of the space; the last is of all
	spread [drift.Scalars]float64
}

func measures(q *vision.Quality) [drift.Scalars]float64 {
	return [drift.Scalars]float64{drift.Light: math.Log(q.Brightness + 0.02), drift.Focus: q.Sharpness, drift.PlaceX: q.CenterX, drift.PlaceY: q.CenterY}
}

// leastSpread bounds the spreads from below: less is no matter for anybody.
var leastSpread = [drift.Scalars]float64{drift.Light: 0.01, drift.Focus: 0.01, drift.PlaceX: 0.003, drift.PlaceY: 0.003}

// Learn makes a profile of training frames; nil where there are too few. Given
// the same frames and seed, it is the same.
func Learn(samples []Sample, seed uint64) (*Profile, error) {
	if len(samples) < Few {
		return nil, nil
	}
	p, err := learn(samples)
	if err != nil {
		return nil, err
	}
	p.Limits = drift.Calibrate(heldOut(samples, seed), seed)
	return p, nil
}

const splits = 3 // of the frames into halves, for the limits

// heldOut gives what halves of the frames look like by what the other half says
// is usual.
func heldOut(samples []Sample, seed uint64) (streams [][]drift.Reading) {
	rng := rand.New(rand.NewPCG(seed, 31))
	for range splits {
		side := map[string]bool{}
		var halves [2][]Sample
		for _, s := range samples {
			in, ok := side[s.Part]
			if !ok {
				in = rng.IntN(2) == 0
				side[s.Part] = in
			}
			if in {
				halves[0] = append(halves[0], s)
			} else {
				halves[1] = append(halves[1], s)
			}
		}
		for i := range halves {
			p, err := learn(halves[i])
			if err != nil {
				continue
			}
			var stream []drift.Reading
			for _, s := range halves[1-i] {
				stream = append(stream, p.Reading(s.Pooled, s.Quality))
			}
			streams = append(streams, stream)
		}
	}
	return streams
}

func learn(samples []Sample) (*Profile, error) {
	var names []string
	class := make([]int, len(samples))
	pooled := make([][]float32, len(samples))
	for i, s := range samples {
		class[i] = slices.Index(names, s.Class)
		if class[i] < 0 {
			class[i] = len(names)
			names = append(names, s.Class)
		}
		pooled[i] = s.Pooled
	}
	p := &Profile{Frames: len(samples)}
	var err error
	if p.space, err = newSpace(pooled, class, len(names)); err != nil {
		return nil, err
	}
	p.scalars.learn(samples, class, len(names))
	return p, nil
}

func (s *scalars) learn(samples []Sample, class []int, classes int) {
	values := make([][drift.Scalars][]float64, classes+1)
	for i, one := range samples {
		if one.Quality == nil {
			continue
		}
		for k, v := range measures(one.Quality) {
			values[class[i]][k] = append(values[class[i]][k], v)
			values[classes][k] = append(values[classes][k], v)
		}
	}
	s.middle = make([][drift.Scalars]float64, classes+1)
	var off [drift.Scalars][]float64
	for c := range values {
		for k, v := range values[c] {
			s.middle[c][k] = mean(v)
			if c < classes {
				for _, x := range v {
					off[k] = append(off[k], (x-s.middle[c][k])*(x-s.middle[c][k]))
				}
			}
		}
	}
	for k := range s.spread {
		s.spread[k] = max(leastSpread[k], math.Sqrt(mean(off[k])))
	}
}

func mean(v []float64) (sum float64) {
	for _, x := range v {
		sum += x / float64(len(v))
	}
	return sum
}

// Reading is what a frame says to the charts of its station. Either may be nil.
func (p *Profile) Reading(pooled []float32, q *vision.Quality) drift.Reading {
	var r drift.Reading
	class := len(p.scalars.middle) - 1
	if pooled != nil {
		at := p.space.place(pooled)
		r.Looks, class = at.off, at.class
	}
	if q != nil {
		r.Known = true
		for k, v := range measures(q) {
			r.Scalars[k] = (v - p.scalars.middle[class][k]) / p.scalars.spread[k]
		}
	}
	return r
}
