package storage_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"loupe/storage"
	"loupe/vision"
)

// next lists the frames that the stations want to have judged next.
func (f *folder) next(inFlight ...int64) []int64 {
	f.t.Helper()
	all, err := f.NextFrames(f.t.Context(), inFlight)
	f.must(err)
	var ids []int64
	for _, n := range all {
		ids = append(ids, n.FrameID)
	}
	return ids
}

func (f *folder) queueRule(r storage.Recipe, rule storage.QueueRule) {
	f.t.Helper()
	r, err := f.Recipe(f.t.Context(), r.ID)
	f.must(err)
	r.Queue = rule
	f.must(f.ChangeRecipe(f.t.Context(), "ada", r))
}

func TestEachWaitingStationHasItsTurn(t *testing.T) {
	f := open(t)
	caps, rings, none := f.recipe("caps"), f.recipe("rings"), f.recipe("none")
	f.champion(caps)
	f.champion(rings)
	a, b, c := f.station(caps, "a"), f.station(caps, "b"), f.station(rings, "c")
	idle, collects := f.station(rings, "idle"), f.station(none, "collects")
	var greedy []int64
	for n := range 20 {
		greedy = append(greedy, f.frame(a, fmt.Sprint(n)).ID)
		f.frame(collects, fmt.Sprint(n))
	}
	two, three := f.frame(b, "1").ID, f.frame(c, "1").ID
	_ = idle
	got := f.next()
	slices.Sort(got)
	if want := []int64{greedy[0], two, three}; !slices.Equal(got, want) {
		t.Errorf("next %v, want %v", got, want)
	}
	if got := f.next(greedy[0], two, three); !slices.Equal(got, greedy[1:2]) {
		t.Errorf("then %v, want %v", got, greedy[1:2])
	}
}

func TestAStationFarBehindIsRefusedAndLosesNothing(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	v := f.champion(r)
	f.queueRule(r, storage.QueueRule{Limit: 3})
	s, other := f.station(r, "press"), f.station(r, "washer")
	var ids []int64
	for n := range 3 {
		ids = append(ids, f.frame(s, fmt.Sprint(n)).ID)
	}
	late := f.row(s, "late")
	late.IdempotencyKey = "late"
	_, _, err := f.AddFrame(ctx, late)
	f.refused(err, storage.Behind)
	f.frame(other, "another station's frame")
	first, err := f.Frame(ctx, ids[0])
	f.must(err)
	f.judge(first, v, vision.OK, "good")
	sent, fresh, err := f.AddFrame(ctx, late)
	if f.must(err); !fresh {
		t.Error("the refused frame had been stored")
	}
	if again, fresh, err := f.AddFrame(ctx, late); err != nil || fresh || again.ID != sent.ID { // a repeated post is no new frame
		t.Errorf("sent again: %d, %v, %v", again.ID, fresh, err)
	}
	if n, err := f.CountWaiting(ctx, s.ID); err != nil || n != 3 {
		t.Errorf("%d wait, %v", n, err)
	}
}

func TestNewestFirstDropsTheOldestAndSaysSo(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	f.champion(r)
	f.queueRule(r, storage.QueueRule{Limit: 2, NewestFirst: true})
	s := f.station(r, "press")
	var dropped []int64
	f.Listen(func(e storage.Event) {
		if e.Kind == storage.FrameDropped && e.StationID == s.ID {
			dropped = append(dropped, e.ID)
		}
	})
	var ids []int64
	for n := range 4 {
		ids = append(ids, f.frame(s, fmt.Sprint(n)).ID)
	}
	if !slices.Equal(dropped, ids[:2]) {
		t.Errorf("dropped %v, want %v", dropped, ids[:2])
	}
	if got := f.next(); !slices.Equal(got, ids[3:]) {
		t.Errorf("next %v, want %v", got, ids[3:])
	}
	if got := f.next(ids[3]); !slices.Equal(got, ids[2:3]) {
		t.Errorf("then %v, want %v", got, ids[2:3])
	}
	for _, id := range dropped {
		if fr, err := f.Frame(ctx, id); err != nil || fr.State != storage.Discarded || fr.Trouble == "" {
			t.Errorf("frame %d is %s, %q, %v", id, fr.State, fr.Trouble, err)
		}
	}
	if n, err := f.CountDropped(ctx, s.ID, time.Time{}); err != nil || n != 2 {
		t.Errorf("%d counted as dropped, %v", n, err)
	}
}

// What was collected before there was a model neither fills the queue nor
// keeps a live part waiting.
func TestFramesFromBeforeTheFirstModelAreJudgedLast(t *testing.T) {
	f := open(t)
	r := f.recipe("caps")
	f.queueRule(r, storage.QueueRule{Limit: 2})
	s := f.station(r, "press")
	var old []int64
	for n := range 5 {
		old = append(old, f.frame(s, fmt.Sprint(n)).ID)
	}
	f.champion(r)
	if all, err := f.NextFrames(t.Context(), nil); err != nil || len(all) != 1 || !all[0].Backlog || all[0].FrameID != old[0] {
		t.Errorf("%+v, %v", all, err)
	}
	one, two := f.frame(s, "live 1"), f.frame(s, "live 2")
	_, _, err := f.AddFrame(t.Context(), f.row(s, "live 3"))
	f.refused(err, storage.Behind)
	if got := f.next(); !slices.Equal(got, []int64{one.ID}) {
		t.Errorf("next %v, want %v", got, one.ID)
	}
	if got := f.next(one.ID, two.ID); !slices.Equal(got, old[:1]) {
		t.Errorf("then %v, want %v", got, old[:1])
	}
}
