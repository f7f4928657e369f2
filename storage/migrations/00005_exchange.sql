-- +goose Up
-- What is known of an imported frame from where it was before; {} for others.
ALTER TABLE frames ADD COLUMN origin_json TEXT NOT NULL DEFAULT '{}';

-- Where in a frame its defects are: all marks that a person or an import made at
-- a time. The newest row of a frame is in force.
CREATE TABLE markings (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  frame_id   INTEGER NOT NULL REFERENCES frames (id),
  recipe_id  INTEGER NOT NULL REFERENCES recipes (id),
  marks_json TEXT    NOT NULL,
  person     TEXT    NOT NULL,
  source     TEXT    NOT NULL,
  at         INTEGER NOT NULL
);
CREATE INDEX markings_frame ON markings (frame_id, id);
CREATE INDEX markings_recipe ON markings (recipe_id, id);

-- The data sets that versions were trained on and tested with, named by content.
CREATE TABLE datasets (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  recipe_id   INTEGER NOT NULL REFERENCES recipes (id),
  number      INTEGER NOT NULL,
  digest      TEXT    NOT NULL, -- hex SHA-256 of the content
  train       INTEGER NOT NULL,
  test        INTEGER NOT NULL,
  counts_json TEXT    NOT NULL,
  content     BLOB    NOT NULL,
  created_at  INTEGER NOT NULL,
  UNIQUE (recipe_id, number),
  UNIQUE (recipe_id, digest)
);
ALTER TABLE versions ADD COLUMN dataset_id INTEGER REFERENCES datasets (id);
CREATE INDEX versions_dataset ON versions (dataset_id) WHERE dataset_id IS NOT NULL;

-- +goose StatementBegin
CREATE TRIGGER markings_no_replace BEFORE INSERT ON markings WHEN EXISTS (SELECT 1 FROM markings WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'markings are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER markings_no_update BEFORE UPDATE ON markings BEGIN SELECT RAISE(ABORT, 'markings are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER markings_no_delete BEFORE DELETE ON markings
WHEN (SELECT demo FROM recipes WHERE id = OLD.recipe_id) IS NOT 1 BEGIN SELECT RAISE(ABORT, 'markings are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER datasets_no_replace BEFORE INSERT ON datasets
WHEN EXISTS (SELECT 1 FROM datasets WHERE id = NEW.id OR recipe_id = NEW.recipe_id AND (number = NEW.number OR digest = NEW.digest))
BEGIN SELECT RAISE(ABORT, 'data sets never change'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER datasets_no_update BEFORE UPDATE ON datasets BEGIN SELECT RAISE(ABORT, 'data sets never change'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER datasets_no_delete BEFORE DELETE ON datasets
WHEN (SELECT demo FROM recipes WHERE id = OLD.recipe_id) IS NOT 1 BEGIN SELECT RAISE(ABORT, 'data sets never change'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER versions_dataset_fixed BEFORE UPDATE OF dataset_id ON versions WHEN NEW.dataset_id IS NOT OLD.dataset_id
BEGIN SELECT RAISE(ABORT, 'a version keeps its data set'); END;
-- +goose StatementEnd
