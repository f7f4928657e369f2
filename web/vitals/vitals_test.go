package vitals

import (
	"math"
	"testing"
	"time"
)

func TestRatesAndMinutesAreThoseOfTheLastHour(t *testing.T) {
	var c counter
	start := time.Unix(1_800_000_000, 0)
	if c.rate(start) != 0 {
		t.Error("a rate of nothing")
	}
	for s := range 2 * 3600 { // two a second for two hours
		for range 2 {
			c.add(start.Add(time.Duration(s) * time.Second))
		}
	}
	now := start.Add(2 * time.Hour)
	if got := c.rate(now); got != 2 {
		t.Errorf("%g a second, want 2", got)
	}
	for i, n := range c.minutes(now)[1:] {
		if n != 120 {
			t.Errorf("minute %d: %g, want 120", i+1, n)
		}
	}
	if got := c.rate(now.Add(30 * time.Second)); got != 1 {
		t.Errorf("half a minute later %g a second, want 1", got)
	}
	if got := c.rate(now.Add(2 * time.Minute)); got != 0 {
		t.Errorf("two minutes later %g a second", got)
	}
}

func TestAYoungCounterDoesNotDilute(t *testing.T) {
	var c counter
	start := time.Unix(1_800_000_000, 0)
	for s := range 10 {
		c.add(start.Add(time.Duration(s) * time.Second))
	}
	if got := c.rate(start.Add(10 * time.Second)); got != 1 {
		t.Errorf("%g a second, want 1", got)
	}
}

func TestPercentilesOfStages(t *testing.T) {
	var recent [][]float64
	for i := range 1000 {
		recent = append(recent, []float64{float64(999 - i)})
	}
	s := stage("queue", 0, recent)
	if math.Abs(s.P50-500) > 1 || math.Abs(s.P95-950) > 1 || math.Abs(s.P99-990) > 1 {
		t.Errorf("%+v", s)
	}
}
