package storage_test

import (
	"fmt"
	"slices"
	"testing"

	"loupe/storage"
)

func TestSuspectsGoWhenTheirLabelChangesAndComeBackWithIt(t *testing.T) {
	f := open(t)
	r := f.recipe("caps")
	s := f.station(r, "press")
	ctx := t.Context()
	one, two := f.frame(s, "1"), f.frame(s, "2")
	first, second := f.label(one.ID, "dent", "ada"), f.label(two.ID, "scratch", "ada")
	f.must(f.SetSuspects(ctx, r.ID, []storage.Suspect{
		{FrameID: one.ID, Label: "dent", Said: "scratch", Probability: 0.8, Own: 0.1, Doubt: 2},
		{FrameID: two.ID, Label: "scratch", Said: "dent", Probability: 0.9, Own: 0.05, Doubt: 3},
	}))
	expect := func(when string, frames ...int64) {
		t.Helper()
		all, err := f.Suspects(ctx, r.ID, 10)
		n, errCount := f.SuspectCount(ctx, r.ID)
		if err != nil || errCount != nil || len(all) != len(frames) || n != len(frames) {
			t.Fatalf("%s: %+v, %d, %v, %v", when, all, n, err, errCount)
		}
		for i, id := range frames {
			if all[i].FrameID != id {
				t.Errorf("%s: place %d is frame %d, not %d", when, i, all[i].FrameID, id)
			}
		}
	}
	expect("at first", two.ID, one.ID)
	_, newest, _, err := f.CorrectionsSince(ctx, r.ID, 0)
	f.must(err)
	kept, err := f.Confirm(ctx, "lin", two.ID, second.ID)
	if err != nil || kept.Class != "scratch" || kept.FollowsID != second.ID || kept.Person != "lin" {
		t.Fatalf("%+v, %v", kept, err)
	}
	if n, _, _, err := f.CorrectionsSince(ctx, r.ID, newest); err != nil || n != 0 {
		t.Errorf("a confirmation counts as %d corrections, %v", n, err)
	}
	expect("after keeping one", one.ID)
	if ids, err := f.Confirmed(ctx, r.ID); err != nil || len(ids) != 1 || ids[0] != two.ID {
		t.Errorf("confirmed are %v, %v", ids, err)
	}
	if _, err := f.Confirm(ctx, "ada", two.ID, second.ID); storage.CodeOf(err) != storage.Conflict {
		t.Errorf("a label that another has confirmed since is confirmed: %v", err)
	}
	if _, _, err := f.Undo(ctx, "lin", []int64{kept.ID}); err != nil {
		t.Fatal(err)
	}
	expect("after taking that back", two.ID, one.ID)
	f.label(one.ID, "scratch", "ada")
	expect("after changing the other", two.ID)
	f.label(one.ID, first.Class, "ada")
	expect("after changing it back", two.ID, one.ID)
	entries, err := f.Audit(ctx, fmt.Sprintf("frame %d", two.ID), 0, 10)
	if err != nil || !slices.ContainsFunc(entries, func(e storage.AuditEntry) bool { return e.Action == "label.confirm" && e.Person == "lin" }) {
		t.Errorf("the audit log says %+v, %v", entries, err)
	}
}
