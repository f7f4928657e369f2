package pool

import (
	"context"
	"errors"

	"loupe/vision/wire"
)

// extractSlots is how many feature requests a worker holds: one in the network,
// one decoded ahead, one on its way. More would only keep pictures in memory.
const extractSlots = 3

// Extract has the worker with the fewest such requests compute a frame's features.
// It waits for a free slot; ErrNoWorkers comes at once when no worker is there.
func (p *Pool) Extract(ctx context.Context, q wire.ExtractRequest) (wire.ExtractResult, error) {
	var r wire.ExtractResult
	m, err := p.acquireExtract(ctx)
	if err != nil {
		return r, err
	}
	defer p.freeExtract(m)
	call, end := context.WithCancelCause(ctx)
	defer end(nil)
	f := &flight{end}
	p.board(m, f)
	defer p.leave(m, f, 0)
	err = p.request(call, wire.ExtractBy(m.id), q, &r)
	if errors.Is(err, ErrNoWorkers) { // an older program, or it ended before it was asked
		err = p.request(call, wire.Extract, q, &r)
	}
	if err != nil {
		return r, err
	}
	return r, explain(r.Trouble)
}

func (p *Pool) acquireExtract(ctx context.Context) (*member, error) {
	for {
		p.mu.Lock()
		var least *member
		for _, m := range p.members {
			if m.Refused == "" && !m.Leaving && (least == nil || m.extracts < least.extracts) {
				least = m
			}
		}
		changed := p.changed
		free := least != nil && least.extracts < extractSlots
		if free {
			least.extracts++
		}
		p.mu.Unlock()
		switch {
		case free:
			return least, nil
		case least == nil:
			return nil, ErrNoWorkers
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (p *Pool) freeExtract(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.extracts--
	p.rouse()
}

// rouse has those look again who wait for a slot to extract. p.mu is held.
func (p *Pool) rouse() {
	close(p.changed)
	p.changed = make(chan struct{})
}
