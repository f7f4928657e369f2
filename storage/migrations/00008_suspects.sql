-- +goose Up
-- Training frames whose label the newest search doubts. A row counts while the
-- frame still has the label and nobody has confirmed it.
CREATE TABLE suspects (
  frame_id    INTEGER PRIMARY KEY REFERENCES frames (id),
  recipe_id   INTEGER NOT NULL REFERENCES recipes (id),
  label       TEXT    NOT NULL,
  said        TEXT    NOT NULL,
  probability REAL    NOT NULL,
  own         REAL    NOT NULL,
  doubt       REAL    NOT NULL
);
CREATE INDEX suspects_recipe ON suspects (recipe_id, doubt DESC);

-- +goose Down
DROP TABLE suspects;
