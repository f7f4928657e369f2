package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/mattn/go-sqlite3"
)

// backupStep is how many database pages are copied before others get a turn.
const backupStep = 512

// Backup copies the database and every blob that it names into a folder, while
// everything goes on. Blobs that the folder has already are not copied again.
// The copy is checked before it takes the place of an earlier one; progress
// gets the share that is done.
func (db *DB) Backup(ctx context.Context, folder string, progress func(done float64)) error {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return fmt.Errorf("make the backup folder: %w", err)
	}
	fresh := filepath.Join(folder, databaseName+".new")
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("clear an unfinished backup: %w", err)
	}
	if err := db.copyDatabase(ctx, fresh); err != nil {
		return explain(fmt.Errorf("back up the database: %w", err))
	}
	keys, err := namedBlobs(ctx, fresh)
	if err != nil {
		return err
	}
	target, err := OpenBlobs(ctx, "", filepath.Join(folder, "blobs"))
	if err != nil {
		return err
	}
	err = copyBlobs(ctx, db.Blobs, target, keys, progress)
	if err = errors.Join(err, target.Close()); err != nil {
		return fmt.Errorf("back up the pictures and models: %w", err)
	}
	if err := check(ctx, fresh); err != nil {
		return fmt.Errorf("the backup is not sound, the earlier one is kept: %w", err)
	}
	if err := os.Rename(fresh, filepath.Join(folder, databaseName)); err != nil {
		return fmt.Errorf("finish the backup: %w", err)
	}
	return syncFolder(folder)
}

// copyDatabase uses SQLite's online backup, page by page. A transaction holds
// one state of the database all the while: without it, each write of the server
// would make the copy begin anew.
func (db *DB) copyDatabase(ctx context.Context, path string) error {
	to, err := sql.Open("sqlite3", "file:"+path+"?_journal_mode=DELETE&_synchronous=FULL")
	if err != nil {
		return err
	}
	defer to.Close()
	from, err := db.read.Conn(ctx)
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

// namedBlobs lists the blobs that a database names. A version's model file is
// not among them: it is rebuilt from its head.
func namedBlobs(ctx context.Context, database string) ([]string, error) {
	db, err := sql.Open("sqlite3", dsn(database, "ro"))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return list(ctx, db, func(s scanner) (string, error) {
		var key string
		return key, s.Scan(&key)
	}, `SELECT blob_key FROM frames UNION SELECT head_key FROM versions
		UNION SELECT v.model_key FROM versions v JOIN recipes r ON r.champion_id = v.id`)
}

// copyBlobs copies what the target lacks and checks each blob by its digest.
func copyBlobs(ctx context.Context, from, to *Blobs, keys []string, progress func(done float64)) error {
	for i, key := range keys {
		if err := ctx.Err(); err != nil {
			return err
		}
		there, err := to.Exists(ctx, key)
		if err != nil {
			return err
		}
		if there {
			data, err := to.Get(ctx, key)
			there = err == nil && filepath.Base(key) == Digest(data)
		}
		if !there {
			data, err := from.Get(ctx, key)
			if err != nil {
				return err
			}
			if filepath.Base(key) != Digest(data) {
				return fail(Conflict, "the blob %s is damaged: its content is not what its name says", key)
			}
			if err := to.Put(ctx, key, data); err != nil {
				return err
			}
		}
		progress(float64(i+1) / float64(len(keys)))
	}
	return nil
}

// check asks SQLite whether a database is sound.
func check(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite3", dsn(path, "ro"))
	if err != nil {
		return err
	}
	defer db.Close()
	var answer string
	if err := db.QueryRowContext(ctx, `PRAGMA integrity_check`).Scan(&answer); err != nil {
		return err
	}
	if answer != "ok" {
		return fail(Conflict, "SQLite says: %s", answer)
	}
	err = db.QueryRowContext(ctx, `SELECT "table" FROM pragma_foreign_key_check`).Scan(&answer)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		err = fail(Conflict, "rows of %s point at nothing", answer)
	}
	return err
}

// Restore makes a data folder of a backup. The folder must be empty or missing;
// nothing in the backup changes.
func Restore(ctx context.Context, backup, folder string, progress func(done float64)) error {
	source := filepath.Join(backup, databaseName)
	if _, err := os.Stat(source); err != nil {
		return fail(Invalid, "%s holds no backup: there is no %s in it", backup, databaseName)
	}
	if entries, err := os.ReadDir(folder); err == nil && len(entries) > 0 {
		return fail(Conflict, "%s is not empty: restore into a new folder", folder)
	}
	if err := check(ctx, source); err != nil {
		return fmt.Errorf("the backup is not sound: %w", err)
	}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	keys, err := namedBlobs(ctx, source)
	if err != nil {
		return err
	}
	from, err := OpenBlobs(ctx, "", filepath.Join(backup, "blobs"))
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := OpenBlobs(ctx, "", filepath.Join(folder, "blobs"))
	if err != nil {
		return err
	}
	defer to.Close()
	if err := copyBlobs(ctx, from, to, keys, progress); err != nil {
		return fmt.Errorf("restore the pictures and models: %w", err)
	}
	// The database comes last: without it the folder is no data folder.
	if err := copyFile(source, filepath.Join(folder, databaseName)); err != nil {
		return explain(fmt.Errorf("restore the database: %w", err))
	}
	return syncFolder(folder)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	return os.Rename(to+".new", to)
}
