package ui

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"
)

// number groups thousands with a thin space: 12 480.
func number(n any) string {
	var v int64
	switch n := n.(type) {
	case int:
		v = int64(n)
	case int64:
		v = n
	default:
		return fmt.Sprint(n)
	}
	s := strconv.FormatInt(v, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		if len(s) > 4 {
			s = s[:i] + "\u202f" + s[i:]
		}
	}
	return s
}

// percent shows a share in [0, 1] without decimals, and never rounds what is
// not all up to 100 nor what is not nothing down to 0.
func percent(share float64) string {
	p := math.Round(share * 100)
	if p == 100 && share < 1 {
		p = 99
	}
	if p == 0 && share > 0 {
		return "<1%"
	}
	return strconv.FormatFloat(p, 'f', 0, 64) + "%"
}

// percent1 shows a share in [0, 1] with one decimal.
func percent1(share float64) string { return strconv.FormatFloat(share*100, 'f', 1, 64) + "%" }

func fixed(v float64, decimals int) string { return strconv.FormatFloat(v, 'f', decimals, 64) }

func milliseconds(v float64) string {
	if v < 10 {
		return fixed(v, 1) + " ms"
	}
	return fixed(v, 0) + " ms"
}

// clock shows the time of day, with the date where it is not of now's day.
func clock(t, now time.Time) string {
	if t.IsZero() {
		return "–"
	}
	if !now.IsZero() && t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04")
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// Span says a duration in words, in its largest fitting unit.
func Span(ctx context.Context, d time.Duration) string {
	switch {
	case d < 0:
		d = 0
		fallthrough
	case d < 90*time.Second:
		return T(ctx, "span.seconds", "N", int(d.Seconds()))
	case d < 90*time.Minute:
		return T(ctx, "span.minutes", "N", int(d.Minutes()))
	case d < 36*time.Hour:
		return T(ctx, "span.hours", "N", int(d.Hours()))
	}
	return T(ctx, "span.days", "N", int(d.Hours()/24))
}

// ago says how long before now a time was; "" is kept for a zero time.
func ago(ctx context.Context, t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return T(ctx, "span.ago", "Span", Span(ctx, now.Sub(t)))
}

// BytesSize writes a number of bytes in its largest fitting unit: 1.4 GB.
func BytesSize(n int64) string {
	switch {
	case n >= 1<<30:
		return fixed(float64(n)/(1<<30), 1) + " GB"
	case n >= 1<<20:
		return fixed(float64(n)/(1<<20), 1) + " MB"
	case n >= 1<<10:
		return fixed(float64(n)/(1<<10), 0) + " kB"
	}
	return strconv.FormatInt(n, 10) + " B"
}
