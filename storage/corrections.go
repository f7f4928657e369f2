package storage

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Correction is what a person says a frame really is. It is never changed,
// only followed by another; the last one is the frame's label.
type Correction struct {
	ID        int64
	FrameID   int64
	Class     string // "" takes the label back
	Note      string
	Person    string
	Source    string // where it came from: "page", "api", "import", "undo", "settle", "archive" or "confirm"
	FollowsID int64  // the correction that was in force before, 0 for none
	At        time.Time

	StationID int64  // of the frame, filled in
	Share     string // wanted side of the split for a part not yet on one; usually ""
	Seen      *int64 // the correction that the person saw in force (0 for none); nil where unknown
}

// Attention orders frames for labelling: what needs a person most comes first.
const (
	attentionNoPicture  = -1 // the grid has no such frame
	attentionLabelled   = 0
	attentionUnlabelled = 1
	attentionUnsure     = 2
	attentionDisagreed  = 3
)

// settling sources end a disagreement: only what people say after them counts.
const settling = `('settle', 'import', 'archive')`

// Correct stores a correction, which becomes the frame's label. Where somebody
// else's correction came in between (c.Seen is not the one in force), both are
// kept, the new one is in force, and overtaken is the other.
func (db *DB) Correct(ctx context.Context, c Correction) (stored Correction, overtaken *Correction, err error) {
	var recipe, station int64
	err = db.change(ctx, func(tx *sql.Tx) error {
		var inForce sql.NullInt64
		var st sql.NullInt64
		err := tx.QueryRowContext(ctx, `SELECT label_id, recipe_id, station_id FROM frames WHERE id = ?`, c.FrameID).Scan(&inForce, &recipe, &st)
		if err == sql.ErrNoRows {
			return fail(NotFound, "there is no frame %d", c.FrameID)
		}
		if err != nil {
			return err
		}
		station = st.Int64
		if c.Seen != nil && inForce.Valid && inForce.Int64 != *c.Seen {
			other, err := one(ctx, tx, "correction", scanCorrection, `SELECT `+correctionColumns+` FROM corrections WHERE id = ?`, inForce.Int64)
			if err != nil {
				return err
			}
			overtaken = &other
		}
		stored, err = db.correct(ctx, tx, c)
		return err
	})
	if err != nil {
		return stored, nil, err
	}
	db.emit(Event{Kind: FrameCorrected, ID: stored.ID, RecipeID: recipe, StationID: station, Correction: &stored})
	return stored, overtaken, nil
}

