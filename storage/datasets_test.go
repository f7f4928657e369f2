package storage_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"loupe/storage"
)

// trainedOn adds a version that was trained on the recipe's data as they are now.
func (f *folder) trainedOn(r storage.Recipe) storage.Version {
	f.t.Helper()
	data, err := f.DataSet(f.t.Context(), r.ID)
	f.must(err)
	v, err := f.AddVersion(f.t.Context(), storage.Version{
		RecipeID: r.ID, Size: 224, Classes: r.ClassNames(), HeadKey: "heads/x", ModelKey: "models/x", ModelSHA: "00", Statement: []byte("{}"), Report: []byte("{}"), CreatedBy: "ada", Data: data,
	}, nil)
	f.must(err)
	return v
}

// imported adds six dents and scratches with a box each.
func (f *folder) imported(r storage.Recipe) {
	f.t.Helper()
	var all []storage.Import
	for n := range 6 {
		row := f.row(storage.Station{}, fmt.Sprint("imported ", n))
		row.Serial = fmt.Sprint("part ", n/2)
		class := []string{"dent", "scratch"}[n/2%2]
		all = append(all, storage.Import{Frame: row, Class: class, Share: []string{storage.TrainShare, storage.TestShare}[n/4],
			Marks: []storage.Mark{{Class: class, Shape: storage.BoxShape, Box: [4]float64{0.25, 0.5, 0.125, 0.25}}}})
	}
	done, err := f.Import(f.t.Context(), r.ID, all)
	if err != nil || done.Added != 6 {
		f.t.Fatalf("%+v, %v", done, err)
	}
}

func TestADataSetStaysAsItWas(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	f.imported(r)
	first := f.trainedOn(r)
	if again := f.trainedOn(r); again.DatasetID == 0 || again.DatasetID != first.DatasetID {
		t.Errorf("the same data are data sets %d and %d", first.DatasetID, again.DatasetID)
	}
	was, err := f.DatasetFrames(ctx, first.DatasetID)
	f.must(err)
	f.label(1, "good", "ada")
	f.label(2, was[1].Class, "bea") // a confirmation
	if _, err := f.Import(ctx, r.ID, []storage.Import{{Frame: f.row(storage.Station{}, "new"), Class: "dent"}}); err != nil {
		t.Fatal(err)
	}
	f.reopen()
	second := f.trainedOn(r)
	d, err := f.DatasetByNumber(ctx, r.ID, 2)
	if err != nil || d.ID != second.DatasetID || d.Train+d.Test != 7 || d.Digest == "" {
		t.Errorf("%+v, %v", d, err)
	}
	now, err := f.DatasetFrames(ctx, d.ID)
	f.must(err)
	diff := storage.DiffDatasets(was, now)
	if len(diff.Added) != 1 || diff.Added[0].FrameID != 7 || len(diff.Removed) != 0 || len(diff.Changed) != 1 || !diff.Changed[0].Relabelled() || diff.Changed[0].To.Class != "good" {
		t.Errorf("%+v", diff)
	}
	old, err := f.ExportFrames(ctx, was)
	if err != nil || len(old) != 6 || old[0].Label != "dent" || old[0].Serial != "part 0" || len(old[0].Marks) != 1 || old[0].Marks[0].Box[2] != 0.125 || old[0].Labelled.By != "import" {
		t.Errorf("%+v, %v", old[0], err)
	}
	new, err := f.ExportFrames(ctx, now)
	if err != nil || new[0].Label != "good" || new[0].Labelled.By != "ada" {
		t.Errorf("%+v, %v", new[0], err)
	}
	if sets, err := f.Datasets(ctx, r.ID, 10); err != nil || len(sets) != 2 || sets[0].Number != 2 {
		t.Errorf("%+v, %v", sets, err)
	}
	if all, err := f.DatasetVersions(ctx, first.DatasetID); err != nil || len(all) != 2 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestNobodyChangesADataSetOrAMarking(t *testing.T) {
	f := open(t)
	r := f.recipe("caps")
	f.imported(r)
	v := f.trainedOn(r)
	db := f.raw()
	for _, q := range []string{
		`UPDATE datasets SET train = 0`, `DELETE FROM datasets`, `INSERT OR REPLACE INTO datasets SELECT * FROM datasets`,
		`UPDATE markings SET marks_json = '[]'`, `DELETE FROM markings`, `INSERT OR REPLACE INTO markings SELECT * FROM markings`, `UPDATE versions SET dataset_id = NULL`,
	} {
		if _, err := db.ExecContext(t.Context(), q); err == nil {
			t.Errorf("%s is allowed", q)
		}
	}
	if _, err := db.ExecContext(t.Context(), `UPDATE frames SET blob_key = 'frames/00/00' WHERE id = 3`); err != nil {
		t.Fatal(err)
	}
	if _, err := f.DatasetFrames(t.Context(), v.DatasetID); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("another picture goes unseen: %v", err)
	}
}

