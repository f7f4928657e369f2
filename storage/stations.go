package storage

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base32"
	"fmt"
	"strings"
	"time"
)

// Station is a place with a camera.
type Station struct {
	ID         int64
	Name       string
	Line       string
	RecipeID   int64
	TokenHint  string // the token's last four characters
	Demo       bool
	CreatedAt  time.Time
	LastSeenAt time.Time // zero when it never posted
	Revoked    bool
}

const stationColumns = `id, name, line, recipe_id, token_hint, demo, created_at, last_seen_at, revoked_at IS NOT NULL`

func scanStation(s scanner) (Station, error) {
	var st Station
	var at int64
	var seen sql.NullInt64
	err := s.Scan(&st.ID, &st.Name, &st.Line, &st.RecipeID, &st.TokenHint, &st.Demo, &at, &seen, &st.Revoked)
	st.CreatedAt, st.LastSeenAt = fromMillis(at), fromNullMillis(seen)
	return st, err
}

// Stations lists the stations in use, by line and name.
func (db *DB) Stations(ctx context.Context) ([]Station, error) {
	return list(ctx, db.read, scanStation, `SELECT `+stationColumns+` FROM stations WHERE revoked_at IS NULL ORDER BY line, name`)
}

// Station finds one by ID, revoked ones as well.
func (db *DB) Station(ctx context.Context, id int64) (Station, error) {
	return one(ctx, db.read, "station", scanStation, `SELECT `+stationColumns+` FROM stations WHERE id = ?`, id)
}

// StationByToken finds the station that a token belongs to. The look-up goes by
// the token's hash, so its time says nothing about the token. A revoked
// station is found with Revoked set.
func (db *DB) StationByToken(ctx context.Context, token string) (Station, error) {
	hash := sha256.Sum256([]byte(token))
	return one(ctx, db.read, "station", scanStation, `SELECT `+stationColumns+` FROM stations WHERE token_hash = ?`, hash[:])
}

// newToken makes 160 random bits; only their SHA-256 is stored, which is enough
// for a secret that nobody can guess.
func newToken() (token string, hash []byte) {
	var raw [20]byte
	_, _ = rand.Read(raw[:]) // never fails, since Go 1.24
	token = "loupe_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw[:]))
	sum := sha256.Sum256([]byte(token))
	return token, sum[:]
}

// AddStation stores a new station and gives its token, which is never shown again.
func (db *DB) AddStation(ctx context.Context, by string, s Station) (Station, string, error) {
	s.Name, s.Line = strings.TrimSpace(s.Name), strings.TrimSpace(s.Line)
	if s.Name == "" || len(s.Name) > 100 || len(s.Line) > 100 {
		return s, "", fail(Invalid, "give the station a name of 1 to 100 characters")
	}
	token, hash := newToken()
	s.TokenHint, s.CreatedAt = token[len(token)-4:], db.now()
	err := db.change(ctx, func(tx *sql.Tx) error {
		if err := sameWorld(ctx, tx, s.Demo, s.RecipeID); err != nil {
			return err
		}
		res, err := tx.Exec(`INSERT INTO stations (name, line, recipe_id, token_hash, token_hint, demo, created_at) VALUES (?,?,?,?,?,?,?)`,
			s.Name, s.Line, s.RecipeID, hash, s.TokenHint, s.Demo, millis(s.CreatedAt))
		if unique(err) {
			return fail(Conflict, "there is a station named %q already", s.Name)
		}
		if err != nil {
			return err
		}
		s.ID, _ = res.LastInsertId()
		return db.audit(tx, by, "station.add", stationSubject(s.ID), nil, publicStation(s))
	})
	if err == nil {
		db.emit(Event{Kind: StationChanged, ID: s.ID, StationID: s.ID, RecipeID: s.RecipeID})
	}
	return s, token, err
}

// ChangeStation stores name, line and recipe of the station with s.ID.
func (db *DB) ChangeStation(ctx context.Context, by string, s Station) error {
	s.Name, s.Line = strings.TrimSpace(s.Name), strings.TrimSpace(s.Line)
	if s.Name == "" || len(s.Name) > 100 || len(s.Line) > 100 {
		return fail(Invalid, "give the station a name of 1 to 100 characters")
	}
	return db.changeStation(ctx, s.ID, func(tx *sql.Tx, old Station) error {
		if err := sameWorld(ctx, tx, old.Demo, s.RecipeID); err != nil {
			return err
		}
		_, err := tx.Exec(`UPDATE stations SET name=?, line=?, recipe_id=? WHERE id=?`, s.Name, s.Line, s.RecipeID, s.ID)
		if unique(err) {
			return fail(Conflict, "there is a station named %q already", s.Name)
		}
		if err != nil {
			return err
		}
		return db.audit(tx, by, "station.change", stationSubject(s.ID), publicStation(old), publicStation(s))
	})
}

// sameWorld refuses to mix the demonstration with the plant's own: one goes
// without a trace, the other's records never do.
func sameWorld(ctx context.Context, tx *sql.Tx, demo bool, recipeID int64) error {
	r, err := readRecipe(ctx, tx, recipeID)
	switch {
	case err != nil:
		return err
	case r.Demo && !demo:
		return fail(Invalid, "%q belongs to the demonstration: choose or make a recipe of your own", r.Name)
	case demo && !r.Demo:
		return fail(Invalid, "the demonstration's camera stays with its own recipe")
	}
	return nil
}

// RotateToken gives a station a new token and ends the old one at once.
func (db *DB) RotateToken(ctx context.Context, by string, id int64) (string, error) {
	token, hash := newToken()
	hint := token[len(token)-4:]
	err := db.changeStation(ctx, id, func(tx *sql.Tx, old Station) error {
		if _, err := tx.Exec(`UPDATE stations SET token_hash=?, token_hint=? WHERE id=?`, hash, hint, id); err != nil {
			return err
		}
		return db.audit(tx, by, "station.token", stationSubject(id), old.TokenHint, hint)
	})
	return token, err
}

// RevokeStation takes a station out of use; its frames stay.
func (db *DB) RevokeStation(ctx context.Context, by string, id int64) error {
	return db.changeStation(ctx, id, func(tx *sql.Tx, old Station) error {
		if _, err := tx.Exec(`UPDATE stations SET revoked_at=? WHERE id=?`, millis(db.now()), id); err != nil {
			return err
		}
		return db.audit(tx, by, "station.revoke", stationSubject(id), publicStation(old), nil)
	})
}

func (db *DB) changeStation(ctx context.Context, id int64, do func(tx *sql.Tx, old Station) error) error {
	err := db.change(ctx, func(tx *sql.Tx) error {
		old, err := one(ctx, tx, "station", scanStation, `SELECT `+stationColumns+` FROM stations WHERE id = ? AND revoked_at IS NULL`, id)
		if err != nil {
			return err
		}
		return do(tx, old)
	})
	if err == nil {
		db.emit(Event{Kind: StationChanged, ID: id, StationID: id})
	}
	return err
}

func stationSubject(id int64) string { return fmt.Sprintf("station %d", id) }

func publicStation(s Station) map[string]any {
	return map[string]any{"name": s.Name, "line": s.Line, "recipe": s.RecipeID}
}
