package storage

import (
	"bytes"
	"compress/flate"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// packIDs keeps rising frame IDs as the compressed steps between them: a version
// is trained at each few corrections, and each knows its thousands of frames.
func packIDs(ids []int64) ([]byte, error) {
	if ids == nil {
		return nil, nil
	}
	var steps []byte
	last := int64(0)
	for _, id := range ids {
		if id <= last {
			return nil, fmt.Errorf("frame %d follows frame %d", id, last)
		}
		steps = binary.AppendUvarint(steps, uint64(id-last))
		last = id
	}
	return deflate(steps)
}

// unpackIDs is the way back.
func unpackIDs(packed []byte) ([]int64, error) {
	steps, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	if err != nil {
		return nil, err
	}
	var ids []int64
	last := int64(0)
	for len(steps) > 0 {
		step, n := binary.Uvarint(steps)
		if n <= 0 {
			return nil, errors.New("the list of training frames is damaged")
		}
		last += int64(step)
		ids, steps = append(ids, last), steps[n:]
	}
	return ids, nil
}

// TrainedOn lists the frames that a version was trained on; nil where an older
// Loupe or another plant trained it.
func (db *DB) TrainedOn(ctx context.Context, versionID int64) ([]int64, error) {
	packed, err := one(ctx, db.read, "version", func(s scanner) (packed []byte, err error) {
		return packed, s.Scan(&packed)
	}, `SELECT trained_on FROM versions WHERE id = ?`, versionID)
	if err != nil || packed == nil {
		return nil, err
	}
	return unpackIDs(packed)
}

// TrainingGone is what is left of the pictures that a version was trained on.
type TrainingGone struct {
	Known   bool // the frames are known
	All     int
	Removed int       // pictures removed by the recipe's rule
	Last    time.Time // when the last of them was
}

// TrainingGone tells how many of a version's training pictures were removed.
func (db *DB) TrainingGone(ctx context.Context, versionID int64) (TrainingGone, error) {
	ids, err := db.TrainedOn(ctx, versionID)
	if err != nil || ids == nil {
		return TrainingGone{}, err
	}
	g := TrainingGone{Known: true, All: len(ids)}
	var last sql.NullInt64
	err = db.read.QueryRowContext(ctx, `SELECT count(*), max(picture_removed_at) FROM json_each(?) j CROSS JOIN frames f ON f.id = j.value
		WHERE f.picture_removed_at IS NOT NULL`, marshal(ids)).Scan(&g.Removed, &last)
	g.Last = fromNullMillis(last)
	return g, explain(err)
}

// trainedLosses counts how many of some frames each version of a recipe was
// trained on.
func trainedLosses(ctx context.Context, tx *sql.Tx, recipeID int64, frames []int64) ([]TrainedLoss, error) {
	type version struct {
		number int
		packed []byte
	}
	versions, err := list(ctx, tx, func(s scanner) (v version, err error) {
		return v, s.Scan(&v.number, &v.packed)
	}, `SELECT number, trained_on FROM versions WHERE recipe_id = ? AND trained_on IS NOT NULL ORDER BY number`, recipeID)
	if err != nil {
		return nil, err
	}
	gone := make(map[int64]bool, len(frames))
	for _, id := range frames {
		gone[id] = true
	}
	var all []TrainedLoss
	for _, v := range versions {
		ids, err := unpackIDs(v.packed)
		if err != nil {
			return nil, fmt.Errorf("version %d: %w", v.number, err)
		}
		loss := TrainedLoss{Version: v.number}
		for _, id := range ids {
			if gone[id] {
				loss.Pictures++
			}
		}
		if loss.Pictures > 0 {
			all = append(all, loss)
		}
	}
	return all, nil
}
