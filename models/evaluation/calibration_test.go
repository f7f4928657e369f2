package evaluation

import (
	"math"
	"math/rand/v2"
	"testing"
)

func scored(score float64, right bool) Sample {
	s := Sample{Truth: "dent", Predicted: "good", Score: score}
	if right {
		s.Predicted = "dent"
	}
	return s
}

// By hand: |1/2 − .55|·2/5 + |2/3 − .92|·3/5.
func TestCalibrationByHand(t *testing.T) {
	c := Calibrate([]Sample{scored(0.54, true), scored(0.56, false), scored(0.90, true), scored(0.91, true), scored(0.95, false)})
	near(t, "bins apart", float64(len(c.Bins)), 15)
	// .54 and .56 fall into bin 8 (.5333–.6), .90 and .91 into 13 (.8667–.9333), .95 into 14.
	want := (math.Abs(1-1.10) + math.Abs(2-1.81) + math.Abs(0-0.95)) / 5
	near(t, "expected calibration error", c.ECE, want)
	if c.N != 5 || c.Bins[8].N != 2 || c.Bins[13].N != 2 || c.Bins[14].N != 1 {
		t.Errorf("%+v", c)
	}
	near(t, "confidence of bin 8", c.Bins[8].Confidence, 0.55)
	near(t, "accuracy of bin 8", c.Bins[8].Accuracy, 0.5)
}

func TestCalibrationAtTheEnds(t *testing.T) {
	for name, c := range map[string]struct {
		samples []Sample
		want    float64
	}{
		"nothing":            {nil, 0},
		"sure and right":     {[]Sample{scored(1, true), scored(1, true)}, 0},
		"sure and wrong":     {[]Sample{scored(1, false)}, 1},
		"sure, half right":   {[]Sample{scored(1, true), scored(1, false)}, 0.5},
		"not a number":       {[]Sample{scored(math.NaN(), false)}, 0},
		"more than all":      {[]Sample{scored(1.0001, true)}, 0},
		"no idea, and wrong": {[]Sample{scored(0, false)}, 0},
	} {
		got := Calibrate(c.samples)
		if math.Abs(got.ECE-c.want) > 1e-12 || got.N != len(c.samples) {
			t.Errorf("%s: %v of %d, not %v", name, got.ECE, got.N, c.want)
		}
	}
}

// Frames that are right as often as they say have a small error, and those that
// are surer than that the difference.
func TestCalibrationFindsHowMuchTooSureAVersionIs(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	for _, over := range []float64{0, 0.1, 0.3} {
		var samples []Sample
		for range 40000 {
			p := 0.4 + 0.3*rng.Float64()
			samples = append(samples, scored(p+over, rng.Float64() < p))
		}
		c := Calibrate(samples)
		if math.Abs(c.ECE-over) > 0.015 {
			t.Errorf("too sure by %v: the error is %v", over, c.ECE)
		}
		n := 0
		for _, b := range c.Bins {
			n += b.N
		}
		if n != len(samples) {
			t.Errorf("%d of %d frames are in a bin", n, len(samples))
		}
	}
}
