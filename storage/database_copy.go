package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/mattn/go-sqlite3"
)

// backupStep is how many database pages are copied before others get a turn.
const backupStep = 512

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

// openSnapshot opens a database file that nobody writes, wherever it lies: it
// makes no files beside it.
func openSnapshot(path string) (*sql.DB, error) {
	return sql.Open("sqlite3", dsn(path, "ro")+"&immutable=1")
}

// check asks SQLite whether the database of a snapshot is sound.
func check(ctx context.Context, path string) error {
	db, err := openSnapshot(path)
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
