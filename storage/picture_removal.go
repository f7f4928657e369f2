package storage

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// keepingRule is who removes pictures by a recipe's rule, for the audit log.
const keepingRule = "rule"

// removalBatch is how many pictures one change lets go.
const removalBatch = 500

// blobGrace is how long the blob of a removed picture stays, so that a backup
// that began before still finds it.
const blobGrace = 24 * time.Hour

// Removal is what one step of keeping let go, as the audit log has it.
type Removal struct {
	Kind     PictureKind   `json:"kind"`
	Pictures int           `json:"pictures"`
	Bytes    int64         `json:"bytes"`
	First    int64         `json:"first_frame"`
	Last     int64         `json:"last_frame"`
	Oldest   time.Time     `json:"oldest"`
	Newest   time.Time     `json:"newest"`
	Trained  []TrainedLoss `json:"trained_on,omitempty"`
}

// TrainedLoss is how many of the removed pictures a version was trained on.
type TrainedLoss struct {
	Version  int `json:"version"` // its number
	Pictures int `json:"pictures"`
}

// RemovePictures lets go of some of the pictures that a recipe's rule no longer
// keeps, oldest first, and says which; none when the rule is met. Their frames
// are marked in the same change as the audit log is written and the blobs are
// put on the list of DeleteBlobs, so nothing is half done after a crash.
func (db *DB) RemovePictures(ctx context.Context, recipeID int64) (Removal, error) {
	var done Removal
	err := db.change(ctx, func(tx *sql.Tx) error {
		done = Removal{}
		r, err := readRecipe(ctx, tx, recipeID)
		if err != nil {
			return err
		}
		now := db.now()
		for _, kind := range pictureKinds {
			frames, err := db.surplus(ctx, tx, r, kind, now)
			if err != nil {
				return err
			}
			if len(frames) > 0 {
				done, err = db.letGo(ctx, tx, r, kind, frames, now)
				return err
			}
		}
		return nil
	})
	return done, err
}

// keptPicture is a frame whose picture may go.
type keptPicture struct {
	id, bytes int64
	received  time.Time
}

// surplus lists the oldest pictures of a kind that the rule no longer keeps.
func (db *DB) surplus(ctx context.Context, tx *sql.Tx, r Recipe, kind PictureKind, now time.Time) ([]keptPicture, error) {
	byAge, bySize := r.Keep.before(kind, now)
	frames, err := oldestPictures(ctx, tx, r.ID, kind, byAge)
	if err != nil || len(frames) > 0 || r.Keep.limit() < 0 || bySize.IsZero() {
		return frames, err
	}
	all, err := pictureBytes(ctx, tx, r.ID)
	over := all - r.Keep.limit()
	if err != nil || over <= 0 {
		return nil, err
	}
	frames, err = oldestPictures(ctx, tx, r.ID, kind, bySize)
	for i, f := range frames {
		if over <= 0 {
			return frames[:i], err
		}
		over -= f.bytes
	}
	return frames, err
}

func oldestPictures(ctx context.Context, tx *sql.Tx, recipeID int64, kind PictureKind, before time.Time) ([]keptPicture, error) {
	if before.IsZero() {
		return nil, nil
	}
	return list(ctx, tx, func(s scanner) (keptPicture, error) {
		var f keptPicture
		var at int64
		err := s.Scan(&f.id, &f.bytes, &at)
		f.received = fromMillis(at)
		return f, err
	}, oldestPicturesQuery(kind), recipeID, millis(before), removalBatch)
}

func oldestPicturesQuery(kind PictureKind) string {
	return `SELECT id, bytes, received_at FROM frames WHERE recipe_id = ? AND picture_removed_at IS NULL AND received_at < ? AND ` + kindTerms[kind] +
		` ORDER BY received_at LIMIT ?`
}

// letGo marks frames as without a picture and writes down what that means.
func (db *DB) letGo(ctx context.Context, tx *sql.Tx, r Recipe, kind PictureKind, frames []keptPicture, now time.Time) (Removal, error) {
	done := Removal{Kind: kind, Pictures: len(frames), First: frames[0].id, Oldest: frames[0].received}
	ids := make([]int64, len(frames))
	for i, f := range frames {
		ids[i] = f.id
		done.Bytes += f.bytes
		done.First, done.Last, done.Newest = min(done.First, f.id), max(done.Last, f.id), f.received
	}
	var err error
	if kind == LabelledPicture {
		if done.Trained, err = trainedLosses(ctx, tx, r.ID, ids); err != nil {
			return done, err
		}
	}
	list := marshal(ids)
	for _, q := range []struct {
		text string
		args []any
	}{
		{`UPDATE frames SET picture_removed_at = ?, attention = ?, state = CASE state WHEN 'quarantined' THEN 'discarded' ELSE state END
			WHERE id IN (SELECT value FROM json_each(?))`, []any{millis(now), attentionNoPicture, list}},
		{`UPDATE inspections SET heat = NULL WHERE frame_id IN (SELECT value FROM json_each(?))`, []any{list}},
		{`INSERT INTO blobs_to_delete (key, at) SELECT DISTINCT blob_key, ? FROM frames WHERE id IN (SELECT value FROM json_each(?))
			ON CONFLICT DO NOTHING`, []any{millis(now.Add(blobGrace)), list}},
	} {
		if _, err := tx.ExecContext(ctx, q.text, q.args...); err != nil {
			return done, fmt.Errorf("remove pictures: %w", err)
		}
	}
	return done, db.audit(tx, keepingRule, "pictures.remove", recipeSubject(r.ID), r.Keep, done)
}
