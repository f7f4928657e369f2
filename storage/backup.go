package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/mattn/go-sqlite3"
)

// backupStep is how many database pages are copied before others get a turn.
const backupStep = 512

// BackupPlan says what a backup is to do.
type BackupPlan struct {
	Folder    string
	Keep      int  // how many snapshots stay, at least 1
	VerifyAll bool // read everything that the folder has, not only what is new
	Progress  func(done float64)
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

// writeDatabase copies a database that others may be writing into a file of its
// own, checks the copy and gives the hex SHA-256 of what the disk has of it.
func writeDatabase(ctx context.Context, from *sql.DB, path string) (digest string, err error) {
	if err := copyDatabase(ctx, from, path); err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0o640)
	if err != nil {
		return "", err
	}
	digest, err = digestBack(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	if err := check(ctx, path); err != nil {
		return "", fmt.Errorf("the copy is not sound: %w", err)
	}
	return digest, nil
}

// copyDatabase uses SQLite's online backup, page by page. A transaction holds
// one state of the database all the while: without it, each write of the server
// would make the copy begin anew.
func copyDatabase(ctx context.Context, source *sql.DB, path string) error {
	to, err := sql.Open("sqlite3", "file:"+url.PathEscape(path)+"?_journal_mode=DELETE&_synchronous=FULL")
	if err != nil {
		return err
	}
	defer to.Close()
	from, err := source.Conn(ctx)
	if err != nil {
		return err
	}
	defer from.Close()
	if _, err := from.ExecContext(ctx, `BEGIN; SELECT count(*) FROM settings`); err != nil {
		return err
	}
	defer from.ExecContext(context.WithoutCancel(ctx), `ROLLBACK`)
	into, err := to.Conn(ctx)
	if err != nil {
		return err
	}
	defer into.Close()
	if err := copyPages(ctx, from, into); err != nil {
		return err
	}
	// The copy says that it has a write-ahead log, as the original has: a file
	// that stands for itself must not.
	_, err = into.ExecContext(ctx, `PRAGMA journal_mode = DELETE`)
	return err
}

func copyPages(ctx context.Context, from, into *sql.Conn) error {
	return into.Raw(func(dst any) error {
		return from.Raw(func(src any) error {
			b, err := dst.(*sqlite3.SQLiteConn).Backup("main", src.(*sqlite3.SQLiteConn), "main")
			if err != nil {
				return err
			}
			for done := false; !done; {
				if err := ctx.Err(); err != nil {
					return errors.Join(err, b.Finish())
				}
				if done, err = b.Step(backupStep); err != nil {
					return errors.Join(err, b.Finish())
				}
			}
			return b.Finish()
		})
	})
}

// needRoom refuses to begin what the disk of a folder has no room for.
func needRoom(folder string, bytes int64) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return fmt.Errorf("measure the disk: %w", err)
	}
	if free := int64(s.Bavail) * s.Bsize; free < bytes {
		return fail(Full, "%d MB are needed in %s and %d MB are free", bytes>>20+1, folder, free>>20)
	}
	return nil
}

// tellFull says in other words that a disk is full, with the cause.
func tellFull(err error, message string) error {
	var full *Error
	if !errors.As(err, &full) || full.Code != Full {
		return err
	}
	cause := full.Err
	if cause == nil {
		cause = errors.New(full.Message)
	}
	return &Error{Code: Full, Message: message, Err: cause}
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
