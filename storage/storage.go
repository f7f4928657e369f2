// Package storage keeps everything that Loupe remembers: rows in SQLite and
// pictures and models as blobs. It knows neither pixels nor HTTP. Only exported
// functions open a transaction; each change commits with everything else that
// waits at that moment, in one fsync.
package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "github.com/mattn/go-sqlite3" // the database driver "sqlite3"
)

// Settings say where the data lies.
type Settings struct {
	Folder   string           // the data folder; made when missing
	BlobsURL string           // gocloud.dev/blob URL; empty means Folder/blobs
	Now      func() time.Time // the clock; nil means time.Now
	Beside   bool             // a server may be using the folder: its schema must stay as it is
}

// DB is an open data folder. It is safe for concurrent use.
type DB struct {
	Blobs *Blobs

	folder string
	now    func() time.Time
	read   *sql.DB
	writer *sql.DB
	queue  chan *change
	done   chan struct{}
	stop   context.CancelFunc

	deleting sync.Mutex // of blobs, one at a time

	mu        sync.RWMutex
	listeners []func(Event)
}

const databaseName = "loupe.db"

// Open opens the data folder, makes it where it is missing, and brings its
// schema up to date; before a migration of existing data it writes a backup
// beside the database. A folder of a newer Loupe, one whose restore has not
// ended and, beside a server, one of an older Loupe are Conflict errors: nothing
// was changed.
func Open(ctx context.Context, s Settings) (*DB, error) {
	if s.Now == nil {
		s.Now = time.Now
	}
	if _, there, err := unfinishedRestore(s.Folder); err != nil {
		return nil, err
	} else if there {
		return nil, fail(Conflict, "the restore into %s has not ended: run loupe restore again, it goes on where it stopped", s.Folder)
	}
	if err := os.MkdirAll(s.Folder, 0o750); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	path := filepath.Join(s.Folder, databaseName)
	writer, err := sql.Open("sqlite3", dsn(path, "rwc"))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	writer.SetMaxOpenConns(1)
	if err := bringUpToDate(ctx, writer, s); err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	read, err := sql.Open("sqlite3", dsn(path, "ro"))
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	read.SetMaxOpenConns(8)
	blobs, err := OpenBlobs(ctx, s.BlobsURL, filepath.Join(s.Folder, "blobs"))
	if err != nil {
		return nil, errors.Join(err, read.Close(), writer.Close())
	}
	loop, stop := context.WithCancel(context.Background())
	db := &DB{
		Blobs: blobs, folder: s.Folder, now: s.Now, read: read, writer: writer,
		queue: make(chan *change, 256), done: make(chan struct{}), stop: stop,
	}
	go db.commitLoop(loop)
	return db, nil
}

// dsn puts the pragmas where every pooled connection gets them, busy_timeout
// first: a PRAGMA by Exec would reach one connection only.
func dsn(path, mode string) string {
	q := url.Values{}
	q.Set("mode", mode)
	q.Set("_busy_timeout", "10000")
	q.Set("_journal_mode", "WAL")
	q.Set("_synchronous", "FULL")
	q.Set("_foreign_keys", "on")
	q.Set("_txlock", "immediate")
	q.Set("_cache_size", "-16000")
	q.Set("_stmt_cache_size", "100") // the same few queries for each frame
	if mode == "ro" {
		q.Del("_journal_mode")
		q.Set("_query_only", "on")
		q.Set("_txlock", "deferred")
		q.Set("_cache_size", "-4000")
	}
	return (&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: q.Encode()}).String()
}

// Close waits for the changes under way and closes the data folder.
func (db *DB) Close() error {
	db.stop()
	<-db.done
	return errors.Join(db.read.Close(), db.writer.Close(), db.Blobs.Close())
}

// Folder is the data folder's path.
func (db *DB) Folder() string { return db.folder }

// Now is the clock that stamps the rows.
func (db *DB) Now() time.Time { return db.now() }

// Ready reports whether the database answers and can be written.
func (db *DB) Ready(ctx context.Context) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO settings (key, value) VALUES ('ready', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, db.now().UnixMilli())
		return err
	})
}

func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func fromNullMillis(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return fromMillis(ms.Int64)
}

func nullID(id int64) sql.NullInt64 { return sql.NullInt64{Int64: id, Valid: id != 0} }
