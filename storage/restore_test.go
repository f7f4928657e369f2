package storage_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"loupe/storage"
)

func TestARestoreThatIsCutOffIsNoDataFolderUntilItHasEnded(t *testing.T) {
	p := openBackedUp(t)
	frames := p.frames("part", 130)
	p.backUp()
	plan := storage.RestorePlan{Backup: p.backups, Folder: filepath.Join(t.TempDir(), "restored")}
	ctx, stop := context.WithCancel(t.Context())
	plan.Progress = func(float64) { stop() }
	if _, err := storage.Restore(ctx, plan); err == nil {
		t.Fatal("it went on")
	}
	_, err := storage.Open(t.Context(), storage.Settings{Folder: plan.Folder})
	p.refused(err, storage.Conflict)
	p.exists(filepath.Join(plan.Folder, "loupe.db"), false)

	newest := p.backUp()
	plan.Progress = func(float64) {}
	_, err = storage.Restore(t.Context(), plan)
	p.refused(err, storage.Invalid) // the folder holds another snapshot's
	all, err := storage.Snapshots(p.backups)
	p.must(err)
	plan.Snapshot = all[0].Name
	r, err := storage.Restore(t.Context(), plan)
	p.must(err)
	if r.Verified == 0 || r.Verified+r.Copied != 130 || newest.Snapshot == r.Snapshot.Name {
		t.Errorf("%+v", r)
	}
	f := &folder{t: t, path: plan.Folder}
	f.reopen()
	defer f.Close()
	f.has(frames...)
	_, err = storage.Restore(t.Context(), plan)
	p.refused(err, storage.Invalid) // not over a data folder
}

func TestABackupOfThePreviousLayoutRestores(t *testing.T) {
	p := openBackedUp(t)
	frames := p.frames("part", 3)
	r := p.backUp()
	p.must(os.Rename(filepath.Join(p.backups, r.Snapshot), filepath.Join(p.backups, "loupe.db")))
	p.must(os.Remove(filepath.Join(p.backups, r.Snapshot+".sha256")))
	p.must(os.Remove(filepath.Join(p.backups, "backup.lock")))
	f, _ := p.restore("")
	f.has(frames...)
	p.exists(filepath.Join(p.backups, "backup.lock"), false) // nothing in the backup changes
	f, _ = p.restore("loupe.db")
	f.has(frames...)
	p.must(os.Chtimes(filepath.Join(p.backups, "loupe.db"), time.Time{}, p.Now().Add(-time.Hour)))
	if r := p.backUp(func(plan *storage.BackupPlan) { plan.Keep = 1 }); r.Removed != 1 || r.Sized != 3 {
		t.Errorf("%+v", r)
	}
	p.exists(filepath.Join(p.backups, "loupe.db"), false)
}

// A snapshot of the second schema knows of no removed pictures and no counts.
func TestABackupOfAnOlderLoupeRestoresAndIsBroughtUpToDate(t *testing.T) {
	f := &folder{t: t, path: t.TempDir()}
	backups := t.TempDir()
	old, err := sql.Open("sqlite3", filepath.Join(backups, "loupe.db"))
	f.must(err)
	migrations, err := goose.NewProvider(goose.DialectSQLite3, old, os.DirFS("migrations"))
	f.must(err)
	_, err = migrations.UpTo(t.Context(), 2)
	f.must(err)
	picture := []byte("picture of an older Loupe")
	key := storage.ContentKey("frames", picture)
	f.must(os.MkdirAll(filepath.Dir(file(backups, key)), 0o750))
	f.must(os.WriteFile(file(backups, key), picture, 0o640))
	_, err = old.Exec(`INSERT INTO recipes (id, name, region_json, size, mirror, threshold_ok, threshold_ng, learn_after, learn_quiet_s, promote_auto, promote_metric, promote_margin, created_at)
		VALUES (1, 'Caps', '{}', 224, 0, 0.5, 0.5, 1, 1, 0, 'accuracy', 0, 0);
		INSERT INTO frames (id, recipe_id, blob_key, format, bytes, width, height, orientation, serial, part_key, taken_at, received_at, state)
		VALUES (7, 1, ?, 'png', ?, 1, 1, 1, 'old', 'x', 0, 0, 'kept')`, key, len(picture))
	f.must(err)
	f.must(old.Close())
	_, err = storage.Restore(t.Context(), storage.RestorePlan{Backup: backups, Folder: f.path, Progress: func(float64) {}})
	f.must(err)
	f.reopen()
	t.Cleanup(func() { _ = f.Close() })
	f.has(storage.Frame{ID: 7, Serial: "old"})
	copies, err := filepath.Glob(filepath.Join(f.path, "backups", "before-migration-*.db"))
	if err != nil || len(copies) != 1 {
		t.Errorf("copies from before the migration: %v, %v", copies, err)
	}
}

