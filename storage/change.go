package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// change is one caller's part of a shared commit.
type change struct {
	ctx  context.Context
	do   func(tx *sql.Tx) error
	done chan error
}

// groupLimit bounds how many callers share one commit.
const groupLimit = 128

var errClosed = errors.New("the data folder is closed")

// change runs do inside a transaction and returns when it is on disk. Callers
// that arrive together share the fsync; an error or panic in one undoes only its own
// part, by a savepoint.
func (db *DB) change(ctx context.Context, do func(tx *sql.Tx) error) error {
	c := &change{ctx: ctx, do: do, done: make(chan error, 1)}
	select {
	case db.queue <- c:
	case <-db.done:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-c.done:
		return explain(err)
	case <-db.done:
		select {
		case err := <-c.done:
			return explain(err)
		default:
			return errClosed
		}
	}
}

func (db *DB) commitLoop(ctx context.Context) {
	defer close(db.done)
	for {
		select {
		case c := <-db.queue:
			db.commit(db.gather(c))
		case <-ctx.Done():
			for len(db.queue) > 0 {
				db.commit(db.gather(<-db.queue))
			}
			return
		}
	}
}

func (db *DB) gather(first *change) []*change {
	group := []*change{first}
	for len(group) < groupLimit {
		select {
		case c := <-db.queue:
			group = append(group, c)
		default:
			return group
		}
	}
	return group
}

func (db *DB) commit(group []*change) {
	errs := make([]error, len(group))
	err := db.transact(group, errs)
	for i, c := range group {
		if errs[i] == nil {
			errs[i] = err
		}
		c.done <- errs[i]
	}
}

// transact fills errs with the trouble of single changes and returns the
// trouble of the commit that all share.
func (db *DB) transact(group []*change, errs []error) error {
	tx, err := db.writer.Begin()
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback()
	for i, c := range group {
		if errs[i] = c.ctx.Err(); errs[i] != nil {
			continue
		}
		if len(group) == 1 {
			if errs[i] = attempt(tx, c.do); errs[i] != nil {
				return errs[i]
			}
			continue
		}
		if _, err := tx.Exec("SAVEPOINT one"); err != nil {
			return fmt.Errorf("savepoint: %w", err)
		}
		if errs[i] = attempt(tx, c.do); errs[i] != nil {
			if _, err := tx.Exec("ROLLBACK TO one"); err != nil {
				return fmt.Errorf("roll back: %w", err)
			}
		}
		if _, err := tx.Exec("RELEASE one"); err != nil {
			return fmt.Errorf("release: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

func attempt(tx *sql.Tx, do func(tx *sql.Tx) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("a change panicked: %v", r)
		}
	}()
	return do(tx)
}
