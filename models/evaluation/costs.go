package evaluation

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math"
	"slices"

	"loupe/vision"
)

// Costs say what wrong verdicts cost, and how much people can look at.
type Costs struct {
	Escape      float64 // of a bad part judged OK, in any unit
	FalseReject float64 // of a good part judged NG, in the same unit
	UnsureShare float64 // largest share of the parts that people can look at, 0 to 1
	BadShare    float64 // share of bad parts in production, 0 to 1; 0 means as in the samples
}

// perParts is the number of parts that expectations are given for.
const perParts = 10000

// Point is what a pair of thresholds is expected to do to 10,000 parts.
type Point struct {
	Thresholds   vision.Thresholds
	Cost         float64  // of escapes and false rejects, in the unit of Costs
	Escapes      Interval // bad parts judged OK; N counts the bad parts it rests on
	FalseRejects Interval // good parts judged NG; N counts the good parts it rests on
	Unsure       float64  // parts that a person must look at
}

// Suggestion is the cheapest pair of thresholds for some costs.
type Suggestion struct {
	Costs    Costs // with BadShare filled in
	Best     Point // counted on the samples that it was chosen on, so too good to be true
	Held     Point // cross-fitted, see Suggest
	HasHeld  bool  // false where there are too few parts for Held
	Now      Point // what the present thresholds do on the same samples
	Feasible bool  // false where even the narrowest band leaves more than UnsureShare Unsure; Best is the narrowest then
	// Curve gives for each OK threshold, rising, the best NG threshold with it; OK
	// thresholds that leave too much Unsure are missing.
	Curve []Point
}

// Thresholds lie on the steps of the recipe page: 0.51, 0.52, … 1.
const (
	leastStep = 51
	steps     = 100 - leastStep + 1
)

func step(i int) float64 { return float64(leastStep+i) / 100 }

// Suggest finds the thresholds of the least expected cost of escapes and false
// rejects that leave at most the allowed share Unsure: an exhaustive search over
// steps of 0.01. Where several cost the same it takes those that are the hardest
// to pass, then the hardest to fail: what people can look at is used against
// parts unlike those of the samples.
//
// Rates are counted among bad and among good frames apart and weighted by
// BadShare, so that it may differ from the samples' (prior shift; Elkan 2001,
// Saerens et al. 2002). The kinds of bad parts are taken to be as in the samples.
//
// A pair that is chosen on some frames looks better on them than it is. Held is
// cross-fitted instead: the parts are dealt into five folds, each fold is counted
// at the thresholds that the other four choose, and the counts are summed. It
// tells what thresholds chosen in this way do to parts they were not chosen on.
// All intervals are Wilson's (1927) with the number of parts as the number of
// cases, as if the frames of one part were all alike; the share of bad parts is
// taken as given.
//
// ok is false where good or bad frames are missing.
func Suggest(samples []Sample, c Costs, now vision.Thresholds) (s Suggestion, ok bool) {
	all := tallyOf(samples)
	if all.bad.frames == 0 || all.good.frames == 0 {
		return s, false
	}
	if c.BadShare == 0 {
		c.BadShare = float64(all.bad.frames) / float64(all.bad.frames+all.good.frames)
	}
	s.Costs = c
	best, feasible := all.cheapest(c)
	s.Feasible = feasible
	s.Best = all.point(best, c)
	for i := range steps {
		if pair, ok := all.cheapestWith(i, c); ok {
			s.Curve = append(s.Curve, all.point(pair, c))
		}
	}
	s.Now = pointOf(now, countAt(samples, now), all, c)
	held, ok := crossFit(samples, c)
	if s.HasHeld = ok; ok {
		s.Held = pointOf(s.Best.Thresholds, held, all, c)
	}
	return s, true
}

// Expect says what thresholds that were not chosen on the samples do to 10,000
// parts, with the share of bad parts filled into the costs; false where good or
// bad frames are missing.
func Expect(samples []Sample, c Costs, at vision.Thresholds) (Point, Costs, bool) {
	all := tallyOf(samples)
	if all.bad.frames == 0 || all.good.frames == 0 {
		return Point{}, c, false
	}
	if c.BadShare == 0 {
		c.BadShare = float64(all.bad.frames) / float64(all.bad.frames+all.good.frames)
	}
	return pointOf(at, countAt(samples, at), all, c), c, true
}

// pair are the steps of an OK and an NG threshold.
type pair struct{ ok, ng int }

// group counts the frames of good or of bad parts.
type group struct {
	frames int
	parts  int
	ok, ng [steps]int // judged OK, NG by the threshold of each step
}

type tally struct{ good, bad group }

func (t *tally) group(s Sample) *group {
	if s.Pass {
		return &t.good
	}
	return &t.bad
}

// tallyOf counts what each threshold alone does to the samples: as both lie
// over 0.5, no frame is OK by one and NG by the other.
func tallyOf(samples []Sample) tally {
	var t tally
	seen := map[string]bool{}
	for i, s := range samples {
		g := t.group(s)
		g.frames++
		if key := partOf(s, i) + fmt.Sprint(" ", s.Pass); !seen[key] {
			seen[key] = true
			g.parts++
		}
		for i := range steps {
			switch verdict(s, vision.Thresholds{OK: step(i), NG: step(i)}) {
			case vision.OK:
				g.ok[i]++
			case vision.NG:
				g.ng[i]++
			}
		}
	}
	return t
}

// partOf names the part of a sample; one without a name is a part of its own.
func partOf(s Sample, i int) string {
	if s.Part == "" {
		return fmt.Sprint("sample ", i)
	}
	return s.Part
}

