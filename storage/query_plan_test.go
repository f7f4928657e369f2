package storage

import (
	"slices"
	"strings"
	"testing"
	"time"

	"loupe/vision"
)

// plan is how SQLite will run a query, a step a line. The database is empty and
// has no statistics, as that of a plant that never analysed it.
func plan(t *testing.T, db *DB, query string, args ...any) []string {
	t.Helper()
	steps, err := list(t.Context(), db.read, func(s scanner) (string, error) {
		var id, parent, unused int
		var step string
		return step, s.Scan(&id, &parent, &unused, &step)
	}, "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%v: %s", err, query)
	}
	return steps
}

// checkPlan refuses to read a whole table and wants the leading look-up to go by
// an index; sorted says whether rows may be sorted.
func checkPlan(t *testing.T, db *DB, leading string, sorted bool, query string, args ...any) {
	t.Helper()
	steps := plan(t, db, query, args...)
	for _, s := range steps {
		if strings.HasPrefix(s, "SCAN") && !strings.HasPrefix(s, "SCAN ids") && !strings.Contains(s, "json_each") && !strings.Contains(s, "CONSTANT ROW") ||
			strings.Contains(s, "TEMP B-TREE") && !sorted {
			t.Errorf("%s\n%s\nfor %s", s, strings.Join(steps, "\n"), query)
		}
	}
	if !slices.ContainsFunc(steps, func(s string) bool { return strings.Contains(s, "INDEX "+leading+" (") }) {
		t.Errorf("not by %s:\n%s\nfor %s", leading, strings.Join(steps, "\n"), query)
	}
}

