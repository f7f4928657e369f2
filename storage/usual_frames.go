package storage

import (
	"context"
	"database/sql"

	"loupe/vision"
)

// UsualFrame is a training frame from which it is learned what is usual.
type UsualFrame struct {
	LabelledFrame
	StationID     int64
	Width, Height int
	Quality       *vision.Quality // nil where it was not measured
}

// UsualFrames lists training frames of a recipe that nothing is held against: at
// most limit of each class, the newest.
func (db *DB) UsualFrames(ctx context.Context, recipeID int64, limit int) ([]UsualFrame, error) {
	return list(ctx, db.read, func(s scanner) (UsualFrame, error) {
		var f UsualFrame
		var station sql.NullInt64
		var quality sql.NullString
		err := s.Scan(&f.FrameID, &f.BlobKey, &f.Orientation, &f.Class, &f.LabelID, &f.Share, &f.Part, &station, &f.Width, &f.Height, &quality)
		if err != nil {
			return f, err
		}
		f.StationID = station.Int64
		f.Quality, err = readQuality(quality)
		return f, err
	}, `SELECT id, blob_key, orientation, label, label_id, share, part_key, station_id, width, height, quality_json FROM (
		SELECT f.*, row_number() OVER (PARTITION BY f.label ORDER BY f.id DESC) AS place FROM frames f
		JOIN classes c ON c.recipe_id = f.recipe_id AND c.name = f.label AND c.archived_at IS NULL
		WHERE f.recipe_id = ? AND f.label IS NOT NULL AND f.share = 'train' AND f.left_out = 0 AND f.picture_removed_at IS NULL AND f.state IN ('pending', 'judged', 'kept'))
		WHERE place <= ? ORDER BY id`, recipeID, limit)
}

// SaveQualities stores what was measured of frames that are not judged live.
func (db *DB) SaveQualities(ctx context.Context, qualities map[int64]vision.Quality) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		for id, q := range qualities {
			if _, err := tx.Exec(`UPDATE frames SET quality_json = ? WHERE id = ?`, marshal(q), id); err != nil {
				return err
			}
		}
		return nil
	})
}
