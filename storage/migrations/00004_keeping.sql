-- +goose Up
-- How long a recipe's pictures are kept; 0 days or gigabytes set no limit.
ALTER TABLE recipes ADD COLUMN keep_days       INTEGER NOT NULL DEFAULT 0;
ALTER TABLE recipes ADD COLUMN keep_gigabytes  REAL    NOT NULL DEFAULT 0;
ALTER TABLE recipes ADD COLUMN protect_days    INTEGER NOT NULL DEFAULT 365;
ALTER TABLE recipes ADD COLUMN labelled_may_go INTEGER NOT NULL DEFAULT 0;

-- A frame outlives its picture: its verdict and labels stay.
ALTER TABLE frames ADD COLUMN picture_removed_at INTEGER;
CREATE INDEX frames_pictures ON frames (recipe_id, received_at, verdict, state, label_id, bytes, picture_removed_at) WHERE picture_removed_at IS NULL;

DROP INDEX frames_label;
CREATE INDEX frames_label ON frames (recipe_id, label, share, state, picture_removed_at) WHERE label IS NOT NULL;
CREATE INDEX frames_removed ON frames (picture_removed_at, bytes) WHERE picture_removed_at IS NOT NULL;

-- Blobs that are to be deleted at a time, so that deleting goes on after a crash.
-- One that is taken is being deleted right now.
CREATE TABLE blobs_to_delete (
  key   TEXT    PRIMARY KEY,
  at    INTEGER NOT NULL,
  taken INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- The frames that a version was trained on; NULL where it is not known.
ALTER TABLE versions ADD COLUMN trained_on BLOB;
