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

// halfHour is the step of the verdict_counts table, in milliseconds.
const halfHour = 30 * 60 * 1000

// verdictCountsQuery adds whole half hours from their table to the inspections
// of the one in which the time lies.
const verdictCountsQuery = `SELECT station_id, recipe_id, verdict, class, label, n FROM verdict_counts WHERE half_hour >= ?1 AND n > 0
	UNION ALL SELECT ifnull(station_id, 0), recipe_id, verdict, class, ifnull(label, ''), count(*) FROM inspections
	WHERE judged_at >= ?2 AND judged_at < ?3 GROUP BY 1, 2, 3, 4, 5`

// VerdictCounts counts the inspections judged at or after from, by station,
// verdict, class and label; the same kind may be listed more than once.
func (db *DB) VerdictCounts(ctx context.Context, from time.Time) ([]VerdictCount, error) {
	whole := (millis(from) + halfHour - 1) / halfHour
	return list(ctx, db.read, func(s scanner) (VerdictCount, error) {
		var c VerdictCount
		err := s.Scan(&c.StationID, &c.RecipeID, &c.Verdict, &c.Class, &c.Label, &c.N)
		return c, err
	}, verdictCountsQuery, whole, millis(from), whole*halfHour)
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
	err := db.read.QueryRowContext(ctx, `SELECT coalesce(sum(n), 0) FROM version_counts WHERE version_id = ?`, versionID).Scan(&n)
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
