package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
)

// AddUpload stores a version that came as a file, and with it the job of the
// kind that evaluates it, so that a restart loses neither. about goes into the
// audit log. Older candidates are retired, as AddVersion does.
func (db *DB) AddUpload(ctx context.Context, v Version, kind string, about any) (Version, Job, error) {
	if !v.Uploaded() {
		return v, Job{}, fail(Invalid, "a version with a head was trained, not uploaded")
	}
	j := Job{Kind: kind, RecipeID: v.RecipeID, Params: json.RawMessage("{}"), CreatedBy: v.CreatedBy}
	packed, err := packResults(nil)
	if err != nil {
		return v, j, err
	}
	err = db.change(ctx, func(tx *sql.Tx) error {
		if err := keepBlob(ctx, tx, v.ModelKey); err != nil {
			return err
		}
		if err := db.insertJob(tx, &j); err != nil {
			return err
		}
		v.JobID = j.ID
		if err := db.insertVersion(tx, &v, packed, nil); err != nil {
			return err
		}
		return db.audit(tx, v.CreatedBy, "version.upload", versionSubject(v.ID), nil,
			map[string]any{"recipe": v.RecipeID, "number": v.Number, "sha256": v.ModelSHA, "about": about})
	})
	if err == nil {
		db.emit(Event{Kind: VersionChanged, ID: v.ID, RecipeID: v.RecipeID})
		db.emitJob(j)
	}
	return v, j, err
}

// Evaluated stores the report of an uploaded version with its results.
func (db *DB) Evaluated(ctx context.Context, versionID int64, report json.RawMessage, results []Result) (Version, error) {
	packed, err := packResults(results)
	if err != nil {
		return Version{}, err
	}
	var v Version
	err = db.change(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec(`UPDATE versions SET report_json = ?, results = ? WHERE id = ? AND head_key = ''`, string(report), packed, versionID); err != nil {
			return fmt.Errorf("store the report: %w", err)
		}
		var err error
		v, err = readVersion(ctx, tx, versionID)
		return err
	})
	if err == nil {
		db.emit(Event{Kind: VersionChanged, ID: v.ID, RecipeID: v.RecipeID})
	}
	return v, err
}

// UploadedFile says whether a model file is one that no head can bring back.
func (db *DB) UploadedFile(ctx context.Context, modelKey string) (bool, error) {
	return one(ctx, db.read, "version", func(s scanner) (bool, error) {
		var is bool
		return is, s.Scan(&is)
	}, `SELECT EXISTS (SELECT 1 FROM versions WHERE model_key = ? AND head_key = '')`, modelKey)
}