// CorrectMany stores many corrections of one recipe's frames in one
// transaction: all or none.
func (db *DB) CorrectMany(ctx context.Context, recipeID int64, all []Correction) ([]Correction, error) {
	stored := make([]Correction, 0, len(all))
	err := db.change(ctx, func(tx *sql.Tx) error {
		stored = stored[:0]
		for _, c := range all {
			s, err := db.correct(ctx, tx, c)
			if err != nil {
				return err
			}
			stored = append(stored, s)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range stored {
		db.emit(Event{Kind: FrameCorrected, ID: stored[i].ID, RecipeID: recipeID, StationID: stored[i].StationID, Correction: &stored[i]})
	}
	return stored, nil
}

// Undo takes corrections back: each frame whose label is still the correction
// gets a new one that restores what was in force before. Others are left alone.
func (db *DB) Undo(ctx context.Context, by string, corrections []int64) (undone []Correction, recipeID int64, err error) {
	err = db.change(ctx, func(tx *sql.Tx) error {
		undone = nil
		for _, id := range corrections {
			c, err := one(ctx, tx, "correction", scanCorrection, `SELECT `+correctionColumns+` FROM corrections WHERE id = ?`, id)
			if err != nil {
				return err
			}
			var inForce int64
			if err := tx.QueryRow(`SELECT label_id, recipe_id FROM frames WHERE id = ?`, c.FrameID).Scan(&inForce, &recipeID); err != nil {
				return err
			}
			if inForce != id {
				continue
			}
			back := Correction{FrameID: c.FrameID, Person: by, Source: "undo"}
			if c.FollowsID != 0 {
				before, err := one(ctx, tx, "correction", scanCorrection, `SELECT `+correctionColumns+` FROM corrections WHERE id = ?`, c.FollowsID)
				if err != nil {
					return err
				}
				back.Class = before.Class
			}
			if back, err = db.correct(ctx, tx, back); err != nil {
				return err
			}
			undone = append(undone, back)
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	for i := range undone {
		db.emit(Event{Kind: FrameCorrected, ID: undone[i].ID, RecipeID: recipeID, StationID: undone[i].StationID, Correction: &undone[i]})
	}
	return undone, recipeID, nil
}

func (db *DB) correct(ctx context.Context, tx *sql.Tx, c Correction) (Correction, error) {
	f, err := one(ctx, tx, "frame", scanFrame, `SELECT `+frameColumns+` FROM frames f WHERE f.id = ?`, c.FrameID)
	if err != nil {
		return c, err
	}
	if len(c.Note) > 2000 {
		return c, fail(Invalid, "the note is longer than 2000 characters")
	}
	if c.Class != "" {
		var n int
		if err := tx.QueryRow(`SELECT count(*) FROM classes WHERE recipe_id = ? AND name = ? AND archived_at IS NULL`, f.RecipeID, c.Class).Scan(&n); err != nil {
			return c, err
		}
		if n == 0 {
			return c, fail(Invalid, "the recipe has no class %q in use", c.Class)
		}
	}
	c.FollowsID, c.At, c.StationID = f.LabelID, db.now(), f.StationID
	res, err := tx.Exec(`INSERT INTO corrections (frame_id, recipe_id, class, note, person, source, follows_id, at) VALUES (?,?,?,?,?,?,?,?)`,
		c.FrameID, f.RecipeID, sql.NullString{String: c.Class, Valid: c.Class != ""}, c.Note, c.Person, c.Source, nullID(c.FollowsID), millis(c.At))
	if err != nil {
		return c, fmt.Errorf("store the correction: %w", err)
	}
	if c.ID, err = res.LastInsertId(); err != nil {
		return c, err
	}
	if err := applyLabel(ctx, tx, f, c); err != nil {
		return c, err
	}
	if err := db.settleOdd(ctx, tx, f, c); err != nil {
		return c, err
	}
	return c, db.audit(tx, c.Person, "label."+c.Source, fmt.Sprintf("frame %d", c.FrameID), f.Label, c.Class)
}

// applyLabel brings the frame and its inspection in line with its newest correction.
func applyLabel(ctx context.Context, tx *sql.Tx, f Frame, c Correction) error {
	label := sql.NullString{String: c.Class, Valid: c.Class != ""}
	share := sql.NullString{String: f.Share, Valid: f.Share != ""}
	if label.Valid && !share.Valid {
		s, err := assignShare(ctx, tx, f.RecipeID, partKey(f), c.Class, c.Share)
		if err != nil {
			return err
		}
		share = sql.NullString{String: s, Valid: true}
	}
	var differing int
	err := tx.QueryRowContext(ctx, `SELECT count(DISTINCT ifnull(class, '')) FROM corrections c WHERE frame_id = ?1
		AND id > ifnull((SELECT max(id) FROM corrections WHERE frame_id = ?1 AND source IN `+settling+`), 0)
		AND id = (SELECT max(id) FROM corrections o WHERE o.frame_id = ?1 AND o.person = c.person)`, f.ID).Scan(&differing)
	if err != nil {
		return err
	}
	disagreed := differing > 1
	_, err = tx.ExecContext(ctx, `UPDATE frames SET label = ?1, label_id = ?2, share = ?3, disagreed = ?4, attention =
		CASE WHEN picture_removed_at IS NOT NULL THEN `+fmt.Sprint(attentionNoPicture)+` WHEN ?4 THEN `+fmt.Sprint(attentionDisagreed)+` WHEN ?1 IS NOT NULL THEN `+fmt.Sprint(attentionLabelled)+`
		WHEN EXISTS (SELECT 1 FROM inspections WHERE frame_id = ?5 AND verdict = 'Unsure') THEN `+fmt.Sprint(attentionUnsure)+`
		ELSE `+fmt.Sprint(attentionUnlabelled)+` END WHERE id = ?5`, label, c.ID, share, disagreed, f.ID)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE inspections SET label = ? WHERE frame_id = ?`, label, f.ID)
	return err
}

const correctionColumns = `id, frame_id, class, note, person, source, follows_id, at`

func scanCorrection(s scanner) (Correction, error) {
	var c Correction
	var class sql.NullString
	var follows sql.NullInt64
	var at int64
	err := s.Scan(&c.ID, &c.FrameID, &class, &c.Note, &c.Person, &c.Source, &follows, &at)
	c.Class, c.FollowsID, c.At = class.String, follows.Int64, fromMillis(at)
	return c, err
}

// Corrections lists what people said about a frame, oldest first.
func (db *DB) Corrections(ctx context.Context, frameID int64) ([]Correction, error) {
	return list(ctx, db.read, scanCorrection, `SELECT `+correctionColumns+` FROM corrections WHERE frame_id = ? ORDER BY id`, frameID)
}

const correctionsSinceQuery = `SELECT count(*), max(id), max(at) FROM corrections WHERE recipe_id = ? AND id > ? AND source NOT IN ('import', 'confirm')`

// CorrectionsSince counts a recipe's corrections with IDs above after, and gives
// the newest of them and its time. Imports do not count, nor what only confirms.
func (db *DB) CorrectionsSince(ctx context.Context, recipeID, after int64) (n int, newest int64, at time.Time, err error) {
	var id, ms sql.NullInt64
	err = db.read.QueryRowContext(ctx, correctionsSinceQuery, recipeID, after).Scan(&n, &id, &ms)
	return n, id.Int64, fromNullMillis(ms), explain(err)
}

// LastCorrection is the newest correction's ID of a recipe, imports included; 0 for none.
func (db *DB) LastCorrection(ctx context.Context, recipeID int64) (int64, error) {
	var id sql.NullInt64
	err := db.read.QueryRowContext(ctx, `SELECT max(id) FROM corrections WHERE recipe_id = ?`, recipeID).Scan(&id)
	return id.Int64, explain(err)
}
