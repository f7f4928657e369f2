package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// restoreMark is in a data folder whose restore has not ended: nothing opens it.
const restoreMark = "restore.unfinished"

// RestorePlan says what to restore.
type RestorePlan struct {
	Backup   string             // the backup folder
	Snapshot string             // a name or a time, as for ChooseSnapshot; "" for the newest
	Folder   string             // the data folder to make
	Progress func(done float64) // gets the share that is done; may be nil
}

// RestoreRecord says what was restored.
type RestoreRecord struct {
	Snapshot Snapshot
	Tally
	Losses // pictures and models that the backup does not have whole
}

// Restore makes a data folder of a snapshot. The folder must be empty or
// missing, or hold an interrupted restore of the same snapshot, which goes on.
// Each blob is verified, and the database once more when it is there. Nothing in
// the backup changes. Blobs that the backup has lost are left out and listed in
// the record. An Invalid error means that nothing was begun.
func Restore(ctx context.Context, p RestorePlan) (r RestoreRecord, err error) {
	if _, err := os.Stat(filepath.Join(p.Backup, ServerLock)); err == nil {
		return r, fail(Invalid, "%s is a data folder that a server has used, not a backup: serve it as it is", p.Backup)
	}
	all, err := Snapshots(p.Backup)
	if err != nil {
		return r, err
	}
	if r.Snapshot, err = ChooseSnapshot(all, p.Snapshot); err != nil {
		return r, fmt.Errorf("%s: %w", p.Backup, err)
	}
	unlock, err := lockBackup(p.Backup, false)
	if err != nil {
		return r, err
	}
	err = restore(ctx, p, &r)
	err = tellFull(err, fmt.Sprintf("the disk of %s is full: free some space and run the same command again, it goes on where it stopped", p.Folder))
	if errors.Is(err, context.Canceled) {
		err = fmt.Errorf("the restore was interrupted: run the same command again, it goes on where it stopped: %w", err)
	}
	return r, errors.Join(err, unlock())
}

func restore(ctx context.Context, p RestorePlan, r *RestoreRecord) error {
	name := r.Snapshot.Name
	source := filepath.Join(p.Backup, name)
	resumed, err := restorable(p.Folder, name)
	if err != nil {
		return err
	}
	if err := checkDigest(p.Backup, name); err != nil {
		return fmt.Errorf("the backup is not sound, try an older snapshot with --at: %w", err)
	}
	if err := check(ctx, source); err != nil {
		return fmt.Errorf("the backup is not sound, try an older snapshot with --at: %w", err)
	}
	n, err := openNames(ctx, source)
	if err != nil {
		return err
	}
	defer n.Close()
	if err := os.MkdirAll(p.Folder, 0o750); err != nil {
		return fail(Invalid, "cannot make the data folder: %v", err)
	}
	if !resumed {
		if err := roomFor(ctx, p.Folder, source, n); err != nil {
			return err
		}
	}
	mark := filepath.Join(p.Folder, restoreMark)
	_, err = writeAndRead(mark, strings.NewReader(name+"\n"))
	if err = errors.Join(err, syncFolder(p.Folder)); err != nil {
		return explain(fmt.Errorf("make the data folder: %w", err))
	}
	if err := restoreBlobs(ctx, p, n, r); err != nil {
		return fmt.Errorf("restore the pictures and models: %w", err)
	}
	if err := restoreDatabase(ctx, source, filepath.Join(p.Folder, databaseName)); err != nil {
		return explain(fmt.Errorf("restore the database: %w", err))
	}
	// Only now is it a data folder.
	if err := errors.Join(os.Remove(mark), syncFolder(p.Folder)); err != nil {
		return fmt.Errorf("finish the restore: %w", err)
	}
	return nil
}

// restorable refuses a folder that holds something else; resumed says that a
// restore of the snapshot was begun in it.
func restorable(folder, snapshot string) (resumed bool, err error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return false, nil
	}
	if err != nil {
		return false, fail(Invalid, "cannot read the data folder: %v", err)
	}
	begun, there, err := unfinishedRestore(folder)
	switch {
	case err != nil:
		return false, err
	case !there:
		return false, fail(Invalid, "%s is not empty: restore into a new folder", folder)
	case begun != snapshot && begun != "":
		return false, fail(Invalid, "%s holds an unfinished restore of %s: go on with --at %s, or restore into a new folder", folder, begun, begun)
	}
	return true, nil
}

// unfinishedRestore says whether a restore into a folder has not ended, and of
// which snapshot, "" where it was cut off at its very beginning.
func unfinishedRestore(folder string) (snapshot string, there bool, err error) {
	text, err := os.ReadFile(filepath.Join(folder, restoreMark))
	if errors.Is(err, os.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("look for an unfinished restore: %w", err)
	}
	return strings.TrimSpace(string(text)), true, nil
}

// roomFor refuses to begin where the disk has no room for a snapshot and its blobs.
func roomFor(ctx context.Context, folder, snapshot string, n *names) error {
	info, err := os.Stat(snapshot)
	if err != nil {
		return err
	}
	_, bytes, err := n.sum(ctx)
	if err != nil {
		return err
	}
	return needRoom(folder, info.Size()+bytes)
}

func restoreBlobs(ctx context.Context, p RestorePlan, n *names, r *RestoreRecord) error {
	from, err := OpenBlobs(ctx, "", filepath.Join(p.Backup, "blobs"))
	if err != nil {
		return err
	}
	to, err := filepath.Abs(filepath.Join(p.Folder, "blobs"))
	if err == nil {
		err = os.MkdirAll(to, 0o750)
	}
	if err != nil {
		return errors.Join(err, from.Close())
	}
	f := filler{
		from: from, to: shelf{to}, all: true, tell: p.Progress,
		owners: func(ctx context.Context, key string) (frames, versions []int64, err error) {
			return owners(ctx, n.db, key)
		},
	}
	err = f.fill(ctx, n)
	r.Tally, r.Losses = f.tally, f.losses()
	return errors.Join(err, from.Close())
}

// restoreDatabase copies the database, compares what the disk has of it with the
// snapshot, and asks SQLite.
func restoreDatabase(ctx context.Context, from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	digest, err := writeAndRead(to, in)
	if err != nil {
		return err
	}
	want, err := digestOf(from)
	if err != nil {
		return err
	}
	if digest != want {
		return fail(Conflict, "the disk does not give back what was written to %s: replace it", to)
	}
	return check(ctx, to)
}
