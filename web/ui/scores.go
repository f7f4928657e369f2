package ui

import (
	"context"
	"fmt"
	"math"
)

func metricText(m Metric) string {
	if !m.Known {
		return "–"
	}
	return percent1(m.Value)
}

func metricLong(m Metric) string {
	if !m.Known {
		return "–"
	}
	return fmt.Sprintf("%s (%s–%s)", percent1(m.Value), percent1(m.Low), percent1(m.High))
}

func of(v *VersionView, get func(*VersionView) Metric) Metric {
	if v == nil {
		return Metric{}
	}
	return get(v)
}

func accuracyOf(v *VersionView) Metric {
	return of(v, func(v *VersionView) Metric { return v.Accuracy })
}

func balancedOf(v *VersionView) Metric {
	return of(v, func(v *VersionView) Metric { return v.Balanced })
}

func escapesOf(v *VersionView) Metric {
	return of(v, func(v *VersionView) Metric { return v.Escapes })
}

func falseAlarmsOf(v *VersionView) Metric {
	return of(v, func(v *VersionView) Metric { return v.FalseAlarms })
}

func unsureOf(v *VersionView) Metric {
	return of(v, func(v *VersionView) Metric { return v.UnsureShare })
}

func besidePrecision(v *VersionView, class string) Metric {
	if r := v.reportFor(class); r != nil {
		return r.Precision
	}
	return Metric{}
}

func besideRecall(v *VersionView, class string) Metric {
	if r := v.reportFor(class); r != nil {
		return r.Recall
	}
	return Metric{}
}

func besideF1(v *VersionView, class string) Metric {
	if r := v.reportFor(class); r != nil {
		return r.F1
	}
	return Metric{}
}

func versionState(ctx context.Context, state string) string {
	switch state {
	case "champion":
		return T(ctx, "state.champion")
	case "challenger":
		return T(ctx, "state.challenger")
	case "candidate":
		return T(ctx, "state.candidate")
	}
	return T(ctx, "state.retired")
}

func trainingState(ctx context.Context, v TrainingView) string {
	if v.Evaluation {
		return evaluationState(ctx, v)
	}
	switch v.State {
	case "queued":
		return T(ctx, "training.queued")
	case "running":
		switch {
		case v.Passes > 0 && v.LeftKnown:
			return T(ctx, "training.pass-left", "Pass", v.Pass, "Passes", v.Passes, "Left", Span(ctx, v.Left))
		case v.Passes > 0:
			return T(ctx, "training.pass", "Pass", v.Pass, "Passes", v.Passes)
		case v.Message != "":
			return v.Message
		}
		return T(ctx, "training.running")
	case "failed":
		return T(ctx, "training.failed", "Message", v.Message)
	case "cancelled":
		return T(ctx, "training.cancelled")
	case "done":
		if v.Message != "" {
			return v.Message
		}
		return T(ctx, "training.done")
	}
	return T(ctx, "training.never")
}

func evaluationState(ctx context.Context, v TrainingView) string {
	switch v.State {
	case "queued":
		return T(ctx, "training.queued")
	case "failed":
		return T(ctx, "evaluation.failed", "Message", v.Message)
	case "cancelled":
		return T(ctx, "evaluation.cancelled")
	}
	if v.Message != "" {
		return v.Message
	}
	return T(ctx, "training.running")
}

// lineageEdges are the paths from each version to its parent below it.
func lineageEdges(versions []VersionRow) []string {
	points := Lineage(versions)
	var edges []string
	for _, p := range points {
		if p.ParentRow < 0 {
			continue
		}
		q := points[p.ParentRow]
		x1, y1, x2, y2 := 14+p.Lane*18, p.Row*64+32, 14+q.Lane*18, q.Row*64+32
		if x1 == x2 {
			edges = append(edges, fmt.Sprintf("M%d %dV%d", x1, y1, y2))
		} else {
			edges = append(edges, fmt.Sprintf("M%d %dV%dC%d %d %d %d %d %d", x1, y1, y2-40, x1, y2-12, x2, y2-28, x2, y2))
		}
	}
	return edges
}

// dotRadius makes the area of a dot of the reliability diagram tell its share of
// the frames, but never so small that it is not seen.
func dotRadius(n, all int) float64 { return max(3, 14*math.Sqrt(float64(n)/float64(max(all, 1)))) }
