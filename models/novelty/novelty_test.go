package novelty_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"loupe/models/head"
	"loupe/models/novelty"
	"loupe/models/onnx"
)

const size = 224

// drawn is a source of frames of noise; those of a part share it in half.
type drawn struct {
	classes []int
	each    int // frames of a part
	odd     map[int]bool
}

func (d drawn) Len() int          { return len(d.classes) }
func (d drawn) Class(i int) int   { return d.classes[i] }
func (d drawn) Views() int        { return 2 }
func (d drawn) Part(i int) string { return fmt.Sprint("part ", i/max(1, d.each)) }
func (d drawn) Read(i, view int, f *head.Features) error {
	rng := rand.New(rand.NewPCG(uint64(i), uint64(view)))
	var taps [3][]float32
	for t, c := range head.Channels {
		side := size / 8 >> t
		taps[t] = make([]float32, c*side*side)
		for k := range taps[t] {
			taps[t][k] = float32(rng.NormFloat64() + float64(d.classes[i]))
		}
		if d.odd[i] { // one spot that no other frame has
			for k := range c {
				taps[t][k*side*side+side*side/2+side/2] += 6
			}
		}
	}
	*f = head.FromTaps(taps[0], taps[1], taps[2], make([]float32, onnx.PooledLen))
	return nil
}

func frames(n, class int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = class
	}
	return all
}

func options(rate float64) novelty.Options {
	o := novelty.Defaults(rate)
	o.Bank, o.Sample = 40, 400
	return o
}

func TestWhatNoFrameShowsIsNovelAndWhatTheyShowIsNot(t *testing.T) {
	known := drawn{classes: append(frames(30, 0), frames(30, 3)...)}
	b, s, err := novelty.Fit(t.Context(), known, size, options(0.1))
	if err != nil {
		t.Fatal(err)
	}
	if s.Held != 12 || s.Fitted != 48 || s.Places != 40 || !s.Measured || !(s.Spread > 0) {
		t.Errorf("stated: %+v", s)
	}
	scorer, f := novelty.NewScorer(b, size), head.NewFeatures(size)
	alarms := 0
	fresh := drawn{classes: make([]int, 200), odd: map[int]bool{150: true}}
	for i := 100; i < 160; i++ {
		fresh.classes[i] = i % 2 * 3
		if err := fresh.Read(i, 0, &f); err != nil {
			t.Fatal(err)
		}
		switch n := scorer.Novelty(&f); {
		case i == 150 && !(n > 1.1):
			t.Errorf("an odd spot has the novelty %v", n)
		case i != 150 && n >= 1:
			alarms++
		}
	}
	if alarms > 18 { // 6 of 59 are expected
		t.Errorf("%d of 59 known frames are novel, at a rate of 10 %%", alarms)
	}
	again, _, err := novelty.Fit(t.Context(), known, size, options(0.1))
	if err != nil || fmt.Sprint(*again) != fmt.Sprint(*b) {
		t.Errorf("the same frames give another bank (%v)", err)
	}
}

// A rarer alarm needs a larger distance, with few frames by extrapolation.
func TestThresholdFollowsTheRateAndTheFrames(t *testing.T) {
	few := drawn{classes: frames(20, 0)}
	_, often, err := novelty.Fit(t.Context(), few, size, options(0.2))
	if err != nil {
		t.Fatal(err)
	}
	b, seldom, err := novelty.Fit(t.Context(), few, size, options(0.01))
	if err != nil {
		t.Fatal(err)
	}
	if seldom.Measured || !(seldom.Threshold > often.Threshold) || seldom.Held != 6 {
		t.Errorf("20 %%: %+v, 1 %%: %+v", often, seldom)
	}
	novelty.Odds(b, seldom, 0.7, 0.8)
	if good, unlike := novelty.Probabilities(b, 1); math.Abs(good-0.7) > 1e-6 || math.Abs(good+unlike-1) > 1e-9 {
		t.Errorf("at the threshold the good class has %v", good)
	}
	if _, unlike := novelty.Probabilities(b, 1.5); unlike < 0.8 {
		t.Errorf("far beyond the threshold a part is unlike good ones with %v only", unlike)
	}
	if good, _ := novelty.Probabilities(b, 0.5); good < 0.95 {
		t.Errorf("a usual part is good with %v only", good)
	}
}

// Frames of one part are all held back or none is, and a class with few frames
// keeps them.
func TestPartsAreHeldBackAsAWhole(t *testing.T) {
	_, s, err := novelty.Fit(t.Context(), drawn{classes: append(frames(60, 0), frames(4, 1)...), each: 4}, size, options(0.1))
	if err != nil {
		t.Fatal(err)
	}
	if s.Held%4 != 0 || s.Held == 0 || s.Held+s.Fitted != 64 {
		t.Errorf("held back %d of 64 frames of parts of 4", s.Held)
	}
	_, _, err = novelty.Fit(t.Context(), drawn{classes: frames(6, 0)}, size, options(0.1))
	if !errors.Is(err, novelty.ErrTooFew) {
		t.Errorf("six frames give %v", err)
	}
}
