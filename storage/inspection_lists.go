package storage

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"loupe/vision"
)

// InspectionFilter narrows a list of inspections; zero fields do not.
type InspectionFilter struct {
	StationID, RecipeID, VersionID int64
	Verdict                        vision.Verdict
	Class, Label, Lot, Serial      string
	From, To                       time.Time // judged at or after From and before To
	Unlabelled                     bool
}

// listing is a filter as SQL. Its IDs are found first, in one index that holds
// all that the filter asks for, and only then the rows of one page.
type listing struct {
	where
	tables string
	sorted bool // the tables come in another order than that of the IDs
}

// listing lets one term lead, the one whose index leaves least to look at. The
// others stand behind a +, by which SQLite uses no index for them: without
// statistics it would guess.
func (f InspectionFilter) listing() listing {
	l := listing{tables: ` FROM inspections i`}
	led := false
	term := func(set bool, column, rest string, args ...any) {
		if !set {
			return
		}
		if led {
			column = "+" + column
		}
		led = true
		l.add(column+rest, args...)
	}
	if f.Serial != "" || f.Lot != "" {
		l.tables, l.sorted = ` FROM frames f CROSS JOIN inspections i ON i.frame_id = f.id`, true
		term(f.Serial != "", "f.serial", " = ? AND f.serial <> ''", f.Serial)
		term(f.Lot != "", "f.lot", " = ? AND f.lot <> ''", f.Lot)
	}
	term(f.StationID != 0, "i.station_id", " = ?", f.StationID)
	term(f.VersionID != 0, "i.version_id", " = ?", f.VersionID)
	term(f.RecipeID != 0, "i.recipe_id", " = ?", f.RecipeID)
	term(f.Label != "", "i.label", " = ?", f.Label)
	term(f.Class != "", "i.class", " = ?", f.Class)
	term(f.Verdict != "", "i.verdict", " = ?", string(f.Verdict))
	l.sorted = l.sorted || !led // by time alone
	timed := led
	for _, bound := range []struct {
		at   time.Time
		term string
	}{{f.From, " >= ?"}, {f.To, " < ?"}} {
		if !bound.at.IsZero() {
			led = timed // both bounds lead together
			term(true, "i.judged_at", bound.term, millis(bound.at))
		}
	}
	l.sorted = l.sorted && led
	if f.Unlabelled {
		l.add("+i.label IS NULL")
	}
	return l
}

// ids is the query for at most ? IDs on one side of a place in the list.
func (l listing) ids(order string) string {
	by := "i.id"
	if l.sorted {
		by = "+i.id"
	}
	return `SELECT i.id` + l.tables + l.String() + ` ORDER BY ` + by + ` ` + order + ` LIMIT ?`
}

// beside narrows a listing to IDs below ("<") or above (">") one.
func (l listing) beside(sign string, id int64) listing {
	column := "i.id "
	if l.sorted {
		column = "+i.id "
	}
	l.terms = append(l.terms[:len(l.terms):len(l.terms)], column+sign+" ?")
	l.args = append(l.args[:len(l.args):len(l.args)], id)
	return l
}

// inspectionsIn reads the inspections whose IDs a query gives, in the order ASC
// or DESC of their IDs.
func inspectionsIn(ids, order string) string {
	tables := strings.Replace(inspectionTables, "FROM inspections i JOIN", "CROSS JOIN inspections i ON i.id = ids.id CROSS JOIN", 1)
	return `SELECT ` + inspectionColumns + ` FROM (` + ids + `) ids` + tables + ` ORDER BY ids.id ` + order
}

// Inspections lists a page, newest first: at most limit with an ID below before
// (0 for the newest).
func (db *DB) Inspections(ctx context.Context, f InspectionFilter, before int64, limit int) ([]Inspection, error) {
	l := f.listing()
	if before > 0 {
		l = l.beside("<", before)
	}
	return list(ctx, db.read, scanInspection, inspectionsIn(l.ids("DESC"), "DESC"), append(l.args, limit)...)
}

// Neighbours gives the IDs of the next newer and next older inspection within
// a filter; 0 where there is none.
func (db *DB) Neighbours(ctx context.Context, f InspectionFilter, id int64) (newer, older int64, err error) {
	for _, side := range []struct {
		sign, order string
		to          *int64
	}{{">", "ASC", &newer}, {"<", "DESC", &older}} {
		l := f.listing().beside(side.sign, id)
		err := db.read.QueryRowContext(ctx, l.ids(side.order), append(l.args, 1)...).Scan(side.to)
		if err != nil && err != sql.ErrNoRows {
			return 0, 0, explain(err)
		}
	}
	return newer, older, nil
}

// trayIDs finds the oldest Unsure inspections of some stations without a label.
const trayIDs = `SELECT i.id` + trayRows + ` ORDER BY i.id LIMIT ?`

const trayRows = ` FROM inspections i INDEXED BY inspections_tray
	WHERE i.verdict = 'Unsure' AND i.label IS NULL AND i.station_id IN (SELECT value FROM json_each(?))`

// Tray lists the Unsure inspections of some stations that nobody has labelled,
// oldest first, at most limit, and counts all of them.
func (db *DB) Tray(ctx context.Context, stations []int64, limit int) ([]Inspection, int, error) {
	ids := marshal(append([]int64{}, stations...))
	var n int
	if err := db.read.QueryRowContext(ctx, `SELECT count(*)`+trayRows, ids).Scan(&n); err != nil {
		return nil, 0, explain(err)
	}
	all, err := list(ctx, db.read, scanInspection, inspectionsIn(trayIDs, "ASC"), ids, limit)
	return all, n, err
}
