package storage_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"loupe/storage"
	"loupe/vision"
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

func TestClassesThatCannotBeAreRefused(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	with := func(c vision.Class) []vision.Class { return append(slices.Clone(r.Classes), c) }
	for name, c := range map[string]struct {
		classes []vision.Class
		renames map[string]string
		code    storage.Code
	}{
		"a name twice":         {with(vision.Class{Name: "dent", Color: "#000000"}), nil, storage.Conflict},
		"a key twice":          {with(vision.Class{Name: "rust", Color: "#000000", Key: "1"}), nil, storage.Conflict},
		"no name":              {with(vision.Class{Color: "#000000"}), nil, storage.Invalid},
		"a space at the end":   {with(vision.Class{Name: "rust ", Color: "#000000"}), nil, storage.Invalid},
		"a colour by name":     {with(vision.Class{Name: "rust", Color: "red"}), nil, storage.Invalid},
		"a key of two letters": {with(vision.Class{Name: "rust", Color: "#000000", Key: "ab"}), nil, storage.Invalid},
		"one left out":         {r.Classes[:2], nil, storage.Conflict},
		"renamed and used":     {with(vision.Class{Name: "rust", Color: "#000000"}), map[string]string{"dent": "rust"}, storage.Invalid},
		"renamed to no class":  {r.Classes[:2], map[string]string{"dent": "rust"}, storage.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			f.refused(f.ReplaceClasses(ctx, "ada", r.ID, c.classes, c.renames), c.code)
			if now, err := f.Recipe(ctx, r.ID); err != nil || !slices.Equal(now.Classes, r.Classes) || len(now.Archived) != 0 {
				t.Errorf("a refused list is in force: %+v, %v", now.Classes, err)
			}
		})
	}
	f.refused(f.ReplaceClasses(ctx, "ada", 999, r.Classes, nil), storage.NotFound)
	twice := storage.NewRecipe("lids", with(r.Classes[0]))
	_, err := f.AddRecipe(ctx, "ada", twice)
	f.refused(err, storage.Conflict)
}

func TestClassesKeepTheirOrderAndARenameTakesItsFramesAlong(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	fr := f.frame(f.station(r, "press"), "1")
	f.label(fr.ID, "dent", "ada")
	var told []string
	f.Listen(func(e storage.Event) {
		if e.Correction != nil {
			told = append(told, e.Correction.Class)
		}
	})
	want := []vision.Class{{Name: "bump", Color: "#111111", Key: "x"}, {Name: "rust", Color: "#222222", Key: "3"}, r.Classes[1], r.Classes[0]}
	f.must(f.ReplaceClasses(ctx, "grace", r.ID, want, map[string]string{"dent": "bump"}))
	now, err := f.Recipe(ctx, r.ID)
	if err != nil || !slices.Equal(now.Classes, want) || len(now.Archived) != 1 || now.Archived[0].Name != "dent" {
		t.Errorf("%+v, archived %+v, %v", now.Classes, now.Archived, err)
	}
	all, err := f.Corrections(ctx, fr.ID)
	if err != nil || len(all) != 2 || all[1].Class != "bump" || all[1].Person != "grace" || fmt.Sprint(told) != "[bump]" {
		t.Errorf("corrections %+v, told of %v, %v", all, told, err)
	}
	if data, err := f.DataSet(ctx, r.ID); err != nil || len(data) != 1 || data[0].Class != "bump" {
		t.Errorf("trained on %+v, %v", data, err)
	}
	log, err := f.Audit(ctx, fmt.Sprint("recipe ", r.ID), 0, 1)
	if err != nil || log[0].Person != "grace" || !strings.Contains(log[0].Before, `"dent"`) || !strings.Contains(log[0].After, `"bump"`) {
		t.Errorf("the log says %+v, %v", log, err)
	}
}

func TestAnArchivedClassComesBackWithItsFrames(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	fr := f.frame(f.station(r, "press"), "1")
	f.label(fr.ID, "dent", "ada")
	f.must(f.ArchiveClass(ctx, "ada", r.ID, "dent", true, ""))
	now, err := f.Recipe(ctx, r.ID)
	f.must(err)
	if len(now.Classes) != 2 || len(now.Archived) != 1 || now.Archived[0].Color != "#8e44ad" {
		t.Errorf("the archived class cannot be shown: %+v", now.Archived)
	}
	if g, err := f.Gallery(ctx, storage.GalleryFilter{RecipeID: r.ID, Class: "dent"}, 10); err != nil || len(g) != 1 || g[0].Label != "dent" {
		t.Errorf("its frames cannot be found: %+v, %v", g, err)
	}
	f.refused(f.ArchiveClass(ctx, "ada", r.ID, "dent", true, ""), storage.NotFound)
	f.must(f.ReplaceClasses(ctx, "ada", r.ID, append(now.Classes, vision.Class{Name: "dent", Color: "#333333", Key: "9"}), nil))
	counts, err := f.ClassCounts(ctx, r.ID)
	if err != nil || len(counts) != 3 || counts[2].Class != "dent" || counts[2].Train+counts[2].Test != 1 {
		t.Errorf("%+v, %v", counts, err)
	}
}
