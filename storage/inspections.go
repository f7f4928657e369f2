package storage

import (
	"bytes"
	"compress/flate"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"loupe/vision"
)

// Inspection is a frame judged once by one version.
type Inspection struct {
	ID        int64
	FrameID   int64
	StationID int64 // 0 for an imported frame
	RecipeID  int64
	VersionID int64
	vision.Judgement
	Reasons  []Reason // what speaks against training on it, as it was judged
	Worker   string
	JudgedAt time.Time
	Label    string // class of the correction in force, "" for none

	VersionNumber int
	Frame         Frame
}

const inspectionColumns = `i.id, i.frame_id, i.station_id, i.recipe_id, i.version_id, i.verdict, i.class, i.score, i.probabilities_json,
	i.findings_json, i.novelty, i.reason, i.timings_json, i.worker, i.judged_at, i.label, v.number, d.reasons_json, ` + frameColumns

const inspectionTables = ` FROM inspections i JOIN frames f ON f.id = i.frame_id JOIN versions v ON v.id = i.version_id
	LEFT JOIN doubts d ON d.frame_id = i.frame_id`

func scanInspection(s scanner) (Inspection, error) {
	var i Inspection
	var station sql.NullInt64
	var label, reasons sql.NullString
	var probabilities, findings, timings string
	var at int64
	var fr frameRow
	err := s.Scan(append([]any{&i.ID, &i.FrameID, &station, &i.RecipeID, &i.VersionID, &i.Verdict, &i.Class, &i.Score, &probabilities,
		&findings, &i.Novelty, &i.Reason, &timings, &i.Worker, &at, &label, &i.VersionNumber, &reasons}, fr.dest()...)...)
	if err != nil {
		return i, err
	}
	i.StationID, i.Label, i.JudgedAt = station.Int64, label.String, fromMillis(at)
	if i.Frame, err = fr.frame(); err != nil {
		return i, err
	}
	i.Width, i.Height, i.Quality = i.Frame.Width, i.Frame.Height, i.Frame.Quality
	if reasons.Valid {
		if err := json.Unmarshal([]byte(reasons.String), &i.Reasons); err != nil {
			return i, fmt.Errorf("inspection %d: %w", i.ID, err)
		}
	}
	for _, p := range []struct {
		text string
		to   any
	}{{probabilities, &i.Probabilities}, {findings, &i.Findings}, {timings, &i.Timings}} {
		if err := json.Unmarshal([]byte(p.text), p.to); err != nil {
			return i, fmt.Errorf("inspection %d: %w", i.ID, err)
		}
	}
	return i, nil
}

// SaveInspection stores a verdict and takes its frame out of the queue. A frame
// that is no longer pending (judged or discarded in the meantime) is a Conflict:
// each frame is judged once.
func (db *DB) SaveInspection(ctx context.Context, i Inspection) (Inspection, error) {
	heat, err := packHeat(i.Heat)
	if err != nil {
		return i, err
	}
	i.JudgedAt = db.now()
	err = db.change(ctx, func(tx *sql.Tx) error {
		attention := attentionUnlabelled
		if i.Verdict == vision.Unsure {
			attention = attentionUnsure
		}
		f, err := one(ctx, tx, "frame", scanFrame, `SELECT `+frameColumns+` FROM frames f WHERE f.id = ?`, i.FrameID)
		if err != nil {
			return err
		}
		if f.State != Pending {
			return fail(Conflict, "frame %d is %s already", f.ID, f.State)
		}
		if f.Label != "" {
			attention = attentionLabelled
		}
		i.Frame, i.StationID, i.RecipeID, i.Label = f, f.StationID, f.RecipeID, f.Label
		i.Timings.Total = float64(i.JudgedAt.Sub(f.ReceivedAt).Microseconds()) / 1000
		if err := insertInspection(tx, &i, heat); err != nil {
			return err
		}
		if err := tx.QueryRow(`SELECT number FROM versions WHERE id = ?`, i.VersionID).Scan(&i.VersionNumber); err != nil {
			return err
		}
		i.Frame.State = Judged
		_, err = tx.Exec(`UPDATE frames SET state = 'judged', verdict = ?, class = ?, attention = max(attention * (attention = 3), ?), quality_json = ? WHERE id = ?`, i.Verdict, i.Class, attention, writeQuality(i.Quality), f.ID)
		if err != nil || len(i.Reasons) == 0 {
			return err
		}
		return db.addDoubt(tx, f, i.Reasons)
	})
	if err == nil {
		copied := i
		db.emit(Event{Kind: InspectionMade, ID: i.ID, RecipeID: i.RecipeID, StationID: i.StationID, Inspection: &copied, Frame: &copied.Frame})
		if len(i.Reasons) > 0 {
			db.emit(Event{Kind: FrameDoubted, ID: i.FrameID, RecipeID: i.RecipeID, StationID: i.StationID})
		}
	}
	return i, err
}

