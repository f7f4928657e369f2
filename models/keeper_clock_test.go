package models

import (
	"testing"
	"time"
)

// A clock that was set is doubted for a day, whichever way it went; one that
// runs, however long, is not.
func TestAClockThatLeapsIsDoubtedForADay(t *testing.T) {
	start := time.Now()
	c := steadyClock{wall: start.Round(0), start: start}
	if _, doubted := c.doubt(start.Add(1000 * time.Hour)); doubted {
		t.Error("it ran for long, and is doubted")
	}
	for _, set := range []time.Duration{365 * 24 * time.Hour, -5 * time.Hour} {
		c := steadyClock{wall: start.Round(0).Add(-set), start: start} // since then the wall clock was set by that much
		leap, doubted := c.doubt(start.Add(time.Minute))
		if !doubted || (leap-set).Abs() > time.Second {
			t.Errorf("set by %v: leapt %v, doubted %v", set, leap, doubted)
		}
		if _, doubted := c.doubt(start.Add(23 * time.Hour)); !doubted {
			t.Error("believed within a day")
		}
		if _, doubted := c.doubt(start.Add(25 * time.Hour)); doubted {
			t.Error("doubted after a day: then that is the time")
		}
	}
}
