package pool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"loupe/vision"
	"loupe/vision/wire"
)

// waiter waits for a slot of a worker.
type waiter struct {
	alone bool
	got   chan *member // closed without a worker when there is none left
}

// Judge has a frame judged by the least busy worker. It waits for a free slot;
// ErrNoWorkers comes at once when no worker is there.
func (p *Pool) Judge(ctx context.Context, q wire.JudgeRequest) (wire.JudgeResult, error) {
	for {
		var r wire.JudgeResult
		m, err := p.acquire(ctx, q.Alone)
		if err != nil {
			return r, err
		}
		err = p.judge(ctx, m, q, &r)
		if errors.Is(err, ErrNoWorkers) { // it ended before it was asked: the next one is
			p.lose(m.id, errors.New("it is not there any more"))
			continue
		}
		if err != nil {
			return r, err
		}
		r.Judgement.Pooled = r.Pooled
		return r, explain(r.Trouble)
	}
}

// JudgeSpare has a frame judged that nobody waits for, by a worker that is idle
// and keeps others out meanwhile: should it die over the frame, no other is lost
// with it. Where there is more than one worker another must stay idle, so that
// the next frame finds it. Else ErrBusy comes at once.
func (p *Pool) JudgeSpare(ctx context.Context, q wire.JudgeRequest) (wire.JudgeResult, error) {
	var r wire.JudgeResult
	m := p.spare()
	if m == nil {
		return r, ErrBusy
	}
	q.Alone, q.Spare = true, true
	err := p.judge(ctx, m, q, &r)
	if errors.Is(err, ErrNoWorkers) {
		p.lose(m.id, errors.New("it is not there any more"))
		return r, ErrBusy
	}
	if err != nil {
		return r, err
	}
	return r, explain(r.Trouble)
}

// spare takes a whole idle worker, nil where none can be spared.
func (p *Pool) spare() *member {
	p.mu.Lock()
	defer p.mu.Unlock()
	var idle []*member
	able := 0
	for _, m := range p.members {
		if m.Refused != "" || m.Leaving {
			continue
		}
		able++
		if m.load == 0 {
			idle = append(idle, m)
		}
	}
	if len(p.queue) > 0 || len(idle) == 0 || able > 1 && len(idle) < 2 {
		return nil
	}
	idle[0].load += slots
	return idle[0]
}

// judge asks one worker, of which a slot is held, and gives the slot back.
func (p *Pool) judge(ctx context.Context, m *member, q wire.JudgeRequest, r *wire.JudgeResult) error {
	limit, stop := context.WithTimeoutCause(ctx, p.settings.FrameLimit, ErrTimeout)
	defer stop()
	call, end := context.WithCancelCause(limit)
	defer end(nil)
	f := &flight{end}
	p.board(m, f)
	defer p.leave(m, f, cost(q.Alone))
	err := p.request(call, wire.Judge(m.id), q, r)
	if errors.Is(err, ErrTimeout) {
		p.hung(m.id)
	}
	return err
}

// Render has a free worker draw an upright JPEG copy of a frame.
func (p *Pool) Render(ctx context.Context, q wire.RenderRequest) (wire.RenderResult, error) {
	var r wire.RenderResult
	if err := p.request(ctx, wire.Render, q, &r); err != nil {
		return r, err
	}
	return r, explain(r.Trouble)
}

// Load has every live worker that gets frames load a model ahead of its first
// one. It ends with ErrWorkerDied for a worker that dies over it.
func (p *Pool) Load(ctx context.Context, model vision.ModelRef) error {
	var members []*member
	p.mu.Lock()
	for _, m := range p.members {
		if m.Refused == "" && !m.Leaving {
			members = append(members, m)
		}
	}
	p.mu.Unlock()
	var all sync.WaitGroup
	errs := make([]error, len(members))
	for i, m := range members {
		all.Go(func() { errs[i] = p.load(ctx, m, model) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func (p *Pool) load(ctx context.Context, m *member, model vision.ModelRef) error {
	call, end := context.WithCancelCause(ctx)
	defer end(nil)
	f := &flight{end}
	p.board(m, f)
	defer p.leave(m, f, 0)
	var r wire.LoadResult
	err := p.request(call, wire.Load(m.id), wire.LoadRequest{Model: model}, &r)
	if err == nil {
		err = explain(r.Trouble)
	}
	if errors.Is(err, ErrNoWorkers) { // it left meanwhile
		return nil
	}
	if err != nil {
		return fmt.Errorf("the worker %s: %w", p.nameOf(m), err)
	}
	return nil
}

func (p *Pool) nameOf(m *member) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return m.Name
}

// explain turns a worker's trouble into an error; nil for none.
func explain(t *wire.Trouble) error {
	if t == nil {
		return nil
	}
	if t.Fault == wire.FaultPicture {
		return &PictureError{Detail: t.Detail}
	}
	return t
}

// request sends a message and waits for its answer or the end of ctx.
func (p *Pool) request(ctx context.Context, subject string, question, answer any) error {
	data, err := wire.Marshal(question)
	if err != nil {
		return fmt.Errorf("write a request: %w", err)
	}
	if _, bounded := ctx.Deadline(); !bounded {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, 30*time.Second, ErrTimeout)
		defer stop()
	}
	m, err := p.conn.RequestWithContext(ctx, subject, data)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return ErrNoWorkers
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("ask a worker: %w", err)
	}
	if err := wire.Unmarshal(m.Data, answer); err != nil {
		return fmt.Errorf("read a worker's answer: %w", err)
	}
	return nil
}

// acquire waits for a slot. One that must be alone takes a whole worker.
func (p *Pool) acquire(ctx context.Context, alone bool) (*member, error) {
	w := &waiter{alone: alone, got: make(chan *member, 1)}
	p.mu.Lock()
	p.queue = append(p.queue, w)
	p.serve()
	p.mu.Unlock()
	select {
	case m, ok := <-w.got:
		if !ok {
			return nil, ErrNoWorkers
		}
		return m, nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, other := range p.queue {
		if other == w {
			p.queue = append(p.queue[:i:i], p.queue[i+1:]...)
		}
	}
	select {
	case m, ok := <-w.got: // it came at the same moment
		if ok {
			p.free(m, cost(alone))
		}
	default:
	}
	return nil, ctx.Err()
}

// serve hands slots to the queue, in its order. p.mu is held.
func (p *Pool) serve() {
	for len(p.queue) > 0 {
		var least *member
		able := false
		for _, m := range p.members {
			if m.Refused != "" || m.Leaving {
				continue
			}
			able = true
			if least == nil || m.load < least.load {
				least = m
			}
		}
		w := p.queue[0]
		switch {
		case !able:
			close(w.got)
		case w.alone && least.load > 0 || least.load >= slots:
			return
		default:
			least.load += cost(w.alone)
			w.got <- least
		}
		p.queue = p.queue[1:]
	}
}

func cost(alone bool) int {
	if alone {
		return slots
	}
	return 1
}

// board notes a call under way, so that the worker's death ends it.
func (p *Pool) board(m *member, f *flight) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.flights[f] = true
	if p.members[m.id] != m {
		f.end(ErrWorkerDied)
	}
}

// leave ends what board noted and gives the slots back that the call held.
func (p *Pool) leave(m *member, f *flight, held int) {
	p.mu.Lock()
	delete(m.flights, f)
	p.free(m, held)
	left := m.Leaving && len(m.flights) == 0
	p.mu.Unlock()
	if left {
		p.lose(m.ID, errLeft)
	}
}

// free gives slots back. p.mu is held.
func (p *Pool) free(m *member, held int) {
	m.load -= held
	p.serve()
}
