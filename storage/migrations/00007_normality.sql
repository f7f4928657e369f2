-- +goose Up
-- Whether a recipe is judged by its good parts alone, and which share of known
-- parts may be taken for unlike anything seen.
ALTER TABLE recipes ADD COLUMN good_only    INTEGER NOT NULL DEFAULT 0;
ALTER TABLE recipes ADD COLUMN false_alarms REAL    NOT NULL DEFAULT 0.01;

-- How unlike all training frames a judged frame is (1 is where known ends, 0 of a
-- version that does not know), and what else than its class made the verdict.
ALTER TABLE inspections ADD COLUMN novelty REAL NOT NULL DEFAULT 0;
ALTER TABLE inspections ADD COLUMN reason  TEXT NOT NULL DEFAULT '';
