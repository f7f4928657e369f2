package evaluation

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Paired counts the frames by which of two versions is right about them.
type Paired struct {
	BothRight     int `json:"both_right"`
	OnlyChampion  int `json:"only_champion"`
	OnlyCandidate int `json:"only_candidate"`
	BothWrong     int `json:"both_wrong"`
	// P is of the exact two-sided test of McNemar (1947): how likely so uneven a
	// split of the disagreements is by chance. Frames of one part are no
	// independent witnesses: a part counts once, for the version that is right
	// about more of its frames.
	P float64 `json:"p"`
}

// Comparison sets two versions against each other on the same frames.
type Comparison struct {
	N     int `json:"n"`     // frames
	Parts int `json:"parts"` // of which the frames are
	Paired
	Verdicts *Paired `json:"verdicts,omitempty"` // right is OK for a passing class and NG for a failing one; nil where an older Loupe compared
	// BalancedAccuracy and Cost are differences, the candidate's less the
	// champion's, Cost that of 10,000 parts; nil where they cannot be estimated.
	// Their intervals are from a paired bootstrap (Efron 1979) over parts, drawn
	// within each class.
	BalancedAccuracy *Interval `json:"balanced_accuracy,omitempty"`
	Cost             *Interval `json:"cost,omitempty"`
	// The frames behind OnlyChampion and OnlyCandidate, the first mostNamed of each.
	ChampionFrames  []int64 `json:"champion_frames,omitempty"`
	CandidateFrames []int64 `json:"candidate_frames,omitempty"`
}

// mostNamed bounds the frames that a comparison names.
const mostNamed = 500

// Chance is the p from which on a difference counts as more than chance.
const Chance = 0.05

// Compare sets a candidate against the champion. Both slices are of the same
// frames in the same order; costs weigh the wrong verdicts.
func Compare(champion, candidate []Sample, costs Costs) Comparison {
	parts := partsOf(candidate)
	c := Comparison{N: len(candidate), Parts: len(parts)}
	var young, old []int64
	c.Paired, old, young = pairUp(champion, candidate, parts, Sample.right)
	c.ChampionFrames, c.CandidateFrames = old, young
	verdicts, _, _ := pairUp(champion, candidate, parts, Sample.verdictRight)
	c.Verdicts = &verdicts
	c.bootstrap(champion, candidate, parts, costs)
	return c
}

func (s Sample) right() bool { return s.Predicted == s.Truth }

func (s Sample) verdictRight() bool { return !s.Unsure && s.PassedOK == s.Pass }

// partsOf gives the samples of each part, in the order in which parts occur.
func partsOf(samples []Sample) [][]int {
	at := map[string]int{}
	var parts [][]int
	for i, s := range samples {
		name := partOf(s, i)
		p, ok := at[name]
		if !ok {
			p = len(parts)
			at[name], parts = p, append(parts, nil)
		}
		parts[p] = append(parts[p], i)
	}
	return parts
}

// pairUp counts by what right says, and names the frames that only one is right about.
func pairUp(champion, candidate []Sample, parts [][]int, right func(Sample) bool) (p Paired, onlyChampion, onlyCandidate []int64) {
	var older, younger int // parts on which one is better
	for _, part := range parts {
		lead := 0
		for _, i := range part {
			switch old, young := right(champion[i]), right(candidate[i]); {
			case old && young:
				p.BothRight++
			case old:
				p.OnlyChampion++
				lead--
				onlyChampion = named(onlyChampion, candidate[i].Frame)
			case young:
				p.OnlyCandidate++
				lead++
				onlyCandidate = named(onlyCandidate, candidate[i].Frame)
			default:
				p.BothWrong++
			}
		}
		switch {
		case lead > 0:
			younger++
		case lead < 0:
			older++
		}
	}
	p.P = mcnemar(younger, older)
	return p, onlyChampion, onlyCandidate
}

