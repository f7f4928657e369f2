package ui

import (
	"context"
	"fmt"
	"math"
	"strings"

	"loupe/models/evaluation"
	"loupe/storage"
)

// CostsView is what wrong verdicts of a recipe cost, and what its thresholds do
// at these costs.
type CostsView struct {
	Rule       storage.CostRule
	Known      bool // the champion judged good and bad test frames
	Suggestion evaluation.Suggestion
}

// The drawing of the cost curve, in its own units.
const (
	curveLeft, curveRight = 70.0, 985.0
	curveTop, curveBottom = 14.0, 226.0
	curveFirst, curveLast = 0.5, 1.0 // OK thresholds at the sides
)

// top is the cost at the upper edge of the drawing: 1, 2 or 5 times a power of
// ten that holds the whole curve.
func (v CostsView) top() float64 {
	most := v.Suggestion.Now.Cost
	for _, p := range v.Suggestion.Curve {
		most = max(most, p.Cost)
	}
	if most <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(most)))
	for _, times := range []float64{1, 2, 5} {
		if most <= times*power {
			return times * power
		}
	}
	return 10 * power
}

func curveX(ok float64) float64 {
	return curveLeft + (curveRight-curveLeft)*(ok-curveFirst)/(curveLast-curveFirst)
}

func (v CostsView) y(cost float64) float64 {
	return curveBottom - (curveBottom-curveTop)*cost/v.top()
}

func (v CostsView) total(p evaluation.Point) float64 { return p.Cost }

func (v CostsView) escapes(p evaluation.Point) float64 {
	return v.Suggestion.Costs.Escape * p.Escapes.Value
}

func (v CostsView) rejects(p evaluation.Point) float64 {
	return v.Suggestion.Costs.FalseReject * p.FalseRejects.Value
}

// path draws a share of the cost over the OK threshold, with gaps where the band
// would be too wide.
func (v CostsView) path(of func(evaluation.Point) float64) string {
	var d strings.Builder
	last := 0.0
	for _, p := range v.Suggestion.Curve {
		command := "L"
		if last == 0 || p.Thresholds.OK > last+0.015 {
			command = "M"
		}
		fmt.Fprintf(&d, "%s%.1f %.1f", command, curveX(p.Thresholds.OK), v.y(of(p)))
		last = p.Thresholds.OK
	}
	return d.String()
}

// taken says that the present thresholds are the suggested ones.
func (v CostsView) taken() bool {
	now, best := v.Suggestion.Now.Thresholds, v.Suggestion.Best.Thresholds
	return math.Abs(now.OK-best.OK) < 0.005 && math.Abs(now.NG-best.NG) < 0.005
}

// expected is what is to be expected of the suggested thresholds.
func (v CostsView) expected() evaluation.Point {
	if v.Suggestion.HasHeld {
		return v.Suggestion.Held
	}
	return v.Suggestion.Best
}

// parts writes a number of parts out of 10,000, small ones with a decimal.
func parts(n float64) string {
	if n > 0 && n < 9.95 {
		return fixed(n, 1)
	}
	return number(int64(math.Round(n)))
}

// range95 writes the interval of a number of parts.
func range95(i evaluation.Interval) string { return parts(i.Low) + "–" + parts(i.High) }

// costsInWords says what a pair of thresholds does to 10,000 parts.
func costsInWords(ctx context.Context, p evaluation.Point) string {
	return T(ctx, "costs.words", "Escapes", parts(p.Escapes.Value), "EscapesRange", range95(p.Escapes), "Rejects", parts(p.FalseRejects.Value),
		"RejectsRange", range95(p.FalseRejects), "Unsure", parts(p.Unsure), "Cost", parts(p.Cost))
}
