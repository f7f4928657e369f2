package storage

import (
	"context"
	"database/sql"
	"reflect"
)

// Import is a labelled picture whose blob is on disk already.
type Import struct {
	Frame Frame
	Class string
	Share string // wanted side of the split, "" to leave it to Loupe
	Marks []Mark // where the defects are; none leaves what is marked already
	Copy  int    // how many frames with this picture, part and class come before it in the same import
}

// Imported counts what an import did.
type Imported struct {
	Added     int
	Marked    int // frames that were there already and got regions
	OtherSide int // added frames whose part lies on the other side of the split than wanted: it stays there
}

// Import stores frames that are kept for learning, each with its label and
// regions, in one transaction. A picture that the recipe has already of the same
// part under the same label is left out.
func (db *DB) Import(ctx context.Context, recipeID int64, all []Import) (Imported, error) {
	var done Imported
	var stored []Correction
	err := db.change(ctx, func(tx *sql.Tx) error {
		done, stored = Imported{}, nil
		for _, i := range all {
			i.Frame.RecipeID = recipeID
			there, err := list(ctx, tx, scanID, `SELECT id FROM frames WHERE recipe_id = ? AND part_key = ? AND blob_key = ? AND label = ? AND picture_removed_at IS NULL ORDER BY id LIMIT ?`,
				recipeID, partKey(i.Frame), i.Frame.BlobKey, i.Class, i.Copy+1)
			if err != nil {
				return err
			}
			if len(there) > i.Copy {
				err = db.markAgain(ctx, tx, there[i.Copy], i, &done)
			} else {
				var c Correction
				c, err = db.importFrame(ctx, tx, i, &done)
				stored = append(stored, c)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Imported{}, err
	}
	for i := range stored {
		db.emit(Event{Kind: FrameCorrected, ID: stored[i].ID, RecipeID: recipeID, Correction: &stored[i]})
	}
	return done, nil
}

// importFrame stores one picture that is new.
func (db *DB) importFrame(ctx context.Context, tx *sql.Tx, i Import, done *Imported) (Correction, error) {
	f := i.Frame
	f.State, f.ReceivedAt = Kept, db.now()
	if f.TakenAt.IsZero() {
		f.TakenAt = f.ReceivedAt
	}
	if f.Readings == nil {
		f.Readings = map[string]any{}
	}
	if err := keepBlob(ctx, tx, f.BlobKey); err != nil {
		return Correction{}, err
	}
	if err := insertFrame(tx, &f); err != nil {
		return Correction{}, err
	}
	c, err := db.correct(ctx, tx, Correction{FrameID: f.ID, Class: i.Class, Person: "import", Source: "import", Share: i.Share})
	if err != nil {
		return c, err
	}
	done.Added++
	if i.Share != "" {
		var share string
		if err := tx.QueryRowContext(ctx, `SELECT share FROM frames WHERE id = ?`, f.ID).Scan(&share); err != nil {
			return c, err
		}
		if share != i.Share {
			done.OtherSide++
		}
	}
	if len(i.Marks) > 0 {
		_, err = db.mark(ctx, tx, f.RecipeID, Marking{FrameID: f.ID, Marks: i.Marks, Person: "import", Source: "import"})
	}
	return c, err
}

// markAgain gives a frame that is there already the regions of an import, where
// they are others than those in force.
func (db *DB) markAgain(ctx context.Context, tx *sql.Tx, frameID int64, i Import, done *Imported) error {
	if len(i.Marks) == 0 {
		return nil
	}
	last, err := list(ctx, tx, scanMarking, `SELECT `+markingColumns+` FROM markings WHERE frame_id = ? ORDER BY id DESC LIMIT 1`, frameID)
	if err != nil || len(last) == 1 && reflect.DeepEqual(last[0].Marks, i.Marks) {
		return err
	}
	done.Marked++
	_, err = db.mark(ctx, tx, i.Frame.RecipeID, Marking{FrameID: frameID, Marks: i.Marks, Person: "import", Source: "import"})
	return err
}