func named(all []int64, frame int64) []int64 {
	if frame == 0 || len(all) >= mostNamed {
		return all
	}
	return append(all, frame)
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

// draw counts one resample of both versions.
type draw struct {
	frames, lead []int // by true class: frames, and how many more of them the candidate has right
	good, bad    int
	cost         [2]counts // of the champion, of the candidate
}

func (d *draw) clear() {
	clear(d.frames)
	clear(d.lead)
	*d = draw{frames: d.frames, lead: d.lead}
}

func (d *draw) add(class int, old, young Sample) {
	d.frames[class]++
	if old.right() {
		d.lead[class]--
	}
	if young.right() {
		d.lead[class]++
	}
	if young.Pass {
		d.good++
	} else {
		d.bad++
	}
	for i, s := range [...]*Sample{&old, &young} {
		switch {
		case s.PassedOK && !s.Pass:
			d.cost[i].escapes++
		case !s.PassedOK && !s.Unsure && s.Pass:
			d.cost[i].rejects++
		}
	}
}

// balanced is the difference of the balanced accuracies.
func (d *draw) balanced() float64 {
	var sum, classes float64
	for class, n := range d.frames {
		if n > 0 {
			sum += float64(d.lead[class]) / float64(n)
			classes++
		}
	}
	return sum / max(classes, 1)
}

// dearer is the difference of the expected costs of 10,000 parts.
func (d *draw) dearer(c Costs) float64 {
	t := tally{good: group{frames: d.good}, bad: group{frames: d.bad}}
	old, _ := t.expect(d.cost[0], c)
	young, _ := t.expect(d.cost[1], c)
	return perParts * (young - old)
}

// bootstrap fills the differences with their intervals. A part is drawn among
// those of the class of its first frame, so that each class keeps its size.
func (c *Comparison) bootstrap(champion, candidate []Sample, parts [][]int, costs Costs) {
	if c.N == 0 {
		return
	}
	index := map[string]int{}
	classes := make([]int, len(candidate))
	for i, s := range candidate {
		if _, ok := index[s.Truth]; !ok {
			index[s.Truth] = len(index)
		}
		classes[i] = index[s.Truth]
	}
	strata := make([][][]int, len(index))
	d := &draw{frames: make([]int, len(index)), lead: make([]int, len(index))}
	for _, part := range parts {
		class := classes[part[0]]
		strata[class] = append(strata[class], part)
		for _, i := range part {
			d.add(classes[i], champion[i], candidate[i])
		}
	}
	priced := d.good > 0 && d.bad > 0
	if costs.BadShare == 0 {
		costs.BadShare = float64(d.bad) / float64(c.N)
	}
	accuracy, price := d.balanced(), d.dearer(costs)
	rng := rand.New(rand.NewPCG(1, 2))
	var accuracies, prices []float64
	for range bootstraps {
		d.clear()
		for _, of := range strata {
			for range of {
				for _, i := range of[rng.IntN(len(of))] {
					d.add(classes[i], champion[i], candidate[i])
				}
			}
		}
		accuracies = append(accuracies, d.balanced())
		if d.good > 0 && d.bad > 0 {
			prices = append(prices, d.dearer(costs))
		}
	}
	accuracyInterval := percentiles(accuracy, accuracies, c.N)
	c.BalancedAccuracy = &accuracyInterval
	if priced && len(prices) > 0 {
		priceInterval := percentiles(price, prices, c.N)
		c.Cost = &priceInterval
	}
}

// Words say in English what the paired test found, for a rule's decision.
func (c Comparison) Words() string {
	if c.N == 0 {
		return "there is no frame to compare them on"
	}
	words := fmt.Sprintf("on the same %d frames both are right about %d, only the champion about %d, only the new version about %d", c.N, c.BothRight, c.OnlyChampion, c.OnlyCandidate)
	switch {
	case c.OnlyChampion+c.OnlyCandidate == 0:
		words += "; nothing tells them apart"
	case c.P >= Chance:
		words += fmt.Sprintf("; that could be chance (p = %s)", pText(c.P))
	default:
		words += fmt.Sprintf("; that is hardly chance (p = %s)", pText(c.P))
	}
	if i := c.BalancedAccuracy; i != nil {
		words += fmt.Sprintf("; difference of the balanced accuracy %+.1f points (95 %% interval %+.1f to %+.1f)", 100*i.Value, 100*i.Low, 100*i.High)
	}
	if i := c.Cost; i != nil {
		words += fmt.Sprintf("; difference of the cost of 10,000 parts %+.0f (%+.0f to %+.0f)", i.Value, i.Low, i.High)
	}
	return words
}

func pText(p float64) string {
	if p < 0.001 {
		return "less than 0.001"
	}
	return fmt.Sprintf("%.2g", p)
}

// Rule says when a new version may replace the champion.
type Rule struct {
	Metric string  // "balanced_accuracy", "accuracy" or "escapes"
	Margin float64 // how much worse it may be
}

// NotWorse reports whether the candidate is not worse than the champion by the
// rule, and says why in words. The metric must hold by its value alone: few
// frames excuse nothing. What is allowed by it but surely worse on the same
// frames, by the paired tests, is refused too.
func (r Rule) NotWorse(champion, candidate Report, paired *Comparison) (bool, string) {
	if candidate.N == 0 {
		return false, "there is no test frame yet, so nothing says that it is as good as the champion"
	}
	ok, words := r.metric(champion, candidate)
	if paired == nil {
		return ok, words
	}
	if why := paired.surelyWorse(r.Margin); ok && why != "" {
		ok, words = false, why
	}
	return ok, words + "; " + paired.Words()
}

func (r Rule) metric(champion, candidate Report) (bool, string) {
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

// surelyWorse says why the candidate is worse by more than chance and more than
// the margin, "" where it is not.
func (c Comparison) surelyWorse(margin float64) string {
	for _, one := range []struct {
		what string
		*Paired
	}{{"class", &c.Paired}, {"verdict", c.Verdicts}} {
		if one.Paired == nil || one.P >= Chance {
			continue
		}
		if lost := one.OnlyChampion - one.OnlyCandidate; float64(lost) > margin*float64(c.N) {
			return fmt.Sprintf("its %s is wrong on %d frames on which the champion's is right, and right on %d on which the champion's is wrong; that is hardly chance (p = %s)", one.what, one.OnlyChampion, one.OnlyCandidate, pText(one.P))
		}
	}
	return ""
}
