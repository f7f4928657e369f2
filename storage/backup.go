package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// BackupPlan says what a backup is to do.
type BackupPlan struct {
	Folder    string
	Keep      int                // how many snapshots stay, at least 1
	VerifyAll bool               // read everything that the folder has, not only what is new
	Progress  func(done float64) // gets the share that is done; may be nil
}

// Backup writes a snapshot of the database and every blob that it names into a
// folder, while everything goes on. What is written is read back and checked;
// blobs that the folder has already are checked by their size, and copied anew
// where they are damaged. Then the oldest snapshots go, and the blobs that no
// snapshot names any more.
//
// Pictures that the data folder itself has lost do not keep the rest from being
// saved: they are listed in the record, without an error. An Invalid error means
// that nothing was begun.
func (db *DB) Backup(ctx context.Context, p BackupPlan) (BackupRecord, error) {
	began := time.Now()
	r := BackupRecord{Folder: p.Folder}
	unlock, err := db.beginBackup(p)
	if err != nil {
		return r, err
	}
	err = db.backup(ctx, p, &r)
	r.At, r.Seconds = db.now(), time.Since(began).Seconds()
	err = tellFull(err, fmt.Sprintf("the disk of %s is full: free some space there, or keep fewer snapshots; the earlier ones are kept", p.Folder))
	if errors.Is(err, context.Canceled) {
		err = fmt.Errorf("the backup was interrupted, the earlier ones are kept; the next one goes on where it stopped: %w", err)
	}
	return r, errors.Join(err, unlock())
}

// beginBackup makes the folder ready and locks it.
func (db *DB) beginBackup(p BackupPlan) (unlock func() error, err error) {
	if p.Keep < 1 {
		return nil, fail(Invalid, "at least one snapshot must be kept, not %d", p.Keep)
	}
	blobs := filepath.Join(p.Folder, "blobs")
	if same(p.Folder, db.folder) || db.Blobs.Folder() != "" && same(blobs, db.Blobs.Folder()) {
		return nil, fail(Invalid, "%s is the data folder itself: name a folder on another disk", p.Folder)
	}
	if _, err := os.Stat(filepath.Join(p.Folder, ServerLock)); err == nil {
		return nil, fail(Invalid, "%s is a data folder that a server has used: name another folder for the backup", p.Folder)
	}
	if err := os.MkdirAll(blobs, 0o750); err != nil {
		return nil, fail(Invalid, "cannot make the backup folder: %v", err)
	}
	if unlock, err = lockBackup(p.Folder, true); err != nil {
		return nil, err
	}
	if err := clearUnfinished(p.Folder); err != nil {
		return nil, errors.Join(err, unlock())
	}
	return unlock, nil
}

// backup does the work in a folder that is locked. The order makes it safe to
// be cut off anywhere: blobs, then the snapshot that names them; then old
// snapshots, then the blobs that only they named.
func (db *DB) backup(ctx context.Context, p BackupPlan, r *BackupRecord) (err error) {
	disk, err := db.Disk()
	if err != nil {
		return err
	}
	if err := needRoom(p.Folder, disk.Database); err != nil {
		return err
	}
	at := db.now().UTC()
	r.Snapshot = at.Format(snapshotLayout)
	for taken(p.Folder, r.Snapshot) {
		at = at.Add(time.Second)
		r.Snapshot = at.Format(snapshotLayout)
	}
	path := filepath.Join(p.Folder, r.Snapshot)
	defer func() {
		if err != nil {
			err = errors.Join(err, clearUnfinished(p.Folder))
		}
	}()
	digest, err := writeDatabase(ctx, db.read, path+freshSuffix)
	if err != nil {
		return explain(fmt.Errorf("back up the database: %w", err))
	}
	unnamed, err := db.backupBlobs(ctx, p, path+freshSuffix, r)
	if err != nil {
		return fmt.Errorf("back up the pictures and models: %w", err)
	}
	if _, err := writeAndRead(path+digestSuffix, strings.NewReader(digest+"  "+r.Snapshot+"\n")); err != nil {
		return explain(fmt.Errorf("finish the backup: %w", err))
	}
	if err := errors.Join(os.Rename(path+freshSuffix, path), syncFolder(p.Folder)); err != nil {
		return fmt.Errorf("finish the backup: %w", err)
	}
	if info, err := os.Stat(path); err == nil {
		r.Database = info.Size()
	}
	return tidy(ctx, p, unnamed, r)
}

