package models_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"loupe/models"
	"loupe/models/onnx/onnxtest"
	"loupe/storage"
	"loupe/vision/trial"
)

// uploads takes files as a server does.
func (p *plant) uploads() *models.Uploads {
	p.Helper()
	self, err := os.Executable()
	if err != nil {
		p.Fatal(err)
	}
	return models.NewUploads(p.db, p.registry, trial.New(trial.Settings{Command: func() *exec.Cmd {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), "LOUPE_TEST_TRY=1", "GOTRACEBACK=none")
		return cmd
	}}))
}

// uploadAgain uploads the champion's own file to its recipe.
func (p *plant) uploadAgain() (storage.Version, storage.Job) {
	p.Helper()
	old := p.champion()
	v, j, err := p.uploads().Add(p.Context(), "ann", old.RecipeID, " the same ", must(p.registry.ModelFile(p.Context(), old.ID))(p))
	if err != nil {
		p.Fatal(err)
	}
	return v, j
}

// sameVerdicts fails unless an uploaded version says what the trained one said.
func (p *plant) sameVerdicts(got, want storage.Version) {
	p.Helper()
	a, b := must(p.db.Results(p.Context(), got.ID))(p), must(p.db.Results(p.Context(), want.ID))(p)
	if len(a) != len(b) || len(a) == 0 {
		p.Fatalf("%d results, not %d", len(a), len(b))
	}
	for i := range a {
		if a[i].FrameID != b[i].FrameID || a[i].Predicted != b[i].Predicted || a[i].Verdict != b[i].Verdict || math.Abs(a[i].Score-b[i].Score) > 1e-3 {
			p.Errorf("frame %d: %+v, want %+v", b[i].FrameID, a[i], b[i])
		}
	}
}

func TestAnUploadIsJudgedLikeATrainedVersion(t *testing.T) {
	p := open(t, taught(t), 2)
	first := p.champion()
	p.learns()
	v, j := p.uploadAgain()
	if j = p.ended(j.ID); j.State != storage.JobDone || j.Kind != models.EvaluateJob || j.CreatedBy != "ann" {
		t.Fatalf("the %s job of %s is %s: %s", j.Kind, j.CreatedBy, j.State, j.Message)
	}
	p.sameVerdicts(v, first)
	v = must(p.db.Version(t.Context(), v.ID))(t)
	s, r := parse(t, v)
	if !strings.Contains(v.Decision, "the recipe leaves promoting to people; balanced accuracy") || r.ChampionID != first.ID || r.Comparison == nil || r.Comparison.N != 6 {
		t.Errorf("it waits because %q, compared with %+v", v.Decision, r.Comparison)
	}
	if s.Upload == nil || s.Upload.Note != "the same" || s.Upload.Producer != "loupe" || len(s.Upload.Missing) > 0 {
		t.Errorf("it states %+v", s.Upload)
	}
	if n, _, err := p.learner.Waiting(t.Context(), first.RecipeID); err != nil || n != 0 {
		t.Errorf("%d corrections wait since the evaluation, %v", n, err)
	}
}

func TestTheEvaluationOfAnUploadGoesOnAfterARestart(t *testing.T) {
	p := open(t, taught(t), 1)
	first := p.champion()
	p.during("evaluate", func(storage.Job) { p.stop() })
	p.learns()
	v, j := p.uploadAgain()
	<-p.run.Done()
	p.close()
	p = open(t, p.folder, 1)
	if now := must(p.db.Job(t.Context(), j.ID))(t); now.State != storage.JobRunning {
		t.Fatalf("the interrupted job is %s: %s", now.State, now.Message)
	}
	p.learns()
	if j = p.ended(j.ID); j.State != storage.JobDone {
		t.Fatalf("%s: %s", j.State, j.Message)
	}
	p.sameVerdicts(v, first)
	if all := must(p.db.Versions(t.Context(), first.RecipeID, 10))(t); len(all) != 2 {
		t.Errorf("%d versions", len(all))
	}
}

