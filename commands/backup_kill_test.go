package commands

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"loupe/storage"
)

// killedSomewhere starts the program, kills it at a random moment in the last
// two thirds of the time that a whole run takes, and reports whether it was
// still running.
func killedSomewhere(t *testing.T, rng *rand.Rand, whole time.Duration, args ...string) bool {
	t.Helper()
	p := newProgram(t, args...)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Duration((1 + 2*rng.Float64()) / 3 * float64(whole)))
	_ = p.Process.Kill()
	_ = p.Wait()
	return !p.ProcessState.Exited()
}

// manyParts makes a data folder with so many frames.
func manyParts(t *testing.T, n int) (folder string, frames []storage.Frame) {
	t.Helper()
	folder = t.TempDir()
	db, err := storage.Open(t.Context(), storage.Settings{Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r, err := db.AddRecipe(t.Context(), "test", storage.NewRecipe("Caps", newClasses([]string{"good", "stain"}, nil)))
	for i := 0; i < n && err == nil; i++ {
		f := storage.Frame{RecipeID: r.ID, Format: "png", Width: 1, Height: 1, Orientation: 1, State: storage.Kept}
		data := fmt.Appendf(nil, "picture %d", i)
		f.Bytes = int64(len(data))
		if f.BlobKey, err = db.Blobs.PutContent(t.Context(), "frames", data); err == nil {
			f, _, err = db.AddFrame(t.Context(), f)
			frames = append(frames, f)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return folder, frames
}

func TestBackupsKilledAnywhereLeaveEverySnapshotWhole(t *testing.T) {
	data, frames := manyParts(t, 200)
	backups := filepath.Join(t.TempDir(), "backups")
	args := []string{"backup", backups, "--data", data, "--keep", "2"}
	began := time.Now()
	newProgram(t, args...).ends(t, 0)
	whole := time.Since(began)
	raw, err := sql.Open("sqlite3", filepath.Join(data, "loupe.db")+"?_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	rng := rand.New(rand.NewPCG(5, 5))
	killed := 0
	for n := range 8 { // each time some frames are gone: their pictures must go with the old snapshots
		if _, err := raw.Exec(`DELETE FROM frames WHERE id BETWEEN ? AND ?`, frames[n*5].ID, frames[n*5+4].ID); err != nil {
			t.Fatal(err)
		}
		if killedSomewhere(t, rng, whole, args...) {
			killed++
		}
		all, err := storage.Snapshots(backups)
		if err != nil || len(all) == 0 {
			t.Fatalf("after kill %d: %v, %v", n+1, all, err)
		}
		for _, s := range all {
			r, err := storage.Restore(t.Context(), storage.RestorePlan{Backup: backups, Snapshot: s.Name, Folder: filepath.Join(t.TempDir(), "restored"), Progress: func(float64) {}})
			if err != nil || r.Any() {
				t.Fatalf("after kill %d %s restores with %+v, %v", n+1, s.Name, r, err)
			}
		}
	}
	if killed < 2 {
		t.Errorf("only %d of 8 were killed in their midst", killed)
	}
	for range 2 {
		newProgram(t, args...).ends(t, 0)
	}
	left, err := filepath.Glob(filepath.Join(backups, "*"))
	if err != nil || len(left) != 6 {
		t.Errorf("the folder holds %v, %v", left, err)
	}
	pictures, err := filepath.Glob(filepath.Join(backups, "blobs", "frames", "*", "*"))
	if err != nil || len(pictures) != 160 {
		t.Errorf("%d pictures are left of 160, %v", len(pictures), err)
	}
}

func TestARestoreKilledAnywhereGoesOn(t *testing.T) {
	data, frames := manyParts(t, 200)
	backups, restored := filepath.Join(t.TempDir(), "backups"), filepath.Join(t.TempDir(), "restored")
	newProgram(t, "backup", backups, "--data", data).ends(t, 0)
	args := []string{"restore", backups, "--data", restored}
	mark := filepath.Join(restored, "restore.unfinished")
	half := 0
	for n := range 5 { // each gets a little further
		p := newProgram(t, args...)
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "begun", func() bool {
			_, begun := os.Stat(mark)
			_, ended := os.Stat(filepath.Join(restored, "loupe.db"))
			return begun == nil || ended == nil
		})
		time.Sleep(time.Duration(n) * 20 * time.Millisecond)
		_ = p.Process.Kill()
		_ = p.Wait()
		if _, err := os.Stat(mark); err != nil {
			break // it has ended
		}
		half++
		if _, err := storage.Open(t.Context(), storage.Settings{Folder: restored}); storage.CodeOf(err) != storage.Conflict {
			t.Fatalf("half a restore opens: %v", err)
		}
	}
	if half == 0 {
		t.Error("no kill found it in its midst: that tests nothing")
	}
	if code := newProgram(t, args...).code(t); code != 0 && code != 2 { // 2 where it had ended
		t.Fatalf("exit code %d", code)
	}
	db, err := storage.Open(t.Context(), storage.Settings{Folder: restored})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, f := range frames {
		picture, err := db.Blobs.Get(t.Context(), f.BlobKey)
		if err != nil || storage.ContentKey("frames", picture) != f.BlobKey {
			t.Errorf("frame %d: %v", f.ID, err)
		}
	}
}
