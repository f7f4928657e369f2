package web

import (
	"fmt"
	"net/http"
	"sync"
)

// Posts that are read and stored at once. Each may hold a picture in memory, so
// their number is bounded; waiting for a verdict does not count.
const (
	postsAtOnce        = 128
	postsOfAStation    = 16
	retryPostInSeconds = "1"
)

// admission bounds the posts under way, of each station and of all.
type admission struct {
	mu  sync.Mutex
	all int
	of  map[int64]int // by station ID
}

func newAdmission() *admission { return &admission{of: map[int64]int{}} }

// enter takes a place for one post of a station; leave gives it back.
func (a *admission) enter(station int64) (leave func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	detail := ""
	switch {
	case a.of[station] >= postsOfAStation:
		detail = fmt.Sprintf("this station sends %d frames at once already: send the next when one is answered", postsOfAStation)
	case a.all >= postsAtOnce:
		detail = fmt.Sprintf("%d frames are being received already: send this one again", postsAtOnce)
	default:
		a.all++
		a.of[station]++
		return func() { a.exit(station) }, nil
	}
	return nil, &problem{Status: http.StatusServiceUnavailable, Code: "crowded", Detail: detail, retryAfter: retryPostInSeconds}
}

func (a *admission) exit(station int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all--
	if a.of[station]--; a.of[station] == 0 {
		delete(a.of, station)
	}
}
