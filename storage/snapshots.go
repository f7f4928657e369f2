package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A backup folder holds:
//
//	loupe-YYYYMMDD-HHMMSSZ.db         the database at that time, UTC: a snapshot
//	loupe-YYYYMMDD-HHMMSSZ.db.sha256  its digest, for sha256sum -c
//	blobs/                            the pictures and models of all snapshots
//	backup.lock                       held by the backup that is under way
//
// One from before there were dated snapshots has loupe.db, which counts as one.

const (
	snapshotLayout = "loupe-20060102-150405Z" + databaseSuffix
	databaseSuffix = ".db"
	digestSuffix   = ".sha256"
	freshSuffix    = ".new" // of what is not finished
	backupLock     = "backup.lock"
	// ServerLock is the file in a data folder that a server holds locked.
	ServerLock = "server.lock"
)

var snapshotName = regexp.MustCompile(`^loupe-\d{8}-\d{6}Z\.db$`)

// Snapshot is the database of one backup.
type Snapshot struct {
	Name string    // of its file
	At   time.Time // of the state that it holds
}

// Snapshots lists those in a backup folder, oldest first.
func Snapshots(folder string) ([]Snapshot, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("list the backups: %w", err)
	}
	var all []Snapshot
	for _, e := range entries {
		if at, err := time.Parse(snapshotLayout, e.Name()); err == nil && snapshotName.MatchString(e.Name()) {
			all = append(all, Snapshot{e.Name(), at})
		} else if e.Name() == databaseName {
			info, err := e.Info()
			if err != nil {
				return nil, fmt.Errorf("list the backups: %w", err)
			}
			all = append(all, Snapshot{e.Name(), info.ModTime().UTC()})
		}
	}
	slices.SortFunc(all, func(a, b Snapshot) int { return a.At.Compare(b.At) })
	return all, nil
}

// instants are the ways to say when, each with how long the moment lasts.
var instants = []struct {
	layout string
	lasts  time.Duration
}{
	{time.RFC3339, time.Second}, {"2006-01-02T15:04:05", time.Second}, {"2006-01-02T15:04Z07:00", time.Minute},
	{"2006-01-02T15:04", time.Minute}, {"2006-01-02", 24 * time.Hour},
}

// ChooseSnapshot finds the snapshot of a name, or the newest that is not after a
// time (of this machine's zone unless it names one); the newest for "". An
// Invalid error lists what there is.
func ChooseSnapshot(all []Snapshot, want string) (Snapshot, error) {
	if len(all) == 0 {
		return Snapshot{}, fail(Invalid, "there is no backup: neither a loupe-….db nor a %s", databaseName)
	}
	if want == "" {
		return all[len(all)-1], nil
	}
	for _, s := range all {
		if want == s.Name || want+databaseSuffix == s.Name {
			return s, nil
		}
	}
	for _, i := range instants {
		at, err := time.ParseInLocation(i.layout, strings.Replace(want, " ", "T", 1), time.Local)
		if err != nil {
			continue
		}
		for _, s := range slices.Backward(all) {
			if s.At.Before(at.Add(i.lasts)) {
				return s, nil
			}
		}
		return Snapshot{}, fail(Invalid, "there is no snapshot from before %s; there are: %s", want, namesOf(all))
	}
	return Snapshot{}, fail(Invalid, "%q is neither a snapshot nor a time such as 2026-11-25T02:00; there are: %s", want, namesOf(all))
}

func namesOf(all []Snapshot) string {
	var list []string
	for _, s := range all {
		list = append(list, s.Name)
	}
	return strings.Join(list, ", ")
}

// lockBackup keeps two backups from writing into one folder, and a restore from
// reading what a backup removes.
func lockBackup(folder string, exclusive bool) (unlock func() error, err error) {
	flags, how := os.O_RDONLY, syscall.LOCK_SH
	if exclusive {
		flags, how = os.O_RDWR|os.O_CREATE, syscall.LOCK_EX
	}
	f, err := os.OpenFile(filepath.Join(folder, backupLock), flags, 0o640)
	if !exclusive && errors.Is(err, os.ErrNotExist) {
		return func() error { return nil }, nil // from before there was a lock
	}
	if err != nil {
		return nil, fmt.Errorf("lock the backup folder: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		what := "a backup into"
		if exclusive {
			what = "another backup into, or a restore from,"
		}
		return nil, errors.Join(fail(Invalid, "%s %s is under way: try again when it has ended", what, folder), f.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the backup folder: %w", err), f.Close())
	}
	return f.Close, nil
}

// clearUnfinished removes the databases that an interrupted backup left.
func clearUnfinished(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("clear an unfinished backup: %w", err)
	}
	there := map[string]bool{}
	for _, e := range entries {
		there[e.Name()] = true
	}
	for name := range there {
		database, digest := strings.CutSuffix(name, digestSuffix)
		fresh := strings.HasPrefix(name, "loupe") && strings.Contains(name, databaseSuffix+freshSuffix)
		if fresh || digest && snapshotName.MatchString(database) && !there[database] {
			if err := os.Remove(filepath.Join(folder, name)); err != nil {
				return fmt.Errorf("clear an unfinished backup: %w", err)
			}
		}
	}
	return nil
}

// removeSurplus removes the oldest snapshots but so many, and never the new one,
// whatever the clock said. It gives those that are left.
func removeSurplus(folder, fresh string, keep int) (left []Snapshot, removed int, err error) {
	all, err := Snapshots(folder)
	if err != nil {
		return nil, 0, err
	}
	for _, s := range all {
		if len(all)-removed <= keep || s.Name == fresh {
			left = append(left, s)
			continue
		}
		for _, suffix := range []string{"", digestSuffix, "-wal", "-shm"} {
			if err := os.Remove(filepath.Join(folder, s.Name+suffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, removed, fmt.Errorf("remove the oldest backup: %w", err)
			}
		}
		removed++
	}
	return left, removed, syncFolder(folder)
}

// checkDigest reads a snapshot and compares it with the digest that was written
// beside it. One without a digest passes.
func checkDigest(folder, name string) error {
	text, err := os.ReadFile(filepath.Join(folder, name+digestSuffix))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	digest, err := digestOf(filepath.Join(folder, name))
	if err == nil && !strings.HasPrefix(string(text), digest+" ") {
		err = fail(Conflict, "%s is damaged: it is not what was written", name)
	}
	return err
}