func TestACancelledEvaluationLeavesTheVersionWaiting(t *testing.T) {
	p := open(t, taught(t), 1)
	p.during("evaluate", func(j storage.Job) {
		cancelled := make(chan error)
		go func() { cancelled <- p.learner.Cancel(p.Context(), "ann", j.ID) }()
		if err := <-cancelled; err != nil {
			t.Error(err)
		}
	})
	p.learns()
	v, j := p.uploadAgain()
	if j = p.ended(j.ID); j.State != storage.JobCancelled {
		t.Fatalf("%s: %s", j.State, j.Message)
	}
	next := p.train(v.RecipeID) // the learner is free
	if v = must(p.db.Version(t.Context(), v.ID))(t); string(v.Report) != "{}" || v.Decision != "" || next.Number != 3 {
		t.Errorf("version %d has the report %s and waits because %q", v.Number, v.Report, v.Decision)
	}
}

// A worker that dies over a test frame costs nothing: the frame is judged again.
func TestTheEvaluationOfAnUploadOutlivesItsWorkers(t *testing.T) {
	p := open(t, taught(t), 2)
	first := p.champion()
	p.during("evaluate", func(storage.Job) {
		for _, w := range p.crew.Workers() {
			if err := syscall.Kill(w.PID, syscall.SIGKILL); err != nil {
				t.Error(err)
			}
		}
	})
	p.learns()
	v, j := p.uploadAgain()
	if j = p.ended(j.ID); j.State != storage.JobDone {
		t.Fatalf("%s: %s", j.State, j.Message)
	}
	p.sameVerdicts(v, first)
}

func TestUploadsTakeTurns(t *testing.T) {
	p := open(t, t.TempDir(), 0)
	u := p.uploads()
	leave := must(u.Enter(t.Context()))(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := u.Enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("beside another: %v", err)
	}
	time.AfterFunc(50*time.Millisecond, leave)
	must(u.Enter(t.Context()))(t)()
}

// A file that was uploaded cannot be made again: it stays for ever, also where a
// trained version of another recipe has the same one.
func TestAnUploadedFileIsNeverCleared(t *testing.T) {
	p := open(t, taught(t), 0)
	first := p.champion()
	file := must(p.registry.ModelFile(t.Context(), first.ID))(t)
	other := p.recipe("the same plates elsewhere")
	same, _, err := p.uploads().Add(t.Context(), "ann", other.ID, "", file)
	if err != nil || same.ModelKey != first.ModelKey {
		t.Fatalf("%+v, %v", same, err)
	}
	foreign, _, err := p.uploads().Add(t.Context(), "ann", first.RecipeID, "", onnxtest.Bytes(onnxtest.Classifier(224, other.ClassNames())))
	if err != nil {
		t.Fatal(err)
	}
	var last storage.Version
	for n := range 8 {
		v := first
		data := []byte(strings.Repeat("another version", n+1))
		v.JobID, v.ModelSHA, v.ModelKey = 0, storage.Digest(data), must(p.db.Blobs.PutContent(t.Context(), "models", data))(t)
		last = must(p.db.AddVersion(t.Context(), v, nil))(t)
	}
	must(p.registry.Promote(t.Context(), "ann", last.ID, "the newest"))(t)
	if got := must(p.registry.ModelFile(t.Context(), same.ID))(t); !bytes.Equal(got, file) {
		t.Error("the file of the other recipe is another")
	}
	must(p.registry.ModelFile(t.Context(), foreign.ID))(t)
	if err := p.db.Blobs.Delete(t.Context(), foreign.ModelKey); err != nil {
		t.Fatal(err)
	}
	if _, err := p.registry.Promote(t.Context(), "ann", foreign.ID, ""); storage.CodeOf(err) != storage.Conflict || !strings.Contains(err.Error(), "restore it from a backup or upload it again") {
		t.Errorf("promoting a version whose file is lost: %v", err)
	}
}

