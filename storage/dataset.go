package storage

import (
	"context"
	"database/sql"
)

// LabelledFrame is what training needs to know of a frame.
type LabelledFrame struct {
	FrameID     int64
	BlobKey     string
	Orientation int
	Class       string
	LabelID     int64  // the correction in force
	Share       string // TrainShare or TestShare
	MarkingID   int64  // the marking in force, 0 for none; only where a whole data set is listed
	Part        string // the physical part in it, see partKey; from DataSet alone
}

// dataSetQuery takes the recipe and whether frames count whose picture was removed
// and those that the guard leaves out.
const dataSetQuery = `SELECT f.id, f.blob_key, f.orientation, f.label, f.label_id, f.share, f.part_key, ifnull((SELECT max(m.id) FROM markings m WHERE m.frame_id = f.id), 0) FROM frames f
	JOIN classes c ON c.recipe_id = f.recipe_id AND c.name = f.label AND c.archived_at IS NULL
	WHERE f.recipe_id = ? AND f.label IS NOT NULL AND (f.picture_removed_at IS NULL OR ?) AND f.state IN ('pending', 'judged', 'kept')
	AND (? OR f.left_out = 0 OR f.left_out = 1 AND f.share = 'test') ORDER BY f.id`

// DataSet lists a recipe's labelled frames of the classes in use, by frame ID.
// Quarantined and discarded frames stay out, those whose picture was removed, and
// what the guard leaves out: doubtful pictures of training, duplicates of both shares.
func (db *DB) DataSet(ctx context.Context, recipeID int64) ([]LabelledFrame, error) {
	return list(ctx, db.read, scanLabelled, dataSetQuery, recipeID, false, false)
}

// DataSetEver is DataSet with the frames whose picture was removed and those that
// the guard leaves out.
func (db *DB) DataSetEver(ctx context.Context, recipeID int64) ([]LabelledFrame, error) {
	return list(ctx, db.read, scanLabelled, dataSetQuery, recipeID, true, true)
}

func scanLabelled(s scanner) (LabelledFrame, error) {
	var f LabelledFrame
	err := s.Scan(&f.FrameID, &f.BlobKey, &f.Orientation, &f.Class, &f.LabelID, &f.Share, &f.Part, &f.MarkingID)
	return f, err
}

// ClassCount is how many labelled frames of one class lie on each side of the split.
type ClassCount struct {
	Class       string
	Train, Test int
}

// ClassCounts counts a recipe's data set by class in use, in the recipe's order;
// classes without a frame count too.
func (db *DB) ClassCounts(ctx context.Context, recipeID int64) ([]ClassCount, error) {
	return list(ctx, db.read, func(s scanner) (ClassCount, error) {
		var c ClassCount
		err := s.Scan(&c.Class, &c.Train, &c.Test)
		return c, err
	}, `SELECT c.name, count(CASE WHEN f.share = 'train' THEN 1 END), count(CASE WHEN f.share = 'test' THEN 1 END)
		FROM classes c LEFT JOIN frames f ON f.recipe_id = c.recipe_id AND f.label = c.name AND f.picture_removed_at IS NULL AND f.state IN ('pending', 'judged', 'kept')
			AND (f.left_out = 0 OR f.left_out = 1 AND f.share = 'test')
		WHERE c.recipe_id = ? AND c.archived_at IS NULL GROUP BY c.name ORDER BY c.position`, recipeID)
}

// FramesWithLabel lists a recipe's newest labelled frames, for finding similar
// ones.
func (db *DB) FramesWithLabel(ctx context.Context, recipeID int64, limit int) ([]LabelledFrame, error) {
	return list(ctx, db.read, func(s scanner) (LabelledFrame, error) {
		var f LabelledFrame
		var share sql.NullString
		err := s.Scan(&f.FrameID, &f.BlobKey, &f.Orientation, &f.Class, &f.LabelID, &share)
		f.Share = share.String
		return f, err
	}, `SELECT id, blob_key, orientation, label, label_id, share FROM frames WHERE recipe_id = ? AND label IS NOT NULL AND picture_removed_at IS NULL ORDER BY id DESC LIMIT ?`, recipeID, limit)
}
