package models_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"loupe/models"
	"loupe/models/head"
	"loupe/storage"
	"loupe/vision/plates"
)

// parse reads a version's statement and report.
func parse(t testing.TB, v storage.Version) (s models.Statement, r models.Report) {
	t.Helper()
	if err := json.Unmarshal(v.Statement, &s); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(v.Report, &r); err != nil {
		t.Fatal(err)
	}
	return s, r
}

func TestTrainingStatesHowItWasDone(t *testing.T) {
	p := open(t, taught(t), 0)
	v := p.champion()
	s, r := parse(t, v)
	if s.Loss != head.Loss || s.Optimiser != head.Optimiser || s.Backbone != models.BackboneSHA256 {
		t.Errorf("loss %q, optimiser %q, backbone %q", s.Loss, s.Optimiser, s.Backbone)
	}
	if want := head.ForFrames(3 * 8); s.Options != want || len(s.Curve) != want.Epochs {
		t.Errorf("options %+v, want %+v; %d points of the loss curve", s.Options, want, len(s.Curve))
	}
	if first, last := s.Curve[0], s.Curve[len(s.Curve)-1]; !(last < first/10) || first > 2*math.Log(3) {
		t.Errorf("the loss goes from %g to %g", first, last)
	}
	for _, c := range s.Counts {
		if c.Train != 8 || c.Test != 2 {
			t.Errorf("%s is said to have %d training and %d test frames", c.Class, c.Train, c.Test)
		}
	}
	if len(s.Counts) != 3 || len(s.Lacking) != 3 || s.Lacking[0].String() != "good has 8 of 10 training pictures" {
		t.Errorf("counts %v, lacking %v", s.Counts, s.Lacking)
	}
	if c := s.Calibration; c == nil || c.Frames != 24 || c.Folds != 2 || c.Passes != 16 || !(c.Low < c.Temperature && c.Temperature < c.High) {
		t.Errorf("calibrated: %+v", c)
	}
	if r.Uncalibrated == nil || r.Uncalibrated.N != 6 || r.Candidate.Calibration == nil || r.Candidate.Calibration.N != 6 || r.Uncalibrated.ECE == r.Candidate.Calibration.ECE {
		t.Errorf("calibration %+v, before %+v", r.Candidate.Calibration, r.Uncalibrated)
	}
	if r.Candidate.N != 6 || r.Champion != nil {
		t.Errorf("judged on %d test frames, beside %v", r.Candidate.N, r.Champion)
	}
	// Two test plates of each kind say little, but the model must not have learned nothing.
	if r.Candidate.Accuracy.Value < 5.0/6 {
		t.Errorf("accuracy %g on plates that differ plainly", r.Candidate.Accuracy.Value)
	}
	d := must(p.db.Dataset(t.Context(), v.DatasetID))(p)
	if frames := must(p.db.DatasetFrames(t.Context(), d.ID))(p); d.Digest != s.Data || d.Train != 24 || d.Test != 6 || storage.DatasetDigest(frames) != s.Data {
		t.Errorf("trained on %+v with %d frames, stated as %s", d, len(frames), s.Data)
	}
	if v.State != storage.Champion || v.Number != 1 || v.Decision != "it is the first version" || v.Size != 224 {
		t.Errorf("version %d is %s: %s", v.Number, v.State, v.Decision)
	}
}

// sameContent fails unless two versions are the same model with the same results.
func sameContent(p *plant, got, want storage.Version, results []storage.Result) {
	p.Helper()
	if got.HeadKey != want.HeadKey || got.ModelSHA != want.ModelSHA || got.ModelKey != want.ModelKey {
		p.Errorf("other weights: head %s, model %s; want %s, %s", got.HeadKey, got.ModelSHA, want.HeadKey, want.ModelSHA)
	}
	again := must(p.db.Results(p.Context(), got.ID))(p)
	if !reflect.DeepEqual(again, results) {
		p.Errorf("other results: %v, want %v", again, results)
	}
}

func TestSameDataGivesSameVersion(t *testing.T) {
	p := open(t, taught(t), 1) // the taught version had two workers
	first := p.champion()
	results := must(p.db.Results(t.Context(), first.ID))(t)
	if len(results) != 6 {
		t.Fatalf("%d results", len(results))
	}
	p.learns()
	second := p.train(first.RecipeID)
	if second.ID == first.ID {
		t.Fatal("no second version")
	}
	sameContent(p, second, first, results)
	p.close()
	// Not by the cache alone: features computed anew give the same.
	if err := os.RemoveAll(filepath.Join(p.folder, "cache")); err != nil {
		t.Fatal(err)
	}
	p = open(t, p.folder, 1)
	p.learns()
	sameContent(p, p.train(first.RecipeID), first, results)
}

// during runs do once, when a job of the data folder comes to a stage of its training.
func (p *plant) during(stage string, do func(storage.Job)) {
	done := false // jobs run one at a time, and an event comes in the job's goroutine
	p.db.Listen(func(e storage.Event) {
		if e.Kind != storage.JobChanged || e.Job.State != storage.JobRunning || done {
			return
		}
		var now models.Training
		if json.Unmarshal(e.Job.Result, &now) == nil && now.Stage == stage {
			done = true
			do(*e.Job)
		}
	})
}

