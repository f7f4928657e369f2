package evaluation

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

// samples gives as many frames of each truth and prediction as the matrix says.
func samples(classes []string, matrix [][]int) []Sample {
	var all []Sample
	for t, row := range matrix {
		for p, n := range row {
			for range n {
				all = append(all, Sample{Truth: classes[t], Predicted: classes[p], Pass: classes[t] == "good", PassedOK: classes[p] == "good"})
			}
		}
	}
	return all
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) < 5e-4) {
		t.Errorf("%s is %.4f, not %.4f", what, got, want)
	}
}

var (
	three  = []string{"dent", "good", "scratch"}
	matrix = [][]int{{8, 2, 0}, {1, 18, 1}, {0, 3, 7}}
)

// By hand: recalls .8, .9, .7; precisions 8/9, 18/23, 7/8; F1 16/19, 36/43, 14/18.
func TestReportByHand(t *testing.T) {
	r := Evaluate(three, samples(three, matrix))
	if r.N != 40 || !reflect.DeepEqual(r.Confusion, matrix) || len(r.Untested) != 0 {
		t.Errorf("%d frames, confusion %v, untested %v", r.N, r.Confusion, r.Untested)
	}
	near(t, "accuracy", r.Accuracy.Value, 33.0/40)
	near(t, "balanced accuracy", r.BalancedAccuracy.Value, 0.8)
	near(t, "macro F1", r.MacroF1, (16.0/19+36.0/43+14.0/18)/3)
	for c, want := range [][3]float64{{8.0 / 9, 0.8, 16.0 / 19}, {18.0 / 23, 0.9, 36.0 / 43}, {7.0 / 8, 0.7, 14.0 / 18}} {
		got := r.PerClass[c]
		near(t, "precision of "+got.Class, got.Precision.Value, want[0])
		near(t, "recall of "+got.Class, got.Recall.Value, want[1])
		near(t, "F1 of "+got.Class, got.F1.Value, want[2])
		if got.F1.Low > got.F1.Value || got.F1.High < got.F1.Value || got.F1.Low == got.F1.High {
			t.Errorf("F1 of %s is %v: its interval does not hold it", got.Class, got.F1)
		}
	}
	near(t, "escapes", r.Escapes.Value, 5.0/20)
	near(t, "false rejects", r.FalseRejects.Value, 2.0/20)
	if b := r.BalancedAccuracy; b.Low >= b.Value || b.High <= b.Value || b.Low < 0.6 || b.High > 0.95 {
		t.Errorf("the interval of the balanced accuracy is %v", b)
	}
	if again := Evaluate(three, samples(three, matrix)); !reflect.DeepEqual(r, again) {
		t.Error("the same samples give another report")
	}
}

// Published values of the score interval.
func TestWilson(t *testing.T) {
	for _, c := range []struct {
		hits, n   int
		low, high float64
	}{{0, 10, 0, 0.2775}, {10, 10, 0.7225, 1}, {5, 10, 0.2366, 0.7634}, {81, 263, 0.2553, 0.3662}} {
		i := Wilson(c.hits, c.n)
		near(t, "low", i.Low, c.low)
		near(t, "high", i.High, c.high)
		near(t, "value", i.Value, float64(c.hits)/float64(c.n))
	}
	if Wilson(0, 0) != (Interval{}) {
		t.Error("nothing of nothing has an interval")
	}
}

// The bootstrap's interval of a plain proportion is close to Wilson's.
func TestBootstrapIsCloseToWilson(t *testing.T) {
	two := []string{"a", "b"}
	r := Evaluate(two, samples(two, [][]int{{160, 40}, {0, 0}}))
	w, b := Wilson(160, 200), r.BalancedAccuracy
	if math.Abs(w.Low-b.Low) > 0.02 || math.Abs(w.High-b.High) > 0.02 {
		t.Errorf("the bootstrap says %v, Wilson %v", b, w)
	}
	if !reflect.DeepEqual(r.Untested, []string{"b"}) {
		t.Errorf("untested are %v", r.Untested)
	}
}

