-- +goose Up
-- What wrong verdicts of a recipe cost, the share of parts that people can look
-- at, and the share of bad parts in production; 0 means as in the test frames.
ALTER TABLE recipes ADD COLUMN cost_escape       REAL NOT NULL DEFAULT 100;
ALTER TABLE recipes ADD COLUMN cost_false_reject REAL NOT NULL DEFAULT 1;
ALTER TABLE recipes ADD COLUMN unsure_share      REAL NOT NULL DEFAULT 0.05;
ALTER TABLE recipes ADD COLUMN bad_share         REAL NOT NULL DEFAULT 0;
