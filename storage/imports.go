package storage

import (
	"context"
	"database/sql"
)

// Import is a labelled picture whose blob is on disk already.
type Import struct {
	Frame Frame
	Class string
	Share string // wanted side of the split, "" to leave it to Loupe
}

// Import stores frames that are kept for learning, each with its label, in one
// transaction. A picture that the recipe has already under the same label is
// left out; the result is how many were new.
func (db *DB) Import(ctx context.Context, recipeID int64, all []Import) (added int, err error) {
	var stored []Correction
	err = db.change(ctx, func(tx *sql.Tx) error {
		added, stored = 0, nil
		for _, i := range all {
			var there bool
			if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM frames WHERE recipe_id = ? AND part_key = ? AND label = ? AND picture_removed_at IS NULL)`,
				recipeID, partKey(i.Frame), i.Class).Scan(&there); err != nil {
				return err
			}
			if there {
				continue
			}
			f := i.Frame
			f.RecipeID, f.State, f.ReceivedAt = recipeID, Kept, db.now()
			if f.TakenAt.IsZero() {
				f.TakenAt = f.ReceivedAt
			}
			if f.Readings == nil {
				f.Readings = map[string]any{}
			}
			if err := keepBlob(ctx, tx, f.BlobKey); err != nil {
				return err
			}
			if err := insertFrame(tx, &f); err != nil {
				return err
			}
			c, err := db.correct(ctx, tx, Correction{FrameID: f.ID, Class: i.Class, Person: "import", Source: "import", Share: i.Share})
			if err != nil {
				return err
			}
			stored = append(stored, c)
			added++
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for i := range stored {
		db.emit(Event{Kind: FrameCorrected, ID: stored[i].ID, RecipeID: recipeID, Correction: &stored[i]})
	}
	return added, nil
}
