package storage

import (
	"bytes"
	"compress/flate"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"loupe/vision"
)

// VersionState says what a version is for.
type VersionState string

const (
	Candidate  VersionState = "candidate"  // trained, waits for a decision
	Challenger VersionState = "challenger" // judges beside the champion
	Champion   VersionState = "champion"   // judges the frames
	Retired    VersionState = "retired"    // was replaced
)

// Version is one trained model.
type Version struct {
	ID        int64
	RecipeID  int64
	Number    int   // counts from 1 within the recipe
	ParentID  int64 // the champion it was trained beside, 0 for none
	State     VersionState
	Size      int           // input side in pixels
	Region    vision.Region // the part of the picture that it learned on
	Classes   []string      // in the order of its outputs
	HeadKey   string        // blob of the trained head, from which the model file can be rebuilt; "" for an uploaded file
	ModelKey  string        // blob of the ONNX file
	ModelSHA  string        // hex SHA-256 of the ONNX file
	Statement json.RawMessage
	Report    json.RawMessage
	Decision  string // in words, why it was promoted or waits
	JobID     int64
	CreatedBy string
	CreatedAt time.Time
	DatasetID int64           // the Dataset that it was trained on and tested with; 0 where it is not known
	TrainedOn []int64         // frame IDs in rising order, for AddVersion alone: see TrainedOn
	Data      []LabelledFrame // by frame ID, for AddVersion alone: they become its Dataset
}

// Uploaded says that the version came as a file: there is no head to rebuild it from.
func (v Version) Uploaded() bool { return v.HeadKey == "" }

// Model names the version's ONNX file for a worker.
func (v Version) Model() vision.ModelRef {
	return vision.ModelRef{Key: v.ModelKey, SHA256: v.ModelSHA, Size: v.Size, Classes: v.Classes}
}

// Result is what a version said about one frame of the test share.
type Result struct {
	FrameID       int64          `json:"frame"`
	Truth         string         `json:"truth"`
	Predicted     string         `json:"predicted"`
	Score         float64        `json:"score"`
	Fail          float64        `json:"fail"` // summed probability of the failing classes
	Verdict       vision.Verdict `json:"verdict"`
	Probabilities []float64      `json:"p"` // in the order of the version's classes
}

const versionColumns = `id, recipe_id, number, parent_id, state, size, region_json, classes_json, head_key, model_key, model_sha256,
	statement_json, report_json, decision, job_id, created_by, created_at, dataset_id`

func scanVersion(s scanner) (Version, error) {
	var v Version
	var parent, job, data sql.NullInt64
	var region, classes, statement, report string
	var at int64
	err := s.Scan(&v.ID, &v.RecipeID, &v.Number, &parent, &v.State, &v.Size, &region, &classes, &v.HeadKey, &v.ModelKey, &v.ModelSHA,
		&statement, &report, &v.Decision, &job, &v.CreatedBy, &at, &data)
	if err != nil {
		return v, err
	}
	v.ParentID, v.JobID, v.CreatedAt, v.DatasetID = parent.Int64, job.Int64, fromMillis(at), data.Int64
	v.Statement, v.Report = json.RawMessage(statement), json.RawMessage(report)
	if err := json.Unmarshal([]byte(region), &v.Region); err != nil {
		return v, err
	}
	return v, json.Unmarshal([]byte(classes), &v.Classes)
}

// AddVersion stores a new candidate with its results on the test share. Older
// candidates of the recipe are retired: only the newest waits for a decision.
func (db *DB) AddVersion(ctx context.Context, v Version, results []Result) (Version, error) {
	packed, err := packResults(results)
	if err != nil {
		return v, err
	}
	trained, err := packIDs(v.TrainedOn)
	if err != nil {
		return v, err
	}
	err = db.change(ctx, func(tx *sql.Tx) error {
		if v.Data != nil {
			d, err := db.nameDataset(ctx, tx, v.RecipeID, v.Data)
			if err != nil {
				return err
			}
			v.DatasetID = d.ID
		}
		if err := db.insertVersion(tx, &v, packed, trained); err != nil {
			return err
		}
		return db.audit(tx, v.CreatedBy, "version.add", versionSubject(v.ID), nil, map[string]any{"recipe": v.RecipeID, "number": v.Number, "sha256": v.ModelSHA})
	})
	if err == nil {
		db.emit(Event{Kind: VersionChanged, ID: v.ID, RecipeID: v.RecipeID})
	}
	return v, err
}

