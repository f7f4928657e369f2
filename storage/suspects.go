package storage

import (
	"context"
	"database/sql"
	"fmt"
)

// confirmed is the source of a correction by which a person keeps a label that
// was suspected.
const confirmed = "confirm"

// Suspect is a training frame whose label is doubted.
type Suspect struct {
	FrameID      int64
	InspectionID int64   // 0 where it was not judged
	Label        string  // in force
	LabelID      int64   // the correction that gave it
	Said         string  // class that the model says instead
	Probability  float64 // of Said
	Own          float64 // of Label
	Doubt        float64 // the higher the more
	Person       string  // who gave the label
}

// SetSuspects replaces the suspects of a recipe.
func (db *DB) SetSuspects(ctx context.Context, recipeID int64, all []Suspect) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM suspects WHERE recipe_id = ?`, recipeID); err != nil {
			return err
		}
		for _, s := range all {
			if _, err := tx.ExecContext(ctx, `INSERT INTO suspects (frame_id, recipe_id, label, said, probability, own, doubt) VALUES (?,?,?,?,?,?,?)`,
				s.FrameID, recipeID, s.Label, s.Said, s.Probability, s.Own, s.Doubt); err != nil {
				return fmt.Errorf("store the suspects: %w", err)
			}
		}
		return nil
	})
}

// suspectsIn are the suspects of a recipe whose label is still the doubted one
// and was not confirmed since.
const suspectsIn = ` FROM suspects s JOIN frames f ON f.id = s.frame_id JOIN corrections c ON c.id = f.label_id
	WHERE s.recipe_id = ? AND f.label = s.label AND c.source <> '` + confirmed + `' AND f.picture_removed_at IS NULL`

const suspectsQuery = `SELECT s.frame_id, (SELECT id FROM inspections WHERE frame_id = s.frame_id), s.label, f.label_id, s.said, s.probability, s.own, s.doubt, c.person` +
	suspectsIn + ` ORDER BY s.doubt DESC LIMIT ?`

// Suspects lists the suspects of a recipe, the most doubted first.
func (db *DB) Suspects(ctx context.Context, recipeID int64, limit int) ([]Suspect, error) {
	return list(ctx, db.read, func(r scanner) (Suspect, error) {
		var s Suspect
		var inspection sql.NullInt64
		err := r.Scan(&s.FrameID, &inspection, &s.Label, &s.LabelID, &s.Said, &s.Probability, &s.Own, &s.Doubt, &s.Person)
		s.InspectionID = inspection.Int64
		return s, err
	}, suspectsQuery, recipeID, limit)
}

// SuspectCount counts the suspects of a recipe.
func (db *DB) SuspectCount(ctx context.Context, recipeID int64) (n int, err error) {
	err = db.read.QueryRowContext(ctx, `SELECT count(*)`+suspectsIn, recipeID).Scan(&n)
	return n, explain(err)
}

// Confirm keeps a frame's label: a correction of the same class, after which it
// is never suspected again unless its label changes. Conflict where the label in
// force is not the correction labelID any more.
func (db *DB) Confirm(ctx context.Context, by string, frameID, labelID int64) (Correction, error) {
	var stored Correction
	var recipe int64
	err := db.change(ctx, func(tx *sql.Tx) error {
		f, err := one(ctx, tx, "frame", scanFrame, `SELECT `+frameColumns+` FROM frames f WHERE f.id = ?`, frameID)
		if err != nil {
			return err
		}
		if f.Label == "" || f.LabelID != labelID {
			return fail(Conflict, "the label of frame %d has changed in the meantime: look at it again", frameID)
		}
		recipe = f.RecipeID
		stored, err = db.correct(ctx, tx, Correction{FrameID: frameID, Class: f.Label, Person: by, Source: confirmed})
		return err
	})
	if err == nil {
		db.emit(Event{Kind: FrameCorrected, ID: stored.ID, RecipeID: recipe, StationID: stored.StationID, Correction: &stored})
	}
	return stored, err
}

// Confirmed lists the frames of a recipe whose label a person confirmed.
func (db *DB) Confirmed(ctx context.Context, recipeID int64) ([]int64, error) {
	return list(ctx, db.read, scanID, confirmedQuery, recipeID)
}

const confirmedQuery = `SELECT f.id FROM frames f JOIN corrections c ON c.id = f.label_id
	WHERE f.recipe_id = ? AND f.label IS NOT NULL AND c.source = '` + confirmed + `'`