func insertInspection(tx *sql.Tx, i *Inspection, heat []byte) error {
	res, err := tx.Exec(`INSERT INTO inspections (frame_id, station_id, recipe_id, version_id, verdict, class, score, probabilities_json,
		findings_json, novelty, reason, timings_json, heat, worker, judged_at, label) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		i.FrameID, nullID(i.StationID), i.RecipeID, i.VersionID, i.Verdict, i.Class, i.Score, marshal(i.Probabilities),
		marshal(i.Findings), i.Novelty, i.Reason, marshal(i.Timings), heat, i.Worker, millis(i.JudgedAt), sql.NullString{String: i.Label, Valid: i.Label != ""})
	if unique(err) {
		return fail(Conflict, "frame %d is judged already", i.FrameID)
	}
	if err != nil {
		return fmt.Errorf("store the inspection: %w", err)
	}
	i.ID, err = res.LastInsertId()
	return err
}

// Inspection finds one by ID, without its heat map.
func (db *DB) Inspection(ctx context.Context, id int64) (Inspection, error) {
	return one(ctx, db.read, "inspection", scanInspection, `SELECT `+inspectionColumns+inspectionTables+` WHERE i.id = ?`, id)
}

// InspectionOfFrame finds the inspection of a frame.
func (db *DB) InspectionOfFrame(ctx context.Context, frameID int64) (Inspection, error) {
	return one(ctx, db.read, "inspection", scanInspection, `SELECT `+inspectionColumns+inspectionTables+` WHERE i.frame_id = ?`, frameID)
}

// Heat reads the heat map of an inspection.
func (db *DB) Heat(ctx context.Context, inspectionID int64) (vision.HeatMap, error) {
	var packed []byte
	err := db.read.QueryRowContext(ctx, `SELECT heat FROM inspections WHERE id = ?`, inspectionID).Scan(&packed)
	if err == sql.ErrNoRows || err == nil && packed == nil {
		return vision.HeatMap{}, fail(NotFound, "there is no heat map for inspection %d", inspectionID)
	}
	if err != nil {
		return vision.HeatMap{}, explain(err)
	}
	var h vision.HeatMap
	plain, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	if err == nil {
		err = json.Unmarshal(plain, &h)
	}
	if err != nil {
		return h, fmt.Errorf("unpack the heat map of inspection %d: %w", inspectionID, err)
	}
	return h, nil
}

// heatPackers keeps the compressors' tables, which are larger than a heat map.
var heatPackers = sync.Pool{New: func() any {
	w, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

func packHeat(h vision.HeatMap) ([]byte, error) {
	if len(h.Data) == 0 {
		return nil, nil
	}
	var packed bytes.Buffer
	w := heatPackers.Get().(*flate.Writer)
	defer heatPackers.Put(w)
	w.Reset(&packed)
	if err := json.NewEncoder(w).Encode(h); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
