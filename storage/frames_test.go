package storage_test

import (
	"fmt"
	"math"
	"reflect"
	"sync"
	"testing"
	"time"

	"loupe/storage"
	"loupe/vision"
)

func TestARepeatedPostIsOneFrame(t *testing.T) {
	f := open(t)
	s := f.station(f.recipe("caps"), "press")
	row := f.row(s, "1")
	row.IdempotencyKey = "k1"
	var all sync.WaitGroup
	ids, added := make([]int64, 16), make([]bool, 16)
	for n := range ids {
		all.Go(func() {
			fr, fresh, err := f.AddFrame(t.Context(), row)
			if err != nil {
				t.Error(err)
			}
			ids[n], added[n] = fr.ID, fresh
		})
	}
	all.Wait()
	fresh := 0
	for n := range ids {
		if ids[n] != ids[0] {
			t.Errorf("frames %v of one key", ids)
		}
		if added[n] {
			fresh++
		}
	}
	if fresh != 1 {
		t.Errorf("%d of %d posts were new", fresh, len(ids))
	}
	other := f.row(s, "2")
	other.IdempotencyKey = "k1"
	_, _, err := f.AddFrame(t.Context(), other)
	f.refused(err, storage.Conflict)
	f.reopen()
	if fr, fresh, err := f.AddFrame(t.Context(), row); err != nil || fresh || fr.ID != ids[0] {
		t.Errorf("after a restart: frame %d, new %v, %v", fr.ID, fresh, err)
	}
	elsewhere := f.row(f.station(f.recipe("lids"), "oven"), "1")
	elsewhere.IdempotencyKey = "k1"
	if _, fresh, err := f.AddFrame(t.Context(), elsewhere); err != nil || !fresh {
		t.Errorf("another station's key of the same text: new %v, %v", fresh, err)
	}
}

func TestPendingFramesWaitInOrderAcrossARestart(t *testing.T) {
	f := open(t)
	r := f.recipe("caps")
	v := f.champion(r)
	s := f.station(r, "press")
	var want []int64
	for n := range 5 {
		want = append(want, f.frame(s, fmt.Sprint(n)).ID)
	}
	f.reopen()
	var got []int64
	for range want {
		got = append(got, f.next(got...)...)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("pending %v, want %v", got, want)
	}
	first, err := f.Frame(t.Context(), got[0])
	f.must(err)
	f.judge(first, v, vision.OK, "good")
	if n, err := f.CountPending(t.Context()); err != nil || n != 4 {
		t.Errorf("%d pending after a verdict, %v", n, err)
	}
	if fr, err := f.Frame(t.Context(), want[0]); err != nil || fr.State != storage.Judged {
		t.Errorf("the judged frame is %s, %v", fr.State, err)
	}
}

func TestAFrameThatKillsThreeWorkersIsQuarantinedForGood(t *testing.T) {
	f := open(t)
	r := f.recipe("caps")
	f.champion(r)
	fr := f.frame(f.station(r, "press"), "1")
	ctx := t.Context()
	for n := 1; n <= storage.MaxDeaths; n++ {
		out, err := f.RecordDeath(ctx, fr.ID, "the worker died")
		if err != nil || out != (n == storage.MaxDeaths) {
			t.Errorf("death %d: quarantined %v, %v", n, out, err)
		}
		f.reopen()
	}
	if pending := f.next(); len(pending) != 0 {
		t.Errorf("it waits again: %v", pending)
	}
	if all, err := f.QuarantinedFrames(ctx, 10); err != nil || len(all) != 1 || all[0].Trouble == "" {
		t.Errorf("quarantine %v, %v", all, err)
	}
	f.must(f.Release(ctx, "ada", fr.ID))
	if pending := f.next(); len(pending) != 1 {
		t.Errorf("a person's release does not help: %v", pending)
	}
	f.refused(f.Release(ctx, "ada", fr.ID), storage.Conflict)
}

