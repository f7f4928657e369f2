// Package pool is the server's side of the vision workers: the NATS server they
// meet on, the roster of those alive, the processes started on this machine,
// and the calls that a worker answers.
package pool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"loupe/vision/wire"
)

// What may come instead of a result.
var (
	ErrNoWorkers  = errors.New("no vision worker is there")
	ErrWorkerDied = errors.New("the vision worker died over it")
	ErrTimeout    = errors.New("the vision worker did not answer in time")
	ErrBusy       = errors.New("no vision worker is idle")
)

var errLeft = errors.New("it left")

// PictureError says that a picture cannot be judged, by any worker.
type PictureError struct{ Detail string }

func (e *PictureError) Error() string { return e.Detail }

// Settings of a Pool.
type Settings struct {
	URL        string        // of a NATS cluster; "" starts the built-in server
	Listen     string        // host:port of the built-in server; "" means loopback and any port
	Access     wire.Access   // what opens it; the built-in server asks for the token (made when "") and shows Cert
	FrameLimit time.Duration // how long a worker may take for a frame; 0 means 10 s
	Log        *slog.Logger
}

// Worker is one worker as the roster knows it.
type Worker struct {
	wire.Beat
	Busy    int       // frames it holds
	Since   time.Time // when it was first heard of
	LastAt  time.Time // its last sign of life
	Refused string    // why it gets no frames, "" when it does
}

// lostAfter is how long a silent worker counts as alive.
const lostAfter = 3500 * time.Millisecond

// landTime is how long the last answers of a worker may be on their way.
const landTime = 500 * time.Millisecond

// slots is how many frames a worker holds: one in the network, one read ahead.
const slots = 2

// Pool calls workers. It is safe for concurrent use.
type Pool struct {
	settings Settings
	local    wire.Access    // of this machine's workers
	server   *server.Server // nil with an outside cluster
	conn     *nats.Conn
	stop     chan struct{}
	stopped  sync.WaitGroup

	mu      sync.Mutex
	members map[string]*member
	queue   []*waiter     // for a free slot, first come first served
	changed chan struct{} // closed when a worker comes, goes or has computed features
	locals  *locals
	onUp    []func(Worker)
	onLost  []func(Worker, error)
}

// member is a live worker with what it holds.
type member struct {
	Worker          // as its last beat said; read with the pool's lock held
	id       string // the same for life
	load     int
	extracts int // feature requests that it holds
	flights  map[*flight]bool
}

// flight is one call under way; end ends it with a cause.
type flight struct{ end context.CancelCauseFunc }

// Open starts or joins the NATS server and begins to listen for workers.
func Open(s Settings) (*Pool, error) {
	if s.FrameLimit == 0 {
		s.FrameLimit = 10 * time.Second
	}
	p := &Pool{settings: s, local: s.Access, members: map[string]*member{}, changed: make(chan struct{}), stop: make(chan struct{})}
	if s.URL == "" {
		if err := p.startServer(); err != nil {
			return nil, err
		}
	}
	err := p.connect()
	if err != nil {
		p.Close()
		return nil, fmt.Errorf("connect to NATS at %s: %w", p.URL(), err)
	}
	if _, err = p.conn.Subscribe(wire.Heartbeats, p.onBeat); err == nil {
		err = p.conn.Flush() // from here on no beat is missed
	}
	if err != nil {
		p.Close()
		return nil, fmt.Errorf("listen for workers: %w", err)
	}
	p.stopped.Go(p.watch)
	return p, nil
}

// URL is where workers find the NATS server.
func (p *Pool) URL() string {
	if p.server != nil {
		return p.server.ClientURL()
	}
	return p.settings.URL
}

// Access is what opens the NATS server to workers of this machine.
func (p *Pool) Access() wire.Access { return p.local }

// Close ends the local workers, the connection and the built-in server.
func (p *Pool) Close() error {
	p.mu.Lock()
	locals := p.locals
	p.mu.Unlock()
	if locals != nil {
		locals.close()
	}
	select {
	case <-p.stop:
	default:
		close(p.stop)
	}
	p.stopped.Wait()
	if p.conn != nil {
		p.conn.Close()
	}
	if p.server != nil {
		p.server.Shutdown()
		p.server.WaitForShutdown()
	}
	return nil
}

// OnWorkerUp calls f when a worker joins.
func (p *Pool) OnWorkerUp(f func(Worker)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onUp = append(p.onUp, f)
}

// OnWorkerLost calls f when a worker is gone, with the reason.
func (p *Pool) OnWorkerLost(f func(Worker, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onLost = append(p.onLost, f)
}

// Workers lists the live workers by name.
func (p *Pool) Workers() []Worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]Worker, 0, len(p.members))
	for _, m := range p.members {
		w := m.Worker
		w.Busy = m.load
		all = append(all, w)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

func (p *Pool) onBeat(m *nats.Msg) {
	var beat wire.Beat
	if err := json.Unmarshal(m.Data, &beat); err != nil || beat.ID == "" {
		return
	}
	if beat.Leaving {
		p.depart(beat.ID)
		return
	}
	now := time.Now()
	p.mu.Lock()
	w, known := p.members[beat.ID]
	if !known {
		w = &member{id: beat.ID, flights: map[*flight]bool{}, Worker: Worker{Since: now}}
		if beat.Protocol != wire.Protocol {
			w.Refused = fmt.Sprintf("it speaks protocol %d, this server %d: run the same Loupe version on both", beat.Protocol, wire.Protocol)
		}
		p.members[beat.ID] = w
	}
	w.Beat, w.LastAt = beat, now
	if !known {
		p.rouse()
	}
	up, tell := w.Worker, p.onUp
	p.serve()
	p.mu.Unlock()
	if !known {
		for _, f := range tell {
			f(up)
		}
	}
}

// depart gives a worker no more frames. It is struck off when it has answered
// those it holds, or a moment after it said again that it leaves.
func (p *Pool) depart(id string) {
	p.mu.Lock()
	m, ok := p.members[id]
	holds := ok && len(m.flights) > 0
	again := holds && m.Leaving
	if holds {
		m.Leaving = true
	}
	p.mu.Unlock()
	switch {
	case again:
		time.AfterFunc(landTime, func() { p.lose(id, errLeft) })
	case !holds:
		p.lose(id, errLeft)
	}
}

// land waits for the answers of a worker that ended by itself: they may come
// after its end.
func (p *Pool) land(id string) {
	flying := func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		m, ok := p.members[id]
		return ok && m.Leaving && len(m.flights) > 0
	}
	for end := time.Now().Add(landTime); flying() && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
}

// watch loses workers that fell silent.
func (p *Pool) watch() {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
		}
		var silent []string
		p.mu.Lock()
		for id, m := range p.members {
			if time.Since(m.LastAt) > lostAfter {
				silent = append(silent, id)
			}
		}
		p.mu.Unlock()
		for _, id := range silent {
			p.lose(id, errors.New("it fell silent"))
		}
	}
}

// lose strikes a worker off the roster and ends its calls with ErrWorkerDied.
func (p *Pool) lose(id string, reason error) {
	p.mu.Lock()
	m, ok := p.members[id]
	if !ok {
		p.mu.Unlock()
		return
	}
	delete(p.members, id)
	p.rouse()
	for f := range m.flights {
		f.end(ErrWorkerDied)
	}
	tell := p.onLost
	p.serve()
	p.mu.Unlock()
	p.settings.Log.Warn("a vision worker is gone", "worker", m.Name, "reason", reason)
	for _, f := range tell {
		f(m.Worker, reason)
	}
}
