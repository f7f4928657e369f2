package storage_test

import (
	"fmt"
	"testing"

	"loupe/storage"
)

func TestAnImportKeepsItsSplitAndIsNotRepeated(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	var all []storage.Import
	for n := range 6 {
		fr := f.row(storage.Station{}, fmt.Sprint(n))
		fr.Serial, fr.Source = "", fmt.Sprint("dent/", n, ".png")
		all = append(all, storage.Import{Frame: fr, Class: "dent", Share: []string{storage.TrainShare, storage.TestShare}[n/3]})
	}
	for round, want := range []int{6, 0} {
		if done, err := f.Import(ctx, r.ID, all); err != nil || done.Added != want {
			t.Errorf("round %d: %d added, want %d, %v", round, done.Added, want, err)
		}
		f.reopen()
	}
	if counts, err := f.ClassCounts(ctx, r.ID); err != nil || counts[2] != (storage.ClassCount{Class: "dent", Train: 3, Test: 3}) {
		t.Errorf("%+v, %v", counts, err)
	}
	fr, err := f.Frame(ctx, 1)
	if err != nil || fr.State != storage.Kept || fr.Source != "dent/0.png" || fr.StationID != 0 || fr.Label != "dent" {
		t.Errorf("%+v, %v", fr, err)
	}
	f.champion(r)
	if waiting := f.next(); len(waiting) != 0 {
		t.Errorf("imported frames wait to be judged: %v, %v", waiting, err)
	}
	if labelled, err := f.FramesWithLabel(ctx, r.ID, 2); err != nil || len(labelled) != 2 || labelled[0].FrameID != 6 {
		t.Errorf("the newest two are %+v, %v", labelled, err)
	}
}

func TestABrokenImportLeavesNothing(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	_, err := f.Import(ctx, r.ID, []storage.Import{{Frame: f.row(storage.Station{}, "1"), Class: "dent"}, {Frame: f.row(storage.Station{}, "2"), Class: "rust"}})
	f.refused(err, storage.Invalid)
	if totals, err := f.Totals(ctx); err != nil || totals.Frames != 0 {
		t.Errorf("%d frames of a refused import, %v", totals.Frames, err)
	}
}
