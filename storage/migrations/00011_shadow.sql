-- +goose Up
-- How long a challenger of a recipe judges in shadow, how many frames people
-- must settle before the rule may promote it, and whether a version that waits
-- begins by itself.
ALTER TABLE recipes ADD COLUMN shadow_frames  INTEGER NOT NULL DEFAULT 5000;
ALTER TABLE recipes ADD COLUMN shadow_days    INTEGER NOT NULL DEFAULT 14;
ALTER TABLE recipes ADD COLUMN shadow_settled INTEGER NOT NULL DEFAULT 30;
ALTER TABLE recipes ADD COLUMN shadow_auto    INTEGER NOT NULL DEFAULT 0;

-- A challenger that judges live frames beside the champion without speaking.
-- seen counts the frames that the champion judged meanwhile, by a trigger in the
-- same change, so that what was left out is known after a crash too.
CREATE TABLE shadows (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  recipe_id   INTEGER NOT NULL REFERENCES recipes (id),
  version_id  INTEGER NOT NULL REFERENCES versions (id),
  state       TEXT    NOT NULL CHECK (state IN ('judging', 'settling', 'closed')),
  was         TEXT    NOT NULL, -- the version's state before
  most_frames INTEGER NOT NULL,
  until       INTEGER NOT NULL,
  seen        INTEGER NOT NULL DEFAULT 0,
  judged      INTEGER NOT NULL DEFAULT 0,
  failed      INTEGER NOT NULL DEFAULT 0,
  differing   INTEGER NOT NULL DEFAULT 0,
  started_by  TEXT    NOT NULL,
  started_at  INTEGER NOT NULL,
  ended_at    INTEGER, -- of judging
  reason      TEXT    NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX shadows_open ON shadows (recipe_id) WHERE state <> 'closed';
CREATE INDEX shadows_version ON shadows (version_id, id);

-- What a challenger said, beside what the champion had said about the frame.
CREATE TABLE shadow_inspections (
  id                 INTEGER PRIMARY KEY AUTOINCREMENT,
  shadow_id          INTEGER NOT NULL REFERENCES shadows (id),
  frame_id           INTEGER NOT NULL REFERENCES frames (id),
  verdict            TEXT    NOT NULL CHECK (verdict IN ('OK', 'NG', 'Unsure')),
  class              TEXT    NOT NULL,
  score              REAL    NOT NULL,
  fail               REAL    NOT NULL, -- summed probability of the failing classes
  probabilities_json TEXT    NOT NULL,
  findings_json      TEXT    NOT NULL,
  worker             TEXT    NOT NULL,
  judged_at          INTEGER NOT NULL,
  champion_id        INTEGER NOT NULL REFERENCES versions (id),
  champion_verdict   TEXT    NOT NULL,
  champion_class     TEXT    NOT NULL,
  champion_score     REAL    NOT NULL,
  champion_fail      REAL    NOT NULL,
  difference         REAL    NOT NULL, -- of the two fails
  differs            INTEGER NOT NULL, -- in verdict or class
  label              TEXT,             -- as that of the frame's inspection
  UNIQUE (shadow_id, frame_id)
);
CREATE INDEX shadow_inspections_open    ON shadow_inspections (shadow_id, difference, id) WHERE differs = 1 AND label IS NULL;
CREATE INDEX shadow_inspections_settled ON shadow_inspections (shadow_id, difference, id) WHERE differs = 1 AND label IS NOT NULL;
CREATE INDEX shadow_inspections_known   ON shadow_inspections (shadow_id, champion_id, differs, id) WHERE label IS NOT NULL;
CREATE INDEX shadow_inspections_frame   ON shadow_inspections (frame_id);

-- +goose StatementBegin
CREATE TRIGGER inspections_seen_by_shadow AFTER INSERT ON inspections BEGIN
  UPDATE shadows SET seen = seen + 1 WHERE recipe_id = NEW.recipe_id AND state <> 'closed' AND state = 'judging';
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER inspections_label_in_shadow AFTER UPDATE OF label ON inspections WHEN NEW.label IS NOT OLD.label BEGIN
  UPDATE shadow_inspections SET label = NEW.label WHERE frame_id = NEW.frame_id;
END;
-- +goose StatementEnd
