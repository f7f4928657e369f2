package vision_test

import (
	"math"
	"testing"

	"loupe/vision"
)

// Whatever the classes say, nothing passes that is unlike the training frames or
// of which nobody knows.
func TestWhatIsNovelIsNeverOK(t *testing.T) {
	for _, novelty := range []float64{1, 1.7, math.NaN(), math.Inf(1), -1} {
		for _, v := range []vision.Verdict{vision.OK, vision.NG, vision.Unsure} {
			j := vision.Judgement{Verdict: v, Class: "good", Probabilities: []vision.Probability{{Class: "good", P: 0.99}, {Class: "dent", P: 0.01}},
				Heat: vision.HeatMap{Classes: []string{"good", "dent"}, W: 4, H: 4, Data: make([]uint8, 32)}}
			m := vision.NoveltyMap{H: 2, W: 2, Data: []float32{0.2, 0.3, 0.2, float32(novelty)}}
			j.Doubt(novelty, m, vision.Region{}, 100, 80)
			if j.Verdict != vision.Unsure || j.Reason != vision.Unseen || !(j.Novelty >= 1) {
				t.Errorf("novelty %v makes of %s: %s for the reason %q", novelty, v, j.Verdict, j.Reason)
			}
			if len(j.Heat.Data) != 48 || len(j.Heat.Classes) != 3 {
				t.Errorf("the heat map has %d values for %v", len(j.Heat.Data), j.Heat.Classes)
			}
			if novelty == 1.7 && (len(j.Findings) != 1 || j.Findings[0].Class != vision.Unseen || j.Findings[0].Box != [4]int{50, 40, 50, 40} || j.Heat.Data[47] != 255) {
				t.Errorf("found %+v, heat %v", j.Findings, j.Heat.Data[32:])
			}
		}
	}
	known := vision.Judgement{Verdict: vision.OK, Probabilities: []vision.Probability{{Class: "good", P: 1}}}
	known.Doubt(0.99, vision.NoveltyMap{H: 1, W: 1, Data: []float32{0.99}}, vision.Region{}, 10, 10)
	if known.Verdict != vision.OK || known.Reason != "" || known.Novelty != 0.99 {
		t.Errorf("a known part becomes %+v", known)
	}
}

// No recipe makes what is unlike anything seen pass, even one with such a class.
func TestUnseenNeverPasses(t *testing.T) {
	classes := []vision.Class{{Name: "good", Pass: true}, {Name: vision.Unseen, Pass: true}}
	v, _, _ := vision.Decide(classes, []vision.Probability{{Class: "good", P: 0.1}, {Class: vision.Unseen, P: 0.9}}, vision.DefaultThresholds)
	if v != vision.NG {
		t.Errorf("the verdict is %s", v)
	}
	v, _, _ = vision.Decide(classes, []vision.Probability{{Class: "good", P: math.NaN()}, {Class: vision.Unseen, P: math.NaN()}}, vision.DefaultThresholds)
	if v != vision.Unsure {
		t.Errorf("the verdict on no numbers is %s", v)
	}
}
