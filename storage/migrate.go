package storage

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// keptMigrations is how many databases from before a migration stay.
const keptMigrations = 3

const beforeMigration = "before-migration-"

// migrationRoom is what a migration may need at least: as much again as the copy
// of the database, for new indexes and the write-ahead log, and this.
const migrationRoom = 64 << 20

// bringUpToDate migrates the schema to the newest, or refuses to.
func bringUpToDate(ctx context.Context, db *sql.DB, s Settings) error {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return err
	}
	m, err := newMigrator(db, s.Folder, files)
	if err != nil {
		return err
	}
	return m.run(ctx, s.Now(), s.Beside)
}

type migrator struct {
	db     *sql.DB
	goose  *goose.Provider
	folder string
	newest int64 // schema that the program knows
}

func newMigrator(db *sql.DB, folder string, files fs.FS) (*migrator, error) {
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	m := &migrator{db: db, goose: p, folder: folder}
	for _, one := range p.ListSources() {
		m.newest = max(m.newest, one.Version)
	}
	return m, nil
}

// run migrates, unless the schema is up to date. Data that is there already is
// first copied to backups/before-migration-<time>.db. When a migration fails the
// data are as they were.
func (m *migrator) run(ctx context.Context, now time.Time, beside bool) error {
	version, err := schemaOf(ctx, m.db)
	switch {
	case err != nil:
		return explain(fmt.Errorf("read the schema's version: %w", err))
	case version == m.newest:
		return nil
	case version > m.newest:
		return fail(Conflict, "the data folder was written by a newer Loupe (its schema is %d, this one knows %d): use that Loupe, or restore a backup from before", version, m.newest)
	case version > 0 && beside:
		return fail(Conflict, "the data folder is of an older Loupe (its schema is %d, this one needs %d) that may be using it: use that Loupe, or start loupe serve of this one, which brings it up to date after a backup", version, m.newest)
	case version == 0:
		if _, err := m.goose.Up(ctx); err != nil {
			return explain(fmt.Errorf("make the database: %w", err))
		}
		return nil
	}
	path, err := m.backUp(ctx, now)
	if err != nil {
		return tellFull(err, fmt.Sprintf("there is no room in %s to back the data up before they are brought up to date: free some space and start again; nothing was changed", m.folder))
	}
	if _, err := m.goose.Up(ctx); err != nil {
		return m.undo(ctx, version, path, err)
	}
	return m.tidy()
}

// schemaOf is the version of a database's schema, 0 for an empty one. It writes
// nothing, unlike goose's own question.
func schemaOf(ctx context.Context, db *sql.DB) (version int64, err error) {
	var there bool
	err = db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'goose_db_version')`).Scan(&there)
	if err == nil && there {
		err = db.QueryRowContext(ctx, `SELECT ifnull(max(version_id), 0) FROM goose_db_version`).Scan(&version)
	}
	return version, err
}

// backUp writes and checks a copy of the database.
func (m *migrator) backUp(ctx context.Context, now time.Time) (path string, err error) {
	dir := filepath.Join(m.folder, "backups")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", explain(fmt.Errorf("make the backup folder: %w", err))
	}
	if err := m.clear(dir); err != nil {
		return "", err
	}
	var pages, size int64
	err = m.db.QueryRowContext(ctx, `SELECT page_count, page_size FROM pragma_page_count, pragma_page_size`).Scan(&pages, &size)
	if err != nil {
		return "", explain(fmt.Errorf("measure the database: %w", err))
	}
	if err := needRoom(dir, 2*pages*size+migrationRoom); err != nil {
		return "", err
	}
	path = filepath.Join(dir, beforeMigration+now.UTC().Format("20060102T150405.000")+databaseSuffix)
	if _, err := writeDatabase(ctx, m.db, path+freshSuffix); err != nil {
		return "", explain(fmt.Errorf("back up before the migration: %w", err))
	}
	if err := errors.Join(os.Rename(path+freshSuffix, path), syncFolder(dir)); err != nil {
		return "", fmt.Errorf("back up before the migration: %w", err)
	}
	return path, nil
}

// undo puts the database back as it was when a migration failed after others had
// been committed, so that the Loupe from before can go on with it.
func (m *migrator) undo(ctx context.Context, version int64, path string, cause error) error {
	now, err := schemaOf(ctx, m.db)
	if err == nil && now != version {
		err = m.putBack(ctx, path)
	}
	if err != nil {
		return fmt.Errorf("bring the data up to date: %w; they could not be put back (%w): put %s in the place of %s and use the Loupe from before", cause, err, path, filepath.Join(m.folder, databaseName))
	}
	return fmt.Errorf("the data cannot be brought up to date and are as they were (schema %d): use the Loupe from before; a copy is in %s: %w", version, path, explain(cause))
}

// putBack copies the pages of a database over this one, in one transaction of
// SQLite's.
func (m *migrator) putBack(ctx context.Context, path string) error {
	saved, err := openSnapshot(path)
	if err != nil {
		return err
	}
	defer saved.Close()
	from, err := saved.Conn(ctx)
	if err != nil {
		return err
	}
	defer from.Close()
	into, err := m.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer into.Close()
	return copyPages(ctx, from, into)
}

// clear removes what an interrupted copy left.
func (m *migrator) clear(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, beforeMigration+"*"+databaseSuffix+freshSuffix+"*"))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// tidy keeps the newest copies only.
func (m *migrator) tidy() error {
	all, err := filepath.Glob(filepath.Join(m.folder, "backups", beforeMigration+"*"+databaseSuffix))
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b string) int { return strings.Compare(b, a) })
	for _, path := range all[min(len(all), keptMigrations):] {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("remove an old copy from before a migration: %w", err)
		}
	}
	return nil
}
