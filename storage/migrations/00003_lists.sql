-- +goose Up
-- Lists, the grid and the shift's counts stay quick with millions of rows.

-- The verdict and class of a frame's inspection, so that the grid filters by index.
ALTER TABLE frames ADD COLUMN verdict TEXT;
ALTER TABLE frames ADD COLUMN class   TEXT;
UPDATE frames SET (verdict, class) = (SELECT i.verdict, i.class FROM inspections i WHERE i.frame_id = frames.id) WHERE state = 'judged';
DROP INDEX frames_gallery;
CREATE INDEX frames_gallery ON frames (recipe_id, attention DESC, id DESC, station_id, received_at) WHERE state <> 'discarded';
CREATE INDEX frames_gallery_verdict ON frames (recipe_id, verdict, attention DESC, id DESC, station_id, received_at) WHERE state <> 'discarded' AND verdict IS NOT NULL;
CREATE INDEX frames_gallery_class ON frames (recipe_id, ifnull(label, class), attention DESC, id DESC, station_id, received_at)
  WHERE state <> 'discarded' AND ifnull(label, class) IS NOT NULL;

-- What a list may be filtered by lies in the index by which it is ordered.
DROP INDEX inspections_shift;
DROP INDEX inspections_station;
DROP INDEX inspections_verdict;
DROP INDEX inspections_class;
DROP INDEX inspections_recipe;
DROP INDEX inspections_version;
CREATE INDEX inspections_station ON inspections (station_id, id, verdict, class, label, judged_at);
CREATE INDEX inspections_recipe  ON inspections (recipe_id, id, verdict, class, label, judged_at);
CREATE INDEX inspections_version ON inspections (version_id, id, verdict, class, label, judged_at);
CREATE INDEX inspections_class   ON inspections (class, id, verdict, label, judged_at);
CREATE INDEX inspections_verdict ON inspections (verdict, id, label, judged_at);
CREATE INDEX inspections_label   ON inspections (label, id, judged_at) WHERE label IS NOT NULL;

-- How many inspections there are of each kind, by the half hour since 1970, and
-- of each version.
CREATE TABLE verdict_counts (
  half_hour  INTEGER NOT NULL,
  station_id INTEGER NOT NULL, -- 0 for none
  recipe_id  INTEGER NOT NULL,
  version_id INTEGER NOT NULL,
  verdict    TEXT    NOT NULL,
  class      TEXT    NOT NULL,
  label      TEXT    NOT NULL, -- '' for none
  n          INTEGER NOT NULL,
  PRIMARY KEY (half_hour, station_id, version_id, verdict, class, label)
) WITHOUT ROWID;
CREATE TABLE version_counts (
  version_id INTEGER PRIMARY KEY,
  n          INTEGER NOT NULL
);
INSERT INTO verdict_counts SELECT judged_at / 1800000, ifnull(station_id, 0), recipe_id, version_id, verdict, class, ifnull(label, ''), count(*)
  FROM inspections GROUP BY 1, 2, 3, 4, 5, 6, 7;
INSERT INTO version_counts SELECT version_id, sum(n) FROM verdict_counts GROUP BY 1;
-- +goose StatementBegin
CREATE TRIGGER inspections_counted AFTER INSERT ON inspections BEGIN
  INSERT INTO verdict_counts VALUES (NEW.judged_at / 1800000, ifnull(NEW.station_id, 0), NEW.recipe_id, NEW.version_id, NEW.verdict, NEW.class, ifnull(NEW.label, ''), 1)
    ON CONFLICT DO UPDATE SET n = n + 1;
  INSERT INTO version_counts VALUES (NEW.version_id, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER inspections_relabelled AFTER UPDATE OF label ON inspections WHEN NEW.label IS NOT OLD.label BEGIN
  UPDATE verdict_counts SET n = n - 1 WHERE half_hour = OLD.judged_at / 1800000 AND station_id = ifnull(OLD.station_id, 0)
    AND version_id = OLD.version_id AND verdict = OLD.verdict AND class = OLD.class AND label = ifnull(OLD.label, '');
  INSERT INTO verdict_counts VALUES (NEW.judged_at / 1800000, ifnull(NEW.station_id, 0), NEW.recipe_id, NEW.version_id, NEW.verdict, NEW.class, ifnull(NEW.label, ''), 1)
    ON CONFLICT DO UPDATE SET n = n + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER inspections_removed AFTER DELETE ON inspections BEGIN
  UPDATE verdict_counts SET n = n - 1 WHERE half_hour = OLD.judged_at / 1800000 AND station_id = ifnull(OLD.station_id, 0)
    AND version_id = OLD.version_id AND verdict = OLD.verdict AND class = OLD.class AND label = ifnull(OLD.label, '');
  UPDATE version_counts SET n = n - 1 WHERE version_id = OLD.version_id;
END;
-- +goose StatementEnd

-- The recipe of a correction's frame, so that those since a training are counted
-- without reading frames. Corrections never change: only this column is filled.
DROP TRIGGER corrections_no_update;
ALTER TABLE corrections ADD COLUMN recipe_id INTEGER REFERENCES recipes (id);
UPDATE corrections SET recipe_id = (SELECT f.recipe_id FROM frames f WHERE f.id = frame_id);
-- +goose StatementBegin
CREATE TRIGGER corrections_no_update BEFORE UPDATE ON corrections BEGIN SELECT RAISE(ABORT, 'corrections are append-only'); END;
-- +goose StatementEnd
CREATE INDEX corrections_recipe ON corrections (recipe_id, id, source, at);
