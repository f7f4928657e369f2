package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// deleteAtOnce is how many blobs are taken for deletion in one change.
const deleteAtOnce = 200

// scheduleBlobs puts blobs on the list of those to be deleted at a time.
func scheduleBlobs(ctx context.Context, tx *sql.Tx, keys []string, at time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO blobs_to_delete (key, at) SELECT DISTINCT value, ? FROM json_each(?) WHERE true
		ON CONFLICT (key) DO UPDATE SET at = min(at, excluded.at)`, millis(at), marshal(keys))
	return err
}

// DeleteBlobs deletes the blobs whose time has come and that nothing uses. It
// calls each before with the key and the frames that had it as their picture.
// What was taken and not finished before a crash is taken up again.
func (db *DB) DeleteBlobs(ctx context.Context, each func(key string, frames []int64) error) (deleted int, err error) {
	db.deleting.Lock()
	defer db.deleting.Unlock()
	if err := db.untake(ctx); err != nil {
		return 0, err
	}
	for {
		keys, err := db.takeBlobs(ctx)
		if err != nil || len(keys) == 0 {
			return deleted, err
		}
		for _, key := range keys {
			if err := db.deleteBlob(ctx, key, each); err != nil {
				return deleted, errors.Join(err, db.untake(context.WithoutCancel(ctx)))
			}
			deleted++
		}
		if err := db.change(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `DELETE FROM blobs_to_delete WHERE taken = 1`)
			return err
		}); err != nil {
			return deleted, err
		}
	}
}

// untake gives back what was taken and not deleted.
func (db *DB) untake(ctx context.Context) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE blobs_to_delete SET taken = 0 WHERE taken = 1`)
		return err
	})
}

// takeBlobs takes some blobs whose time has come, and forgets those that are
// used again.
func (db *DB) takeBlobs(ctx context.Context) (keys []string, err error) {
	err = db.change(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM blobs_to_delete WHERE at <= ?1 AND (
			EXISTS (SELECT 1 FROM frames WHERE blob_key = key AND picture_removed_at IS NULL)
			OR EXISTS (SELECT 1 FROM versions WHERE head_key = key OR model_key = key))`, millis(db.now())); err != nil {
			return err
		}
		keys, err = list(ctx, tx, scanKey, `UPDATE blobs_to_delete SET taken = 1 WHERE key IN (SELECT key FROM blobs_to_delete WHERE at <= ? AND taken = 0 LIMIT ?) RETURNING key`,
			millis(db.now()), deleteAtOnce)
		return err
	})
	return keys, err
}

func (db *DB) deleteBlob(ctx context.Context, key string, each func(key string, frames []int64) error) error {
	frames, err := list(ctx, db.read, scanID, `SELECT id FROM frames WHERE blob_key = ?`, key)
	if err != nil {
		return err
	}
	if err := each(key, frames); err != nil {
		return err
	}
	return db.Blobs.Delete(ctx, key)
}

// keepBlob takes the picture of a new frame, or the file of an upload, off the
// list of blobs to delete. One that is being deleted right now is Busy.
func keepBlob(ctx context.Context, tx *sql.Tx, key string) error {
	var taken bool
	err := tx.QueryRowContext(ctx, `SELECT taken FROM blobs_to_delete WHERE key = ?`, key).Scan(&taken)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if taken {
		return fail(Busy, "an earlier copy of it is being removed right now: send it again")
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM blobs_to_delete WHERE key = ?`, key)
	return err
}

// StoreFrame stores the picture of a frame and then its row, as AddFrame says.
// f.BlobKey is made of the picture; one that is stored already is not written
// again, and one that is stored for nothing is put on the list of DeleteBlobs.
func (db *DB) StoreFrame(ctx context.Context, f Frame, picture []byte) (Frame, bool, error) {
	f.BlobKey = ContentKey("frames", picture)
	if f.State != Kept {
		if err := db.CheckRoom(ctx, f); err != nil {
			return f, false, err
		}
	}
	there, err := db.Blobs.Exists(ctx, f.BlobKey)
	if err == nil && !there {
		err = db.Blobs.Put(ctx, f.BlobKey, picture)
	}
	if err != nil {
		return f, false, err
	}
	key := f.BlobKey
	f, added, err := db.AddFrame(ctx, f)
	switch {
	case added && there:
		// It may have been deleted between the look and the row. From the row on it stays.
		if there, err = db.Blobs.Exists(ctx, key); err == nil && !there {
			err = db.Blobs.Put(ctx, key, picture)
		}
		if err != nil {
			err = fmt.Errorf("store the picture of frame %d again: %w", f.ID, err)
		}
	case !added && !there:
		err = errors.Join(err, db.change(context.WithoutCancel(ctx), func(tx *sql.Tx) error {
			return scheduleBlobs(ctx, tx, []string{key}, db.now().Add(blobGrace))
		}))
	}
	return f, added, err
}
