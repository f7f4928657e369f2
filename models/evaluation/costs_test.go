package evaluation

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"loupe/vision"
)

// drawn are frames whose failing share overlaps between good and bad parts; one
// in ten looks most like a failing class although the passing ones sum to more.
func drawn(seed uint64, n int, perPart int) []Sample {
	rng := rand.New(rand.NewPCG(seed, 21))
	var all []Sample
	for i := range n {
		s := Sample{Pass: rng.Float64() < 0.7, Part: fmt.Sprint("part ", i/perPart)}
		centre := 0.7
		if s.Pass {
			centre = 0.25
		}
		s.Fail = math.Round(998*min(1, max(0, centre+0.25*rng.NormFloat64())))/1000 + 0.0005 // beside all thresholds
		s.TopPasses = s.Fail < 0.5 && (s.Fail < 0.2 || rng.IntN(10) > 0)
		all = append(all, s)
	}
	return all
}

// kinds is how many passing classes there are.
const kinds = 5

// probabilities are such that the most probable class of a drawn frame passes as
// it says: the passing share lies on one class or on five.
func probabilities(s Sample) []vision.Probability {
	p := []vision.Probability{{Class: "bad", P: s.Fail}, {Class: "good 0", P: 1 - s.Fail}}
	if !s.TopPasses && s.Fail < 0.5 {
		p = p[:1]
		for i := range kinds {
			p = append(p, vision.Probability{Class: fmt.Sprint("good ", i), P: (1 - s.Fail) / kinds})
		}
	}
	return p
}

// outcome is what a pair of thresholds does to samples.
type outcome struct {
	at                                      vision.Thresholds
	escapes, rejects, unsureGood, unsureBad float64
}

// outcomes tries all pairs with the live decision.
func outcomes(samples []Sample) (all []outcome) {
	classes := []vision.Class{{Name: "bad"}}
	for i := range kinds {
		classes = append(classes, vision.Class{Name: fmt.Sprint("good ", i), Pass: true})
	}
	for ok := 51; ok <= 100; ok++ {
		for ng := 51; ng <= 100; ng++ {
			o := outcome{at: vision.Thresholds{OK: float64(ok) / 100, NG: float64(ng) / 100}}
			for _, s := range samples {
				v, _, _ := vision.Decide(classes, probabilities(s), o.at)
				switch {
				case v == vision.Unsure && s.Pass:
					o.unsureGood++
				case v == vision.Unsure:
					o.unsureBad++
				case v == vision.NG && s.Pass:
					o.rejects++
				case v == vision.OK && !s.Pass:
					o.escapes++
				}
			}
			all = append(all, o)
		}
	}
	return all
}

// brute finds the least cost of 10,000 parts, and the pairs that have it.
func brute(samples []Sample, all []outcome, c Costs) (least float64, pairs map[vision.Thresholds]bool) {
	var good, bad float64
	for _, s := range samples {
		if s.Pass {
			good++
		} else {
			bad++
		}
	}
	least, pairs = math.Inf(1), map[vision.Thresholds]bool{}
	for _, o := range all {
		if (1-c.BadShare)*o.unsureGood/good+c.BadShare*o.unsureBad/bad > c.UnsureShare+1e-9 {
			continue
		}
		cost := (1-c.BadShare)*c.FalseReject*o.rejects/good + c.BadShare*c.Escape*o.escapes/bad
		if cost < least-1e-9 {
			least = cost
			clear(pairs)
		}
		if cost <= least+1e-9 {
			pairs[o.at] = true
		}
	}
	return 10000 * least, pairs
}