func TestADamagedSnapshotIsToldAndAnOlderOneRestores(t *testing.T) {
	p := openBackedUp(t)
	frames := p.frames("part", 2)
	old, damaged := p.backUp(), p.backUp()
	p.spoil(filepath.Join(p.backups, damaged.Snapshot), 9000)
	plan := storage.RestorePlan{Backup: p.backups, Folder: filepath.Join(t.TempDir(), "restored"), Progress: func(float64) {}}
	_, err := storage.Restore(t.Context(), plan)
	if err == nil || !strings.Contains(err.Error(), "--at") {
		t.Fatalf("a damaged snapshot: %v", err)
	}
	p.exists(plan.Folder, false)
	f, _ := p.restore(old.Snapshot)
	f.has(frames...)
}

func TestSnapshotsAreFoundByNameAndTime(t *testing.T) {
	var all []storage.Snapshot
	for _, text := range []string{"2026-11-24T02:00:07Z", "2026-11-25T02:00:30Z", "2026-11-26T02:00:01Z"} {
		at, _ := time.Parse(time.RFC3339, text)
		all = append(all, storage.Snapshot{Name: at.Format("loupe-20060102-150405Z.db"), At: at})
	}
	for want, n := range map[string]int{
		"": 2, "loupe-20261124-020007Z.db": 0, "loupe-20261124-020007Z": 0, "2026-11-25T02:00Z": 1, "2026-11-25 02:00Z": 1,
		"2026-11-25T02:00:29Z": 0, "2026-11-25T04:00:30+02:00": 1, "2026-12-01": 2, "2026-11-27T08:00": 2,
	} {
		if s, err := storage.ChooseSnapshot(all, want); err != nil || s != all[n] {
			t.Errorf("%q is %v, %v; want %v", want, s, err, all[n])
		}
	}
	for _, wrong := range []string{"yesterday", "2026-11-01", "loupe-20261124-020008Z.db"} {
		_, err := storage.ChooseSnapshot(all, wrong)
		if storage.CodeOf(err) != storage.Invalid || !strings.Contains(err.Error(), "loupe-20261125-020030Z.db") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	_, err := storage.ChooseSnapshot(nil, "")
	if storage.CodeOf(err) != storage.Invalid {
		t.Errorf("of none: %v", err)
	}
}

// small mounts a disk of a few bytes, or skips the test.
func small(t *testing.T, bytes string) string {
	t.Helper()
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size="+bytes); err != nil {
		t.Skipf("cannot mount a small disk: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(folder, syscall.MNT_DETACH) })
	return folder
}

func TestAFullDiskIsToldWithItsFolder(t *testing.T) {
	p := openBackedUp(t)
	disk := small(t, "1m")
	for n := range 3 { // pictures of 400 kB
		data := make([]byte, 400<<10)
		data[0] = byte(n)
		key, err := p.Blobs.PutContent(t.Context(), "frames", data)
		p.must(err)
		_, _, err = p.AddFrame(t.Context(), storage.Frame{StationID: p.st.ID, RecipeID: p.st.RecipeID, BlobKey: key, Format: "png", Bytes: int64(len(data)), Width: 1, Height: 1, Orientation: 1})
		p.must(err)
	}
	said := func(err error, folder string) {
		t.Helper()
		p.refused(err, storage.Full)
		if err == nil || !strings.Contains(err.Error(), folder) {
			t.Errorf("%v does not name %s", err, folder)
		}
	}
	target := filepath.Join(disk, "backups")
	_, err := p.Backup(t.Context(), storage.BackupPlan{Folder: target, Keep: 1, Progress: func(float64) {}})
	said(err, target)
	if all, err := storage.Snapshots(target); err != nil || len(all) > 0 {
		t.Errorf("%v, %v", all, err)
	}
	p.must(os.RemoveAll(target))
	p.backUp()
	restored := filepath.Join(disk, "restored")
	_, err = storage.Restore(t.Context(), storage.RestorePlan{Backup: p.backups, Folder: restored, Progress: func(float64) {}})
	said(err, restored)
}
