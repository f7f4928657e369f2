package storage

import (
	"context"
	"time"
)

// Promotion is a time at which a version became champion.
type Promotion struct {
	VersionID int64     `json:"version_id"`
	By        string    `json:"by"` // a person's name, or "rule"
	Reason    string    `json:"reason"`
	At        time.Time `json:"at"`
}

// Promotions lists when a version became champion, oldest first.
func (db *DB) Promotions(ctx context.Context, recipeID, versionID int64) ([]Promotion, error) {
	return list(ctx, db.read, func(s scanner) (Promotion, error) {
		var p Promotion
		var at int64
		err := s.Scan(&p.VersionID, &p.By, &p.Reason, &at)
		p.At = fromMillis(at)
		return p, err
	}, `SELECT version_id, person, reason, at FROM promotions WHERE recipe_id = ? AND version_id = ? ORDER BY id`, recipeID, versionID)
}
