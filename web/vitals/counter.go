package vitals

import "time"

const seconds = historyMinutes * 60

// counter counts events in each of the last seconds of an hour.
type counter struct {
	bins [seconds]struct {
		second int64
		n      int
	}
	first int64 // the second of the first event
}

func (c *counter) add(at time.Time) {
	s := at.Unix()
	b := &c.bins[s%seconds]
	if b.second != s {
		b.second, b.n = s, 0
	}
	b.n++
	if c.first == 0 {
		c.first = s
	}
}

// between counts the events of the seconds from ≤ s < to.
func (c *counter) between(from, to int64) (n int) {
	for s := from; s < to; s++ {
		if b := c.bins[s%seconds]; b.second == s {
			n += b.n
		}
	}
	return n
}

// rate is the events a second over the last whole minute, or since the first
// event where that is shorter.
func (c *counter) rate(now time.Time) float64 {
	to := now.Unix()
	from := max(to-int64(rateSpan/time.Second), c.first)
	if c.first == 0 || from >= to {
		return 0
	}
	return float64(c.between(from, to)) / float64(to-from)
}

// minutes counts the events of each of the last minutes, oldest first.
func (c *counter) minutes(now time.Time) []float64 {
	all := make([]float64, historyMinutes)
	to := now.Unix()
	for i := range all {
		from := to - int64(60*(historyMinutes-i))
		all[i] = float64(c.between(max(from, to-seconds+1), from+60))
	}
	return all
}
