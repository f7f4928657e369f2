package storage_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"loupe/storage"
)

// backedUp is a data folder with a station and a folder for its backups.
type backedUp struct {
	*folder
	backups string
	st      storage.Station
}

func openBackedUp(t testing.TB) *backedUp {
	t.Helper()
	f := open(t)
	return &backedUp{folder: f, backups: filepath.Join(t.TempDir(), "backups"), st: f.station(f.recipe("Caps"), "press")}
}

// frames posts so many frames.
func (p *backedUp) frames(name string, n int) (all []storage.Frame) {
	p.t.Helper()
	for i := range n {
		all = append(all, p.frame(p.st, fmt.Sprint(name, i)))
	}
	return all
}

func (p *backedUp) plan() storage.BackupPlan {
	return storage.BackupPlan{Folder: p.backups, Keep: 14, Progress: func(float64) {}}
}

func (p *backedUp) backUp(change ...func(*storage.BackupPlan)) storage.BackupRecord {
	p.t.Helper()
	plan := p.plan()
	for _, c := range change {
		c(&plan)
	}
	r, err := p.Backup(p.t.Context(), plan)
	p.must(err)
	return r
}

func verifyAll(p *storage.BackupPlan) { p.VerifyAll = true }

// restore makes a data folder of a snapshot and opens it.
func (p *backedUp) restore(at string) (*folder, storage.RestoreRecord) {
	p.t.Helper()
	f := &folder{t: p.t, path: filepath.Join(p.t.TempDir(), "restored")}
	r, err := storage.Restore(p.t.Context(), storage.RestorePlan{Backup: p.backups, Snapshot: at, Folder: f.path, Progress: func(float64) {}})
	p.must(err)
	f.reopen()
	p.t.Cleanup(func() { _ = f.Close() })
	return f, r
}

// has fails the test unless the frames with their pictures are there.
func (f *folder) has(frames ...storage.Frame) {
	f.t.Helper()
	for _, fr := range frames {
		got, err := f.Frame(f.t.Context(), fr.ID)
		f.must(err)
		if _, err := f.Blobs.Get(f.t.Context(), got.BlobKey); err != nil || got.Serial != fr.Serial {
			f.t.Errorf("frame %d is %q, %v", fr.ID, got.Serial, err)
		}
	}
}

// file is a blob's file in a folder.
func file(folder, key string) string { return filepath.Join(folder, "blobs", filepath.FromSlash(key)) }

func (f *folder) exists(path string, want bool) {
	f.t.Helper()
	if _, err := os.Stat(path); (err == nil) != want {
		f.t.Errorf("%s: %v, want it there: %v", path, err, want)
	}
}

// spoil changes a byte of a file.
func (f *folder) spoil(path string, at int64) {
	f.t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	f.must(err)
	defer file.Close()
	b := []byte{0}
	_, err = file.ReadAt(b, at)
	f.must(err)
	b[0] ^= 0xff
	_, err = file.WriteAt(b, at)
	f.must(err)
}

