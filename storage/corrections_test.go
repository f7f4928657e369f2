package storage_test

import (
	"testing"

	"loupe/storage"
)

func TestTheLastCorrectionIsInForceAndAllStay(t *testing.T) {
	f := open(t)
	fr := f.frame(f.station(f.recipe("caps"), "press"), "1")
	ctx := t.Context()
	first := f.label(fr.ID, "dent", "ada")
	second := f.label(fr.ID, "scratch", "lin")
	now, err := f.Frame(ctx, fr.ID)
	f.must(err)
	if now.Label != "scratch" || now.LabelID != second.ID || !now.Disagreed || second.FollowsID != first.ID {
		t.Errorf("in force %q of %d, disagreed %v, follows %d", now.Label, now.LabelID, now.Disagreed, second.FollowsID)
	}
	all, err := f.Corrections(ctx, fr.ID)
	if err != nil || len(all) != 2 {
		t.Errorf("%v, %v", all, err)
	}
	if undone, _, err := f.Undo(ctx, "lin", []int64{second.ID}); err != nil || len(undone) != 1 || undone[0].Class != "dent" {
		t.Errorf("undone %v, %v", undone, err)
	}
	if undone, _, err := f.Undo(ctx, "ada", []int64{first.ID}); err != nil || len(undone) != 0 {
		t.Errorf("what is not in force was undone: %v, %v", undone, err)
	}
	if all, err = f.Corrections(ctx, fr.ID); err != nil || len(all) != 3 {
		t.Errorf("an undo is a correction too: %v, %v", all, err)
	}
}

func TestTwoPeopleCorrectingAtOnceLoseNothing(t *testing.T) {
	f := open(t)
	fr := f.frame(f.station(f.recipe("caps"), "press"), "1")
	seen := int64(0)
	ctx := t.Context()
	_, overtaken, err := f.Correct(ctx, storage.Correction{FrameID: fr.ID, Class: "dent", Person: "ada", Source: "page", Seen: &seen})
	if err != nil || overtaken != nil {
		t.Errorf("the first: %v, %v", overtaken, err)
	}
	_, overtaken, err = f.Correct(ctx, storage.Correction{FrameID: fr.ID, Class: "scratch", Person: "lin", Source: "page", Seen: &seen})
	if err != nil || overtaken == nil || overtaken.Person != "ada" || overtaken.Class != "dent" {
		t.Errorf("the second is not told of the first: %v, %v", overtaken, err)
	}
	if all, err := f.Corrections(ctx, fr.ID); err != nil || len(all) != 2 {
		t.Errorf("%v, %v", all, err)
	}
}

func TestCorrectionsThatCannotBeAreRefused(t *testing.T) {
	f := open(t)
	r := f.recipe("caps")
	fr := f.frame(f.station(r, "press"), "1")
	ctx := t.Context()
	_, _, err := f.Correct(ctx, storage.Correction{FrameID: fr.ID, Class: "rust", Person: "ada"})
	f.refused(err, storage.Invalid)
	_, _, err = f.Correct(ctx, storage.Correction{FrameID: 999, Class: "dent", Person: "ada"})
	f.refused(err, storage.NotFound)
	_, err = f.CorrectMany(ctx, r.ID, []storage.Correction{{FrameID: fr.ID, Class: "dent", Person: "ada"}, {FrameID: 999, Class: "dent", Person: "ada"}})
	f.refused(err, storage.NotFound)
	if now, err := f.Frame(ctx, fr.ID); err != nil || now.Label != "" {
		t.Errorf("half of a refused change is in force: %q, %v", now.Label, err)
	}
}
