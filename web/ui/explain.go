package ui

import (
	"context"

	"loupe/vision"
)

// explain says in short sentences what the model saw, how sure it is, what the
// frame looks like, and what would have changed the verdict; by today's thresholds.
func explain(ctx context.Context, v InspectionView) []string {
	if !v.Judged || len(v.Part.Probabilities) == 0 {
		return nil
	}
	var all []string
	if len(v.Part.Findings) == 0 {
		all = append(all, T(ctx, "explain.saw.nothing"))
	} else {
		all = append(all, T(ctx, "explain.saw", "Class", v.Part.Findings[0].Class, "Place", place(ctx, v.Part), "Area", percent(foundArea(v.Part))))
	}
	top := v.Part.Probabilities[0]
	if len(v.Part.Probabilities) > 1 {
		next := v.Part.Probabilities[1]
		all = append(all, T(ctx, "explain.sure", "Class", top.Class, "Share", percent(top.P), "Next", next.Class, "NextShare", percent(next.P)))
	}
	if n := len(v.Similar); n > 0 {
		alike := 0
		for _, s := range v.Similar {
			if s.Label.Name == top.Class {
				alike++
			}
		}
		if alike == 0 {
			all = append(all, T(ctx, "explain.unlike", "All", n, "Class", top.Class))
		} else {
			all = append(all, T(ctx, "explain.alike", "All", n, "Alike", alike, "Class", top.Class))
		}
	}
	if mind := explainMind(ctx, v); mind != "" {
		all = append(all, mind)
	}
	return all
}

// foundArea is the share of the picture that the boxes of the first finding's
// class cover together.
func foundArea(p Part) float64 {
	sum := 0
	for _, f := range p.Findings {
		if f.Class == p.Findings[0].Class {
			sum += f.Box[2] * f.Box[3]
		}
	}
	return min(1, float64(sum)/float64(max(1, p.Width*p.Height)))
}

// explainMind says how far the verdict is from another one.
func explainMind(ctx context.Context, v InspectionView) string {
	passes := map[string]bool{}
	for _, c := range v.Classes {
		passes[c.Name] = c.Pass
	}
	var pass, fail float64
	for _, q := range v.Part.Probabilities {
		if passes[q.Class] {
			pass += q.P
		} else {
			fail += q.P
		}
	}
	t := v.Thresholds
	switch {
	case v.Part.Verdict == vision.NG && fail >= t.NG:
		return T(ctx, "explain.mind.ng", "Share", percent(fail), "Least", percent(t.NG))
	case v.Part.Verdict == vision.OK && pass >= t.OK:
		return T(ctx, "explain.mind.ok", "Share", percent(pass), "Least", percent(t.OK))
	case v.Part.Verdict == vision.Unsure:
		return T(ctx, "explain.mind.unsure", "Fail", percent(fail), "NG", percent(t.NG), "Pass", percent(pass), "OK", percent(t.OK))
	}
	return "" // the thresholds have changed since
}
