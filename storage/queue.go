package storage

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// QueueRule says what happens when a station's frames come faster than they
// can be judged.
type QueueRule struct {
	Limit       int  `json:"limit"`        // frames of one station that may wait
	NewestFirst bool `json:"newest_first"` // judge the newest first and drop the oldest over the limit, instead of refusing
}

// DefaultQueue refuses what comes when a station is a thousand frames behind.
var DefaultQueue = QueueRule{Limit: 1000}

// Next is the frame that a station's recipe wants to have judged next.
type Next struct {
	FrameID   int64
	StationID int64 // 0 for none
	Backlog   bool  // it came before the recipe had a champion: nobody waits for it
}

// nextOf finds one station's next frame of a recipe, on the index frames_queue.
const nextOf = ` FROM frames WHERE state = 'pending' AND recipe_id = l.recipe AND coalesce(station_id, 0) = l.station
	AND id NOT IN (SELECT value FROM json_each(?1))`

// nextQuery steps from station to station over the index, so that it costs as
// many look-ups as there are stations whose frames wait.
const nextQuery = `WITH RECURSIVE lanes (recipe, station, newest, live) AS (
	SELECT r.id, (SELECT coalesce(station_id, 0) FROM frames WHERE state = 'pending' AND recipe_id = r.id ORDER BY coalesce(station_id, 0) LIMIT 1),
		r.newest_first, r.live_after FROM recipes r WHERE r.champion_id IS NOT NULL AND r.archived_at IS NULL
	UNION ALL
	SELECT l.recipe, (SELECT coalesce(station_id, 0) FROM frames WHERE state = 'pending' AND recipe_id = l.recipe
		AND coalesce(station_id, 0) > l.station ORDER BY coalesce(station_id, 0) LIMIT 1), l.newest, l.live FROM lanes l WHERE l.station IS NOT NULL)
	SELECT l.station,
		CASE WHEN l.newest THEN (SELECT id` + nextOf + ` AND id > l.live ORDER BY id DESC LIMIT 1)
			ELSE (SELECT id` + nextOf + ` AND id > l.live ORDER BY id LIMIT 1) END,
		(SELECT id` + nextOf + ` AND id <= l.live ORDER BY id LIMIT 1)
	FROM lanes l WHERE l.station IS NOT NULL`

// NextFrames lists the next frame of each station that waits for a verdict by a
// champion, without those in flight. Where a station has no live frame, it is
// its next of the backlog.
func (db *DB) NextFrames(ctx context.Context, inFlight []int64) ([]Next, error) {
	all, err := list(ctx, db.read, func(s scanner) (Next, error) {
		var n Next
		var live, backlog sql.NullInt64
		err := s.Scan(&n.StationID, &live, &backlog)
		n.FrameID, n.Backlog = live.Int64, !live.Valid
		if n.Backlog {
			n.FrameID = backlog.Int64
		}
		return n, err
	}, nextQuery, marshal(append([]int64{}, inFlight...)))
	waiting := all[:0]
	for _, n := range all {
		if n.FrameID != 0 {
			waiting = append(waiting, n)
		}
	}
	return waiting, err
}

// CountPending counts the frames that wait for a verdict.
func (db *DB) CountPending(ctx context.Context) (int, error) {
	var n int
	err := db.read.QueryRowContext(ctx, `SELECT count(*) FROM frames WHERE state = 'pending'`).Scan(&n)
	return n, explain(err)
}

// CountWaiting counts a station's frames that wait for a verdict.
func (db *DB) CountWaiting(ctx context.Context, stationID int64) (int, error) {
	var n int
	err := db.read.QueryRowContext(ctx, `SELECT count(*) FROM frames WHERE state = 'pending' AND coalesce(station_id, 0) = ?
		AND recipe_id IN (SELECT id FROM recipes)`, stationID).Scan(&n)
	return n, explain(err)
}

// CountDropped counts a station's frames that were dropped since from, because
// newer ones went first.
func (db *DB) CountDropped(ctx context.Context, stationID int64, from time.Time) (int, error) {
	var n int
	err := db.read.QueryRowContext(ctx, `SELECT count(*) FROM frames WHERE station_id = ? AND dropped_at >= ?`, stationID, millis(from)).Scan(&n)
	return n, explain(err)
}

// CheckRoom reports as Behind that AddFrame would refuse the frame, before its
// picture is stored for nothing. A frame that was sent before is no new one.
func (db *DB) CheckRoom(ctx context.Context, f Frame) error {
	q, err := queueOf(ctx, db.read, f)
	if err != nil || !q.full() || q.NewestFirst {
		return err
	}
	if _, there, err := earlierFrame(ctx, db.read, f); there || err != nil {
		return err
	}
	return q.behind()
}

// queue is a station's queue as a new frame meets it.
type queue struct {
	QueueRule
	live    int64 // frames up to this one are backlog and do not count
	waiting int   // at most the limit
}

const queueFrames = ` FROM frames WHERE state = 'pending' AND recipe_id = ? AND coalesce(station_id, 0) = ? AND id > ?`

// queueOf reads it. A recipe without a champion only collects, and has no limit.
func queueOf(ctx context.Context, q querier, f Frame) (queue, error) {
	var u queue
	err := q.QueryRowContext(ctx, `SELECT queue_limit, newest_first, live_after FROM recipes WHERE id = ? AND champion_id IS NOT NULL`, f.RecipeID).
		Scan(&u.Limit, &u.NewestFirst, &u.live)
	if err == sql.ErrNoRows {
		return queue{}, nil
	}
	if err == nil {
		err = q.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1`+queueFrames+` LIMIT ?)`, f.RecipeID, f.StationID, u.live, u.Limit).Scan(&u.waiting)
	}
	return u, explain(err)
}

func (q queue) full() bool { return q.Limit > 0 && q.waiting >= q.Limit }

func (q queue) behind() error {
	return fail(Behind, "%d frames of this station wait to be judged already: send this one again later", q.waiting)
}

// makeRoom keeps a station's queue within its recipe's limit before a frame
// joins it: it refuses the frame as Behind, or gives the ID of the frame that
// it dropped, 0 for none.
func (db *DB) makeRoom(ctx context.Context, tx *sql.Tx, f Frame) (dropped int64, err error) {
	q, err := queueOf(ctx, tx, f)
	if err != nil || !q.full() {
		return 0, err
	}
	if !q.NewestFirst {
		return 0, q.behind()
	}
	err = tx.QueryRow(`UPDATE frames SET state = 'discarded', dropped_at = ?, trouble = ? WHERE id = (SELECT id`+queueFrames+` ORDER BY id LIMIT 1) RETURNING id`,
		millis(db.now()), fmt.Sprintf("dropped without a verdict: %d newer frames of its station went first", q.waiting), f.RecipeID, f.StationID, q.live).Scan(&dropped)
	return dropped, err
}
