package web

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// attempts slows down guessing of passwords, by name and by address.
type attempts struct {
	now       func() time.Time
	mu        sync.Mutex
	names     limiters
	addresses limiters
}

const (
	attemptsAtOnce = 6                // wrong passwords before there is a wait
	attemptPause   = 15 * time.Second // for each further one
	attemptsKnown  = 20000            // names, and addresses, remembered
	longestName    = 60               // bytes of a name that tell it apart
)

func newAttempts(now func() time.Time) *attempts {
	// An address may try more often than a name, for a whole plant may share one.
	return &attempts{now: now, names: limiters{attemptsAtOnce, map[string]*rate.Limiter{}}, addresses: limiters{5 * attemptsAtOnce, map[string]*rate.Limiter{}}}
}

// take notes an attempt; it says how long to wait where there were too many.
func (a *attempts) take(name, address string) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	// An address that must wait adds no names: it could push the others out.
	if wait := a.addresses.take(address, a.now()); wait > 0 {
		return wait
	}
	return a.names.take(name[:min(len(name), longestName)], a.now())
}

// forgive forgets the attempts of a name that has signed in.
func (a *attempts) forgive(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.names.by, name[:min(len(name), longestName)])
}

// limiters hold one limit a key, for a bounded number of keys.
type limiters struct {
	burst int
	by    map[string]*rate.Limiter
}

func (l limiters) take(key string, now time.Time) time.Duration {
	one := l.by[key]
	if one == nil {
		l.makeRoom(now)
		one = rate.NewLimiter(rate.Every(attemptPause), l.burst)
		l.by[key] = one
	}
	r := one.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// makeRoom forgets the keys that have no attempt left to hold against them, and
// where that is not enough some others.
func (l limiters) makeRoom(now time.Time) {
	if len(l.by) < attemptsKnown {
		return
	}
	for key, one := range l.by {
		if one.TokensAt(now) >= float64(l.burst) {
			delete(l.by, key)
		}
	}
	for key := range l.by {
		if len(l.by) < attemptsKnown {
			return
		}
		delete(l.by, key)
	}
}
