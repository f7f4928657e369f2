package storage_test

import (
	"fmt"
	"sync"
	"testing"

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
	v, err := f.Promote(t.Context(), "ada", f.version(r).ID, "")
	f.must(err)
	s := f.station(r, "press")
	var want []int64
	for n := range 5 {
		want = append(want, f.frame(s, fmt.Sprint(n)).ID)
	}
	f.reopen()
	pending, err := f.PendingFrames(t.Context(), 0, 10)
	f.must(err)
	var got []int64
	for _, fr := range pending {
		got = append(got, fr.ID)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("pending %v, want %v", got, want)
	}
	_, err = f.SaveInspection(t.Context(), storage.Inspection{FrameID: want[0], StationID: s.ID, RecipeID: r.ID, VersionID: v.ID, Judgement: vision.Judgement{Verdict: vision.OK, Class: "good"}})
	f.must(err)
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
	_, err := f.Promote(t.Context(), "ada", f.version(r).ID, "")
	f.must(err)
	fr := f.frame(f.station(r, "press"), "1")
	ctx := t.Context()
	for n := 1; n <= storage.MaxDeaths; n++ {
		out, err := f.RecordDeath(ctx, fr.ID, "the worker died")
		if err != nil || out != (n == storage.MaxDeaths) {
			t.Errorf("death %d: quarantined %v, %v", n, out, err)
		}
		f.reopen()
	}
	if pending, err := f.PendingFrames(ctx, 0, 10); err != nil || len(pending) != 0 {
		t.Errorf("it waits again: %v, %v", pending, err)
	}
	if all, err := f.QuarantinedFrames(ctx, 10); err != nil || len(all) != 1 || all[0].Trouble == "" {
		t.Errorf("quarantine %v, %v", all, err)
	}
	f.must(f.Release(ctx, "ada", fr.ID))
	if pending, err := f.PendingFrames(ctx, 0, 10); err != nil || len(pending) != 1 {
		t.Errorf("a person's release does not help: %v, %v", pending, err)
	}
	f.refused(f.Release(ctx, "ada", fr.ID), storage.Conflict)
}

func TestOneBadChangeUndoesNoOther(t *testing.T) {
	f := open(t)
	s := f.station(f.recipe("caps"), "press")
	var all sync.WaitGroup
	for n := range 40 {
		all.Go(func() {
			row := f.row(s, fmt.Sprint(n))
			if n%4 == 3 {
				row.RecipeID = 999 // there is none: the row is refused
			}
			_, _, err := f.AddFrame(t.Context(), row)
			if (err != nil) != (n%4 == 3) {
				t.Errorf("frame %d: %v", n, err)
			}
		})
	}
	all.Wait()
	totals, err := f.Totals(t.Context())
	if err != nil || totals.Frames != 30 {
		t.Errorf("%d frames stored, %v", totals.Frames, err)
	}
}

func TestAPictureIsWholeOrNotThere(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	a, err := f.Blobs.PutContent(ctx, "frames", []byte("picture"))
	f.must(err)
	b, err := f.Blobs.PutContent(ctx, "frames", []byte("picture"))
	f.must(err)
	c, err := f.Blobs.PutContent(ctx, "frames", []byte("another"))
	f.must(err)
	if a != b || a == c {
		t.Errorf("keys %s, %s, %s", a, b, c)
	}
	if data, err := f.Blobs.Get(ctx, a); err != nil || string(data) != "picture" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := f.Blobs.Get(ctx, "frames/none"); storage.CodeOf(err) != storage.NotFound {
		t.Errorf("a blob that is not there: %v", err)
	}
	if _, err := f.Blobs.Get(ctx, "../loupe.db"); err == nil {
		t.Error("a key leads out of the folder")
	}
}