func TestTrainingGoesOnAfterARestart(t *testing.T) {
	for _, stage := range []string{"features", "fit", "calibrate", "evaluate", "write"} {
		t.Run(stage, func(t *testing.T) {
			folder, workers := taught(t), 0
			if stage == "features" {
				workers = 2
				if err := os.RemoveAll(filepath.Join(folder, "cache")); err != nil {
					t.Fatal(err)
				}
			}
			p := open(t, folder, workers)
			first := p.champion()
			results := must(p.db.Results(t.Context(), first.ID))(t)
			p.during(stage, func(storage.Job) { p.stop() })
			p.learns()
			j := must(p.learner.Train(t.Context(), "qa", first.RecipeID))(t)
			<-p.run.Done()
			p.close()
			p = open(t, folder, workers)
			if j = must(p.db.Job(t.Context(), j.ID))(t); j.State != storage.JobRunning {
				t.Fatalf("the interrupted job is %s: %s", j.State, j.Message)
			}
			if all := must(p.db.Versions(t.Context(), first.RecipeID, 10))(t); len(all) != 1 {
				t.Fatalf("%d versions after the interruption", len(all))
			}
			p.learns() // nobody asks for the training again
			if j = p.ended(j.ID); j.State != storage.JobDone || j.CreatedBy != "qa" {
				t.Fatalf("the job of %s is %s: %s", j.CreatedBy, j.State, j.Message)
			}
			sameContent(p, must(p.db.VersionByJob(t.Context(), j.ID))(t), first, results)
		})
	}
}

// A version that was stored but not decided about when the server stopped is
// decided about, not made twice.
func TestRestartBeforeTheDecision(t *testing.T) {
	p := open(t, taught(t), 0)
	recipe := p.plates()
	p.db.Listen(func(e storage.Event) {
		if e.Kind == storage.VersionChanged {
			p.stop()
		}
	})
	p.learns()
	j := must(p.learner.Train(t.Context(), "qa", recipe.ID))(t)
	<-p.run.Done()
	p.close()
	p = open(t, p.folder, 0)
	if v := must(p.db.VersionByJob(t.Context(), j.ID))(t); v.Decision != "" {
		t.Fatalf("decided before the restart: %s", v.Decision)
	}
	p.learns()
	if j = p.ended(j.ID); j.State != storage.JobDone {
		t.Fatalf("the job is %s: %s", j.State, j.Message)
	}
	v := must(p.db.VersionByJob(t.Context(), j.ID))(t)
	if all := must(p.db.Versions(t.Context(), recipe.ID, 10))(t); len(all) != 2 || !strings.Contains(v.Decision, "leaves promoting to people") {
		t.Errorf("%d versions; the new one waits because %q", len(all), v.Decision)
	}
}

func TestCancelledTrainingLeavesNothing(t *testing.T) {
	for _, stage := range []string{"fit", "calibrate", "evaluate", "write"} {
		t.Run(stage, func(t *testing.T) {
			p := open(t, taught(t), 0)
			recipe := p.plates()
			relabel := storage.Correction{FrameID: p.frames(storage.TrainShare)[0].FrameID, Class: string(plates.Stain), Person: "ann", Source: "page"}
			if _, _, err := p.db.Correct(t.Context(), relabel); err != nil {
				t.Fatal(err)
			}
			before := blobs(p)
			p.during(stage, func(j storage.Job) {
				cancelled := make(chan error)
				go func() { cancelled <- p.learner.Cancel(context.Background(), "ann", j.ID) }()
				if err := <-cancelled; err != nil {
					t.Error(err)
				}
			})
			p.learns()
			j := p.ended(must(p.learner.Train(t.Context(), "qa", recipe.ID))(t).ID)
			if j.State != storage.JobCancelled || j.Message != "cancelled by ann" {
				t.Errorf("the job is %s: %s", j.State, j.Message)
			}
			next := p.train(recipe.ID) // the learner is free, and was done with the other before
			if next.Number != 2 || next.JobID == j.ID {
				t.Errorf("version %d of job %d follows", next.Number, next.JobID)
			}
			after := slices.DeleteFunc(blobs(p), func(key string) bool { return key == next.HeadKey || key == next.ModelKey })
			if !slices.Equal(after, before) {
				t.Errorf("blobs %v, were %v", after, before)
			}
		})
	}
}

// blobs lists the heads and models that are stored.
func blobs(p *plant) []string {
	var keys []string
	for _, kind := range []string{"heads/", "models/"} {
		if err := p.db.Blobs.Keys(p.Context(), kind, func(key string, _ int64) error { keys = append(keys, key); return nil }); err != nil {
			p.Fatal(err)
		}
	}
	return keys
}