// With a champion of its own kind, similar frames are found by Loupe's features,
// and what the foreign network calls its features never reaches their cache.
func TestAForeignChampionDoesNotSpoilTheFeatures(t *testing.T) {
	p := open(t, taught(t), 2)
	r := p.plates()
	foreign, _, err := p.uploads().Add(t.Context(), "ann", r.ID, "", onnxtest.Bytes(onnxtest.Classifier(224, r.ClassNames())))
	if err != nil {
		t.Fatal(err)
	}
	must(p.registry.Promote(t.Context(), "ann", foreign.ID, "by hand"))(t)
	p.judges()
	f := p.send(r.ID, p.again(kinds[0], 0))
	if i := p.judged(r.ID, 1)[0]; i.VersionID != foreign.ID {
		t.Errorf("version %d judged", i.VersionID)
	}
	near := must(p.similar.Similar(t.Context(), f.ID, 2))(t)
	train := p.frames(storage.TrainShare)
	if len(near) != 2 || near[0].FrameID != train[0].FrameID || near[0].Similarity < 0.5 {
		t.Errorf("another shot of frame %d is like %v", train[0].FrameID, near)
	}
	p.learns()
	v := p.train(r.ID)
	if _, report := parse(t, v); report.ChampionID != foreign.ID || report.Champion.N != 6 || report.Champion.Accuracy.Value > report.Candidate.Accuracy.Value {
		t.Errorf("compared with version %d: %+v", report.ChampionID, report.Champion)
	}
	if first := must(p.db.Versions(t.Context(), r.ID, 10))(t); !slices.ContainsFunc(first, func(o storage.Version) bool { return o.Number == 1 && o.ModelSHA == v.ModelSHA }) {
		t.Error("the same data gave another version beside a foreign champion")
	}
}

// What passed its trial here may kill a worker elsewhere that has another OpenCV:
// it would do so over each frame.
func TestAnUploadThatAWorkerDiesOverIsNotPromoted(t *testing.T) {
	p := open(t, taught(t), 1)
	r, first := p.plates(), p.champion()
	file := onnxtest.Bytes(onnxtest.Before(onnxtest.Classifier(224, r.ClassNames()), onnxtest.Node("Einsum", "/e", "x", []string{"image", "image"})))
	v, _, err := p.db.AddUpload(t.Context(), storage.Version{
		RecipeID: r.ID, Size: 224, Classes: r.ClassNames(), ModelKey: must(p.db.Blobs.PutContent(t.Context(), "models", file))(t), ModelSHA: storage.Digest(file),
		Statement: []byte("{}"), Report: []byte("{}"), CreatedBy: "ann",
	}, models.EvaluateJob, nil)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := p.registry.Promote(t.Context(), "ann", v.ID, "by hand"); storage.CodeOf(err) != storage.Conflict || !strings.Contains(err.Error(), "the vision worker died over it. Run the same engine") {
		t.Errorf("promoting it: %v", err)
	}
	if took := time.Since(began); took > 25*time.Second {
		t.Errorf("saying so took %s", took)
	}
	if now := p.champion(); now.ID != first.ID {
		t.Errorf("version %d judges", now.Number)
	}
	p.judges()
	p.send(r.ID, p.picture(kinds[0], 70))
	if i := p.judged(r.ID, 1)[0]; i.VersionID != first.ID {
		t.Errorf("version %d judged", i.VersionID)
	}
}

func TestAnUploadIsRefusedBeforeItIsStored(t *testing.T) {
	p := open(t, taught(t), 0)
	before := blobs(p)
	_, _, err := p.uploads().Add(t.Context(), "ann", p.plates().ID, strings.Repeat("x", 2000), nil)
	var refusal *models.Refusal
	if !errors.As(err, &refusal) || refusal.Code != "note" {
		t.Errorf("a long note: %v", err)
	}
	logits := onnxtest.Classifier(224, p.plates().ClassNames())
	logits.Graph.Node[3].OpType = new("Relu")
	_, _, err = p.uploads().Add(t.Context(), "ann", p.plates().ID, "", onnxtest.Bytes(logits))
	var failure *trial.Failure
	if !errors.As(err, &failure) || failure.Reason != trial.Wrong {
		t.Errorf("logits: %v", err)
	}
	if after := blobs(p); !slices.Equal(after, before) {
		t.Errorf("blobs %v, were %v", after, before)
	}
}