func TestAFrameIsFoundAsItWasSentAfterARestart(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	s := f.station(f.recipe("caps"), "press")
	row := f.row(s, "S-1")
	row.Lot, row.Orientation, row.IdempotencyKey = "L-7", 6, "k1"
	row.TakenAt = time.UnixMilli(1_700_000_000_123).UTC()
	row.Readings = map[string]any{"temperature": 21.5, "tool": "äüß"}
	sent, _, err := f.AddFrame(ctx, row)
	f.must(err)
	f.reopen()
	for name, find := range map[string]func() (storage.Frame, error){
		"by ID":  func() (storage.Frame, error) { return f.Frame(ctx, sent.ID) },
		"by key": func() (storage.Frame, error) { return f.FrameByKey(ctx, s.ID, "k1") },
	} {
		found, err := find()
		f.must(err)
		if !reflect.DeepEqual(found, sent) {
			t.Errorf("%s:\n%+v, sent\n%+v", name, found, sent)
		}
	}
	if st, err := f.Station(ctx, s.ID); err != nil || st.LastSeenAt.IsZero() {
		t.Errorf("the station was never heard of: %v, %v", st.LastSeenAt, err)
	}
	_, err = f.Frame(ctx, sent.ID+1)
	f.refused(err, storage.NotFound)
}

func TestReadingsThatAreNoJSONAreRefused(t *testing.T) {
	f := open(t)
	row := f.row(f.station(f.recipe("caps"), "press"), "1")
	row.Readings = map[string]any{"temperature": math.NaN()}
	_, _, err := f.AddFrame(t.Context(), row)
	f.refused(err, storage.Invalid)
}

// A frame of a recipe without a model waits, and is not handed to a worker
// that could only fail.
func TestFramesWaitUntilTheirRecipeHasAChampion(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	s := f.station(r, "press")
	first, second := f.frame(s, "1"), f.frame(s, "2")
	if all := f.next(); len(all) != 0 {
		t.Errorf("handed out without a champion: %v", all)
	}
	if n, err := f.CountWaiting(ctx, s.ID); err != nil || n != 2 {
		t.Errorf("%d wait at the station, %v", n, err)
	}
	f.champion(r)
	if all := f.next(); len(all) != 1 || all[0] != first.ID {
		t.Errorf("the oldest does not come first: %v", all)
	}
	if all := f.next(first.ID); len(all) != 1 || all[0] != second.ID {
		t.Errorf("after the first: %v", all)
	}
}

func TestWhatAPersonMayDoWithAQuarantinedFrame(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	v := f.champion(r)
	s := f.station(r, "press")
	fr := f.frame(s, "1")
	f.refused(f.Discard(ctx, "ada", fr.ID), storage.Conflict) // it only waits
	f.must(f.Quarantine(ctx, fr.ID, "the picture cannot be decoded"))
	_, err := f.RecordDeath(ctx, fr.ID, "late news of a worker")
	f.refused(err, storage.NotFound)
	_, err = f.SaveInspection(ctx, judged(fr, v, vision.OK, "good"))
	f.refused(err, storage.Conflict)
	if now, err := f.Frame(ctx, fr.ID); err != nil || now.Trouble != "the picture cannot be decoded" || now.Deaths != 0 {
		t.Errorf("%q after %d deaths, %v", now.Trouble, now.Deaths, err)
	}
	f.must(f.Discard(ctx, "ada", fr.ID))
	f.refused(f.Release(ctx, "ada", fr.ID), storage.Conflict) // given up for good
	if w, err := f.Waiting(ctx); err != nil || w.Pending != 0 || w.Quarantined != 0 {
		t.Errorf("still waiting: %+v, %v", w, err)
	}
	log, err := f.Audit(ctx, fmt.Sprint("frame ", fr.ID), 0, 10)
	if err != nil || len(log) != 1 || log[0].Person != "ada" || log[0].Before != `"quarantined"` || log[0].After != `"discarded"` {
		t.Errorf("the log says %+v, %v", log, err)
	}
}

// A released frame starts with three lives again, else one more death would
// quarantine it although a person asked to try.
func TestAReleasedFrameForgetsItsDeaths(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	fr := f.frame(f.station(f.recipe("caps"), "press"), "1")
	for range storage.MaxDeaths {
		_, err := f.RecordDeath(ctx, fr.ID, "the worker died")
		f.must(err)
	}
	f.must(f.Release(ctx, "ada", fr.ID))
	if out, err := f.RecordDeath(ctx, fr.ID, "the worker died"); err != nil || out {
		t.Errorf("quarantined %v at the first death after the release, %v", out, err)
	}
	var kinds []storage.EventKind
	f.Listen(func(e storage.Event) { kinds = append(kinds, e.Kind) })
	f.must(f.Quarantine(ctx, fr.ID, "no"))
	f.must(f.Release(ctx, "ada", fr.ID))
	if fmt.Sprint(kinds) != "[quarantine quarantine frame]" {
		t.Errorf("told the pages and the dispatcher %v", kinds)
	}
}
