package storage_test

import (
	"fmt"
	"testing"

	"loupe/storage"
)

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
