package web

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// attempts slows down guessing of passwords, by name and by address.
type attempts struct {
	now func() time.Time
	mu  sync.Mutex
	by  map[string]*rate.Limiter
}

const (
	attemptsAtOnce = 6                // wrong passwords before there is a wait
	attemptPause   = 15 * time.Second // for each further one
	attemptsKnown  = 20000            // names and addresses remembered
)

func newAttempts(now func() time.Time) *attempts {
	return &attempts{now: now, by: map[string]*rate.Limiter{}}
}

// take notes an attempt under each key; it says how long to wait where there
// were too many. An address may try more often than a name, for a whole plant
// may share one.
func (a *attempts) take(name, address string) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.by) > attemptsKnown {
		clear(a.by)
	}
	var wait time.Duration
	for key, burst := range map[string]int{"name " + name: attemptsAtOnce, "address " + address: 5 * attemptsAtOnce} {
		l := a.by[key]
		if l == nil {
			l = rate.NewLimiter(rate.Every(attemptPause), burst)
			a.by[key] = l
		}
		r := l.ReserveN(a.now(), 1)
		if d := r.DelayFrom(a.now()); d > 0 {
			r.CancelAt(a.now())
			wait = max(wait, d)
		}
	}
	return wait
}

// forgive forgets the attempts of a name that has signed in.
func (a *attempts) forgive(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.by, "name "+name)
}