func TestASecondBackupCopiesOnlyWhatIsNewAndBothRestore(t *testing.T) {
	p := openBackedUp(t)
	early := p.frames("early", 30)
	first := p.backUp()
	late := p.frames("late", 5)
	second := p.backUp()
	if first.Copied != 30 || second.Copied != 5 || second.Sized != 30 || second.Verified != 0 || second.Snapshots != 2 || !second.Whole() {
		t.Errorf("first %+v, second %+v", first, second)
	}
	f, r := p.restore("")
	f.has(append(early, late...)...)
	if r.Snapshot.Name != second.Snapshot || r.Copied != 35 {
		t.Errorf("restored %+v", r)
	}
	f, _ = p.restore(first.Snapshot)
	f.has(early...)
	if _, err := f.Frame(t.Context(), late[0].ID); storage.CodeOf(err) != storage.NotFound {
		t.Errorf("a frame from after the first snapshot: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(p.backups, "*"))
	p.must(err)
	if len(left) != 6 { // two databases with their digests, blobs, the lock
		t.Errorf("the folder holds %v", left)
	}
}

func TestTheOldestSnapshotsGoWithThePicturesThatOnlyTheyName(t *testing.T) {
	p := openBackedUp(t)
	frames := p.frames("part", 4)
	keep2 := func(plan *storage.BackupPlan) { plan.Keep = 2 }
	forget := func(fr storage.Frame) {
		_, err := p.raw().Exec(`DELETE FROM frames WHERE id = ?`, fr.ID)
		p.must(err)
	}
	p.backUp(keep2)
	forget(frames[0])
	p.backUp(keep2)
	forget(frames[1])
	p.exists(file(p.backups, frames[0].BlobKey), true)
	stray := storage.ContentKey("frames", []byte("of a backup that never ended"))
	p.must(os.MkdirAll(filepath.Dir(file(p.backups, stray)), 0o750))
	p.must(os.WriteFile(file(p.backups, stray), nil, 0o640))
	mine := file(p.backups, "frames/notes.txt")
	p.must(os.WriteFile(mine, nil, 0o640))

	r := p.backUp(keep2)
	if r.Removed != 1 || r.RemovedBlobs != 2 || r.Snapshots != 2 {
		t.Errorf("%+v", r)
	}
	p.exists(file(p.backups, frames[0].BlobKey), false)
	p.exists(file(p.backups, frames[1].BlobKey), true) // the snapshot before names it
	p.exists(file(p.backups, stray), false)
	p.exists(mine, true)
	f, _ := p.restore("")
	f.has(frames[2:]...)
}

// What a damaged snapshot names is not known: nothing may be removed.
func TestPicturesStayWhileASnapshotCannotBeRead(t *testing.T) {
	p := openBackedUp(t)
	frames := p.frames("part", 2)
	old := p.backUp()
	_, err := p.raw().Exec(`DELETE FROM frames WHERE id = ?`, frames[0].ID)
	p.must(err)
	p.must(os.Truncate(filepath.Join(p.backups, old.Snapshot), 5000))
	if r := p.backUp(); !slices.Equal(r.Damaged, []string{old.Snapshot}) || r.Whole() {
		t.Errorf("%+v", r)
	}
	p.exists(file(p.backups, frames[0].BlobKey), true)
}

func TestDamagedPicturesInTheBackupAreCopiedAnew(t *testing.T) {
	p := openBackedUp(t)
	frames := p.frames("part", 6)
	first := p.backUp()
	p.must(os.Truncate(file(p.backups, frames[0].BlobKey), 3))
	p.must(os.Remove(file(p.backups, frames[1].BlobKey)))
	p.spoil(file(p.backups, frames[2].BlobKey), 1)
	if r := p.backUp(); r.Copied != 2 || r.Repaired != 2 || r.Sized != 4 {
		t.Errorf("by size: %+v", r)
	}
	if r := p.backUp(verifyAll); r.Copied != 1 || r.Repaired != 1 || r.Verified != 5 || !r.Whole() {
		t.Errorf("by content: %+v", r)
	}
	p.spoil(filepath.Join(p.backups, first.Snapshot), 9000)
	if r := p.backUp(verifyAll); r.Verified != 6 || !slices.Equal(r.Damaged, []string{first.Snapshot}) {
		t.Errorf("a damaged snapshot: %+v", r)
	}
	f, _ := p.restore("")
	f.has(frames...)
}

func TestPicturesThatThePlantHasLostDoNotKeepTheRestFromBeingSaved(t *testing.T) {
	p := openBackedUp(t)
	frames := p.frames("part", 5)
	p.must(os.Remove(file(p.path, frames[1].BlobKey)))
	p.spoil(file(p.path, frames[3].BlobKey), 2)
	want := []int64{frames[1].ID, frames[3].ID}
	r := p.backUp()
	if !slices.Equal(r.Frames, want) || len(r.Versions) > 0 || r.Copied != 3 || r.Whole() {
		t.Errorf("%+v", r)
	}
	p.must(p.RecordBackup(t.Context(), r, nil))
	if last, err := p.LastBackup(t.Context()); err != nil || last.LostCount != 2 || last.Whole() || last.SoundAt.IsZero() {
		t.Errorf("remembered %+v, %v", last, err)
	}
	f, restored := p.restore("")
	if !slices.Equal(restored.Frames, want) {
		t.Errorf("restored %+v", restored)
	}
	f.has(frames[0], frames[2], frames[4])
}

func TestPicturesRemovedOnPurposeAreNotMissed(t *testing.T) {
	p := openBackedUp(t)
	frames := p.frames("part", 3)
	_, err := p.raw().Exec(`UPDATE frames SET picture_removed_at = 1 WHERE id = ?`, frames[0].ID)
	p.must(err)
	p.must(os.Remove(file(p.path, frames[0].BlobKey)))
	if r := p.backUp(); r.Copied != 2 || !r.Whole() {
		t.Errorf("%+v", r)
	}
}

func TestUploadedModelsAreSavedAndThoseThatCanBeRebuiltAreNot(t *testing.T) {
	p := openBackedUp(t)
	ctx := t.Context()
	var keys []string
	for _, kind := range []string{"heads", "models", "models"} {
		key, err := p.Blobs.PutContent(ctx, kind, []byte(fmt.Sprint(kind, len(keys))))
		p.must(err)
		keys = append(keys, key)
	}
	trained := storage.Version{RecipeID: p.st.RecipeID, Size: 224, Classes: []string{"good"}, HeadKey: keys[0], ModelKey: keys[1], ModelSHA: "00", Statement: []byte("{}"), Report: []byte("{}"), CreatedBy: "ada"}
	uploaded := trained
	uploaded.HeadKey, uploaded.ModelKey = "", keys[2]
	for _, v := range []storage.Version{trained, uploaded} {
		_, err := p.AddVersion(ctx, v, nil)
		p.must(err)
	}
	if r := p.backUp(); r.Copied != 2 || !r.Whole() {
		t.Errorf("%+v", r)
	}
	p.exists(file(p.backups, keys[0]), true)
	p.exists(file(p.backups, keys[1]), false)
	p.exists(file(p.backups, keys[2]), true)
}

func TestABackupThatIsCutOffLeavesTheEarlierOnesAndTheNextGoesOn(t *testing.T) {
	p := openBackedUp(t)
	early := p.backUp()
	p.frames("part", 130)
	ctx, stop := context.WithCancel(t.Context())
	plan := p.plan()
	plan.Progress = func(float64) { stop() }
	if _, err := p.Backup(ctx, plan); err == nil {
		t.Fatal("it went on")
	}
	all, err := storage.Snapshots(p.backups)
	if err != nil || len(all) != 1 || all[0].Name != early.Snapshot {
		t.Fatalf("%v, %v", all, err)
	}
	// What a kill leaves.
	half := filepath.Join(p.backups, "loupe-20260101-000000Z.db.new")
	temp := file(p.backups, "frames/0a/."+storage.Digest(nil)+".new")
	p.must(os.MkdirAll(filepath.Dir(temp), 0o750))
	for _, path := range []string{half, half + "-journal", temp, filepath.Join(p.backups, "loupe-20260101-000000Z.db.sha256")} {
		p.must(os.WriteFile(path, []byte("half"), 0o640))
	}
	r := p.backUp()
	if r.Copied == 130 || r.Copied+r.Sized != 130 || !r.Whole() {
		t.Errorf("%+v", r)
	}
	for _, path := range []string{half, half + "-journal", temp, filepath.Join(p.backups, "loupe-20260101-000000Z.db.sha256")} {
		p.exists(path, false)
	}
}

func TestBackupsThatMakeNoSenseAreRefusedBeforeTheyBegin(t *testing.T) {
	p := openBackedUp(t)
	p.frames("part", 1)
	p.backUp()
	lock, err := os.OpenFile(filepath.Join(p.backups, "backup.lock"), os.O_RDWR, 0)
	p.must(err)
	p.must(syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	_, err = p.Backup(t.Context(), p.plan())
	p.refused(err, storage.Invalid)
	_, err = storage.Restore(t.Context(), storage.RestorePlan{Backup: p.backups, Folder: t.TempDir(), Progress: func(float64) {}})
	p.refused(err, storage.Invalid)
	p.must(lock.Close())

	link := filepath.Join(t.TempDir(), "link")
	p.must(os.Symlink(p.path, link))
	served := t.TempDir()
	p.must(os.WriteFile(filepath.Join(served, "server.lock"), nil, 0o640))
	for _, folder := range []string{p.path, link, served} {
		_, err = p.Backup(t.Context(), storage.BackupPlan{Folder: folder, Keep: 1, Progress: func(float64) {}})
		p.refused(err, storage.Invalid)
	}
	_, err = p.Backup(t.Context(), storage.BackupPlan{Folder: p.backups, Progress: func(float64) {}})
	p.refused(err, storage.Invalid)
	before, err := os.ReadFile(filepath.Join(p.path, "loupe.db"))
	p.must(err)
	if !bytes.HasPrefix(before, []byte("SQLite format 3")) {
		t.Error("the data folder changed")
	}
}