func openPlans(t *testing.T) *DB {
	t.Helper()
	db, err := Open(t.Context(), Settings{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// Each filter of the list of inspections, and each pair of them, is read by the
// index of the one that leaves least.
func TestListsOfInspectionsAreReadByAnIndex(t *testing.T) {
	db := openPlans(t)
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	filters := []struct { // the stronger first
		set     func(*InspectionFilter)
		leading string
		sorted  bool
	}{
		{func(f *InspectionFilter) { f.Serial = "S1" }, "frames_serial", true},
		{func(f *InspectionFilter) { f.Lot = "L1" }, "frames_lot", true},
		{func(f *InspectionFilter) { f.StationID = 1 }, "inspections_station", false},
		{func(f *InspectionFilter) { f.VersionID = 1 }, "inspections_version", false},
		{func(f *InspectionFilter) { f.RecipeID = 1 }, "inspections_recipe", false},
		{func(f *InspectionFilter) { f.Label = "good" }, "inspections_label", false},
		{func(f *InspectionFilter) { f.Class = "dent" }, "inspections_class", false},
		{func(f *InspectionFilter) { f.Verdict = vision.NG }, "inspections_verdict", false},
		{func(f *InspectionFilter) { f.From, f.To = day, day.Add(24*time.Hour) }, "inspections_judged", true},
		{func(f *InspectionFilter) { f.From = day }, "inspections_judged", true},
		{func(f *InspectionFilter) { f.To = day }, "inspections_judged", true},
	}
	for i, one := range filters {
		for _, other := range filters[i:] {
			var f InspectionFilter
			one.set(&f)
			other.set(&f)
			f.Unlabelled = f.Label == ""
			for _, l := range []listing{f.listing(), f.listing().beside("<", 1000), f.listing().beside(">", 1000)} {
				for _, order := range []string{"ASC", "DESC"} {
					checkPlan(t, db, one.leading, one.sorted, inspectionsIn(l.ids(order), order), append(l.args, 100)...)
				}
			}
		}
	}
}

func TestTheNewestInspectionsAreReadWithoutSorting(t *testing.T) {
	db := openPlans(t)
	l := InspectionFilter{}.listing()
	steps := plan(t, db, inspectionsIn(l.ids("DESC"), "DESC"), 100)
	if strings.Contains(strings.Join(steps, "\n"), "TEMP") {
		t.Error(steps)
	}
}

func TestTheGridIsReadByAnIndex(t *testing.T) {
	db := openPlans(t)
	for _, c := range []struct {
		g       GalleryFilter
		leading string
		sorted  bool
	}{
		{GalleryFilter{}, "frames_gallery", false},
		{GalleryFilter{Status: "unlabelled"}, "frames_gallery", false},
		{GalleryFilter{Status: "disagreed"}, "frames_gallery", false},
		{GalleryFilter{Status: "unsure", StationID: 3}, "frames_gallery", false},
		{GalleryFilter{Status: "labelled"}, "frames_gallery", true},
		{GalleryFilter{Share: TestShare}, "frames_gallery", true},
		{GalleryFilter{From: time.UnixMilli(1)}, "frames_gallery", false},
		{GalleryFilter{Verdict: vision.NG}, "frames_gallery_verdict", false},
		{GalleryFilter{Verdict: vision.NG, StationID: 2, To: time.UnixMilli(9)}, "frames_gallery_verdict", false},
		{GalleryFilter{Class: "dent"}, "frames_gallery_class", false},
		{GalleryFilter{Lot: "L1", Class: "dent"}, "frames_lot", true},
		{GalleryFilter{Serial: "S1", Verdict: vision.OK}, "frames_serial", true},
	} {
		c.g.RecipeID = 1
		ids, args := c.g.ids()
		checkPlan(t, db, c.leading, c.sorted, ids, append(args, 100)...)
	}
	ids, args := GalleryFilter{RecipeID: 1, FrameIDs: []int64{1, 2}}.ids()
	if steps := strings.Join(plan(t, db, ids, append(args, 2)...), "\n"); !strings.Contains(steps, "SEARCH f USING INTEGER PRIMARY KEY") {
		t.Error(steps)
	}
}

func TestCountsAreReadByAnIndex(t *testing.T) {
	db := openPlans(t)
	checkPlan(t, db, "inspections_judged", true, verdictCountsQuery, 1, 2, 3)
	checkPlan(t, db, "inspections_tray", true, inspectionsIn(trayIDs, "ASC"), "[1,2]", 24)
}

func TestCorrectionsSinceATrainingAreCountedByAnIndex(t *testing.T) {
	db := openPlans(t)
	steps := strings.Join(plan(t, db, correctionsSinceQuery, 1, 2), "\n")
	if !strings.Contains(steps, "COVERING INDEX corrections_recipe (recipe_id=? AND id>?)") {
		t.Error(steps)
	}
}

func TestSuspectsAndFramesWithoutALabelAreReadByAnIndex(t *testing.T) {
	db := openPlans(t)
	checkPlan(t, db, "suspects_recipe", false, suspectsQuery, 1, 100)
	checkPlan(t, db, "frames_label", true, confirmedQuery, 1)
	if steps := strings.Join(plan(t, db, stillUnlabelledQuery, "[1,2]", 1, 1), "\n"); !strings.Contains(steps, "SEARCH f USING INTEGER PRIMARY KEY") {
		t.Error(steps)
	}
}

func TestThePicturesToRemoveAreFoundByAnIndex(t *testing.T) {
	db := openPlans(t)
	for _, kind := range pictureKinds {
		steps := strings.Join(plan(t, db, oldestPicturesQuery(kind), 1, 2, 3), "\n")
		if !strings.Contains(steps, "COVERING INDEX frames_pictures (recipe_id=? AND received_at<?)") || strings.Contains(steps, "TEMP") {
			t.Errorf("%s: %s", kind, steps)
		}
	}
}

func TestDoubtfulFramesAreListedAndCountedByAnIndex(t *testing.T) {
	db := openPlans(t)
	for _, c := range []struct {
		query, leading string
		args           []any
	}{
		{listDoubtsQuery, "doubts_state", []any{1, "open", 9, 100}}, {countDoubtsQuery, "doubts_state", []any{1}}, {countLeftOutsQuery, "frames_label", []any{1}},
	} {
		if steps := strings.Join(plan(t, db, c.query, c.args...), "\n"); !strings.Contains(steps, "INDEX "+c.leading+" (recipe_id=?") || strings.Contains(steps, "TEMP") || strings.Contains(steps, "SCAN") {
			t.Errorf("%s\n%s", c.query, steps)
		}
	}
}

func TestWhatChallengersSaidIsReadByAnIndex(t *testing.T) {
	db := openPlans(t)
	for _, settled := range []bool{false, true} {
		for _, after := range []int64{0, 7} {
			text, args := Disagreements{ShadowID: 1, Settled: settled, After: after, Limit: 10}.query()
			checkPlan(t, db, map[bool]string{false: "shadow_inspections_open", true: "shadow_inspections_settled"}[settled], false, text, args...)
		}
	}
	checkPlan(t, db, "shadow_inspections_known", false, settledShadowQuery, 1, 2, 10)
	checkPlan(t, db, "shadow_inspections_settled", false, settledDisagreementsQuery, 1)
	checkPlan(t, db, "shadows_open", false, openShadowQuery, 1)
	checkPlan(t, db, "shadow_inspections_frame", false, `UPDATE shadow_inspections SET label = ? WHERE frame_id = ?`, "x", 1)
	checkPlan(t, db, "shadows_open", false, `UPDATE shadows SET seen = seen + 1 WHERE recipe_id = ? AND state <> 'closed' AND state = 'judging'`, 1)
}