func TestTooLittleDataIsRefusedInWords(t *testing.T) {
	p := open(t, t.TempDir(), 0)
	p.learns()
	r := p.recipe("new")
	p.label(r.ID, 0, 1)
	var more []storage.Import
	for n := range 4 { // the fourth is a test frame
		more = append(more, storage.Import{Frame: p.picture(plates.Stain, 1+n), Class: string(plates.Stain)})
	}
	must(p.db.Import(t.Context(), r.ID, more))(t)
	j := p.ended(must(p.learner.Train(t.Context(), "qa", r.ID))(t).ID)
	want := "too little data: good has 1 of 3 training pictures; missing_hole has 1 of 3 training pictures. Label more pictures of these classes, then train again."
	if j.State != storage.JobFailed || j.Message != want {
		t.Errorf("the job is %s: %s", j.State, j.Message)
	}
	if all := must(p.db.Versions(t.Context(), r.ID, 1))(t); len(all) > 0 {
		t.Error("there is a version")
	}
	ready := must(p.learner.Readiness(t.Context(), r.ID))(t)
	if ready.Ready || len(ready.Lacking) != 3 {
		t.Errorf("ready %v, lacking %v", ready.Ready, ready.Lacking)
	}
}

// Whatever the held-out frames show and are called, the fitted weights and the
// normalisation and the temperature, all of which are in the head, are the same.
func TestHeldOutFramesNeverReachTheFit(t *testing.T) {
	p := open(t, taught(t), 0)
	first := p.champion()
	results := must(p.db.Results(t.Context(), first.ID))(t)
	held := p.frames(storage.TestShare)
	if len(held) != 6 {
		t.Fatalf("%d held-out frames", len(held))
	}
	for i, f := range held {
		c := storage.Correction{FrameID: f.FrameID, Class: string(kinds[(slices.Index(kinds, plates.Kind(f.Class))+1)%3]), Person: "ann", Source: "page"}
		if _, _, err := p.db.Correct(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		// The blob of a held-out frame gets other pixels: a part that no other frame shows.
		if err := p.db.Blobs.Put(t.Context(), f.BlobKey, draw(t, plates.Dent, i)); err != nil {
			t.Fatal(err)
		}
	}
	p.close()
	if err := os.RemoveAll(filepath.Join(p.folder, "cache")); err != nil {
		t.Fatal(err)
	}
	p = open(t, p.folder, 2)
	p.learns()
	v := p.train(first.RecipeID)
	if v.HeadKey != first.HeadKey || v.ModelSHA != first.ModelSHA {
		t.Error("the held-out frames changed the head")
	}
	old, _ := parse(t, first)
	s, _ := parse(t, v)
	if !slices.Equal(s.Curve, old.Curve) {
		t.Errorf("the held-out frames changed the loss: %v, was %v", s.Curve, old.Curve)
	}
	if s.Calibration.Temperature != old.Calibration.Temperature || s.Calibration.Frames != 24 {
		t.Errorf("the held-out frames changed the calibration: %+v, was %+v", s.Calibration, old.Calibration)
	}
	again := must(p.db.Results(t.Context(), v.ID))(t)
	for i, r := range again {
		if r.FrameID != results[i].FrameID || r.Truth == results[i].Truth || slices.Equal(r.Probabilities, results[i].Probabilities) {
			t.Errorf("the test did not reach the evaluation: %+v, was %+v", r, results[i])
		}
	}
}

func TestAllFramesOfASerialAreOnOneSide(t *testing.T) {
	p := open(t, t.TempDir(), 2)
	r := p.recipe("parts")
	var all []storage.Import
	for n := range 16 { // two pictures of each of eight parts, under different classes
		f := p.picture(kinds[n%2], n)
		f.Serial = "part " + string(rune('A'+n%8))
		all = append(all, storage.Import{Frame: f, Class: string(kinds[(n+n/8)%2])})
	}
	must(p.db.Import(t.Context(), r.ID, all))(t)
	p.learns()
	v := p.train(r.ID)
	tested := map[int64]bool{}
	for _, result := range must(p.db.Results(t.Context(), v.ID))(t) {
		tested[result.FrameID] = true
	}
	side, frames := map[string]string{}, map[string]int{}
	for _, l := range must(p.db.DataSet(t.Context(), r.ID))(t) {
		f := must(p.db.Frame(t.Context(), l.FrameID))(t)
		if tested[f.ID] != (f.Share == storage.TestShare) {
			t.Errorf("frame %d of the %s share: tested %v", f.ID, f.Share, tested[f.ID])
		}
		if s, seen := side[f.Serial]; seen && s != f.Share {
			t.Errorf("%s is on both sides", f.Serial)
		}
		side[f.Serial] = f.Share
		frames[f.Share]++
	}
	s, _ := parse(t, v)
	if len(side) != 8 || frames[storage.TrainShare] != 12 || frames[storage.TestShare] != 4 || s.Counts[0].Train+s.Counts[1].Train != 12 {
		t.Errorf("%d serials, %v frames, counts %v", len(side), frames, s.Counts)
	}
}
