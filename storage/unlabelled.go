package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"loupe/vision"
)

// UnlabelledFrame is a frame that waits for a label.
type UnlabelledFrame struct {
	LabelledFrame                      // without class, label and share
	Probabilities []vision.Probability // as judged; nil where it was not
}

// Unlabelled lists frames of a recipe that have no label, at most limit: Unsure
// ones first, then the others, each newest first. Quarantined frames stay out.
func (db *DB) Unlabelled(ctx context.Context, recipeID int64, limit int) ([]UnlabelledFrame, error) {
	ids, args := GalleryFilter{RecipeID: recipeID, Status: "unlabelled"}.ids()
	return list(ctx, db.read, func(s scanner) (UnlabelledFrame, error) {
		var f UnlabelledFrame
		var text sql.NullString
		if err := s.Scan(&f.FrameID, &f.BlobKey, &f.Orientation, &text); err != nil || !text.Valid {
			return f, err
		}
		if err := json.Unmarshal([]byte(text.String), &f.Probabilities); err != nil {
			return f, fmt.Errorf("the inspection of frame %d: %w", f.FrameID, err)
		}
		return f, nil
	}, `SELECT f.id, f.blob_key, f.orientation, i.probabilities_json FROM (`+ids+`) ids CROSS JOIN frames f ON f.id = ids.id
		LEFT JOIN inspections i ON i.frame_id = f.id WHERE f.state <> 'quarantined'`, append(args, limit)...)
}

// StillUnlabelled says which of some frames of a recipe have no label.
func (db *DB) StillUnlabelled(ctx context.Context, recipeID int64, frames []int64) (map[int64]bool, error) {
	ids, err := list(ctx, db.read, scanID, stillUnlabelledQuery, marshal(frames), recipeID, attentionUnlabelled)
	open := make(map[int64]bool, len(ids))
	for _, id := range ids {
		open[id] = true
	}
	return open, err
}

const stillUnlabelledQuery = `SELECT f.id FROM json_each(?) j CROSS JOIN frames f ON f.id = j.value WHERE f.recipe_id = ? AND f.label IS NULL AND f.attention >= ? AND f.state <> 'discarded'`
