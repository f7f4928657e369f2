package storage_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"loupe/storage"
)

func TestRecordsOfChangesCannotBeChanged(t *testing.T) {
	f := open(t)
	r := f.recipe("caps")
	fr := f.frame(f.station(r, "press"), "1")
	f.label(fr.ID, "dent", "ada")
	_, err := f.Promote(t.Context(), "ada", f.version(r).ID, "")
	f.must(err)
	db := f.raw()
	for _, table := range []string{"audit", "corrections", "promotions"} {
		var n int
		f.must(db.QueryRow("SELECT count(*) FROM " + table).Scan(&n))
		if n == 0 {
			t.Fatalf("%s is empty: that tests nothing", table)
		}
		for _, query := range []string{"UPDATE %s SET id = id + 100", "DELETE FROM %s", "INSERT OR REPLACE INTO %[1]s SELECT * FROM %[1]s"} {
			if _, err := db.Exec(fmt.Sprintf(query, table)); err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("%s: %v", fmt.Sprintf(query, table), err)
			}
		}
	}
	if _, err := db.Exec("UPDATE recipes SET demo = 1"); err == nil {
		t.Error("a recipe became a demonstration, whose records may go")
	}
}

func TestEachChangeIsRecordedWithWhoAndBeforeAndAfter(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	r.Thresholds.OK = 0.9
	f.must(f.ChangeRecipe(ctx, "grace", r))
	s := f.station(r, "press")
	s.Name = "press 4"
	f.must(f.ChangeStation(ctx, "grace", s))
	p, err := f.AddPerson(ctx, "grace", storage.Person{Name: "lin", Role: storage.Operator, PasswordHash: "secret hash"})
	f.must(err)
	p.Role = storage.QA
	f.must(f.ChangePerson(ctx, "grace", p))
	_, err = f.Promote(ctx, "grace", f.version(r).ID, "better on the shift")
	f.must(err)
	all, err := f.Audit(ctx, "", 0, 100)
	f.must(err)
	for _, want := range []struct{ subject, before, after string }{
		{fmt.Sprintf("recipe %d", r.ID), `0.7`, `0.9`}, {fmt.Sprintf("station %d", s.ID), `"press"`, `"press 4"`}, {fmt.Sprintf("person %d", p.ID), `"operator"`, `"qa"`}, {fmt.Sprintf("recipe %d", r.ID), `"champion":0`, "better on the shift"},
	} {
		if !slices.ContainsFunc(all, func(e storage.AuditEntry) bool {
			return strings.HasPrefix(e.Subject, want.subject) && strings.Contains(e.Before, want.before) && strings.Contains(e.After, want.after) && e.Person == "grace" && !e.At.IsZero()
		}) {
			t.Errorf("no record says that grace changed %s from %s to %s", want.subject, want.before, want.after)
		}
	}
	for _, e := range all {
		if strings.Contains(e.Before+e.After, "secret hash") {
			t.Errorf("the record %s of %s holds a password", e.Action, e.Subject)
		}
	}
}

// dump gives every row of every table but the log of changes.
func (f *folder) dump() []string {
	f.t.Helper()
	db := f.raw()
	rows, err := db.Query(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT IN ('audit', 'settings', 'goose_db_version')`)
	f.must(err)
	var tables []string
	for rows.Next() {
		var name string
		f.must(rows.Scan(&name))
		tables = append(tables, name)
	}
	f.must(rows.Close())
	var all []string
	for _, table := range tables {
		rows, err := db.Query("SELECT * FROM " + table)
		f.must(err)
		columns, err := rows.Columns()
		f.must(err)
		for rows.Next() {
			values, into := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			f.must(rows.Scan(into...))
			all = append(all, table+" "+fmt.Sprint(values...))
		}
		f.must(rows.Close())
	}
	slices.Sort(all)
	return all
}

func TestRemovingTheDemonstrationTouchesNothingElse(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	own := f.recipe("caps")
	mine := f.station(own, "press")
	f.label(f.frame(mine, "1").ID, "dent", "ada")
	_, err := f.Promote(ctx, "ada", f.version(own).ID, "")
	f.must(err)
	before := f.dump()

	demo := storage.NewRecipe("demonstration", own.Classes)
	demo.Demo = true
	demo, err = f.AddRecipe(ctx, "demonstration", demo)
	f.must(err)
	camera := f.station(demo, "camera")
	shown := f.frame(camera, "1")
	f.label(shown.ID, "dent", "ada")
	_, err = f.Promote(ctx, "ada", f.version(demo).ID, "")
	f.must(err)
	_, _, err = f.AddJob(ctx, storage.Job{Kind: "train", RecipeID: demo.ID, CreatedBy: "ada", Params: []byte("{}")})
	f.must(err)

	mine.RecipeID = demo.ID
	f.refused(f.ChangeStation(ctx, "ada", mine), storage.Invalid)
	camera.RecipeID = own.ID
	f.refused(f.ChangeStation(ctx, "ada", camera), storage.Invalid)
	_, _, err = f.AddStation(ctx, "ada", storage.Station{Name: "mine too", RecipeID: demo.ID})
	f.refused(err, storage.Invalid)

	f.must(f.RemoveDemonstration(ctx, "ada"))
	if after := f.dump(); !slices.Equal(before, after) {
		t.Errorf("before:\n%s\nafter:\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
	if there, err := f.Blobs.Exists(ctx, shown.BlobKey); err != nil || there {
		t.Errorf("its picture is still there: %v", err)
	}
	f.refused(f.RemoveDemonstration(ctx, "ada"), storage.NotFound)
}

func TestTokensAreStoredAsHashesOnly(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	s, token, err := f.AddStation(ctx, "ada", storage.Station{Name: "press", RecipeID: r.ID})
	f.must(err)
	if found, err := f.StationByToken(ctx, token); err != nil || found.ID != s.ID {
		t.Errorf("%+v, %v", found, err)
	}
	for _, row := range f.dump() {
		if strings.Contains(row, token) || strings.Contains(row, strings.TrimPrefix(token, "loupe_")) {
			t.Errorf("the token is in %q", row)
		}
	}
	fresh, err := f.RotateToken(ctx, "ada", s.ID)
	f.must(err)
	_, err = f.StationByToken(ctx, token)
	f.refused(err, storage.NotFound)
	_, err = f.StationByToken(ctx, fresh)
	f.must(err)
	f.must(f.RevokeStation(ctx, "ada", s.ID))
	if found, err := f.StationByToken(ctx, fresh); err == nil && !found.Revoked {
		t.Error("a revoked station's token is good")
	}
}
