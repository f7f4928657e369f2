// Package guard learns what pictures of a recipe usually are like, from those
// that it is trained on, and says of others why they are not like them.
package guard

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"

	"loupe/models/drift"
	"loupe/storage"
	"loupe/vision"
)

// Sample is one training frame.
type Sample struct {
	FrameID int64
	Class   string
	Part    string // frames of one part are kept together
	Pooled  []float32
	Quality *vision.Quality

	StationID     int64
	Width, Height int // of the picture, pixels
}

// Few is the number of training frames below which nothing is known but sizes.
const Few = 30

// Profile is what is usual in a recipe.
type Profile struct {
	Frames int // that it was learned from
	Limits drift.Limits

	space    *space // nil where no features are known
	scalars  scalars
	quality  *quality           // nil where too little is known
	stations map[int64]*quality // of stations with frames enough
	sizes    *sizes
	odd      float64 // distance beyond which a picture is like no training frame; 0 while it is not known
	near     near
	prints   []print
	recent   []print // of frames judged since, a ring
	next     int
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
var leastSpread = [drift.Scalars]float64{drift.Light: 0.02, drift.Focus: 0.03, drift.PlaceX: 0.005, drift.PlaceY: 0.005}

// Learn makes a profile of training frames. Of few it knows only the sizes, and
// without pooled features nothing of what they show. Given the same frames and
// seed, it is the same.
func Learn(samples []Sample, seed uint64) (*Profile, error) {
	p := &Profile{Frames: len(samples), sizes: learnSizes(samples)}
	p.quality = learnQuality(samples)
	p.stations = map[int64]*quality{}
	of := map[int64][]Sample{}
	for _, s := range samples {
		if s.StationID != 0 {
			of[s.StationID] = append(of[s.StationID], s)
		}
	}
	for id, own := range of {
		if q := learnQuality(own); q != nil {
			p.stations[id] = q
		}
	}
	seen := slices.DeleteFunc(slices.Clone(samples), func(s Sample) bool { return s.Pooled == nil })
	if len(seen) < Few {
		return p, nil
	}
	whole, err := learn(seen)
	if errors.Is(err, errTooFew) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	p.space, p.scalars = whole.space, whole.scalars
	streams, distances := heldOut(seen, seed)
	p.Limits = drift.Calibrate(streams, seed)
	p.odd = usualDistance(distances)
	for _, s := range seen {
		p.prints = append(p.prints, p.print(s.FrameID, s.Part, s.Pooled, s.Quality))
	}
	p.near = learnNear(p.prints)
	return p, nil
}

// Ready reports whether enough is known to say what is unusual.
func (p *Profile) Ready() bool { return p != nil && p.space != nil }

// oddMargin is how much farther than the farthest of held-out training frames a
// picture must be to be like none of them.
const oddMargin = 1.5

func usualDistance(distances []float64) float64 {
	logs := make([]float64, 0, len(distances))
	for _, d := range distances {
		logs = append(logs, math.Log(max(d, 1e-9)))
	}
	if len(logs) < Few {
		return 0
	}
	return max(math.Exp(usual(logs, 0.05).high), oddMargin*quantile(distances, 1-tail))
}

func (p *Profile) print(frame int64, part string, pooled []float32, q *vision.Quality) print {
	one := print{frame: frame, part: part, white: p.space.place(pooled).white}
	if q != nil {
		one.hash, one.known = q.Hash, true
	}
	return one
}

// mostRecent is how many of the frames judged last are known again.
const mostRecent = 500

// Other is the profile of another recipe.
type Other struct {
	Name    string
	Profile *Profile
}

// Check says what speaks against training on a frame. others are the plant's
// other recipes whose frames are prepared alike. It remembers the frame; one
// goroutine at a time may call it.
func (p *Profile) Check(s Sample, others ...Other) []storage.Reason {
	return append(p.Doubts(s, others...), p.repeats(s)...)
}

// Doubts is Check for a single frame, whatever came before.
func (p *Profile) Doubts(s Sample, others ...Other) (all []storage.Reason) {
	q := p.quality
	if own := p.stations[s.StationID]; own != nil {
		q = own
	}
	all = append(p.sizes.check(s.Width, s.Height), q.check(s.Quality)...)
	if p.space == nil || s.Pooled == nil {
		return all
	}
	if d := p.space.place(s.Pooled).distance; p.odd > 0 && d > p.odd {
		r := storage.Reason{Kind: storage.Unusual, Value: d, High: p.odd}
		for _, o := range others {
			if o.Profile.Ready() && o.Profile.odd > 0 && o.Profile.space.place(s.Pooled).distance < o.Profile.odd {
				r.Kind, r.Recipe = storage.WrongPart, o.Name
				break
			}
		}
		all = append(all, r)
	}
	return all
}

// repeats says of which frame another is nearly a copy, and remembers it.
func (p *Profile) repeats(s Sample) (all []storage.Reason) {
	if p.space == nil || s.Pooled == nil {
		return nil
	}
	one := p.print(s.FrameID, s.Part, s.Pooled, s.Quality)
	for _, among := range [][]print{p.prints, p.recent} {
		if twin, d := p.near.find(one, among); twin != nil {
			all = append(all, storage.Reason{Kind: storage.NearDuplicate, Value: d, Low: p.near.distance, Frame: twin.frame})
			break
		}
	}
	if len(p.recent) < mostRecent {
		p.recent = append(p.recent, one)
	} else {
		p.recent[p.next%mostRecent] = one
	}
	p.next++
	return all
}

const splits = 3 // of the frames into halves, for the limits

// heldOut gives what halves of the frames look like by what the other half says
// is usual.
func heldOut(samples []Sample, seed uint64) (streams [][]drift.Reading, distances []float64) {
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
				r, at := p.reading(s.Pooled, s.Quality)
				stream, distances = append(stream, r), append(distances, at.distance)
			}
			streams = append(streams, stream)
		}
	}
	return streams, distances
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
	if p.space == nil {
		return drift.Reading{}
	}
	r, _ := p.reading(pooled, q)
	return r
}

func (p *Profile) reading(pooled []float32, q *vision.Quality) (r drift.Reading, at place) {
	class := len(p.scalars.middle) - 1
	if pooled != nil {
		at = p.space.place(pooled)
		r.Looks, class = at.off, at.class
	}
	if q != nil {
		r.Known = true
		for k, v := range measures(q) {
			r.Scalars[k] = (v - p.scalars.middle[class][k]) / p.scalars.spread[k]
		}
	}
	return r, at
}

// Screen says what speaks against frames that a profile was learned from: that
// their pictures are bad, or the same file as another's, by its name in Part.
func (p *Profile) Screen(samples []Sample) map[int64][]storage.Reason {
	found := map[int64][]storage.Reason{}
	first := map[string]int64{}
	for _, s := range samples {
		all := append(p.sizes.check(s.Width, s.Height), p.quality.check(s.Quality)...)
		if twin, ok := first[s.Part]; ok {
			all = append(all, storage.Reason{Kind: storage.Duplicate, Frame: twin})
		} else {
			first[s.Part] = s.FrameID
		}
		if len(all) > 0 {
			found[s.FrameID] = all
		}
	}
	return found
}