// backupBlobs brings the folder's blobs up to date and gives those that the new
// snapshot does not name.
func (db *DB) backupBlobs(ctx context.Context, p BackupPlan, snapshot string, r *BackupRecord) (unnamed []string, err error) {
	n, err := openNames(ctx, snapshot)
	if err != nil {
		return nil, err
	}
	defer n.Close()
	before := lastNames(ctx, p.Folder)
	if before != nil {
		defer before.Close()
	}
	f := filler{
		before: before, from: db.Blobs, to: shelf{filepath.Join(p.Folder, "blobs")}, all: p.VerifyAll, tell: p.Progress,
		// The database of now: what was removed on purpose meanwhile is not lost.
		owners: func(ctx context.Context, key string) (frames, versions []int64, err error) {
			return owners(ctx, db.read, key)
		},
	}
	err = f.fill(ctx, n)
	r.Tally, r.Losses = f.tally, f.losses()
	r.LostCount = len(r.Frames) + len(r.Versions)
	return f.unnamed, err
}

// lastNames are those of the newest snapshot, nil where there is none to read.
func lastNames(ctx context.Context, folder string) *names {
	all, err := Snapshots(folder)
	if err != nil || len(all) == 0 {
		return nil
	}
	n, err := openNames(ctx, filepath.Join(folder, all[len(all)-1].Name))
	if err != nil {
		return nil
	}
	if _, err := n.has(ctx, ""); err != nil {
		_ = n.Close()
		return nil
	}
	return n
}

// tidy removes what is no longer kept. It looks at all that lies there, so that
// it also ends what an earlier one left undone.
func tidy(ctx context.Context, p BackupPlan, others []string, r *BackupRecord) error {
	kept, removed, err := removeSurplus(p.Folder, r.Snapshot, p.Keep)
	if err != nil {
		return err
	}
	r.Snapshots, r.Removed = len(kept), removed
	unnamed := others
	for _, s := range kept {
		if s.Name == r.Snapshot {
			continue
		}
		if p.VerifyAll {
			err = checkDigest(p.Folder, s.Name)
		}
		if err == nil && len(unnamed) > 0 {
			unnamed, err = unnamedBy(ctx, filepath.Join(p.Folder, s.Name), unnamed)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			// Its pictures are not known, so none may go.
			r.Damaged, unnamed, err = append(r.Damaged, s.Name), nil, nil
		}
	}
	blobs := shelf{filepath.Join(p.Folder, "blobs")}
	if r.RemovedBlobs, err = blobs.remove(unnamed); err != nil || !p.VerifyAll {
		return err
	}
	return verifyOthers(ctx, blobs, others, unnamed, r)
}

// verifyOthers reads the blobs that only older snapshots name: those of others
// that were not removed.
func verifyOthers(ctx context.Context, blobs shelf, others, removed []string, r *BackupRecord) error {
	gone := map[string]bool{}
	for _, key := range removed {
		gone[key] = true
	}
	for _, key := range others {
		if gone[key] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		sound, err := blobs.sound(key)
		switch {
		case err != nil:
			return explain(err)
		case sound:
			r.Verified++
		default:
			r.Damaged = append(r.Damaged, "blobs/"+key)
		}
	}
	return nil
}

func unnamedBy(ctx context.Context, snapshot string, keys []string) ([]string, error) {
	n, err := openNames(ctx, snapshot)
	if err != nil {
		return nil, err
	}
	defer n.Close()
	return n.without(ctx, keys)
}

func taken(folder, name string) bool {
	_, err := os.Lstat(filepath.Join(folder, name))
	return err == nil
}

// same reports whether two paths lead to one folder.
func same(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
