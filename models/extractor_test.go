package models_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"loupe/models"
	"loupe/models/features"
	"loupe/storage"
	"loupe/vision"
	"loupe/vision/plates"
)

// caches lists the folders of the feature cache by name.
func (p *plant) caches() []string {
	p.Helper()
	all, err := os.ReadDir(filepath.Join(p.folder, "cache", "features"))
	if err != nil && !os.IsNotExist(err) {
		p.Fatal(err)
	}
	var names []string
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names
}

// extracted collects what trainings say about the features they have computed.
func (p *plant) extracted() func() []string {
	var mu sync.Mutex
	var said []string
	p.db.Listen(func(e storage.Event) {
		var now models.Training
		if e.Kind == storage.JobChanged && e.Job.State == storage.JobRunning && json.Unmarshal(e.Job.Result, &now) == nil && now.Stage == "features" {
			mu.Lock()
			defer mu.Unlock()
			said = append(said, e.Job.Message)
		}
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return said
	}
}

func TestFeaturesAreComputedOnce(t *testing.T) {
	p := open(t, taught(t), 0)
	said := p.extracted()
	p.learns()
	p.train(p.plates().ID) // no worker could compute anything
	if len(said()) > 0 {
		t.Errorf("the second training computes features: %v", said())
	}
	r := p.plates()
	must(p.db.Import(t.Context(), r.ID, []storage.Import{{Frame: p.picture(plates.Good, 50), Class: "good"}}))(t)
	j := must(p.learner.Train(t.Context(), "qa", r.ID))(t)
	p.hire(1) // the training waits for it
	if j = p.ended(j.ID); j.State != storage.JobDone {
		t.Fatalf("the job is %s: %s", j.State, j.Message)
	}
	if all := said(); len(all) != 1 || all[0] != "features of 1 of 1 pictures" {
		t.Errorf("after one new picture: %q", all)
	}
}

func TestFeaturesAreThereBeforeTheTraining(t *testing.T) {
	p := open(t, taught(t), 1)
	r := p.plates()
	said := p.extracted()
	p.learns()
	f := p.send(r.ID, p.picture(plates.Good, 50))
	if _, _, err := p.db.Correct(t.Context(), storage.Correction{FrameID: f.ID, Class: "good", Person: "ann", Source: "page"}); err != nil {
		t.Fatal(err)
	}
	names := p.caches()
	if len(names) != 1 {
		t.Fatalf("caches %v", names)
	}
	store := must(features.Open(filepath.Join(p.folder, "cache", "features", names[0]), r.Size))(t)
	defer store.Close()
	p.eventually("the features are computed", func() bool { return store.Has(f.ID) })
	p.train(r.ID)
	if len(said()) > 0 {
		t.Errorf("the training computes features: %v", said())
	}
}

func TestDamagedPictureFailsTheTrainingByName(t *testing.T) {
	p := open(t, taught(t), 1)
	r := p.plates()
	f := p.picture(plates.Good, 50)
	f.BlobKey = must(p.db.Blobs.PutContent(t.Context(), "frames", []byte("no picture")))(t)
	must(p.db.Import(t.Context(), r.ID, []storage.Import{{Frame: f, Class: "good"}}))(t)
	train := p.frames(storage.TrainShare)
	bad := train[len(train)-1].FrameID
	p.learns()
	j := p.ended(must(p.learner.Train(t.Context(), "qa", r.ID))(t).ID)
	if j.State != storage.JobFailed || !strings.HasPrefix(j.Message, fmt.Sprintf("features of frame %d: ", bad)) {
		t.Errorf("the job is %s: %s", j.State, j.Message)
	}
	if _, _, err := p.db.Correct(t.Context(), storage.Correction{FrameID: bad, Person: "ann", Source: "page"}); err != nil {
		t.Fatal(err)
	}
	p.train(r.ID) // without its label it is no longer in the way
}

func TestMirroredViewsAreTrainedOnAndNotTestedOn(t *testing.T) {
	p := open(t, taught(t), 2)
	r := storage.NewRecipe("mirrored", classes())
	r.Learn.After = 0
	if !r.Mirror {
		t.Fatal("a new recipe does not mirror")
	}
	r = must(p.db.AddRecipe(t.Context(), "qa", r))(t)
	p.label(r.ID, 0, 4)
	said := p.extracted()
	p.learns()
	v := p.train(r.ID)
	s, _ := parse(t, v)
	if s.Views != vision.Views || len(p.caches()) != vision.Views {
		t.Errorf("%d views; caches %v", s.Views, p.caches())
	}
	last := said()
	if want := fmt.Sprintf("of %d pictures", 9*vision.Views+3); len(last) == 0 || !strings.HasSuffix(last[len(last)-1], want) {
		t.Errorf("says %q, want %q", last, want)
	}
}

func TestCachesOfARemovedDemonstrationAreForgotten(t *testing.T) {
	p := open(t, taught(t), 2)
	kept := p.caches()
	r := storage.NewRecipe("demonstration", classes())
	r.Demo, r.Size, r.Mirror, r.Learn.After = true, 256, false, 0
	r = must(p.db.AddRecipe(t.Context(), "demonstration", r))(t)
	p.label(r.ID, 0, 4)
	p.learns()
	p.train(r.ID)
	if names := p.caches(); len(names) != len(kept)+1 {
		t.Fatalf("caches %v, were %v", names, kept)
	}
	if err := p.db.RemoveDemonstration(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	p.eventually("only the caches of the others are left", func() bool { return len(p.caches()) == len(kept) })
	if names := p.caches(); names[0] != kept[0] {
		t.Errorf("caches %v, want %v", names, kept)
	}
	said := p.extracted()
	p.train(p.plates().ID)
	if len(said()) > 0 {
		t.Errorf("the other recipe's features were forgotten too: %v", said())
	}
}

// What no recipe uses any more goes at the next start, and nothing else.
func TestUnusedCachesGoAtTheNextStart(t *testing.T) {
	folder := taught(t)
	p := open(t, folder, 0)
	kept := p.caches()
	r := p.plates()
	r.Region = vision.Region{X: 0.1, Y: 0.1, W: 0.8, H: 0.8}
	if err := p.db.ChangeRecipe(t.Context(), "qa", r); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(folder, "cache", "features")
	for _, name := range []string{"00000000-224-00000000", models.BackboneSHA256[:8] + "-224-00000000-3", "somebody's folder"} {
		if err := os.Mkdir(filepath.Join(root, name), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	p.learns()
	// The champion still judges by the old region, so that cache stays.
	p.eventually("the unused caches are gone", func() bool { return len(p.caches()) == 2 })
	if names := p.caches(); names[0] != kept[0] || names[1] != "somebody's folder" {
		t.Errorf("caches %v, want %v and the folder of somebody", names, kept)
	}
}
