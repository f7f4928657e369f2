package storage_test

import (
	"fmt"
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

func TestAClassIsArchivedWhileFramesCarryIt(t *testing.T) {
	f := open(t)
	r := f.recipe("caps")
	s := f.station(r, "press")
	ctx := t.Context()
	for n := range 3 {
		f.label(f.frame(s, fmt.Sprint(n)).ID, "dent", "ada")
	}
	f.refused(f.ArchiveClass(ctx, "ada", r.ID, "dent", false, ""), storage.Conflict)
	f.refused(f.ArchiveClass(ctx, "ada", r.ID, "dent", false, "rust"), storage.Invalid)
	f.must(f.ArchiveClass(ctx, "ada", r.ID, "dent", true, ""))
	use, err := f.ClassUse(ctx, r.ID)
	if err != nil || use["dent"] != 3 {
		t.Errorf("the labels are gone: %v, %v", use, err)
	}
	if data, err := f.DataSet(ctx, r.ID); err != nil || len(data) != 0 {
		t.Errorf("archived frames are trained on: %v, %v", data, err)
	}
	fr := f.frame(s, "4")
	_, _, err = f.Correct(ctx, storage.Correction{FrameID: fr.ID, Class: "dent", Person: "ada"})
	f.refused(err, storage.Invalid)
	f.label(fr.ID, "scratch", "ada")
	f.must(f.ArchiveClass(ctx, "ada", r.ID, "scratch", false, "good"))
	if now, err := f.Frame(ctx, fr.ID); err != nil || now.Label != "good" {
		t.Errorf("the frame was not moved: %q, %v", now.Label, err)
	}
}

func TestAllFramesOfAPartLieOnOneSideOfTheSplit(t *testing.T) {
	f := open(t)
	r := f.recipe("caps")
	s := f.station(r, "press")
	side := map[string]string{}
	for turn := range 3 { // three pictures of each part
		for n := range 40 {
			serial := fmt.Sprint(n)
			row := f.row(s, fmt.Sprint(n, " ", turn))
			row.Serial = serial
			fr, _, err := f.AddFrame(t.Context(), row)
			f.must(err)
			f.label(fr.ID, []string{"good", "dent"}[n%2], "ada")
			now, err := f.Frame(t.Context(), fr.ID)
			f.must(err)
			if was, ok := side[serial]; ok && was != now.Share {
				t.Errorf("part %s lies in %s and %s", serial, was, now.Share)
			}
			side[serial] = now.Share
		}
	}
	counts, err := f.ClassCounts(t.Context(), r.ID)
	f.must(err)
	for _, c := range counts[:1] {
		if c.Test == 0 || c.Train < 3*c.Test {
			t.Errorf("%s: %d to train on, %d to test", c.Class, c.Train, c.Test)
		}
	}
	// What a frame is corrected to later never moves it.
	data, err := f.DataSet(t.Context(), r.ID)
	f.must(err)
	for _, d := range data {
		f.label(d.FrameID, "scratch", "ada")
		if now, err := f.Frame(t.Context(), d.FrameID); err != nil || now.Share != d.Share {
			t.Errorf("frame %d moved from %s to %s, %v", d.FrameID, d.Share, now.Share, err)
		}
	}
}
