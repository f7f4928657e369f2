package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// DriftChart is the state of a station's control charts.
type DriftChart struct {
	StationID int64
	RecipeID  int64
	VersionID int64           // the version whose training frames are the basis
	State     json.RawMessage // of models/drift
}

// DriftCause is one thing that changed, a word of models/drift, and how far
// beyond its limit it went.
type DriftCause struct {
	Cause string  `json:"cause"`
	Level float64 `json:"level"` // 1 is the limit
}

// DriftAlarm says that a station's pictures or verdicts are no longer like the
// training frames. One station has at most one open.
type DriftAlarm struct {
	ID        int64
	StationID int64
	RecipeID  int64
	VersionID int64
	Causes    []DriftCause // strongest first
	Since     time.Time    // when it began, as the charts date it
	At        time.Time    // of the alarm
	SeenBy    string       // who has seen it, "" for nobody
	SeenAt    time.Time
	Note      string
	ClosedAt  time.Time // zero while it lasts
	ClosedWhy string    // DriftGone or DriftRetrained

	Station string // its name, filled in
}

// Why an alarm was closed.
const (
	DriftGone      = "gone"      // the pictures are as before
	DriftRetrained = "retrained" // another version has another basis
)

// DriftCharts reads all charts, at a start.
func (db *DB) DriftCharts(ctx context.Context) ([]DriftChart, error) {
	return list(ctx, db.read, func(s scanner) (DriftChart, error) {
		var c DriftChart
		var state string
		err := s.Scan(&c.StationID, &c.RecipeID, &c.VersionID, &state)
		c.State = json.RawMessage(state)
		return c, err
	}, `SELECT station_id, recipe_id, version_id, state_json FROM drift_charts`)
}

// SaveDriftCharts stores the charts of stations that are still there.
func (db *DB) SaveDriftCharts(ctx context.Context, all []DriftChart) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		for _, c := range all {
			if _, err := tx.Exec(`INSERT INTO drift_charts (station_id, recipe_id, version_id, state_json, at) SELECT id, ?, ?, ?, ? FROM stations WHERE id = ?
				ON CONFLICT (station_id) DO UPDATE SET recipe_id = excluded.recipe_id, version_id = excluded.version_id, state_json = excluded.state_json, at = excluded.at`,
				c.RecipeID, c.VersionID, string(c.State), millis(db.now()), c.StationID); err != nil {
				return fmt.Errorf("store the charts of a station: %w", err)
			}
		}
		return nil
	})
}

// RaiseDrift opens an alarm for a station, or where one is open, brings its
// causes up to date.
func (db *DB) RaiseDrift(ctx context.Context, a DriftAlarm) (DriftAlarm, error) {
	a.At = db.now()
	err := db.change(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec(`INSERT INTO drift_alarms (station_id, recipe_id, version_id, causes_json, since, at) VALUES (?,?,?,?,?,?)
			ON CONFLICT (station_id) WHERE closed_at IS NULL DO UPDATE SET causes_json = excluded.causes_json`,
			a.StationID, a.RecipeID, a.VersionID, marshal(a.Causes), millis(a.Since), millis(a.At)); err != nil {
			return fmt.Errorf("store an alarm: %w", err)
		}
		var err error
		a, err = one(ctx, tx, "alarm", scanDrift, driftQuery+` WHERE a.station_id = ? AND a.closed_at IS NULL`, a.StationID)
		return err
	})
	if err == nil {
		db.emit(Event{Kind: DriftChanged, ID: a.ID, RecipeID: a.RecipeID, StationID: a.StationID, Drift: &a})
	}
	return a, err
}

// CloseDrift closes the open alarm of a station, if there is one.
func (db *DB) CloseDrift(ctx context.Context, stationID int64, why string) error {
	var a DriftAlarm
	err := db.change(ctx, func(tx *sql.Tx) error {
		var err error
		if a, err = one(ctx, tx, "alarm", scanDrift, driftQuery+` WHERE a.station_id = ? AND a.closed_at IS NULL`, stationID); err != nil {
			return err
		}
		a.ClosedAt, a.ClosedWhy = db.now(), why
		_, err = tx.Exec(`UPDATE drift_alarms SET closed_at = ?, closed_why = ? WHERE id = ?`, millis(a.ClosedAt), why, a.ID)
		return err
	})
	if CodeOf(err) == NotFound {
		return nil
	}
	if err == nil {
		db.emit(Event{Kind: DriftChanged, ID: a.ID, RecipeID: a.RecipeID, StationID: a.StationID, Drift: &a})
	}
	return err
}

