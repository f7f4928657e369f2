package storage

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"time"
)

// Dataset is a version of a recipe's data: the labelled frames that a version
// was trained on and tested with, as they were then. It never changes and is
// named by its content: the same frames, labels, shares and regions are the same
// data set.
type Dataset struct {
	ID          int64
	RecipeID    int64
	Number      int    // counts from 1 within the recipe
	Digest      string // hex, see DatasetDigest
	Train, Test int    // frames
	Counts      []ClassCount
	CreatedAt   time.Time
}

// DatasetDigest is the hex SHA-256 of a data set's content: a line for each
// frame in the order given (by ID), "ID PICTURE CLASS SHARE LABEL MARKING", where
// PICTURE is the hex SHA-256 of the file, CLASS a Go-quoted string, LABEL the ID
// of the correction in force and MARKING that of the marking in force, 0 for none.
func DatasetDigest(frames []LabelledFrame) string {
	sum := sha256.New()
	for _, f := range frames {
		fmt.Fprintf(sum, "%d %s %q %s %d %d\n", f.FrameID, path.Base(f.BlobKey), f.Class, f.Share, f.LabelID, f.MarkingID)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

const datasetColumns = `id, recipe_id, number, digest, train, test, counts_json, created_at`

func scanDataset(s scanner) (Dataset, error) {
	var d Dataset
	var counts string
	var at int64
	if err := s.Scan(&d.ID, &d.RecipeID, &d.Number, &d.Digest, &d.Train, &d.Test, &counts, &at); err != nil {
		return d, err
	}
	d.CreatedAt = fromMillis(at)
	return d, json.Unmarshal([]byte(counts), &d.Counts)
}

// nameDataset finds the data set with this content, or stores it.
func (db *DB) nameDataset(ctx context.Context, tx *sql.Tx, recipeID int64, frames []LabelledFrame) (Dataset, error) {
	d := Dataset{RecipeID: recipeID, Digest: DatasetDigest(frames), CreatedAt: db.now()}
	old, err := one(ctx, tx, "data set", scanDataset, `SELECT `+datasetColumns+` FROM datasets WHERE recipe_id = ? AND digest = ?`, recipeID, d.Digest)
	if CodeOf(err) != NotFound {
		return old, err
	}
	content, err := packFrames(frames)
	if err != nil {
		return d, err
	}
	d.count(frames)
	if err := tx.QueryRowContext(ctx, `SELECT ifnull(max(number), 0) + 1 FROM datasets WHERE recipe_id = ?`, recipeID).Scan(&d.Number); err != nil {
		return d, err
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO datasets (recipe_id, number, digest, train, test, counts_json, content, created_at) VALUES (?,?,?,?,?,?,?,?)`,
		recipeID, d.Number, d.Digest, d.Train, d.Test, marshal(d.Counts), content, millis(d.CreatedAt))
	if err != nil {
		return d, fmt.Errorf("store the data set: %w", err)
	}
	d.ID, err = res.LastInsertId()
	return d, err
}

// count counts the frames of each class, in the order in which they occur.
func (d *Dataset) count(frames []LabelledFrame) {
	at := map[string]int{}
	for _, f := range frames {
		i, ok := at[f.Class]
		if !ok {
			i = len(d.Counts)
			at[f.Class], d.Counts = i, append(d.Counts, ClassCount{Class: f.Class})
		}
		if f.Share == TestShare {
			d.Test++
			d.Counts[i].Test++
		} else {
			d.Train++
			d.Counts[i].Train++
		}
	}
}

// Dataset finds a data set by ID.
func (db *DB) Dataset(ctx context.Context, id int64) (Dataset, error) {
	return one(ctx, db.read, "data set", scanDataset, `SELECT `+datasetColumns+` FROM datasets WHERE id = ?`, id)
}

// DatasetByNumber finds a recipe's data set by its number.
func (db *DB) DatasetByNumber(ctx context.Context, recipeID int64, number int) (Dataset, error) {
	return one(ctx, db.read, "data set", scanDataset, `SELECT `+datasetColumns+` FROM datasets WHERE recipe_id = ? AND number = ?`, recipeID, number)
}

// Datasets lists a recipe's newest data sets.
func (db *DB) Datasets(ctx context.Context, recipeID int64, limit int) ([]Dataset, error) {
	return list(ctx, db.read, scanDataset, `SELECT `+datasetColumns+` FROM datasets WHERE recipe_id = ? ORDER BY number DESC LIMIT ?`, recipeID, limit)
}

// DatasetVersions lists the versions that were trained on a data set, oldest first.
func (db *DB) DatasetVersions(ctx context.Context, id int64) ([]Version, error) {
	return list(ctx, db.read, scanVersion, `SELECT `+versionColumns+` FROM versions WHERE dataset_id = ? ORDER BY number`, id)
}

// DatasetFrames gives the content of a data set, by frame ID, as it was when it
// was made. It is an error when the content does not have the data set's digest.
func (db *DB) DatasetFrames(ctx context.Context, id int64) ([]LabelledFrame, error) {
	d, err := db.Dataset(ctx, id)
	if err != nil {
		return nil, err
	}
	content, err := one(ctx, db.read, "data set", func(s scanner) (b []byte, err error) { return b, s.Scan(&b) }, `SELECT content FROM datasets WHERE id = ?`, id)
	if err != nil {
		return nil, err
	}
	frames, err := unpackFrames(content)
	if err != nil {
		return nil, fmt.Errorf("data set %d: %w", d.Number, err)
	}
	ids := make([]int64, len(frames))
	for i, f := range frames {
		ids[i] = f.FrameID
	}
	type picture struct {
		id          int64
		key         string
		orientation int
	}
	pictures, err := list(ctx, db.read, func(s scanner) (p picture, err error) { return p, s.Scan(&p.id, &p.key, &p.orientation) },
		`SELECT f.id, f.blob_key, f.orientation FROM json_each(?) j CROSS JOIN frames f ON f.id = j.value ORDER BY f.id`, marshal(ids))
	if err != nil {
		return nil, err
	}
	if len(pictures) == len(frames) {
		for i, p := range pictures {
			frames[i].BlobKey, frames[i].Orientation = p.key, p.orientation
		}
		if DatasetDigest(frames) == d.Digest {
			return frames, nil
		}
	}
	return nil, fmt.Errorf("data set %d is damaged: its content does not have its digest", d.Number)
}
