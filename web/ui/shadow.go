package ui

import (
	"context"
	"math"
	"strconv"
	"time"

	"loupe/models"
	"loupe/models/evaluation"
	"loupe/storage"
	"loupe/vision"
)

// ShadowView is how a version does in shadow.
type ShadowView struct {
	Recipe   NamedRecipe
	Version  int64
	Number   int
	Champion int // number of the present champion, 0 for none
	MayStart bool
	Other    int // number of another version that judges in shadow, 0 for none
	OtherID  int64
	Rule     storage.ShadowRule
	Known    bool   // it is, or was, in shadow; then the rest holds
	State    string // "judging", "settling" or "closed"
	Standing models.Standing
	Now      time.Time
}

// DisagreementsView is a page of the frames on which a version in shadow and
// the champion differ.
type DisagreementsView struct {
	ShadowView
	ShowSettled bool
	Frames      []Disagreement // at most 24, the biggest difference first
	Next        int64          // where the next page begins, 0 on the last
	Classes     []vision.Class
}

// Disagreement is a frame on which they differ; Part is the champion's inspection.
type Disagreement struct {
	Part
	Champion, Challenger Opinion
	Difference           float64 // of the probabilities of a bad part
}

// Opinion is what one version says.
type Opinion struct {
	Number  int // of the version
	Verdict vision.Verdict
	Class   vision.Class
	Score   float64
	Fail    float64 // probability of a bad part
}

// sameClass says that they differ in the verdict alone.
func (d Disagreement) sameClass() bool { return d.Champion.Class.Name == d.Challenger.Class.Name }

// rightness says whom the label proves right.
func (d Disagreement) rightness(ctx context.Context) string {
	old, young := d.Champion.Class.Name == d.Label.Name, d.Challenger.Class.Name == d.Label.Name
	switch {
	case old && young:
		return T(ctx, "shadow.right.both")
	case old:
		return T(ctx, "shadow.right.champion")
	case young:
		return T(ctx, "shadow.right.challenger")
	}
	return T(ctx, "shadow.right.none")
}

func (v DisagreementsView) url(settled bool, after int64) string {
	u := ShadowURL(v.Version)
	if settled || after != 0 {
		u += "?"
	}
	if settled {
		u += "settled=1&"
	}
	if after != 0 {
		u += "after=" + id(after)
	}
	return u
}

func (v ShadowView) open() int { return max(0, v.Standing.Differing-v.Standing.Settled) }

// probability writes p of a test: never as 0.
func probability(ctx context.Context, p float64) string {
	if p < 0.001 {
		return T(ctx, "paired.tiny")
	}
	if p >= 0.995 {
		return "1"
	}
	return fixed(p, map[bool]int{true: 3, false: 2}[p < 0.01])
}

// chanceWords say what p means.
func chanceWords(ctx context.Context, c evaluation.Paired) string {
	switch {
	case c.OnlyChampion+c.OnlyCandidate == 0:
		return T(ctx, "paired.same")
	case c.P >= evaluation.Chance:
		return T(ctx, "paired.chance", "P", probability(ctx, c.P))
	}
	return T(ctx, "paired.surely", "P", probability(ctx, c.P))
}

func points(share float64) string { return signed(100*share, 1) }

func signed(v float64, decimals int) string {
	s := strconv.FormatFloat(math.Abs(v), 'f', decimals, 64)
	zero := strconv.FormatFloat(0, 'f', decimals, 64)
	switch {
	case s == zero:
		return "±" + s
	case v < 0:
		return "−" + s
	}
	return "+" + s
}

func filterCell(ctx context.Context, v LabelView) string {
	f := v.Filter
	switch f.Differ {
	case "":
		return T(ctx, "filter.cell", "Version", v.VersionNumber, "Truth", f.Truth, "Predicted", f.Predicted)
	case "champion":
		return T(ctx, "filter.only-champion", "Version", v.VersionNumber)
	}
	return T(ctx, "filter.only-challenger", "Version", v.VersionNumber)
}

// byPart says that some parts have several frames.
func byPart(c *evaluation.Comparison) bool { return c.Parts > 0 && c.Parts < c.N }
