-- +goose Up
-- What a worker measured of a picture, JSON; NULL where none did. left_out keeps
-- a frame out of training: 1 for a doubtful picture, 2 for one that is another
-- frame's, which is out of the test too.
ALTER TABLE frames ADD COLUMN quality_json TEXT;
ALTER TABLE frames ADD COLUMN left_out INTEGER NOT NULL DEFAULT 0;
DROP INDEX frames_label;
CREATE INDEX frames_label ON frames (recipe_id, label, share, state, picture_removed_at, left_out) WHERE label IS NOT NULL;

-- Whether a part that looks like none of the training frames may be OK.
ALTER TABLE recipes ADD COLUMN odd_unsure INTEGER NOT NULL DEFAULT 1;

-- What speaks against training on a frame, until a person decides.
CREATE TABLE doubts (
  frame_id     INTEGER PRIMARY KEY REFERENCES frames (id),
  recipe_id    INTEGER NOT NULL REFERENCES recipes (id),
  station_id   INTEGER REFERENCES stations (id),
  reasons_json TEXT    NOT NULL,
  state        TEXT    NOT NULL CHECK (state IN ('open', 'out', 'used')),
  at           INTEGER NOT NULL,
  person       TEXT    NOT NULL DEFAULT '',
  decided_at   INTEGER
);
CREATE INDEX doubts_state ON doubts (recipe_id, state, frame_id);

-- The control charts of a station, for the version that made their basis.
CREATE TABLE drift_charts (
  station_id INTEGER PRIMARY KEY REFERENCES stations (id),
  recipe_id  INTEGER NOT NULL REFERENCES recipes (id),
  version_id INTEGER NOT NULL,
  state_json TEXT    NOT NULL,
  at         INTEGER NOT NULL
);
CREATE TABLE drift_alarms (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  station_id   INTEGER NOT NULL REFERENCES stations (id),
  recipe_id    INTEGER NOT NULL REFERENCES recipes (id),
  version_id   INTEGER NOT NULL,
  causes_json  TEXT    NOT NULL,
  since        INTEGER NOT NULL, -- when it began, as the charts date it
  at           INTEGER NOT NULL,
  seen_by      TEXT    NOT NULL DEFAULT '',
  seen_at      INTEGER,
  note         TEXT    NOT NULL DEFAULT '',
  closed_at    INTEGER,
  closed_why   TEXT    NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX drift_alarms_open ON drift_alarms (station_id) WHERE closed_at IS NULL;
CREATE INDEX drift_alarms_recipe ON drift_alarms (recipe_id, id);