// SeeDrift notes that a person has seen an alarm, with words of theirs.
func (db *DB) SeeDrift(ctx context.Context, by string, id int64, note string) (DriftAlarm, error) {
	var a DriftAlarm
	if len(note) > 2000 {
		return a, fail(Invalid, "the note is longer than 2000 characters")
	}
	err := db.change(ctx, func(tx *sql.Tx) error {
		var err error
		if a, err = one(ctx, tx, "alarm", scanDrift, driftQuery+` WHERE a.id = ?`, id); err != nil {
			return err
		}
		before := map[string]string{"seen_by": a.SeenBy, "note": a.Note}
		a.SeenBy, a.SeenAt, a.Note = by, db.now(), note
		if _, err := tx.Exec(`UPDATE drift_alarms SET seen_by = ?, seen_at = ?, note = ? WHERE id = ?`, by, millis(a.SeenAt), note, id); err != nil {
			return err
		}
		return db.audit(tx, by, "drift.seen", fmt.Sprintf("alarm %d", id), before, map[string]string{"seen_by": by, "note": note})
	})
	if err == nil {
		db.emit(Event{Kind: DriftChanged, ID: a.ID, RecipeID: a.RecipeID, StationID: a.StationID, Drift: &a})
	}
	return a, err
}

const driftQuery = `SELECT a.id, a.station_id, a.recipe_id, a.version_id, a.causes_json, a.since, a.at, a.seen_by, a.seen_at, a.note, a.closed_at, a.closed_why, s.name
	FROM drift_alarms a JOIN stations s ON s.id = a.station_id`

func scanDrift(s scanner) (DriftAlarm, error) {
	var a DriftAlarm
	var causes string
	var since, at int64
	var seen, closed sql.NullInt64
	err := s.Scan(&a.ID, &a.StationID, &a.RecipeID, &a.VersionID, &causes, &since, &at, &a.SeenBy, &seen, &a.Note, &closed, &a.ClosedWhy, &a.Station)
	if err != nil {
		return a, err
	}
	a.Since, a.At, a.SeenAt, a.ClosedAt = fromMillis(since), fromMillis(at), fromNullMillis(seen), fromNullMillis(closed)
	return a, json.Unmarshal([]byte(causes), &a.Causes)
}

// OpenDrifts lists the alarms that last, of stations in use.
func (db *DB) OpenDrifts(ctx context.Context) ([]DriftAlarm, error) {
	return list(ctx, db.read, scanDrift, driftQuery+` WHERE a.closed_at IS NULL AND s.revoked_at IS NULL ORDER BY a.id DESC`)
}

// Drifts lists alarms, newest first: at most limit with an ID below before (0 for
// the newest).
func (db *DB) Drifts(ctx context.Context, before int64, limit int) ([]DriftAlarm, error) {
	if before <= 0 {
		before = 1 << 62
	}
	return list(ctx, db.read, scanDrift, driftQuery+` WHERE a.id < ? ORDER BY a.id DESC LIMIT ?`, before, limit)
}

// JudgedAgo is when a station's frame was judged so many frames before an
// inspection; that of the first frame where there are not so many.
func (db *DB) JudgedAgo(ctx context.Context, stationID, inspectionID, frames int64) (time.Time, error) {
	at, err := one(ctx, db.read, "inspection", func(s scanner) (at int64, err error) { return at, s.Scan(&at) },
		`SELECT judged_at FROM (SELECT id, judged_at FROM inspections WHERE station_id = ? AND id <= ? ORDER BY id DESC LIMIT ?) ORDER BY id LIMIT 1`,
		stationID, inspectionID, max(1, frames))
	return fromMillis(at), err
}
