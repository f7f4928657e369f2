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

func TestTheLogIsReadPageByPage(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	caps, lids := f.recipe("caps"), f.recipe("lids")
	for n := range 5 {
		caps.Thresholds.OK = 0.6 + float64(n)/10
		f.must(f.ChangeRecipe(ctx, "ada", caps))
		lids.Size = 224 + 32*n
		f.must(f.ChangeRecipe(ctx, "lin", lids))
	}
	var got []string
	for before := int64(0); ; {
		page, err := f.Audit(ctx, fmt.Sprint("recipe ", caps.ID), before, 2)
		f.must(err)
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			got = append(got, e.Person+" "+e.Action)
		}
		before = page[len(page)-1].ID
	}
	want := append(slices.Repeat([]string{"ada recipe.change"}, 5), "ada recipe.add")
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// What is refused leaves no record: the log tells what happened.
func TestARefusedChangeLeavesNoRecord(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	s := f.station(r, "press")
	f.station(r, "oven")
	before, err := f.Audit(ctx, "", 0, 100)
	f.must(err)
	s.Name = "OVEN"
	f.refused(f.ChangeStation(ctx, "ada", s), storage.Conflict)
	f.refused(f.ArchiveClass(ctx, "ada", r.ID, "rust", true, ""), storage.NotFound)
	_, _, err = f.Correct(ctx, storage.Correction{FrameID: f.frame(s, "1").ID, Class: "rust", Person: "ada"})
	f.refused(err, storage.Invalid)
	if after, err := f.Audit(ctx, "", 0, 100); err != nil || len(after) != len(before) {
		t.Errorf("%d records before, %d after, %v", len(before), len(after), err)
	}
}
