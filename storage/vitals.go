package storage

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Disk is the room of the data folder, in bytes.
type Disk struct {
	Free, Total   int64
	Database, WAL int64
}

// Disk measures the data folder's disk.
func (db *DB) Disk() (Disk, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(db.folder, &s); err != nil {
		return Disk{}, fmt.Errorf("measure the disk: %w", err)
	}
	d := Disk{Free: int64(s.Bavail) * s.Bsize, Total: int64(s.Blocks) * s.Bsize}
	for name, size := range map[string]*int64{databaseName: &d.Database, databaseName + "-wal": &d.WAL} {
		if info, err := os.Stat(filepath.Join(db.folder, name)); err == nil {
			*size = info.Size()
		}
	}
	return d, nil
}

// growthFrames is over how many of the newest frames the growth is measured.
const growthFrames = 10_000

// leastGrowth is the least history from which anything can be said.
const leastGrowth = 10 * time.Minute

// Growth is how many bytes of pictures and rows a second the newest frames took
// until now, in a database of so many bytes, less what the recipes' rules removed
// over the last day; 0 while there is too little history to say.
func (db *DB) Growth(ctx context.Context, database int64) (bytesPerSecond float64, err error) {
	var frames int64
	var pictures, since, last sql.NullInt64
	err = db.read.QueryRowContext(ctx, `SELECT count(*), sum(bytes), min(received_at), max(id) FROM (SELECT id, bytes, received_at FROM frames ORDER BY id DESC LIMIT ?)`, growthFrames).
		Scan(&frames, &pictures, &since, &last)
	if err != nil || frames == 0 {
		return 0, explain(err)
	}
	span := db.now().Sub(fromMillis(since.Int64))
	if span < leastGrowth {
		return 0, nil
	}
	var removed int64
	if err := db.read.QueryRowContext(ctx, `SELECT coalesce(sum(bytes), 0) FROM frames WHERE picture_removed_at >= ?`, millis(db.now().Add(-24*time.Hour))).Scan(&removed); err != nil {
		return 0, explain(err)
	}
	row := float64(database) / float64(last.Int64) // what a frame takes in the database, its share of everything else included
	kept := max(0, float64(pictures.Int64)/span.Seconds()-float64(removed)/(24*3600))
	return kept + row*float64(frames)/span.Seconds(), nil
}

// OldestWaiting is when the live frame arrived that waits longest for its
// verdict; zero when none waits.
func (db *DB) OldestWaiting(ctx context.Context) (time.Time, error) {
	var at sql.NullInt64
	err := db.read.QueryRowContext(ctx, `SELECT min(f.received_at) FROM frames f JOIN recipes r ON r.id = f.recipe_id
		WHERE f.state = 'pending' AND f.id > r.live_after AND r.champion_id IS NOT NULL AND r.archived_at IS NULL`).Scan(&at)
	return fromNullMillis(at), explain(err)
}
