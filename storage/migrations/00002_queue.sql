-- +goose Up
-- How many frames of a station may wait for a verdict, and whether the newest
-- goes first. live_after is the last frame that came before the recipe had a
-- champion: those are judged when nothing else waits.
ALTER TABLE recipes ADD COLUMN queue_limit  INTEGER NOT NULL DEFAULT 1000;
ALTER TABLE recipes ADD COLUMN newest_first INTEGER NOT NULL DEFAULT 0;
ALTER TABLE recipes ADD COLUMN live_after   INTEGER NOT NULL DEFAULT 0;
ALTER TABLE frames  ADD COLUMN dropped_at   INTEGER;
DROP INDEX frames_pending;
CREATE INDEX frames_queue ON frames (recipe_id, coalesce(station_id, 0), id) WHERE state = 'pending';
CREATE INDEX frames_dropped ON frames (station_id, dropped_at) WHERE dropped_at IS NOT NULL;
