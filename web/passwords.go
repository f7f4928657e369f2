package web

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/alexedwards/argon2id"

	"loupe/storage"
)

// PasswordLength is the least number of characters of a password.
const PasswordLength = 10

// HashPassword gives the argon2id hash of a password, in PHC string format.
func HashPassword(password string) (string, error) {
	if len([]rune(password)) < PasswordLength {
		return "", refuse(http.StatusUnprocessableEntity, "password_short", "a password needs at least 10 characters")
	}
	if len(password) > 512 {
		return "", refuse(http.StatusUnprocessableEntity, "password_long", "a password has at most 512 bytes")
	}
	return argon2id.CreateHash(password, argon2id.DefaultParams)
}

// NewPassword makes a password that is easy to copy by hand.
func NewPassword() string {
	text := strings.ToLower(rand.Text())
	return text[0:5] + "-" + text[5:10] + "-" + text[10:15]
}

// FirstAdmin makes the person "admin" with a new password where nobody is there yet.
func FirstAdmin(ctx context.Context, db *storage.DB) (name, password string, created bool, err error) {
	people, err := db.People(ctx)
	if err != nil || len(people) > 0 {
		return "", "", false, err
	}
	password = NewPassword()
	hash, err := HashPassword(password)
	if err != nil {
		return "", "", false, err
	}
	_, err = db.AddPerson(ctx, "first start", storage.Person{Name: "admin", Role: storage.Admin, PasswordHash: hash})
	return "admin", password, err == nil, err
}

// nobody is compared with where a name is unknown, so that the time of the
// answer does not say whether it is.
var nobody = sync.OnceValues(func() (string, error) { return argon2id.CreateHash(rand.Text(), argon2id.DefaultParams) })

// hashesAtOnce bounds the passwords that are checked at the same time: each
// takes 64 MB.
const hashesAtOnce = 2

var errWrongPassword = errors.New("wrong name or password")

// authenticate checks a name and password.
func (w *Server) authenticate(ctx context.Context, name, password string) (storage.Person, error) {
	p, err := w.DB.PersonByName(ctx, name)
	known := err == nil && p.Active
	if err != nil && storage.CodeOf(err) != storage.NotFound {
		return p, err
	}
	hash := p.PasswordHash
	if !known {
		if hash, err = nobody(); err != nil {
			return p, err
		}
	}
	select {
	case w.hashing <- struct{}{}:
		defer func() { <-w.hashing }()
	case <-ctx.Done():
		return p, ctx.Err()
	}
	match, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil || !match || !known {
		return p, errWrongPassword
	}
	return p, nil
}
