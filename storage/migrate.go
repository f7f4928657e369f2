package storage

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrate brings the schema up to date. Data that is already there is first
// copied to backups/before-migration-<time>.db.
func migrate(ctx context.Context, db *sql.DB, folder string, now time.Time) error {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	version, err := p.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	pending, err := p.HasPending(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if newest := p.ListSources(); len(newest) > 0 && version > newest[len(newest)-1].Version {
		return fail(Conflict, "the data folder was written by a newer Loupe (schema %d): start that one, or restore a backup", version)
	}
	if !pending {
		return nil
	}
	if version > 0 {
		if err := backupBeforeMigration(ctx, db, folder, now); err != nil {
			return err
		}
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}

func backupBeforeMigration(ctx context.Context, db *sql.DB, folder string, now time.Time) error {
	dir := filepath.Join(folder, "backups")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("make the backup folder: %w", err)
	}
	path := filepath.Join(dir, "before-migration-"+now.UTC().Format("20060102T150405.000")+".db")
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", path); err != nil {
		return fmt.Errorf("back up before the migration: %w", err)
	}
	return nil
}