func TestSuggestionIsTheCheapestOfAllPairs(t *testing.T) {
	for seed := range uint64(6) {
		samples := drawn(seed, 80, 1)
		all := outcomes(samples)
		for _, c := range []Costs{{100, 1, 0.05, 0.02}, {1, 1, 0.3, 0.5}, {1, 20, 0.1, 0.3}, {5, 1, 1, 0.1}, {1000, 1, 0.15, 0.001}} {
			s, ok := Suggest(samples, c, vision.DefaultThresholds)
			least, pairs := brute(samples, all, c)
			if !ok || s.Feasible != (len(pairs) > 0) {
				t.Fatalf("seed %d, %+v: ok %v, feasible %v, %d pairs", seed, c, ok, s.Feasible, len(pairs))
			}
			if !s.Feasible {
				continue
			}
			if math.Abs(s.Best.Cost-least) > 1e-6 || !pairs[s.Best.Thresholds] {
				t.Errorf("seed %d, %+v: %v costs %v, the least is %v at %v", seed, c, s.Best.Thresholds, s.Best.Cost, least, pairs)
			}
			if s.Best.Unsure > 10000*c.UnsureShare+1e-6 {
				t.Errorf("seed %d, %+v: %v of 10,000 are Unsure", seed, c, s.Best.Unsure)
			}
			for _, p := range s.Curve {
				if p.Cost < least-1e-6 || p.Unsure > 10000*c.UnsureShare+1e-6 {
					t.Errorf("seed %d, %+v: the curve has %+v below the least cost %v", seed, c, p, least)
				}
			}
		}
	}
}

// four good parts and two bad ones, by hand.
func byHand() []Sample {
	good := func(fail float64) Sample { return Sample{Pass: true, TopPasses: true, Fail: fail} }
	bad := func(fail float64) Sample { return Sample{Fail: fail, TopPasses: fail < 0.5} }
	return []Sample{good(0.05), good(0.1), good(0.3), good(0.7), bad(0.2), bad(0.9)}
}

func TestCostsByHand(t *testing.T) {
	// With half of the parts for people, OK from .81 to .90 leaves the bad .2, the
	// good .3 and, with NG from .71, the good .7 Unsure: no mistake at all. With
	// equal shares of bad and good that is 1/2·1/2 + 1/2·2/4 = half.
	s, ok := Suggest(byHand(), Costs{Escape: 10, FalseReject: 1, UnsureShare: 0.5, BadShare: 0.5}, vision.DefaultThresholds)
	if !ok || s.Best.Cost != 0 || math.Abs(s.Best.Unsure-5000) > 1e-6 || s.Best.Thresholds != (vision.Thresholds{OK: 0.9, NG: 0.9}) {
		t.Errorf("%v: %+v", ok, s.Best)
	}
	// Now: OK from .7 passes .05, .1, .3 and the bad .2; NG from .7 rejects the good .7 and the bad .9.
	near(t, "escapes now", s.Now.Escapes.Value, 10000*0.5*0.5)
	near(t, "false rejects now", s.Now.FalseRejects.Value, 10000*0.5*0.25)
	near(t, "Unsure now", s.Now.Unsure, 0)
	near(t, "cost now", s.Now.Cost, 10*2500+1250)
	w := Wilson(1, 2)
	near(t, "low", s.Now.Escapes.Low, 5000*w.Low)
	near(t, "high", s.Now.Escapes.High, 5000*w.High)
	// The share of bad parts is that of the samples where none is stated.
	s, _ = Suggest(byHand(), Costs{Escape: 10, FalseReject: 1, UnsureShare: 0.5}, vision.DefaultThresholds)
	near(t, "share of bad parts", s.Costs.BadShare, 1.0/3)
	near(t, "escapes now", s.Now.Escapes.Value, 10000/3.0/2)
}

func TestSuggestionNeedsGoodAndBadFrames(t *testing.T) {
	for _, pass := range []bool{true, false} {
		if _, ok := Suggest([]Sample{{Pass: pass}}, Costs{Escape: 1}, vision.DefaultThresholds); ok {
			t.Errorf("frames that all pass = %v have a suggestion", pass)
		}
	}
	s, ok := Suggest([]Sample{{Pass: true, TopPasses: true}, {Fail: 1}}, Costs{Escape: 1, FalseReject: 1}, vision.DefaultThresholds)
	if !ok || s.HasHeld {
		t.Errorf("one good and one bad part are cross-fitted: %v, %+v", ok, s)
	}
}

