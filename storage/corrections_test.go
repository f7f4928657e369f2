package storage_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"loupe/storage"
	"loupe/vision"
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
	_, _, err = f.Correct(ctx, storage.Correction{FrameID: fr.ID, Class: "dent", Person: "ada", Note: strings.Repeat("x", 2001)})
	f.refused(err, storage.Invalid)
	_, _, err = f.Undo(ctx, "ada", []int64{999})
	f.refused(err, storage.NotFound)
	_, err = f.CorrectMany(ctx, r.ID, []storage.Correction{{FrameID: fr.ID, Class: "dent", Person: "ada"}, {FrameID: 999, Class: "dent", Person: "ada"}})
	f.refused(err, storage.NotFound)
	if now, err := f.Frame(ctx, fr.ID); err != nil || now.Label != "" {
		t.Errorf("half of a refused change is in force: %q, %v", now.Label, err)
	}
}

// Whoever corrects last is in force; everybody learns whom they overtook, and
// whoever saw the newest correction overtakes nobody.
func TestManyPeopleCorrectingOneFrameAtOnce(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	fr := f.frame(f.station(f.recipe("caps"), "press"), "1")
	people := []string{"ada", "grace", "lin", "mary", "joan", "rosa", "edith", "hedy"}
	overtaken := make([]string, len(people))
	var all sync.WaitGroup
	for n, person := range people {
		all.Go(func() {
			nothing := int64(0)
			_, other, err := f.Correct(ctx, storage.Correction{FrameID: fr.ID, Class: []string{"dent", "scratch"}[n%2], Person: person, Source: "page", Seen: &nothing})
			if err != nil {
				t.Error(err)
			}
			if other != nil {
				overtaken[n] = other.Person
			}
		})
	}
	all.Wait()
	kept, err := f.Corrections(ctx, fr.ID)
	f.must(err)
	if len(kept) != len(people) {
		t.Fatalf("%d of %d corrections kept", len(kept), len(people))
	}
	for n, c := range kept {
		before, follows := "", int64(0)
		if n > 0 {
			before, follows = kept[n-1].Person, kept[n-1].ID
		}
		if told := overtaken[slices.Index(people, c.Person)]; told != before || c.FollowsID != follows {
			t.Errorf("%s overtook %q and follows %d, but was told of %q and follows %d", c.Person, before, follows, told, c.FollowsID)
		}
	}
	last := kept[len(kept)-1]
	if now, err := f.Frame(ctx, fr.ID); err != nil || now.LabelID != last.ID || now.Label != last.Class || !now.Disagreed {
		t.Errorf("in force %q of %d, disagreed %v, %v", now.Label, now.LabelID, now.Disagreed, err)
	}
	if _, other, err := f.Correct(ctx, storage.Correction{FrameID: fr.ID, Class: "good", Person: "ada", Seen: &last.ID}); err != nil || other != nil {
		t.Errorf("told of %v that was on the screen, %v", other, err)
	}
}

func TestADisagreementEndsWhenPeopleAgreeOrSomebodySettlesIt(t *testing.T) {
	for name, end := range map[string]func(f *folder, frame int64){
		"they agree": func(f *folder, frame int64) { f.label(frame, "scratch", "ada") },
		"one takes his back and agrees": func(f *folder, frame int64) {
			f.label(frame, "", "ada")
			f.label(frame, "scratch", "ada")
		},
		"settled": func(f *folder, frame int64) {
			_, _, err := f.Correct(f.t.Context(), storage.Correction{FrameID: frame, Class: "good", Person: "grace", Source: "settle"})
			f.must(err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t)
			r := f.recipe("caps")
			fr := f.frame(f.station(r, "press"), "1")
			f.label(fr.ID, "dent", "ada")
			f.label(fr.ID, "scratch", "lin")
			disputed := storage.GalleryFilter{RecipeID: r.ID, Status: "disagreed"}
			if n, err := f.GalleryCount(t.Context(), disputed); err != nil || n != 1 {
				t.Fatalf("%d disputed, %v: that tests nothing", n, err)
			}
			end(f, fr.ID)
			if n, err := f.GalleryCount(t.Context(), disputed); err != nil || n != 0 {
				t.Errorf("%d still disputed, %v", n, err)
			}
		})
	}
}