func (db *DB) insertVersion(tx *sql.Tx, v *Version, results, trained []byte) error {
	v.State, v.CreatedAt = Candidate, db.now()
	if err := tx.QueryRow(`SELECT ifnull(max(number), 0) + 1 FROM versions WHERE recipe_id = ?`, v.RecipeID).Scan(&v.Number); err != nil {
		return err
	}
	if _, err := tx.Exec(`UPDATE versions SET state = 'retired' WHERE recipe_id = ? AND state = 'candidate'`, v.RecipeID); err != nil {
		return err
	}
	res, err := tx.Exec(`INSERT INTO versions (recipe_id, number, parent_id, state, size, region_json, classes_json, head_key, model_key, model_sha256,
		statement_json, report_json, results, trained_on, decision, job_id, created_by, created_at, dataset_id) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		v.RecipeID, v.Number, nullID(v.ParentID), v.State, v.Size, marshal(v.Region), marshal(v.Classes), v.HeadKey, v.ModelKey, v.ModelSHA,
		string(v.Statement), string(v.Report), results, trained, v.Decision, nullID(v.JobID), v.CreatedBy, millis(v.CreatedAt), nullID(v.DatasetID))
	if err != nil {
		return fmt.Errorf("store the version: %w", err)
	}
	v.ID, err = res.LastInsertId()
	return err
}

// Promote makes a version its recipe's champion and retires the one before.
func (db *DB) Promote(ctx context.Context, by string, versionID int64, reason string) (Version, error) {
	var v Version
	err := db.change(ctx, func(tx *sql.Tx) error {
		var err error
		if v, err = readVersion(ctx, tx, versionID); err != nil {
			return err
		}
		r, err := readRecipe(ctx, tx, v.RecipeID)
		if err != nil {
			return err
		}
		if r.ChampionID == v.ID {
			return fail(Conflict, "version %d is the champion already", v.Number)
		}
		v.State = Champion
		return db.crown(ctx, tx, by, r, v, reason)
	})
	if err == nil {
		db.emit(Event{Kind: VersionChanged, ID: v.ID, RecipeID: v.RecipeID})
	}
	return v, err
}

// Rollback makes the champion before the present one champion again.
func (db *DB) Rollback(ctx context.Context, by string, recipeID int64) (Version, error) {
	var v Version
	err := db.change(ctx, func(tx *sql.Tx) error {
		r, err := readRecipe(ctx, tx, recipeID)
		if err != nil {
			return err
		}
		if v, err = previousChampion(ctx, tx, r); err != nil {
			return err
		}
		v.State = Champion
		// The rolled-back champion is not where the next roll-back leads to.
		var before sql.NullInt64
		err = tx.QueryRow(`SELECT from_id FROM promotions WHERE recipe_id = ? AND version_id = ? ORDER BY id LIMIT 1`, recipeID, v.ID).Scan(&before)
		if err != nil {
			return err
		}
		return db.crownFrom(ctx, tx, by, r, v, before, "rolled back")
	})
	if err == nil {
		db.emit(Event{Kind: VersionChanged, ID: v.ID, RecipeID: v.RecipeID})
	}
	return v, err
}

// PreviousChampion is the version that Rollback would make champion; a Conflict
// where there is none.
func (db *DB) PreviousChampion(ctx context.Context, recipeID int64) (Version, error) {
	r, err := db.Recipe(ctx, recipeID)
	if err != nil {
		return Version{}, err
	}
	return previousChampion(ctx, db.read, r)
}

func previousChampion(ctx context.Context, q querier, r Recipe) (Version, error) {
	previous, err := one(ctx, q, "promotion", scanNullID, `SELECT from_id FROM promotions WHERE recipe_id = ? AND version_id = ? ORDER BY id DESC LIMIT 1`, r.ID, r.ChampionID)
	if CodeOf(err) == NotFound || err == nil && previous == 0 {
		return Version{}, fail(Conflict, "there is no earlier champion to go back to")
	}
	if err != nil {
		return Version{}, err
	}
	return readVersion(ctx, q, previous)
}

func scanNullID(s scanner) (int64, error) {
	var id sql.NullInt64
	err := s.Scan(&id)
	return id.Int64, err
}

func (db *DB) crown(ctx context.Context, tx *sql.Tx, by string, r Recipe, v Version, reason string) error {
	return db.crownFrom(ctx, tx, by, r, v, nullID(r.ChampionID), reason)
}

func (db *DB) crownFrom(ctx context.Context, tx *sql.Tx, by string, r Recipe, v Version, from sql.NullInt64, reason string) error {
	for _, q := range []struct {
		text string
		args []any
	}{
		{`UPDATE versions SET state = 'retired' WHERE recipe_id = ? AND state = 'champion'`, []any{v.RecipeID}},
		{`UPDATE versions SET state = 'champion', decision = ? WHERE id = ?`, []any{reason, v.ID}},
		{`UPDATE recipes SET champion_id = ?, live_after = CASE WHEN champion_id IS NULL THEN (SELECT coalesce(max(id), 0) FROM frames) ELSE live_after END WHERE id = ?`,
			[]any{v.ID, v.RecipeID}},
		{`INSERT INTO promotions (recipe_id, version_id, from_id, person, reason, at) VALUES (?,?,?,?,?,?)`, []any{v.RecipeID, v.ID, from, by, reason, millis(db.now())}},
	} {
		if _, err := tx.Exec(q.text, q.args...); err != nil {
			return fmt.Errorf("promote: %w", err)
		}
	}
	if err := db.closePromoted(ctx, tx, by, v, reason); err != nil {
		return err
	}
	return db.audit(tx, by, "version.promote", recipeSubject(v.RecipeID), map[string]any{"champion": r.ChampionID}, map[string]any{"champion": v.ID, "number": v.Number, "reason": reason})
}

// Decide stores in words why a candidate waits.
func (db *DB) Decide(ctx context.Context, versionID int64, decision string) error {
	err := db.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`UPDATE versions SET decision = ? WHERE id = ?`, decision, versionID)
		return err
	})
	if err == nil {
		if v, err := db.Version(ctx, versionID); err == nil {
			db.emit(Event{Kind: VersionChanged, ID: v.ID, RecipeID: v.RecipeID})
		}
	}
	return err
}

// PromotedAt is when a version last became champion; the zero time if it never did.
func (db *DB) PromotedAt(ctx context.Context, versionID int64) (time.Time, error) {
	var at sql.NullInt64
	err := db.read.QueryRowContext(ctx, `SELECT max(at) FROM promotions WHERE version_id = ?`, versionID).Scan(&at)
	return fromNullMillis(at), explain(err)
}

// Version finds a version by ID.
func (db *DB) Version(ctx context.Context, id int64) (Version, error) {
	return readVersion(ctx, db.read, id)
}

func readVersion(ctx context.Context, q querier, id int64) (Version, error) {
	return one(ctx, q, "version", scanVersion, `SELECT `+versionColumns+` FROM versions WHERE id = ?`, id)
}

// Versions lists a recipe's newest versions.
func (db *DB) Versions(ctx context.Context, recipeID int64, limit int) ([]Version, error) {
	return list(ctx, db.read, scanVersion, `SELECT `+versionColumns+` FROM versions WHERE recipe_id = ? ORDER BY number DESC LIMIT ?`, recipeID, limit)
}

// VersionByJob finds the version that a training job stored, so that a job that
// was interrupted after storing it does not store it twice.
func (db *DB) VersionByJob(ctx context.Context, jobID int64) (Version, error) {
	return one(ctx, db.read, "version", scanVersion, `SELECT `+versionColumns+` FROM versions WHERE job_id = ? ORDER BY id DESC LIMIT 1`, jobID)
}

// Results reads what a version said about each frame of the test share.
func (db *DB) Results(ctx context.Context, versionID int64) ([]Result, error) {
	packed, err := one(ctx, db.read, "version", func(s scanner) ([]byte, error) {
		var b []byte
		return b, s.Scan(&b)
	}, `SELECT results FROM versions WHERE id = ?`, versionID)
	if err != nil || packed == nil {
		return nil, err
	}
	plain, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	if err != nil {
		return nil, fmt.Errorf("unpack the results of version %d: %w", versionID, err)
	}
	var results []Result
	return results, json.Unmarshal(plain, &results)
}

func packResults(results []Result) ([]byte, error) {
	data, err := json.Marshal(results)
	if err != nil {
		return nil, err
	}
	return deflate(data)
}

// deflate compresses what a row holds.
func deflate(data []byte) ([]byte, error) {
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

func versionSubject(id int64) string { return fmt.Sprintf("version %d", id) }
