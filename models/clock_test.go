package models_test

import (
	"sync/atomic"
	"testing"
	"time"

	"loupe/storage"
)

// The clock of a plant's computer is set, by hours and both ways, while frames
// flow: each is judged, once.
func TestTheClockMovesAndNoFrameIsLost(t *testing.T) {
	var shift atomic.Int64
	p := openAt(t, taught(t), 2, func() time.Time { return time.Now().Add(time.Duration(shift.Load())) })
	recipe := p.plates().ID
	p.judges()
	const frames = 36
	sent := map[int64]bool{}
	for n := range frames {
		if n%6 == 5 {
			shift.Store(int64([]time.Duration{-5 * time.Hour, 9 * time.Hour, -48 * time.Hour, time.Hour}[n/6%4]))
		}
		sent[p.send(recipe, p.picture(kinds[n%3], 50+n%2)).ID] = true
		time.Sleep(15 * time.Millisecond)
	}
	for _, i := range p.judged(recipe, frames) {
		if !sent[i.FrameID] {
			t.Errorf("frame %d was judged twice, or never sent", i.FrameID)
		}
		delete(sent, i.FrameID)
		if f := must(p.db.Frame(t.Context(), i.FrameID))(t); f.State != storage.Judged || f.Deaths != 0 {
			t.Errorf("frame %d is %s after %d deaths", f.ID, f.State, f.Deaths)
		}
	}
	if len(sent) != 0 {
		t.Errorf("%d frames are lost", len(sent))
	}
}
