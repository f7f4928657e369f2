package vision_test

import (
	"math"
	"testing"

	"loupe/vision"
)

func TestDecide(t *testing.T) {
	classes := []vision.Class{{Name: "good", Pass: true}, {Name: "polished", Pass: true}, {Name: "scratch"}, {Name: "dent"}}
	p := func(good, polished, scratch, dent float64) []vision.Probability {
		return []vision.Probability{{Class: "good", P: good}, {Class: "polished", P: polished}, {Class: "scratch", P: scratch}, {Class: "dent", P: dent}}
	}
	usual := vision.Thresholds{OK: 0.7, NG: 0.8}
	for _, c := range []struct {
		name string
		p    []vision.Probability
		t    vision.Thresholds
		want vision.Verdict
		top  string
	}{
		{"clearly good", p(0.9, 0, 0.1, 0), usual, vision.OK, "good"},
		{"at the threshold", p(0.7, 0, 0.3, 0), usual, vision.OK, "good"},
		{"just below it", p(0.69, 0, 0.31, 0), usual, vision.Unsure, "good"},
		{"two passing classes share it", p(0.4, 0.4, 0.2, 0), usual, vision.OK, "good"},
		{"clearly bad", p(0.1, 0, 0.9, 0), usual, vision.NG, "scratch"},
		{"two failing classes share it", p(0.15, 0, 0.45, 0.4), usual, vision.NG, "scratch"},
		{"bad, but not enough", p(0.25, 0, 0.75, 0), usual, vision.Unsure, "scratch"},
		{"passes in sum, a failing class on top", p(0.36, 0.36, 0.28+0.1, 0), usual, vision.Unsure, "scratch"},
		{"nothing passes at thresholds of a half", p(1, 0, 0, 0), vision.Thresholds{OK: 0.5, NG: 0.5}, vision.Unsure, "good"},
		{"no probabilities", nil, usual, vision.Unsure, ""},
		{"not a number", p(math.NaN(), 0, 0, 0), usual, vision.Unsure, ""},
		{"infinite", p(math.Inf(1), 0, 0, 0), usual, vision.Unsure, ""},
		{"negative", p(1, -1, 0, 0), usual, vision.Unsure, ""},
		{"a class that the recipe does not know", []vision.Probability{{Class: "new", P: 1}}, usual, vision.NG, "new"},
	} {
		if v, top, _ := vision.Decide(classes, c.p, c.t); v != c.want || top != c.top {
			t.Errorf("%s: %s %q, want %s %q", c.name, v, top, c.want, c.top)
		}
	}
}

func TestRegionNeverLeavesThePicture(t *testing.T) {
	for _, r := range []vision.Region{{}, {X: 0.999, Y: 0.999, W: 0.001, H: 0.001}, {W: 1, H: 1}, {X: 0.5, W: 0.5, H: 0.01}, {X: 0.3333, Y: 0.3333, W: 0.6667, H: 0.6667}} {
		for _, size := range [][2]int{{1, 1}, {2, 3}, {640, 480}, {7, 9999}} {
			x, y, w, h := r.Pixels(size[0], size[1])
			if x < 0 || y < 0 || w < 1 || h < 1 || x+w > size[0] || y+h > size[1] {
				t.Errorf("%+v of %v is %d,%d %d×%d", r, size, x, y, w, h)
			}
		}
	}
	for r, valid := range map[vision.Region]bool{{}: true, {W: 1, H: 1}: true, {X: 0.5, W: 0.6, H: 1}: false, {X: -0.1, W: 0.5, H: 1}: false, {X: 0.5, H: 1}: false} {
		if r.Valid() != valid {
			t.Errorf("%+v is valid: %v", r, r.Valid())
		}
	}
}
