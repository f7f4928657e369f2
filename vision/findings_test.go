package vision_test

import (
	"testing"

	"loupe/vision"
)

// logits are maps of 10×8 for good, scratch and dent, all zero but for spots.
func logits(spots map[int][][3]int) vision.Logits {
	l := vision.Logits{Classes: []string{"good", "scratch", "dent"}, W: 10, H: 8, Data: make([]float32, 3*80)}
	for class, all := range spots {
		for _, s := range all {
			l.Data[class*80+s[1]*10+s[0]] = float32(s[2])
		}
	}
	return l
}

var findingClasses = []vision.Class{{Name: "good", Pass: true}, {Name: "scratch"}, {Name: "dent"}}

func find(l vision.Logits, region vision.Region, p ...float64) []vision.Finding {
	return vision.Findings(l, []vision.Probability{{Class: "good", P: p[0]}, {Class: "scratch", P: p[1]}, {Class: "dent", P: p[2]}}, findingClasses, region, 1000, 800)
}

func TestFindingsAreTheStrongPlacesInPixels(t *testing.T) {
	l := logits(map[int][][3]int{1: {{2, 3, 9}, {3, 3, 9}, {7, 6, 8}}})
	got := find(l, vision.Region{}, 0.1, 0.9, 0)
	want := []vision.Finding{{Class: "scratch", Score: 0.9, Box: [4]int{200, 300, 200, 100}}, {Class: "scratch", Score: 0.9, Box: [4]int{700, 600, 100, 100}}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%v, want %v", got, want)
	}
	got = find(l, vision.Region{X: 0.5, Y: 0.5, W: 0.5, H: 0.5}, 0.1, 0.9, 0)
	if len(got) != 2 || got[0].Box != [4]int{600, 550, 100, 50} {
		t.Errorf("in the lower right quarter: %v", got)
	}
}

func TestFindingsLeaveOutWhatIsNoReason(t *testing.T) {
	spots := map[int][][3]int{0: {{1, 1, 9}}, 1: {{2, 2, 9}}, 2: {{5, 5, 9}}}
	for _, c := range []struct {
		name  string
		p     [3]float64
		kinds []string
	}{
		{"a passing class has none", [3]float64{0.95, 0.03, 0.02}, nil},
		{"the more probable class comes first", [3]float64{0.2, 0.35, 0.45}, []string{"dent", "scratch"}},
		{"a class much less probable than the first has none", [3]float64{0.1, 0.2, 0.7}, []string{"dent"}},
	} {
		var kinds []string
		for _, f := range find(logits(spots), vision.Region{}, c.p[0], c.p[1], c.p[2]) {
			kinds = append(kinds, f.Class)
		}
		if len(kinds) != len(c.kinds) || len(kinds) > 0 && kinds[0] != c.kinds[0] {
			t.Errorf("%s: %v, want %v", c.name, kinds, c.kinds)
		}
	}
	if got := find(logits(nil), vision.Region{}, 0, 1, 0); len(got) != 0 {
		t.Errorf("a flat map has findings: %v", got)
	}
	same := logits(map[int][][3]int{0: {{4, 4, 9}}, 1: {{4, 4, 9}, {1, 1, 5}}, 2: {{4, 4, 9}}})
	if got := find(same, vision.Region{}, 0, 1, 0); len(got) != 1 || got[0].Box != [4]int{100, 100, 100, 100} {
		t.Errorf("a place that speaks for every class is a reason: %v", got)
	}
	many := map[int][][3]int{1: {{0, 0, 9}, {2, 0, 9}, {4, 0, 9}, {6, 0, 9}, {8, 0, 9}}}
	if got := find(logits(many), vision.Region{}, 0, 1, 0); len(got) != 3 {
		t.Errorf("%d findings of one class", len(got))
	}
}

func TestHeatIsScaledToTheStrongestPlace(t *testing.T) {
	m := logits(map[int][][3]int{1: {{2, 3, 9}}, 2: {{5, 5, 3}}}).Map()
	if m.W != 10 || m.H != 8 || len(m.Data) != 240 {
		t.Fatalf("%d×%d of %d", m.W, m.H, len(m.Data))
	}
	at := func(class, x, y int) uint8 { return m.Data[class*80+y*10+x] }
	if at(1, 2, 3) != 255 || at(2, 5, 5) != 85 || at(0, 2, 3) != 0 || at(1, 0, 0) != 0 {
		t.Errorf("strongest %d, a third %d, none %d %d", at(1, 2, 3), at(2, 5, 5), at(0, 2, 3), at(1, 0, 0))
	}
}