func TestAUROC(t *testing.T) {
	of := func(good, bad []float64) *float64 {
		var all []Sample
		for _, f := range good {
			all = append(all, Sample{Pass: true, Fail: f})
		}
		for _, f := range bad {
			all = append(all, Sample{Fail: f})
		}
		return AUROC(all)
	}
	for _, c := range []struct {
		good, bad []float64
		want      float64
	}{
		{[]float64{0.1, 0.2}, []float64{0.8, 0.9}, 1},
		{[]float64{0.8, 0.9}, []float64{0.1, 0.2}, 0},
		{[]float64{0.5, 0.5}, []float64{0.5}, 0.5},
		{[]float64{0.1, 0.4, 0.35}, []float64{0.35, 0.8}, 4.5 / 6}, // pairs won 4, tied 1
	} {
		if got := of(c.good, c.bad); got == nil || math.Abs(*got-c.want) > 1e-12 {
			t.Errorf("AUROC of %v and %v is %v, not %v", c.good, c.bad, got, c.want)
		}
	}
	if of(nil, []float64{1}) != nil || of([]float64{1}, nil) != nil {
		t.Error("an AUROC needs good and bad frames")
	}
}

// A class that the list lacks, as of a champion older than a renaming, is shown
// and not counted as another.
func TestUnlistedClassesStandApart(t *testing.T) {
	r := Evaluate([]string{"good", "dent"}, []Sample{{Truth: "dent", Predicted: "rust"}, {Truth: "good", Predicted: "good", Pass: true}})
	if !reflect.DeepEqual(r.Classes, []string{"good", "dent", "rust"}) || r.Confusion[1][2] != 1 || r.Confusion[1][0] != 0 {
		t.Errorf("classes %v, confusion %v", r.Classes, r.Confusion)
	}
	near(t, "balanced accuracy", r.BalancedAccuracy.Value, 0.5)
}

func TestNoSamples(t *testing.T) {
	r := Evaluate(three, nil)
	if _, err := json.Marshal(r); err != nil || r.N != 0 || len(r.Untested) != 3 || r.AUROC != nil {
		t.Errorf("%v: %+v", err, r)
	}
}

// Ten times the frames must not take a hundred times as long: a report is made
// while an operator waits. The shortest of three runs counts.
func TestReportGrowsWithItsFrames(t *testing.T) {
	shortest := func(n int) time.Duration {
		list := samples(three, [][]int{{9 * n, n / 2, n / 2}, {n / 2, 9 * n, n / 2}, {n / 2, n / 2, 9 * n}})
		best := time.Duration(math.MaxInt64)
		for range 3 {
			began := time.Now()
			Evaluate(three, list)
			best = min(best, time.Since(began))
		}
		return best
	}
	few, many := shortest(20), shortest(200)
	if ratio := float64(many) / float64(few); ratio > 40 {
		t.Errorf("ten times the frames took %.0f times as long (%v, %v)", ratio, few, many)
	}
}

func TestRule(t *testing.T) {
	report := func(accuracy, balanced, escapes float64) Report {
		return Report{N: 100, Accuracy: Interval{Value: accuracy}, BalancedAccuracy: Interval{Value: balanced}, Escapes: Interval{Value: escapes}}
	}
	champion := report(0.9, 0.8, 0.05)
	for name, c := range map[string]struct {
		rule      Rule
		candidate Report
		ok        bool
		words     string
	}{
		"the same":                      {Rule{"balanced_accuracy", 0}, report(0.9, 0.8, 0.05), true, "not worse"},
		"better":                        {Rule{"balanced_accuracy", 0}, report(0.5, 0.81, 0.05), true, "81.0 %"},
		"worse within the margin":       {Rule{"balanced_accuracy", 0.01}, report(0.9, 0.79, 0.05), true, "allowed: 1.0"},
		"worse":                         {Rule{"balanced_accuracy", 0.01}, report(0.95, 0.78, 0.05), false, "is worse"},
		"accuracy worse":                {Rule{"accuracy", 0}, report(0.89, 0.9, 0.05), false, "accuracy 89.0 %"},
		"accuracy counts alone":         {Rule{"accuracy", 0}, report(0.9, 0.1, 0.05), true, "not worse"},
		"fewer escapes":                 {Rule{"escapes", 0}, report(0.1, 0.1, 0.04), true, "escape rate 4.0 %"},
		"more escapes":                  {Rule{"escapes", 0}, report(1, 1, 0.06), false, "escape rate"},
		"better but lets bad parts out": {Rule{"balanced_accuracy", 0}, report(0.95, 0.9, 0.2), false, "called OK"},
		"no test frame":                 {Rule{"balanced_accuracy", 1}, Report{}, false, "no test frame"},
	} {
		ok, words := c.rule.NotWorse(champion, c.candidate, nil)
		if ok != c.ok || !strings.Contains(words, c.words) {
			t.Errorf("%s: %v, %q", name, ok, words)
		}
	}
}