// verdict is vision.Decide on the summed probabilities.
func verdict(s Sample, t vision.Thresholds) vision.Verdict {
	switch {
	case s.Fail >= t.NG:
		return vision.NG
	case 1-s.Fail >= t.OK && s.TopPasses:
		return vision.OK
	}
	return vision.Unsure
}

// counts are frames by what was decided about them.
type counts struct{ escapes, badNG, rejects, goodOK int }

func (c *counts) add(o counts) {
	c.escapes, c.badNG, c.rejects, c.goodOK = c.escapes+o.escapes, c.badNG+o.badNG, c.rejects+o.rejects, c.goodOK+o.goodOK
}

func countAt(samples []Sample, t vision.Thresholds) (c counts) {
	for _, s := range samples {
		v := verdict(s, t)
		switch {
		case v == vision.OK && s.Pass:
			c.goodOK++
		case v == vision.OK:
			c.escapes++
		case v == vision.NG && s.Pass:
			c.rejects++
		case v == vision.NG:
			c.badNG++
		}
	}
	return c
}

func (t *tally) counts(p pair) counts {
	return counts{escapes: t.bad.ok[p.ok], badNG: t.bad.ng[p.ng], rejects: t.good.ng[p.ng], goodOK: t.good.ok[p.ok]}
}

// expect gives the cost, and the share that is Unsure, of one part.
func (t *tally) expect(k counts, c Costs) (cost, unsure float64) {
	bad, good := c.BadShare/float64(t.bad.frames), (1-c.BadShare)/float64(t.good.frames)
	cost = c.Escape*bad*float64(k.escapes) + c.FalseReject*good*float64(k.rejects)
	unsure = bad*float64(t.bad.frames-k.escapes-k.badNG) + good*float64(t.good.frames-k.rejects-k.goodOK)
	return cost, unsure
}

// slack keeps rounding from deciding between equal sums.
const slack = 1e-9

// cheapest searches all pairs; without one that leaves little enough Unsure it
// gives the narrowest band, and false.
func (t *tally) cheapest(c Costs) (best pair, feasible bool) {
	cost := math.Inf(1)
	for i := range steps {
		p, ok := t.cheapestWith(i, c)
		if !ok {
			continue
		}
		if value, _ := t.expect(t.counts(p), c); value <= cost+slack { // later is harder to pass
			best, cost, feasible = p, min(cost, value), true
		}
	}
	return best, feasible
}

// cheapestWith is the best pair with one OK threshold.
func (t *tally) cheapestWith(ok int, c Costs) (best pair, feasible bool) {
	cost := math.Inf(1)
	for j := range steps {
		value, unsure := t.expect(t.counts(pair{ok, j}), c)
		if unsure <= c.UnsureShare+slack && value <= cost+slack { // later is harder to fail
			best, cost, feasible = pair{ok, j}, min(cost, value), true
		}
	}
	return best, feasible
}

func (t *tally) point(p pair, c Costs) Point {
	return pointOf(vision.Thresholds{OK: step(p.ok), NG: step(p.ng)}, t.counts(p), *t, c)
}

// pointOf says what counts among all the frames of t mean for 10,000 parts.
func pointOf(at vision.Thresholds, k counts, t tally, c Costs) Point {
	cost, unsure := t.expect(k, c)
	return Point{
		Thresholds: at, Cost: perParts * cost, Unsure: perParts * unsure,
		Escapes:      scaled(score(float64(k.escapes)/float64(t.bad.frames), t.bad.parts), perParts*c.BadShare),
		FalseRejects: scaled(score(float64(k.rejects)/float64(t.good.frames), t.good.parts), perParts*(1-c.BadShare)),
	}
}

func scaled(i Interval, by float64) Interval {
	return Interval{Value: i.Value * by, Low: i.Low * by, High: i.High * by, N: i.N}
}

// crossFolds is how many folds the cross-fit deals the parts into.
const crossFolds = 5

// crossFit counts each fold at the thresholds that the others choose.
func crossFit(samples []Sample, c Costs) (sum counts, ok bool) {
	folds, ok := dealParts(samples)
	if !ok {
		return sum, false
	}
	for k := range slices.Max(folds) + 1 {
		var in, out []Sample
		for i, s := range samples {
			if folds[i] == k {
				out = append(out, s)
			} else {
				s.Part = partOf(s, i)
				in = append(in, s)
			}
		}
		others := tallyOf(in)
		if others.bad.frames == 0 || others.good.frames == 0 {
			return sum, false
		}
		best, _ := others.cheapest(c)
		sum.add(countAt(out, vision.Thresholds{OK: step(best.ok), NG: step(best.ng)}))
	}
	return sum, true
}

// dealParts gives the fold of each sample: whole parts, bad ones and good ones
// dealt out apart, in an order that depends on their names alone. ok is false
// where there are not two of each.
func dealParts(samples []Sample) (folds []int, ok bool) {
	type part struct {
		name string
		bad  bool
		hash uint64
	}
	byName := map[string]*part{}
	var all []*part
	parts := map[bool]int{}
	for i, s := range samples {
		name := partOf(s, i)
		p := byName[name]
		if p == nil {
			h := fnv.New64a()
			fmt.Fprint(h, name)
			p = &part{name: name, hash: h.Sum64()}
			byName[name], all = p, append(all, p)
		}
		p.bad = p.bad || !s.Pass
	}
	for _, p := range all {
		parts[p.bad]++
	}
	n := min(crossFolds, parts[true], parts[false])
	if n < 2 {
		return nil, false
	}
	slices.SortFunc(all, func(a, b *part) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.name, b.name)) })
	fold, next := map[string]int{}, map[bool]int{}
	for _, p := range all {
		fold[p.name] = next[p.bad] % n
		next[p.bad]++
	}
	for i, s := range samples {
		folds = append(folds, fold[partOf(s, i)])
	}
	return folds, true
}
