package storage

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"
)

// steps are migrations of which each adds a table, and bad is one that fails.
func steps(n int, bad bool) fstest.MapFS {
	files := fstest.MapFS{}
	for i := range n {
		text := fmt.Sprintf("-- +goose Up\nCREATE TABLE step%d (id INTEGER);\n", i+1)
		if i == 0 {
			text += "CREATE TABLE settings (key TEXT, value TEXT);\n"
		}
		if bad && i == n-1 {
			text = "-- +goose Up\nCREATE TABLE late (id INTEGER);\nINSERT INTO nothing VALUES (1);\n"
		}
		files[fmt.Sprintf("%05d_step.sql", i+1)] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

type oldFolder struct {
	t      *testing.T
	path   string
	db     *sql.DB
	ticks  int
	before func() []string // copies from before a migration
}

func openOld(t *testing.T) *oldFolder { return openOldIn(t, t.TempDir()) }

func openOldIn(t *testing.T, folder string) *oldFolder {
	t.Helper()
	f := &oldFolder{t: t, path: folder}
	db, err := sql.Open("sqlite3", dsn(filepath.Join(f.path, databaseName), "rwc"))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	f.db = db
	f.before = func() []string {
		all, _ := filepath.Glob(filepath.Join(f.path, "backups", "*"))
		return all
	}
	return f
}

func (f *oldFolder) migrate(files fstest.MapFS, beside bool) error {
	f.t.Helper()
	m, err := newMigrator(f.db, f.path, files)
	if err != nil {
		f.t.Fatal(err)
	}
	f.ticks++
	return m.run(f.t.Context(), time.Unix(int64(1_800_000_000+f.ticks), 0), beside)
}

func (f *oldFolder) is(schema int64) {
	f.t.Helper()
	if got, err := schemaOf(context.Background(), f.db); err != nil || got != schema {
		f.t.Errorf("the schema is %d, %v; want %d", got, err, schema)
	}
}

func TestEachMigrationIsPrecededByACheckedCopyOfWhichThreeStay(t *testing.T) {
	f := openOld(t)
	if err := f.migrate(steps(1, false), false); err != nil || len(f.before()) != 0 {
		t.Fatalf("a new folder: %v, %v", err, f.before())
	}
	for n := 2; n <= 6; n++ {
		if err := f.migrate(steps(n, false), false); err != nil {
			t.Fatal(err)
		}
		f.is(int64(n))
	}
	all := f.before()
	if len(all) != keptMigrations {
		t.Fatalf("%v", all)
	}
	for i, path := range all { // oldest first
		if err := check(t.Context(), path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		db, err := openSnapshot(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := schemaOf(t.Context(), db); err != nil || got != int64(3+i) {
			t.Errorf("%s has schema %d, %v", path, got, err)
		}
		db.Close()
	}
	if err := f.migrate(steps(6, false), false); err != nil || len(f.before()) != keptMigrations {
		t.Errorf("up to date: %v, %v", err, f.before())
	}
}

func TestAFailedMigrationLeavesTheDataAsTheyWere(t *testing.T) {
	f := openOld(t)
	if err := f.migrate(steps(1, false), false); err != nil {
		t.Fatal(err)
	}
	if _, err := f.db.Exec(`INSERT INTO settings VALUES ('kept', 'yes')`); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{2, 4} { // at once, and after two that were committed
		err := f.migrate(steps(n, true), false)
		if err == nil || !strings.Contains(err.Error(), "use the Loupe from before") || !strings.Contains(err.Error(), "as they were (schema 1)") {
			t.Errorf("%d steps: %v", n, err)
		}
		f.is(1)
		var value, mode string
		if err := f.db.QueryRow(`SELECT value, journal_mode FROM settings, pragma_journal_mode`).Scan(&value, &mode); err != nil || value != "yes" || mode != "wal" {
			t.Errorf("%q in mode %s, %v", value, mode, err)
		}
		var tables int
		if err := f.db.QueryRow(`SELECT count(*) FROM sqlite_schema WHERE name IN ('step2', 'step3', 'late')`).Scan(&tables); err != nil || tables != 0 {
			t.Errorf("%d tables of the failed migrations, %v", tables, err)
		}
	}
	if err := f.migrate(steps(3, false), false); err != nil {
		t.Errorf("a sound migration afterwards: %v", err)
	}
	f.is(3)
}

func TestBesideAServerASchemaStaysAsItIs(t *testing.T) {
	f := openOld(t)
	if err := f.migrate(steps(2, false), true); err != nil {
		t.Fatalf("a new folder: %v", err)
	}
	for n, says := range map[int]string{1: "newer Loupe", 3: "older Loupe"} {
		if err := f.migrate(steps(n, false), true); CodeOf(err) != Conflict || !strings.Contains(err.Error(), says) {
			t.Errorf("a program of schema %d: %v", n, err)
		}
		f.is(2)
	}
	if err := f.migrate(steps(1, false), false); CodeOf(err) != Conflict {
		t.Errorf("an older server: %v", err)
	}
	if len(f.before()) != 0 {
		t.Errorf("copies: %v", f.before())
	}
}

func TestWithoutRoomForTheCopyNothingIsMigrated(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("cannot mount a small disk: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	f := openOldIn(t, disk)
	if err := f.migrate(steps(1, false), false); err != nil {
		t.Fatal(err)
	}
	if err := f.migrate(steps(2, false), false); CodeOf(err) != Full || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("%v", err)
	}
	f.is(1)
	if len(f.before()) != 0 {
		t.Errorf("copies: %v", f.before())
	}
}
