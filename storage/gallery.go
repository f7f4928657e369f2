package storage

import (
	"context"
	"database/sql"
	"fmt"
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

// where walks the index of the grid's order, or that of a verdict or class; a
// lot, a serial or a list of frames is looked up by its own index and sorted.
func (g GalleryFilter) where() where {
	var w where
	recipe := "f.recipe_id = ?"
	if g.Lot != "" || g.Serial != "" || len(g.FrameIDs) > 0 {
		recipe = "+" + recipe
	}
	w.add(recipe, g.RecipeID)
	w.add("f.state <> 'discarded'")
	if pictured := fmt.Sprint("f.attention > ", attentionNoPicture); recipe[0] == '+' || g.Status != "" || g.Share != "" {
		w.add("+" + pictured)
	} else {
		w.add(pictured)
	}
	if g.StationID != 0 {
		w.add("+f.station_id = ?", g.StationID)
	}
	if g.Verdict != "" {
		w.add("f.verdict = ?", string(g.Verdict))
	}
	if g.Class != "" {
		w.add("ifnull(f.label, f.class) = ?", g.Class)
	}
	switch g.Status {
	case "labelled":
		w.add(labelledOnly)
	case "unlabelled":
		w.add(fmt.Sprint("f.label IS NULL AND f.attention >= ", attentionUnlabelled))
	case "disagreed":
		w.add(fmt.Sprint("f.attention = ", attentionDisagreed))
	case "unsure":
		w.add(fmt.Sprint("f.attention = ", attentionUnsure))
	}
	if g.Share != "" {
		w.add(labelledOnly+" AND +f.share = ?", g.Share)
	}
	if g.Lot != "" {
		w.add("f.lot = ? AND f.lot <> ''", g.Lot)
	}
	if g.Serial != "" {
		w.add("f.serial = ? AND f.serial <> ''", g.Serial)
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

// labelledOnly names where in the grid's order labelled frames are.
var labelledOnly = fmt.Sprintf("+f.label IS NOT NULL AND f.attention IN (%d, %d)", attentionLabelled, attentionDisagreed)

// GalleryMost is the most frames that the grid has; a filter leads to the rest.
const GalleryMost = 20_000

// ids is the query for at most ? frames of a filter, in the grid's order.
func (g GalleryFilter) ids() (query string, args []any) {
	w := g.where()
	return `SELECT f.id, f.attention FROM frames f` + w.String() + ` ORDER BY f.attention DESC, f.id DESC LIMIT ?`, w.args
}

// Gallery lists the first frames of the labelling grid, at most limit: disagreed
// frames first, then Unsure ones, then those without a label, each newest first.
func (db *DB) Gallery(ctx context.Context, g GalleryFilter, limit int) ([]GalleryFrame, error) {
	ids, args := g.ids()
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
	}, `SELECT f.id, i.id, f.label, f.label_id, f.class, i.score, f.verdict, f.disagreed, f.share, f.received_at FROM (`+ids+`) ids
		CROSS JOIN frames f ON f.id = ids.id LEFT JOIN inspections i ON i.frame_id = f.id ORDER BY ids.attention DESC, ids.id DESC`, append(args, limit)...)
}

// GalleryCount counts the frames of a filter, up to one more than GalleryMost.
func (db *DB) GalleryCount(ctx context.Context, g GalleryFilter) (int, error) {
	ids, args := g.ids()
	var n int
	err := db.read.QueryRowContext(ctx, `SELECT count(*) FROM (`+ids+`)`, append(args, GalleryMost+1)...).Scan(&n)
	return n, explain(err)
}

// GalleryIDs lists the first GalleryMost frames of a filter in the grid's order.
func (db *DB) GalleryIDs(ctx context.Context, g GalleryFilter) ([]int64, error) {
	ids, args := g.ids()
	all, err := list(ctx, db.read, scanID, `SELECT id FROM (`+ids+`)`, append(args, GalleryMost)...)
	if all == nil {
		all = []int64{}
	}
	return all, err
}

// FrameCount counts the frames of a recipe that the grid could show.
func (db *DB) FrameCount(ctx context.Context, recipeID int64) (int, error) {
	var n int
	err := db.read.QueryRowContext(ctx, `SELECT count(*) FROM frames WHERE recipe_id = ? AND attention > ? AND state <> 'discarded'`, recipeID, attentionNoPicture).Scan(&n)
	return n, explain(err)
}
