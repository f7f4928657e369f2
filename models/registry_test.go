package models_test

import (
	"bytes"
	"fmt"
	"testing"

	"loupe/models"
	"loupe/storage"
)

func TestBackboneIsTheOneThatIsNamed(t *testing.T) {
	data := must(models.Backbone())(t)
	if sum := storage.Digest(data); sum != models.BackboneSHA256 {
		t.Errorf("it is %s", sum)
	}
}

func TestModelFileIsRebuiltAsItWas(t *testing.T) {
	p := open(t, taught(t), 1)
	v := p.champion()
	first := must(p.registry.ModelFile(t.Context(), v.ID))(t)
	for _, lose := range []struct {
		what string
		do   func() error
	}{
		{"lost", func() error { return p.db.Blobs.Delete(t.Context(), v.ModelKey) }},
		{"torn", func() error { return p.db.Blobs.Put(t.Context(), v.ModelKey, first[:len(first)/2]) }},
	} {
		if err := lose.do(); err != nil {
			t.Fatal(err)
		}
		again := must(p.registry.ModelFile(t.Context(), v.ID))(t)
		stored := must(p.db.Blobs.Get(t.Context(), v.ModelKey))(t)
		if !bytes.Equal(again, first) || !bytes.Equal(stored, first) {
			t.Fatalf("a model file that was %s is rebuilt as another, or not stored", lose.what)
		}
	}
	// What a worker says with the rebuilt file is what the evaluation said.
	results := must(p.db.Results(t.Context(), v.ID))(t)
	for _, r := range results {
		f := must(p.db.Frame(t.Context(), r.FrameID))(t)
		p.send(v.RecipeID, storage.Frame{BlobKey: f.BlobKey, Format: f.Format, Width: f.Width, Height: f.Height, Orientation: 1, Source: fmt.Sprint(f.ID)})
	}
	p.judges()
	for _, i := range p.judged(v.RecipeID, len(results)) {
		for _, r := range results {
			if i.Frame.Source == fmt.Sprint(r.FrameID) {
				agrees(t, i, v, r)
			}
		}
	}
}

func TestVersionThatCannotBeRebuiltSaysSo(t *testing.T) {
	p := open(t, taught(t), 0)
	v := p.champion()
	v.JobID, v.ModelKey, v.ModelSHA = 0, "models/elsewhere", storage.Digest([]byte("by another Loupe"))
	v = must(p.db.AddVersion(t.Context(), v, nil))(t)
	_, err := p.registry.ModelFile(t.Context(), v.ID)
	if storage.CodeOf(err) != storage.Conflict || err.Error() != "version 2 cannot be rebuilt by this Loupe: restore its model file from a backup" {
		t.Errorf("the file: %v", err)
	}
	if _, err := p.registry.Promote(t.Context(), "ann", v.ID, ""); storage.CodeOf(err) != storage.Conflict {
		t.Errorf("promoting it: %v", err)
	}
	if r := p.plates(); r.ChampionID == v.ID {
		t.Error("it judges")
	}
}

// Only the newest model files and the champion's are kept; the heads stay, and
// rolling back to a version brings its file back.
func TestOldModelFilesAreCleared(t *testing.T) {
	p := open(t, taught(t), 0)
	first := p.champion()
	all := []storage.Version{first}
	for n := range 8 {
		v := first
		file := fmt.Appendf(nil, "the model file of another version %d", n)
		v.JobID, v.ModelSHA = 0, storage.Digest(file)
		v.ModelKey = must(p.db.Blobs.PutContent(t.Context(), "models", file))(t)
		all = append(all, must(p.db.AddVersion(t.Context(), v, nil))(t))
	}
	there := func(v storage.Version) bool {
		return must(p.db.Blobs.Exists(t.Context(), v.ModelKey))(t)
	}
	must(p.registry.Promote(t.Context(), "ann", all[2].ID, "the champion is an old one"))(t)
	for n, v := range all {
		if kept := n >= len(all)-5 || n == 2; there(v) != kept {
			t.Errorf("the file of version %d is there: %v", v.Number, !kept)
		}
	}
	if !must(p.db.Blobs.Exists(t.Context(), first.HeadKey))(t) {
		t.Error("the head of the first version is gone")
	}
	if v := must(p.registry.Rollback(t.Context(), "ann", first.RecipeID))(t); v.ID != first.ID || !there(first) {
		t.Errorf("rolled back to version %d, whose file is there: %v", v.Number, there(first))
	}
}