func TestNoFrameMayBeUnsure(t *testing.T) {
	samples := append(drawn(1, 80, 1), Sample{Fail: 0.5}, Sample{Fail: math.NaN()})
	s, ok := Suggest(samples, Costs{Escape: 1, FalseReject: 1, BadShare: 0.3}, vision.DefaultThresholds)
	if !ok || s.Feasible || len(s.Curve) > 0 || s.Best.Thresholds != (vision.Thresholds{OK: 0.51, NG: 0.51}) {
		t.Errorf("%v: feasible %v, %d points, best %+v", ok, s.Feasible, len(s.Curve), s.Best)
	}
}

// Thresholds that are chosen on frames keep within what people can look at on
// these, and not on others. The cross-fitted figures say so.
func TestCrossFittingIsHonest(t *testing.T) {
	c := Costs{Escape: 20, FalseReject: 1, UnsureShare: 0.1, BadShare: 0.3}
	truth := drawn(999, 8000, 1)
	all := tallyOf(truth)
	var same, held, real, heldCost, realCost float64
	const draws = 60
	for seed := range uint64(draws) {
		s, ok := Suggest(drawn(seed, 120, 1), c, vision.DefaultThresholds)
		if !ok || !s.HasHeld || s.Held.Thresholds != s.Best.Thresholds {
			t.Fatal("no cross-fitted figures")
		}
		p := pointOf(s.Best.Thresholds, countAt(truth, s.Best.Thresholds), all, c)
		same, held, real = same+s.Best.Unsure/draws, held+s.Held.Unsure/draws, real+p.Unsure/draws
		heldCost, realCost = heldCost+s.Held.Cost/draws, realCost+p.Cost/draws
	}
	if same > 0.95*real {
		t.Errorf("Unsure are %.0f on the frames that chose, %.0f on others: the test shows nothing", same, real)
	}
	if held < 0.98*real || held > 1.1*real { // four fifths choose a little worse than all
		t.Errorf("Unsure are %.0f cross-fitted, %.0f on the same frames, really %.0f", held, same, real)
	}
	if math.Abs(heldCost-realCost) > 0.15*realCost {
		t.Errorf("the cost is %.0f cross-fitted, really %.0f", heldCost, realCost)
	}
}

// Frames of one part lie in one fold, whatever they are called, and their number
// does not make the intervals narrower.
func TestPartsAreDealtWhole(t *testing.T) {
	once := drawn(3, 60, 1)
	var thrice []Sample
	for _, s := range once {
		thrice = append(thrice, s, s, s)
	}
	folds, ok := dealParts(thrice)
	if !ok {
		t.Fatal("no folds")
	}
	of, counts := map[string]int{}, map[int]int{}
	for i, s := range thrice {
		if f, seen := of[s.Part]; seen && f != folds[i] {
			t.Errorf("%s is in two folds", s.Part)
		}
		of[s.Part] = folds[i]
		counts[folds[i]]++
	}
	for f, n := range counts {
		if n < 30 || n > 42 || len(counts) != 5 {
			t.Errorf("fold %d of %d has %d frames", f, len(counts), n)
		}
	}
	c := Costs{Escape: 20, FalseReject: 1, UnsureShare: 0.1, BadShare: 0.3}
	a, _ := Suggest(once, c, vision.DefaultThresholds)
	b, _ := Suggest(thrice, c, vision.DefaultThresholds)
	for _, two := range [][2]Point{{a.Best, b.Best}, {a.Held, b.Held}, {a.Now, b.Now}} {
		once, thrice := two[0], two[1]
		if once.Thresholds != thrice.Thresholds || once.Escapes.N != thrice.Escapes.N || math.Abs(once.Cost-thrice.Cost) > 1e-6 ||
			math.Abs(once.Escapes.High-thrice.Escapes.High) > 1e-6 || math.Abs(once.FalseRejects.Low-thrice.FalseRejects.Low) > 1e-6 {
			t.Errorf("three frames a part give\n%+v, one\n%+v", thrice, once)
		}
	}
	again, _ := Suggest(thrice, c, vision.DefaultThresholds)
	if !reflect.DeepEqual(again, b) {
		t.Error("the same frames give another suggestion")
	}
}
