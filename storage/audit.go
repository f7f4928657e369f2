package storage

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// AuditEntry records one change of a label, threshold, version, station or
// person. A trigger keeps the rows from being changed or removed.
type AuditEntry struct {
	ID      int64
	At      time.Time
	Person  string // who; "station:NAME" or "rule" where no person acted
	Action  string // such as "recipe.thresholds"
	Subject string // such as "recipe 3"
	Before  string // JSON
	After   string // JSON
}

func (db *DB) audit(tx *sql.Tx, person, action, subject string, before, after any) error {
	_, err := tx.Exec(`INSERT INTO audit (at, person, action, subject, before_json, after_json) VALUES (?, ?, ?, ?, ?, ?)`,
		millis(db.now()), person, action, subject, marshal(before), marshal(after))
	if err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	return nil
}

// Audit lists entries, newest first: at most limit with an ID below before
// (0 for the newest), only of the subject where it is not "".
func (db *DB) Audit(ctx context.Context, subject string, before int64, limit int) ([]AuditEntry, error) {
	var w where
	if before > 0 {
		w.add("id < ?", before)
	}
	if subject != "" {
		w.add("subject = ?", subject)
	}
	return list(ctx, db.read, func(s scanner) (AuditEntry, error) {
		var e AuditEntry
		var at int64
		err := s.Scan(&e.ID, &at, &e.Person, &e.Action, &e.Subject, &e.Before, &e.After)
		e.At = fromMillis(at)
		return e, err
	}, `SELECT id, at, person, action, subject, before_json, after_json FROM audit`+w.String()+` ORDER BY id DESC LIMIT ?`, append(w.args, limit)...)
}
