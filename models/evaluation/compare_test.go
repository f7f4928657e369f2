package evaluation

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// Exact two-sided McNemar tests by hand: 2·Σ C(n,i)/2ⁿ.
func TestMcNemar(t *testing.T) {
	for _, c := range []struct {
		a, b int
		want float64
	}{{0, 0, 1}, {1, 0, 1}, {5, 0, 0.0625}, {0, 6, 0.03125}, {1, 9, 22.0 / 1024}, {4, 4, 1}, {400, 600, 2.728e-10}} {
		if got := mcnemar(c.a, c.b); math.Abs(got-c.want) > 1e-3*c.want {
			t.Errorf("%d against %d: p = %v, not %v", c.a, c.b, got, c.want)
		}
	}
}

// seen are frames of classes "good" and "bad" that a version is right about
// where the pattern says "+", wrong about for ".", and Unsure of for "?".
func seen(truth, pattern string) []Sample {
	var all []Sample
	for i, mark := range pattern {
		s := Sample{Truth: truth, Predicted: truth, Pass: truth == "good", Frame: int64(i + 1)}
		right := mark == '+'
		s.PassedOK, s.Unsure = right == s.Pass && mark != '?', mark == '?'
		if mark == '.' {
			s.Predicted = map[string]string{"good": "bad", "bad": "good"}[truth]
		}
		all = append(all, s)
	}
	return all
}

func TestCompareCountsWhichVersionIsRight(t *testing.T) {
	old := append(seen("good", "++..+"), seen("bad", "++..?")...)
	young := append(seen("good", "+.++?"), seen("bad", "+..++")...)
	for i := range old {
		old[i].Frame, young[i].Frame = int64(i+1), int64(i+1)
	}
	c := Compare(old, young, Costs{Escape: 10, FalseReject: 1, BadShare: 0.1})
	want := Paired{BothRight: 4, OnlyChampion: 2, OnlyCandidate: 3, BothWrong: 1, P: 1} // Unsure is right about the class
	c.P, c.Verdicts.P = math.Round(c.P*1e9)/1e9, math.Round(c.Verdicts.P*1e9)/1e9
	if c.N != 10 || c.Parts != 10 || c.Paired != want {
		t.Errorf("%+v, want %+v", c, want)
	}
	if v := *c.Verdicts; v != (Paired{BothRight: 2, OnlyChampion: 3, OnlyCandidate: 4, BothWrong: 1, P: 1}) {
		t.Errorf("verdicts %+v", v)
	}
	if got := fmt.Sprint(c.ChampionFrames, c.CandidateFrames); got != "[2 7] [3 4 9]" {
		t.Errorf("the frames are %s", got)
	}
	// Accuracy of good 4/5 to 4/5 less the first's 3/5, of bad 3/5 to 3/5 by class.
	if i := c.BalancedAccuracy; math.Abs(i.Value-0.1) > 1e-12 || i.Low > i.Value || i.High < i.Value {
		t.Errorf("balanced accuracy %+v", i)
	}
	// Escapes 2 of 5 each; rejects 2 of 5 and 1 of 5: a tenth bad, so 9000 × −1/5.
	if i := c.Cost; math.Abs(i.Value+1800) > 1e-9 {
		t.Errorf("cost %+v", i)
	}
	if none := Compare(nil, nil, Costs{}); none.N != 0 || none.P != 1 || none.Cost != nil || none.Words() == "" {
		t.Errorf("of no frame %+v", none)
	}
}

// Frames of one part are one witness.
func TestPartCountsOnceInThePairedTest(t *testing.T) {
	old, young := seen("good", strings.Repeat(".", 12)), seen("good", strings.Repeat("+", 12))
	if c := Compare(old, young, Costs{}); c.P > 0.001 || c.Cost != nil {
		t.Errorf("twelve parts: %+v", c)
	}
	for i := range old {
		old[i].Part, young[i].Part = fmt.Sprint(i/6), fmt.Sprint(i/6)
	}
	if c := Compare(old, young, Costs{}); c.P != 0.5 || c.Parts != 2 || c.OnlyCandidate != 12 {
		t.Errorf("two parts of six frames: %+v", c)
	}
}

// The interval of a difference covers the true one about as often as it says,
// and is narrower than that of unpaired versions.
func TestIntervalOfTheDifferenceCoversTheTruth(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	hits, runs := 0, 100
	for range runs {
		var old, young []Sample
		for i := range 120 {
			truth := []string{"good", "bad"}[i%2]
			right := func(p float64) Sample {
				if rng.Float64() < p {
					return seen(truth, "+")[0]
				}
				return seen(truth, ".")[0]
			}
			old, young = append(old, right(0.80)), append(young, right(0.85))
		}
		i := Compare(old, young, Costs{Escape: 1, FalseReject: 1}).BalancedAccuracy
		if i.Low <= 0.05 && 0.05 <= i.High {
			hits++
		}
	}
	if share := float64(hits) / float64(runs); share < 0.88 || share == 1 {
		t.Errorf("the 95 %% interval holds the true difference in %.0f %%", 100*share)
	}
}

func TestRuleRefusesWhatIsSurelyWorseOnTheSameFrames(t *testing.T) {
	// As many classes right, but the verdicts went Unsure on thirty good parts.
	old := append(seen("good", strings.Repeat("+", 60)), seen("bad", strings.Repeat("+", 20))...)
	young := append(seen("good", strings.Repeat("+", 30)+strings.Repeat("?", 30)), seen("bad", strings.Repeat("+", 20))...)
	two := []string{"good", "bad"}
	rule, costs := Rule{"balanced_accuracy", 0.01}, Costs{Escape: 100, FalseReject: 1}
	judge := func(a, b []Sample) (bool, string) {
		c := Compare(a, b, costs)
		return rule.NotWorse(Evaluate(two, a), Evaluate(two, b), &c)
	}
	if ok, words := judge(old, young); ok || !strings.Contains(words, "its verdict is wrong on 30 frames") {
		t.Errorf("%v %q", ok, words)
	}
	if ok, words := judge(young, old); !ok || !strings.Contains(words, "both are right about 80, only the champion about 0") {
		t.Errorf("the other way round: %v %q", ok, words)
	}
	few := append(seen("good", strings.Repeat("+", 57)+"???"), seen("bad", strings.Repeat("+", 20))...)
	if ok, words := judge(old, few); !ok {
		t.Errorf("three Unsure of eighty may be chance: %q", words)
	}
	almost := append(seen("good", strings.Repeat("+", 59)+"."), seen("bad", strings.Repeat("+", 20))...)
	if ok, words := judge(old, almost); !ok || !strings.Contains(words, "only the champion about 1, only the new version about 0; that could be chance (p = 1)") {
		t.Errorf("one of sixty within the margin: %v %q", ok, words)
	}
}
