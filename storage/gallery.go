package storage

import (
	"context"
	"database/sql"
	"time"

	"loupe/vision"
)

// GalleryFilter narrows the frames of the labelling grid; zero fields do not.
type GalleryFilter struct {
	RecipeID  int64
	StationID int64
	Class     string         // label in force, or what the model said where there is none
	Verdict   vision.Verdict // of the inspection
	Status    string         // "labelled", "unlabelled", "disagreed", "unsure" or ""
	Share     string
	Lot       string
	Serial    string
	From, To  time.Time // received at or after From and before To
	FrameIDs  []int64   // only these
}

// GalleryFrame is one picture of the labelling grid.
type GalleryFrame struct {
	FrameID      int64
	InspectionID int64 // 0 where it was not judged
	Label        string
	LabelID      int64
	Predicted    string
	Score        float64
	Verdict      vision.Verdict
	Disagreed    bool
	Share        string
	ReceivedAt   time.Time
}

func (g GalleryFilter) where() where {
	var w where
	w.add("f.recipe_id = ?", g.RecipeID)
	w.add("f.state <> 'discarded'")
	if g.StationID != 0 {
		w.add("f.station_id = ?", g.StationID)
	}
	if g.Class != "" {
		w.add("ifnull(f.label, i.class) = ?", g.Class)
	}
	if g.Verdict != "" {
		w.add("i.verdict = ?", string(g.Verdict))
	}
	switch g.Status {
	case "labelled":
		w.add("f.label IS NOT NULL")
	case "unlabelled":
		w.add("f.label IS NULL")
	case "disagreed":
		w.add("f.attention = 3")
	case "unsure":
		w.add("f.attention = 2")
	}
	for _, t := range []struct{ column, text string }{{"f.share", g.Share}, {"f.lot", g.Lot}, {"f.serial", g.Serial}} {
		if t.text != "" {
			w.add(t.column+" = ?", t.text)
		}
	}
	if !g.From.IsZero() {
		w.add("f.received_at >= ?", millis(g.From))
	}
	if !g.To.IsZero() {
		w.add("f.received_at < ?", millis(g.To))
	}
	if len(g.FrameIDs) > 0 {
		w.add("f.id IN (SELECT value FROM json_each(?))", marshal(g.FrameIDs))
	}
	return w
}

const galleryTables = ` FROM frames f LEFT JOIN inspections i ON i.frame_id = f.id`

// Gallery lists a window of the labelling grid: disagreed frames first, then
// Unsure ones, then those without a label, each newest first.
func (db *DB) Gallery(ctx context.Context, g GalleryFilter, offset, limit int) ([]GalleryFrame, error) {
	w := g.where()
	return list(ctx, db.read, func(s scanner) (GalleryFrame, error) {
		var f GalleryFrame
		var inspection, labelID sql.NullInt64
		var label, predicted, verdict, share sql.NullString
		var score sql.NullFloat64
		var at int64
		err := s.Scan(&f.FrameID, &inspection, &label, &labelID, &predicted, &score, &verdict, &f.Disagreed, &share, &at)
		f.InspectionID, f.Label, f.LabelID, f.Predicted = inspection.Int64, label.String, labelID.Int64, predicted.String
		f.Score, f.Verdict, f.Share, f.ReceivedAt = score.Float64, vision.Verdict(verdict.String), share.String, fromMillis(at)
		return f, err
	}, `SELECT f.id, i.id, f.label, f.label_id, i.class, i.score, i.verdict, f.disagreed, f.share, f.received_at`+galleryTables+w.String()+
		` ORDER BY f.attention DESC, f.id DESC LIMIT ? OFFSET ?`, append(w.args, limit, offset)...)
}

// GalleryCount counts the frames of a filter.
func (db *DB) GalleryCount(ctx context.Context, g GalleryFilter) (int, error) {
	w := g.where()
	tables := ` FROM frames f`
	if g.Verdict != "" || g.Class != "" {
		tables = galleryTables
	}
	var n int
	err := db.read.QueryRowContext(ctx, `SELECT count(*)`+tables+w.String(), w.args...).Scan(&n)
	return n, explain(err)
}

// GalleryIDs lists the frames of a filter in the grid's order.
func (db *DB) GalleryIDs(ctx context.Context, g GalleryFilter) ([]int64, error) {
	w := g.where()
	tables := ` FROM frames f`
	if g.Verdict != "" || g.Class != "" {
		tables = galleryTables
	}
	ids, err := list(ctx, db.read, scanID, `SELECT f.id`+tables+w.String()+` ORDER BY f.attention DESC, f.id DESC`, w.args...)
	if ids == nil {
		ids = []int64{}
	}
	return ids, err
}
