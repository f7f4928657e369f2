package storage_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"loupe/storage"
	"loupe/vision"
)

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

// The demonstration's records go with it and by nothing else: not even its own
// corrections may be changed, and its log stays.
func TestOfTheDemonstrationTheLogStays(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	demo := storage.NewRecipe("demonstration", f.recipe("caps").Classes)
	demo.Demo = true
	demo, err := f.AddRecipe(ctx, "ada", demo)
	f.must(err)
	fr := f.frame(f.station(demo, "camera"), "1")
	f.label(fr.ID, "dent", "ada")
	f.label(fr.ID, "scratch", "lin") // follows the first: rows that point at each other
	f.judge(fr, f.champion(demo), vision.NG, "dent")
	db := f.raw()
	for _, query := range []string{"UPDATE corrections SET class = 'good'", "UPDATE promotions SET person = 'eve'", "UPDATE recipes SET demo = 0"} {
		if _, err := db.Exec(query); err == nil {
			t.Errorf("%s went through", query)
		}
	}
	before, err := f.Audit(ctx, "", 0, 100)
	f.must(err)
	f.must(f.RemoveDemonstration(ctx, "grace"))
	after, err := f.Audit(ctx, "", 0, 100)
	f.must(err)
	if len(after) != len(before)+1 || after[0].Person != "grace" || !slices.Equal(after[1:], before) {
		t.Errorf("%d records before, %d after, the newest %+v", len(before), len(after), after[0])
	}
	var n int
	if f.must(db.QueryRow("SELECT count(*) FROM pragma_foreign_key_check").Scan(&n)); n != 0 {
		t.Errorf("%d rows point at nothing", n)
	}
}

// A picture that the plant posted too stays when the demonstration goes.
func TestAPictureThatIsUsedElsewhereStays(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	own := f.recipe("caps")
	demo := storage.NewRecipe("demonstration", own.Classes)
	demo.Demo = true
	demo, err := f.AddRecipe(ctx, "ada", demo)
	f.must(err)
	shown := f.row(f.station(demo, "camera"), "1")
	_, _, err = f.AddFrame(ctx, shown)
	f.must(err)
	mine := shown
	mine.StationID, mine.RecipeID = f.station(own, "press").ID, own.ID
	kept, _, err := f.AddFrame(ctx, mine)
	f.must(err)
	only := f.frame(storage.Station{ID: shown.StationID, RecipeID: demo.ID}, "2")
	f.must(f.RemoveDemonstration(ctx, "ada"))
	if _, err := f.Blobs.Get(ctx, kept.BlobKey); err != nil {
		t.Errorf("the plant's picture: %v", err)
	}
	_, err = f.Blobs.Get(ctx, only.BlobKey)
	f.refused(err, storage.NotFound)
}
