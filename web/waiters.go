package web

import (
	"context"
	"sync"
	"time"

	"loupe/storage"
)

// waiters let a post wait for the verdict of its frame.
type waiters struct {
	stopping <-chan struct{} // closed when the server stops: nobody waits any longer
	mu       sync.Mutex
	all      map[int64][]chan *storage.Inspection
}

func newWaiters(stopping <-chan struct{}) *waiters {
	return &waiters{stopping: stopping, all: map[int64][]chan *storage.Inspection{}}
}

func (w *waiters) deliver(e storage.Event) {
	var frame int64
	var i *storage.Inspection // none for a frame that will get no verdict
	switch e.Kind {
	case storage.InspectionMade:
		frame, i = e.Inspection.FrameID, e.Inspection
	case storage.FrameTroubled, storage.FrameDropped:
		frame = e.ID
	default:
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.all[frame] {
		c <- i
	}
	delete(w.all, frame)
}

// wait gives the inspection of a frame as soon as it is stored, at most after
// the time; false where it was not ready, or where the frame was quarantined,
// discarded or dropped meanwhile.
func (w *waiters) wait(ctx context.Context, db *storage.DB, frameID int64, limit time.Duration) (storage.Inspection, bool) {
	c := make(chan *storage.Inspection, 1)
	w.mu.Lock()
	w.all[frameID] = append(w.all[frameID], c)
	w.mu.Unlock()
	defer w.leave(frameID, c)
	// It may have been judged before this waited.
	if i, err := db.InspectionOfFrame(ctx, frameID); err == nil {
		return i, true
	}
	if limit <= 0 {
		return storage.Inspection{}, false
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case i := <-c:
		if i != nil {
			return *i, true
		}
	case <-timer.C:
	case <-w.stopping:
	case <-ctx.Done():
	}
	return storage.Inspection{}, false
}

func (w *waiters) leave(frameID int64, c chan *storage.Inspection) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := w.all[frameID][:0:0]
	for _, other := range w.all[frameID] {
		if other != c {
			rest = append(rest, other)
		}
	}
	if len(rest) == 0 {
		delete(w.all, frameID)
	} else {
		w.all[frameID] = rest
	}
}
