package storage

import (
	"database/sql"
	"errors"
	"fmt"
	"syscall"

	"github.com/mattn/go-sqlite3"
)

// Code says what kind of trouble an Error is, for the layer that must answer it.
type Code string

const (
	Invalid  Code = "invalid"   // the request cannot be right as it stands
	NotFound Code = "not_found" // no such thing
	Conflict Code = "conflict"  // it contradicts what is stored
	Full     Code = "full"      // the disk is full: nothing was stored, try again later
	Busy     Code = "busy"      // the database did not answer in time: try again
	Behind   Code = "behind"    // too many of the station's frames wait: nothing was stored, try again later
)

// Error is trouble that somebody can act on. Message is one sentence for them.
type Error struct {
	Code    Code
	Message string
	Err     error // the cause, may be nil
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// CodeOf gives the code of the Error in err's chain, or "" where there is none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func fail(code Code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// explain turns what SQLite and the file system say into an Error where a
// person can act on it, and leaves everything else as it is.
func explain(err error) error {
	if err == nil || CodeOf(err) != "" {
		return err
	}
	var s sqlite3.Error
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return &Error{Code: NotFound, Message: "there is no such entry"}
	case errors.Is(err, syscall.ENOSPC), errors.As(err, &s) && s.Code == sqlite3.ErrFull:
		return &Error{Code: Full, Message: "the disk is full: free some space, nothing was stored", Err: err}
	case errors.As(err, &s) && (s.Code == sqlite3.ErrBusy || s.Code == sqlite3.ErrLocked):
		return &Error{Code: Busy, Message: "the database is busy: try again", Err: err}
	}
	return err
}

// unique reports whether err is a broken UNIQUE constraint.
func unique(err error) bool {
	var s sqlite3.Error
	return errors.As(err, &s) && (s.ExtendedCode == sqlite3.ErrConstraintUnique || s.ExtendedCode == sqlite3.ErrConstraintPrimaryKey)
}
