package storage

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// Role says what a person may do; each role may do what the ones before it may.
type Role string

const (
	Operator Role = "operator" // looks and labels
	QA       Role = "qa"       // trains, promotes, rolls back
	Admin    Role = "admin"    // sets up recipes, stations and people
)

var roleRank = map[Role]int{Operator: 1, QA: 2, Admin: 3}

// May reports whether the role includes all that least may do.
func (r Role) May(least Role) bool { return roleRank[r] > 0 && roleRank[r] >= roleRank[least] }

// Person is somebody who signs in.
type Person struct {
	ID           int64
	Name         string
	Role         Role
	PasswordHash string // argon2id, PHC string format
	MustChange   bool   // the password was given by somebody else
	Active       bool
	CreatedAt    time.Time
}

const personColumns = `id, name, role, password_hash, must_change, active, created_at`

func scanPerson(s scanner) (Person, error) {
	var p Person
	var at int64
	err := s.Scan(&p.ID, &p.Name, &p.Role, &p.PasswordHash, &p.MustChange, &p.Active, &at)
	p.CreatedAt = fromMillis(at)
	return p, err
}

// People lists everybody, by name.
func (db *DB) People(ctx context.Context) ([]Person, error) {
	return list(ctx, db.read, scanPerson, `SELECT `+personColumns+` FROM people ORDER BY name`)
}

// Person finds one by ID.
func (db *DB) Person(ctx context.Context, id int64) (Person, error) {
	return one(ctx, db.read, "person", scanPerson, `SELECT `+personColumns+` FROM people WHERE id = ?`, id)
}

// PersonByName finds one by name, in any case of letters.
func (db *DB) PersonByName(ctx context.Context, name string) (Person, error) {
	return one(ctx, db.read, "person", scanPerson, `SELECT `+personColumns+` FROM people WHERE name = ?`, name)
}

// AddPerson adds somebody. A name in use is a Conflict.
func (db *DB) AddPerson(ctx context.Context, by string, p Person) (Person, error) {
	p.Name = strings.TrimSpace(p.Name)
	if p.Name == "" || len(p.Name) > 60 {
		return p, fail(Invalid, "give a name of 1 to 60 characters")
	}
	if roleRank[p.Role] == 0 {
		return p, fail(Invalid, "the role must be operator, qa or admin")
	}
	p.Active, p.CreatedAt = true, db.now()
	err := db.change(ctx, func(tx *sql.Tx) error {
		res, err := tx.Exec(`INSERT INTO people (name, role, password_hash, must_change, created_at) VALUES (?, ?, ?, ?, ?)`,
			p.Name, p.Role, p.PasswordHash, p.MustChange, millis(p.CreatedAt))
		if unique(err) {
			return fail(Conflict, "there is somebody named %q already", p.Name)
		}
		if err != nil {
			return err
		}
		p.ID, _ = res.LastInsertId()
		return db.audit(tx, by, "person.add", personSubject(p.ID), nil, publicPerson(p))
	})
	return p, err
}

// ChangePerson stores role, active and password hash of the person with p.ID.
// The last active admin can neither be deactivated nor lose the role.
func (db *DB) ChangePerson(ctx context.Context, by string, p Person) error {
	if roleRank[p.Role] == 0 {
		return fail(Invalid, "the role must be operator, qa or admin")
	}
	return db.change(ctx, func(tx *sql.Tx) error {
		old, err := one(ctx, tx, "person", scanPerson, `SELECT `+personColumns+` FROM people WHERE id = ?`, p.ID)
		if err != nil {
			return err
		}
		if old.Active && old.Role == Admin && (!p.Active || p.Role != Admin) {
			var others int
			if err := tx.QueryRow(`SELECT count(*) FROM people WHERE role = 'admin' AND active AND id <> ?`, p.ID).Scan(&others); err != nil {
				return err
			}
			if others == 0 {
				return fail(Conflict, "%s is the only admin: make somebody else admin first", old.Name)
			}
		}
		if _, err := tx.Exec(`UPDATE people SET role = ?, active = ?, password_hash = ?, must_change = ? WHERE id = ?`,
			p.Role, p.Active, p.PasswordHash, p.MustChange, p.ID); err != nil {
			return err
		}
		action := "person.change"
		if p.PasswordHash != old.PasswordHash {
			action = "person.password"
		}
		return db.audit(tx, by, action, personSubject(p.ID), publicPerson(old), publicPerson(p))
	})
}

func personSubject(id int64) string { return fmt.Sprintf("person %d", id) }

// publicPerson is what the audit log may show: never the hash.
func publicPerson(p Person) map[string]any {
	return map[string]any{"name": p.Name, "role": p.Role, "active": p.Active}
}
