package evaluation

import (
	"fmt"
	"math"
)

// Comparison sets two versions against each other on the same frames.
type Comparison struct {
	N             int     `json:"n"`
	OnlyCandidate int     `json:"only_candidate"` // frames that only the new version got right
	OnlyChampion  int     `json:"only_champion"`  // frames that only the champion got right
	P             float64 `json:"p"`              // exact McNemar test, two-sided
}

// Compare sets a candidate against the champion. Both slices are of the same
// frames in the same order.
func Compare(champion, candidate []Sample) Comparison {
	c := Comparison{N: len(candidate)}
	for i := range candidate {
		old, young := champion[i].Predicted == champion[i].Truth, candidate[i].Predicted == candidate[i].Truth
		switch {
		case young && !old:
			c.OnlyCandidate++
		case old && !young:
			c.OnlyChampion++
		}
	}
	c.P = mcnemar(c.OnlyCandidate, c.OnlyChampion)
	return c
}

// mcnemar is the exact two-sided test of McNemar (1947): how likely so uneven a
// split of the disagreements is by chance.
func mcnemar(a, b int) float64 {
	n, k := a+b, min(a, b)
	if n == 0 {
		return 1
	}
	var tail float64
	logHalf := float64(n) * math.Log(0.5)
	for i := 0; i <= k; i++ {
		tail += math.Exp(logChoose(n, i) + logHalf)
	}
	return min(1, 2*tail)
}

func logChoose(n, k int) float64 {
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - b - c
}

// Rule says when a new version may replace the champion.
type Rule struct {
	Metric string  // "balanced_accuracy", "accuracy" or "escapes"
	Margin float64 // how much worse it may be
}

// NotWorse reports whether the candidate is not worse than the champion by the
// rule, and says why in words.
func (r Rule) NotWorse(champion, candidate Report) (bool, string) {
	if candidate.N == 0 {
		return false, "there is no test frame yet, so nothing says that it is as good as the champion"
	}
	old, young, name, worse := champion.BalancedAccuracy.Value, candidate.BalancedAccuracy.Value, "balanced accuracy", -1.0
	switch r.Metric {
	case "accuracy":
		old, young, name = champion.Accuracy.Value, candidate.Accuracy.Value, "accuracy"
	case "escapes":
		old, young, name, worse = champion.Escapes.Value, candidate.Escapes.Value, "escape rate", 1
	}
	ok := worse*(young-old) <= r.Margin+1e-9
	verb := "is not worse than"
	if !ok {
		verb = "is worse than"
	}
	words := fmt.Sprintf("%s %.1f %% %s the champion's %.1f %% on the same %d test frames (allowed: %.1f points)", name, 100*young, verb, 100*old, candidate.N, 100*r.Margin)
	if ok && r.Metric != "escapes" && candidate.Escapes.Value > champion.Escapes.Value+r.Margin+1e-9 {
		return false, fmt.Sprintf("%.1f %% of the bad test frames would be called OK, the champion's %.1f %%", 100*candidate.Escapes.Value, 100*champion.Escapes.Value)
	}
	return ok, words
}
