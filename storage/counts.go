package storage

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"loupe/vision"
)

// VerdictCount is how often a station's verdict met a label.
type VerdictCount struct {
	StationID int64
	RecipeID  int64
	Verdict   vision.Verdict
	Class     string // what the model said
	Label     string // "" for none
	N         int
}

// VerdictCounts counts the inspections judged at or after from, by station,
// verdict, class and label.
func (db *DB) VerdictCounts(ctx context.Context, from time.Time) ([]VerdictCount, error) {
	return list(ctx, db.read, func(s scanner) (VerdictCount, error) {
		var c VerdictCount
		var station sql.NullInt64
		var label sql.NullString
		err := s.Scan(&station, &c.RecipeID, &c.Verdict, &c.Class, &label, &c.N)
		c.StationID, c.Label = station.Int64, label.String
		return c, err
	}, `SELECT station_id, recipe_id, verdict, class, label, count(*) FROM inspections WHERE judged_at >= ? GROUP BY station_id, recipe_id, verdict, class, label`, millis(from))
}

// Totals are the sizes of what is stored.
type Totals struct {
	Frames, Inspections, Pending, Quarantined, Labelled int
}

// Totals counts what is stored.
func (db *DB) Totals(ctx context.Context) (Totals, error) {
	var t Totals
	err := db.read.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM frames), (SELECT count(*) FROM inspections),
		(SELECT count(*) FROM frames WHERE state = 'pending'), (SELECT count(*) FROM frames WHERE state = 'quarantined'),
		(SELECT count(*) FROM frames WHERE label IS NOT NULL)`).Scan(&t.Frames, &t.Inspections, &t.Pending, &t.Quarantined, &t.Labelled)
	return t, explain(err)
}

// Waiting counts only what waits for a verdict or a person, which stays quick
// with millions of rows.
func (db *DB) Waiting(ctx context.Context) (t Totals, err error) {
	err = db.read.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM frames WHERE state = 'pending'),
		(SELECT count(*) FROM frames WHERE state = 'quarantined')`).Scan(&t.Pending, &t.Quarantined)
	return t, explain(err)
}

// JudgedBy counts the inspections that a version has made.
func (db *DB) JudgedBy(ctx context.Context, versionID int64) (int, error) {
	var n int
	err := db.read.QueryRowContext(ctx, `SELECT count(*) FROM inspections WHERE version_id = ?`, versionID).Scan(&n)
	return n, explain(err)
}

// NewestFrame gives the state of the frame that a station sent last and when it
// arrived; "" where it sent none.
func (db *DB) NewestFrame(ctx context.Context, stationID int64) (FrameState, time.Time, error) {
	var state FrameState
	var at int64
	err := db.read.QueryRowContext(ctx, `SELECT state, received_at FROM frames WHERE station_id = ? ORDER BY id DESC LIMIT 1`, stationID).Scan(&state, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return "", time.Time{}, nil
	}
	return state, fromMillis(at), explain(err)
}

// Tray lists the Unsure inspections of some stations that nobody has labelled,
// oldest first, at most limit, and counts all of them.
func (db *DB) Tray(ctx context.Context, stations []int64, limit int) ([]Inspection, int, error) {
	const waiting = ` WHERE i.verdict = 'Unsure' AND i.label IS NULL AND i.station_id IN (SELECT value FROM json_each(?))`
	ids := marshal(append([]int64{}, stations...))
	var n int
	if err := db.read.QueryRowContext(ctx, `SELECT count(*) FROM inspections i`+waiting, ids).Scan(&n); err != nil {
		return nil, 0, explain(err)
	}
	all, err := list(ctx, db.read, scanInspection, `SELECT `+inspectionColumns+inspectionTables+waiting+` ORDER BY i.id LIMIT ?`, ids, limit)
	return all, n, err
}