func TestUndoPutsManyFramesBackAndSparesWhatChangedSince(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	s, v := f.station(r, "press"), f.champion(r)
	labelled, fresh, changed := f.frame(s, "1"), f.frame(s, "2"), f.frame(s, "3")
	f.judge(fresh, v, vision.Unsure, "dent")
	f.label(labelled.ID, "good", "ada")
	stored, err := f.CorrectMany(ctx, r.ID, []storage.Correction{
		{FrameID: labelled.ID, Class: "dent", Person: "lin", Source: "page"}, {FrameID: fresh.ID, Class: "dent", Person: "lin", Source: "page"}, {FrameID: changed.ID, Class: "dent", Person: "lin", Source: "page"}})
	f.must(err)
	f.label(changed.ID, "scratch", "ada")
	undone, recipe, err := f.Undo(ctx, "lin", []int64{stored[0].ID, stored[1].ID, stored[2].ID})
	if err != nil || len(undone) != 2 || recipe != r.ID {
		t.Fatalf("%d undone in recipe %d, %v", len(undone), recipe, err)
	}
	for frame, want := range map[int64]string{labelled.ID: "good", fresh.ID: "", changed.ID: "scratch"} {
		if now, err := f.Frame(ctx, frame); err != nil || now.Label != want {
			t.Errorf("frame %d is %q, want %q, %v", frame, now.Label, want, err)
		}
	}
	// It waits for a person again, as before.
	if tray, n, err := f.Tray(ctx, []int64{s.ID}, 10); err != nil || n != 1 || tray[0].FrameID != fresh.ID {
		t.Errorf("%d in the tray, %v", n, err)
	}
	if unsure, err := f.GalleryIDs(ctx, storage.GalleryFilter{RecipeID: r.ID, Status: "unsure"}); err != nil || fmt.Sprint(unsure) != fmt.Sprint([]int64{fresh.ID}) {
		t.Errorf("unsure %v, %v", unsure, err)
	}
	if again, _, err := f.Undo(ctx, "lin", []int64{undone[0].ID}); err != nil || len(again) != 1 || again[0].Class != "dent" {
		t.Errorf("an undo cannot be undone: %v, %v", again, err)
	}
	_, _, err = f.Undo(ctx, "lin", []int64{stored[1].ID, 999})
	f.refused(err, storage.NotFound)
}

func TestCorrectionsSinceATrainingLeaveImportsOut(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r, other := f.recipe("caps"), f.recipe("lids")
	s := f.station(r, "press")
	first := f.label(f.frame(s, "1").ID, "dent", "ada")
	if _, err := f.Import(ctx, r.ID, []storage.Import{{Frame: f.row(s, "2"), Class: "good"}}); err != nil {
		t.Fatal(err)
	}
	f.label(f.frame(f.station(other, "oven"), "1").ID, "dent", "ada")
	last := f.label(f.frame(s, "3").ID, "dent", "ada")
	n, newest, at, err := f.CorrectionsSince(ctx, r.ID, first.ID)
	if err != nil || n != 1 || newest != last.ID || !at.Equal(last.At) {
		t.Errorf("%d, newest %d at %v, want %d at %v, %v", n, newest, at, last.ID, last.At, err)
	}
	if n, newest, at, err = f.CorrectionsSince(ctx, r.ID, last.ID); err != nil || n != 0 || newest != 0 || !at.IsZero() {
		t.Errorf("after the last: %d, %d, %v, %v", n, newest, at, err)
	}
	if id, err := f.LastCorrection(ctx, other.ID); err != nil || id <= first.ID || id >= last.ID {
		t.Errorf("the other recipe's last is %d, %v", id, err)
	}
}
