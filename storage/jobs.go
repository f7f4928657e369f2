package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"
)

// JobState says where a job is.
type JobState string

const (
	JobQueued    JobState = "queued"
	JobRunning   JobState = "running"
	JobDone      JobState = "done"
	JobFailed    JobState = "failed"
	JobCancelled JobState = "cancelled"
)

// Ended reports whether the job will never move on.
func (s JobState) Ended() bool { return s == JobDone || s == JobFailed || s == JobCancelled }

// Job is long work with progress.
type Job struct {
	ID         int64
	Kind       string // such as "train"
	RecipeID   int64  // 0 for none
	State      JobState
	Progress   float64 // 0 to 1
	Message    string  // for a person
	Params     json.RawMessage
	Result     json.RawMessage
	CreatedBy  string
	CreatedAt  time.Time
	StartedAt  time.Time
	FinishedAt time.Time
}

const jobColumns = `id, kind, recipe_id, state, progress, message, params_json, result_json, created_by, created_at, started_at, finished_at`

func scanJob(s scanner) (Job, error) {
	var j Job
	var recipe, started, finished sql.NullInt64
	var created int64
	var params, result string
	err := s.Scan(&j.ID, &j.Kind, &recipe, &j.State, &j.Progress, &j.Message, &params, &result, &j.CreatedBy, &created, &started, &finished)
	j.RecipeID, j.Params, j.Result = recipe.Int64, json.RawMessage(params), json.RawMessage(result)
	j.CreatedAt, j.StartedAt, j.FinishedAt = fromMillis(created), fromNullMillis(started), fromNullMillis(finished)
	return j, err
}

// AddJob queues a job. Where one of the same kind and recipe is queued already,
// that one is given, with false.
func (db *DB) AddJob(ctx context.Context, j Job) (Job, bool, error) {
	added := false
	if j.Params == nil {
		j.Params = json.RawMessage("{}")
	}
	err := db.change(ctx, func(tx *sql.Tx) error {
		old, err := one(ctx, tx, "job", scanJob, `SELECT `+jobColumns+` FROM jobs WHERE state = 'queued' AND kind = ? AND recipe_id IS ?`, j.Kind, nullID(j.RecipeID))
		if err == nil {
			j = old
			return nil
		}
		if CodeOf(err) != NotFound {
			return err
		}
		added = true
		return db.insertJob(tx, &j)
	})
	if err == nil && added {
		db.emitJob(j)
	}
	return j, added, err
}

func (db *DB) insertJob(tx *sql.Tx, j *Job) error {
	j.State, j.CreatedAt, j.Result = JobQueued, db.now(), json.RawMessage("{}")
	res, err := tx.Exec(`INSERT INTO jobs (kind, recipe_id, state, params_json, created_by, created_at) VALUES (?,?,?,?,?,?)`,
		j.Kind, nullID(j.RecipeID), j.State, string(j.Params), j.CreatedBy, millis(j.CreatedAt))
	if err != nil {
		return err
	}
	j.ID, err = res.LastInsertId()
	return err
}

func (db *DB) emitJob(j Job) {
	db.emit(Event{Kind: JobChanged, ID: j.ID, RecipeID: j.RecipeID, Job: &j})
}

// StartJob takes the oldest queued job and marks it running. NotFound when
// none waits.
func (db *DB) StartJob(ctx context.Context) (Job, error) {
	var j Job
	err := db.change(ctx, func(tx *sql.Tx) error {
		var err error
		j, err = one(ctx, tx, "job", scanJob, `UPDATE jobs SET state = 'running', started_at = ?, message = ''
			WHERE id = (SELECT min(id) FROM jobs WHERE state = 'queued') RETURNING `+jobColumns, millis(db.now()))
		return err
	})
	if err == nil {
		db.emitJob(j)
	}
	return j, err
}

// MoveJob stores the progress of a running job. It says false when the job is
// no longer running, because somebody cancelled it.
func (db *DB) MoveJob(ctx context.Context, id int64, progress float64, message string, result any) (running bool, err error) {
	return db.updateJob(ctx, id, `UPDATE jobs SET progress = ?, message = ?, result_json = ? WHERE id = ? AND state = 'running' RETURNING `+jobColumns,
		progress, message, marshal(result), id)
}

// EndJob stores how a running job ended. A job that was cancelled stays so.
func (db *DB) EndJob(ctx context.Context, id int64, state JobState, message string, result any) error {
	_, err := db.updateJob(ctx, id, `UPDATE jobs SET state = ?1, message = ?2, result_json = ?3, finished_at = ?4,
		progress = CASE ?1 WHEN 'done' THEN 1 ELSE progress END WHERE id = ?5 AND state = 'running' RETURNING `+jobColumns,
		state, message, marshal(result), millis(db.now()), id)
	return err
}

// CancelJob cancels a job that has not ended. One that has is a Conflict.
func (db *DB) CancelJob(ctx context.Context, by string, id int64) error {
	if _, err := db.Job(ctx, id); err != nil {
		return err
	}
	open, err := db.updateJob(ctx, id, `UPDATE jobs SET state = 'cancelled', message = ?, finished_at = ? WHERE id = ? AND state IN ('queued', 'running') RETURNING `+jobColumns,
		"cancelled by "+by, millis(db.now()), id)
	if err == nil && !open {
		return fail(Conflict, "job %d has ended already", id)
	}
	return err
}

func (db *DB) updateJob(ctx context.Context, id int64, query string, args ...any) (open bool, err error) {
	var j Job
	err = db.change(ctx, func(tx *sql.Tx) error {
		var err error
		j, err = one(ctx, tx, "job", scanJob, query, args...)
		return err
	})
	if CodeOf(err) == NotFound {
		return false, nil
	}
	if err == nil {
		db.emitJob(j)
	}
	return err == nil, err
}

// RequeueJobs puts the jobs that an earlier process left running back into the queue.
func (db *DB) RequeueJobs(ctx context.Context) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`UPDATE jobs SET state = 'queued', progress = 0, message = 'started again after a restart' WHERE state = 'running'`)
		return err
	})
}

// Job finds a job by ID.
func (db *DB) Job(ctx context.Context, id int64) (Job, error) {
	return one(ctx, db.read, "job", scanJob, `SELECT `+jobColumns+` FROM jobs WHERE id = ?`, id)
}

// LastJob finds the newest job of a kind and recipe.
func (db *DB) LastJob(ctx context.Context, recipeID int64, kind string) (Job, error) {
	return one(ctx, db.read, "job", scanJob, `SELECT `+jobColumns+` FROM jobs WHERE recipe_id = ? AND kind = ? ORDER BY id DESC LIMIT 1`, recipeID, kind)
}

// LastJobDone finds the newest job of a kind and recipe that ended well.
func (db *DB) LastJobDone(ctx context.Context, recipeID int64, kind string) (Job, error) {
	return one(ctx, db.read, "job", scanJob, `SELECT `+jobColumns+` FROM jobs WHERE recipe_id = ? AND kind = ? AND state = 'done' ORDER BY id DESC LIMIT 1`, recipeID, kind)
}

// Jobs lists the newest jobs, of one recipe where recipeID is not 0.
func (db *DB) Jobs(ctx context.Context, recipeID int64, limit int) ([]Job, error) {
	var w where
	if recipeID != 0 {
		w.add("recipe_id = ?", recipeID)
	}
	return list(ctx, db.read, scanJob, `SELECT `+jobColumns+` FROM jobs`+w.String()+` ORDER BY id DESC LIMIT ?`, append(w.args, limit)...)
}
