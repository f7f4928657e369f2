package storage

import (
	"context"
	"database/sql"
	"time"

	"loupe/vision"
)

// VerdictCount is how often a station's verdict met a label.
type VerdictCount struct {
	StationID int64
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
		err := s.Scan(&station, &c.Verdict, &c.Class, &label, &c.N)
		c.StationID, c.Label = station.Int64, label.String
		return c, err
	}, `SELECT station_id, verdict, class, label, count(*) FROM inspections WHERE judged_at >= ? GROUP BY station_id, verdict, class, label`, millis(from))
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

// JudgedBy counts the inspections that a version has made.
func (db *DB) JudgedBy(ctx context.Context, versionID int64) (int, error) {
	var n int
	err := db.read.QueryRowContext(ctx, `SELECT count(*) FROM inspections WHERE version_id = ?`, versionID).Scan(&n)
	return n, explain(err)
}