func TestAnImportAgainAddsNothingButNewRegions(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	row := f.row(storage.Station{}, "x")
	row.Serial = ""
	mark := storage.Mark{Class: "dent", Shape: storage.BoxShape, Box: [4]float64{0.1, 0.1, 0.2, 0.2}, Extra: map[string]json.RawMessage{"score": []byte("0.5")}}
	one := storage.Import{Frame: row, Class: "dent", Share: storage.TestShare}
	marked, twice := one, one
	marked.Marks, twice.Copy = []storage.Mark{mark}, 1
	other := one
	other.Class, other.Share = "scratch", storage.TrainShare
	for n, c := range []struct {
		i    storage.Import
		want storage.Imported
	}{
		{one, storage.Imported{Added: 1}}, {one, storage.Imported{}}, {marked, storage.Imported{Marked: 1}}, {marked, storage.Imported{}}, {one, storage.Imported{}},
		{twice, storage.Imported{Added: 1}}, {twice, storage.Imported{}}, {other, storage.Imported{Added: 1, OtherSide: 1}},
	} {
		if done, err := f.Import(ctx, r.ID, []storage.Import{c.i}); err != nil || done != c.want {
			t.Errorf("step %d: %+v, want %+v, %v", n, done, c.want, err)
		}
	}
	if all, err := f.Markings(ctx, 1); err != nil || len(all) != 1 || len(all[0].Marks) != 1 || string(all[0].Marks[0].Extra["score"]) != "0.5" {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestMarksOfNothingAreRefused(t *testing.T) {
	f := open(t)
	r := f.recipe("caps")
	box := [4]float64{0.1, 0.1, 0.2, 0.2}
	for _, m := range []storage.Mark{
		{Shape: storage.BoxShape, Box: box}, {Class: "dent", Shape: "star", Box: box}, {Class: "dent", Shape: storage.BoxShape, Box: [4]float64{0.1, 0.1, 0, 0.2}},
		{Class: "dent", Shape: storage.BoxShape, Box: [4]float64{5, 0, 1, 1}}, {Class: "dent", Shape: storage.PolygonShape, Box: box, Polygons: [][]float64{{1, 1, 0, 0}}},
		{Class: "dent", Shape: storage.PolygonShape, Box: box}, {Class: "dent", Shape: storage.MaskShape, Box: box},
		{Class: "dent", Shape: storage.MaskShape, Box: box, Mask: &storage.Mask{Size: [2]int{2, 2}, Counts: []int{1, 2}}},
		{Class: "dent", Shape: storage.MaskShape, Box: box, Mask: &storage.Mask{Size: [2]int{2, 2}, Packed: "\x01"}},
	} {
		_, err := f.Import(t.Context(), r.ID, []storage.Import{{Frame: f.row(storage.Station{}, "m"), Class: "dent", Marks: []storage.Mark{m}}})
		f.refused(err, storage.Invalid)
	}
	// 0 4 4 1 as the COCO API writes it: the fourth run is the third before it plus a step.
	m := storage.Mask{Size: [2]int{3, 3}, Packed: "04" + "4M"}
	if runs, err := m.Runs(); err != nil || fmt.Sprint(runs) != "[0 4 4 1]" {
		t.Errorf("%v, %v", runs, err)
	}
}
