package storage_test

import (
	"path/filepath"
	"strings"
	"testing"

	"loupe/storage"
	"loupe/vision"
)

// upload adds a version that came as a file.
func (f *folder) upload(r storage.Recipe, file string) (storage.Version, storage.Job) {
	f.t.Helper()
	key, err := f.Blobs.PutContent(f.t.Context(), "models", []byte(file))
	f.must(err)
	v, j, err := f.AddUpload(f.t.Context(), storage.Version{
		RecipeID: r.ID, Size: 224, Classes: r.ClassNames(), ModelKey: key, ModelSHA: storage.Digest([]byte(file)), Statement: []byte("{}"), Report: []byte("{}"), CreatedBy: "ada",
	}, "evaluate", map[string]string{"note": "from plant 2"})
	f.must(err)
	return v, j
}

func TestAnUploadComesWithItsJobAndIsWrittenDown(t *testing.T) {
	f := open(t)
	r := f.recipe("caps")
	first, job := f.upload(r, "one file")
	second, next := f.upload(r, "another file")
	if first.JobID != job.ID || next.ID == job.ID || job.State != storage.JobQueued || job.Kind != "evaluate" || second.Number != 2 {
		t.Errorf("version %d of job %d, version %d of job %d", first.Number, job.ID, second.Number, next.ID)
	}
	f.reopen()
	if v, err := f.VersionByJob(t.Context(), job.ID); err != nil || !v.Uploaded() || v.State != storage.Retired {
		t.Errorf("the first is %+v, %v", v, err)
	}
	if j, err := f.LastJob(t.Context(), r.ID, "evaluate"); err != nil || j.ID != next.ID {
		t.Errorf("the last job is %+v, %v", j, err)
	}
	_, err := f.LastJob(t.Context(), r.ID, "train")
	f.refused(err, storage.NotFound)
	all, err := f.Audit(t.Context(), "version 1", 0, 1)
	if err != nil || len(all) != 1 || all[0].Action != "version.upload" || all[0].Person != "ada" || !strings.Contains(all[0].After, `"note":"from plant 2"`) {
		t.Errorf("written down as %+v, %v", all, err)
	}
	results := []storage.Result{{FrameID: 7, Truth: "good", Predicted: "good", Verdict: vision.OK, Probabilities: []float64{1, 0}}}
	v, err := f.Evaluated(t.Context(), second.ID, []byte(`{"candidate":{"n":1}}`), results)
	if got, e := f.Results(t.Context(), second.ID); err != nil || e != nil || string(v.Report) != `{"candidate":{"n":1}}` || len(got) != 1 || got[0].FrameID != 7 {
		t.Errorf("evaluated as %s %+v, %v, %v", v.Report, got, err, e)
	}
}

func TestATrainedVersionIsNoUpload(t *testing.T) {
	f := open(t)
	r := f.recipe("caps")
	trained := f.champion(r)
	_, _, err := f.AddUpload(t.Context(), trained, "evaluate", nil)
	f.refused(err, storage.Invalid)
	if _, err := f.Evaluated(t.Context(), trained.ID, []byte(`{"candidate":{"n":9}}`), nil); err != nil {
		t.Fatal(err)
	}
	if v, err := f.Version(t.Context(), trained.ID); err != nil || string(v.Report) != string(trained.Report) {
		t.Errorf("the report of a trained version became %s, %v", v.Report, err)
	}
}

// No head brings an uploaded file back: the backup has each of them.
func TestABackupHasTheUploadedFiles(t *testing.T) {
	f := open(t)
	r := f.recipe("caps")
	old, _ := f.upload(r, "a file that never judged")
	f.upload(r, "the file of a candidate")
	backup, restored := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "restored")
	_, err := f.Backup(t.Context(), storage.BackupPlan{Folder: backup, Keep: 1, Progress: func(float64) {}})
	f.must(err)
	_, err = storage.Restore(t.Context(), storage.RestorePlan{Backup: backup, Folder: restored, Progress: func(float64) {}})
	f.must(err)
	blobs, err := storage.OpenBlobs(t.Context(), "", filepath.Join(restored, "blobs"))
	f.must(err)
	defer blobs.Close()
	if data, err := blobs.Get(t.Context(), old.ModelKey); err != nil || string(data) != "a file that never judged" {
		t.Errorf("restored %q, %v", data, err)
	}
	for key, want := range map[string]bool{old.ModelKey: true, "models/none": false} {
		if is, err := f.UploadedFile(t.Context(), key); err != nil || is != want {
			t.Errorf("%s is an uploaded file: %v, %v", key, is, err)
		}
	}
}

// A file that was uploaded to a demonstration goes with it, unless the plant has
// it too.
func TestAnUploadOfTheDemonstrationGoesWithIt(t *testing.T) {
	f := open(t)
	own := f.recipe("caps")
	demo := storage.NewRecipe("demonstration", own.Classes)
	demo.Demo = true
	demo, err := f.AddRecipe(t.Context(), "ada", demo)
	f.must(err)
	kept, _ := f.upload(own, "a file of both")
	f.upload(demo, "a file of both")
	gone, _ := f.upload(demo, "a file of the demonstration")
	f.must(f.RemoveDemonstration(t.Context(), "ada"))
	if _, err := f.Blobs.Get(t.Context(), kept.ModelKey); err != nil {
		t.Errorf("the plant's file: %v", err)
	}
	_, err = f.Blobs.Get(t.Context(), gone.ModelKey)
	f.refused(err, storage.NotFound)
}
