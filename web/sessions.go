package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/labstack/echo/v4"

	"loupe/storage"
)

// sessionLife is how long somebody stays signed in: a shift and its handover.
const sessionLife = 14 * time.Hour

// Keys of the session and of the request.
const (
	personKey  = "person"
	epochKey   = "epoch"
	csrfKey    = "csrf"
	stationKey = "station"
)

// session loads the session of a request and stores what changed before the
// answer begins.
func (w *Server) session(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if strings.HasPrefix(c.Request().Header.Get("Authorization"), "Bearer ") || strings.HasPrefix(c.Path(), "/static/") {
			return next(c)
		}
		token := ""
		if cookie, err := c.Cookie(w.sessions.Cookie.Name); err == nil {
			token = cookie.Value
		}
		ctx, err := w.sessions.Load(c.Request().Context(), token)
		if err != nil {
			return err
		}
		c.SetRequest(c.Request().WithContext(ctx))
		c.Response().Before(func() { w.saveSession(c, ctx) })
		if id := w.sessions.GetInt64(ctx, personKey); id != 0 {
			p, err := w.DB.Person(ctx, id)
			if err != nil && storage.CodeOf(err) != storage.NotFound {
				return err
			}
			// A new password or a deactivation ends the sessions at once.
			if err == nil && p.Active && w.sessions.GetString(ctx, epochKey) == epoch(p) {
				c.Set(personKey, p)
			}
		}
		if err := w.checkCSRF(c); err != nil {
			return err
		}
		return next(c)
	}
}

func (w *Server) saveSession(c echo.Context, ctx context.Context) {
	switch w.sessions.Status(ctx) {
	case 1: // modified
		token, expiry, err := w.sessions.Commit(ctx)
		if err != nil {
			w.Log.Error("cannot store a session", "error", err)
			return
		}
		w.sessions.WriteSessionCookie(ctx, c.Response(), token, expiry)
	case 2: // destroyed
		w.sessions.WriteSessionCookie(ctx, c.Response(), "", time.Time{})
	}
}

// checkCSRF asks each change that a browser's session makes for the session's
// token. Requests from other sites were refused before.
func (w *Server) checkCSRF(c echo.Context) error {
	switch c.Request().Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	if isAPI(c) && c.Get(personKey) == nil {
		return nil // refused by the handler for want of a person or a station
	}
	token := c.Request().Header.Get("X-CSRF-Token")
	if token == "" {
		token = c.FormValue("csrf")
	}
	want := w.sessions.GetString(c.Request().Context(), csrfKey)
	if want == "" || subtle.ConstantTimeCompare([]byte(token), []byte(want)) != 1 {
		return refuse(http.StatusForbidden, "csrf", "the page is too old or was opened elsewhere: load it again")
	}
	return nil
}

// csrfToken is the session's token, made when a page first needs it.
func (w *Server) csrfToken(ctx context.Context) string {
	token := w.sessions.GetString(ctx, csrfKey)
	if token == "" {
		token = rand.Text()
		w.sessions.Put(ctx, csrfKey, token)
	}
	return token
}

// signIn makes the session one of the person, under a new token.
func (w *Server) signIn(ctx context.Context, p storage.Person) error {
	if err := w.sessions.RenewToken(ctx); err != nil {
		return err
	}
	w.sessions.Put(ctx, personKey, p.ID)
	w.sessions.Put(ctx, epochKey, epoch(p))
	w.sessions.Put(ctx, csrfKey, rand.Text())
	return nil
}

func epoch(p storage.Person) string {
	sum := sha256.Sum256([]byte(p.PasswordHash))
	return hex.EncodeToString(sum[:8])
}

// person is who makes a request; ok is false for nobody.
func person(c echo.Context) (storage.Person, bool) {
	p, ok := c.Get(personKey).(storage.Person)
	return p, ok
}

// least asks for a person with at least the role.
func least(role storage.Role) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			p, ok := person(c)
			switch {
			case !ok:
				return refuse(http.StatusUnauthorized, "sign_in", "sign in first")
			case !p.Role.May(role):
				return refuse(http.StatusForbidden, "role", "this needs the role "+string(role)+"; yours is "+string(p.Role))
			}
			return next(c)
		}
	}
}

// station asks for a station's token.
func (w *Server) station(c echo.Context) (storage.Station, error) {
	if s, ok := c.Get(stationKey).(storage.Station); ok {
		return s, nil
	}
	token, ok := strings.CutPrefix(c.Request().Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		return storage.Station{}, refuse(http.StatusUnauthorized, "token_missing", "send the station's token as Authorization: Bearer TOKEN")
	}
	s, err := w.DB.StationByToken(c.Request().Context(), strings.TrimSpace(token))
	if storage.CodeOf(err) == storage.NotFound {
		return s, refuse(http.StatusUnauthorized, "token_unknown", "no station has this token: copy it again from Set-up, Stations, or make a new one there")
	}
	if err == nil && s.Revoked {
		return s, refuse(http.StatusForbidden, "station_revoked", "the station "+s.Name+" was taken out of use: ask an admin for a new one")
	}
	c.Set(stationKey, s)
	return s, err
}

// personOrStation asks for somebody who may read: a person, or a station.
func (w *Server) personOrStation(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if _, ok := person(c); ok {
			return next(c)
		}
		if c.Request().Header.Get("Authorization") == "" {
			return refuse(http.StatusUnauthorized, "sign_in", "sign in, or send a station's token as Authorization: Bearer TOKEN")
		}
		if _, err := w.station(c); err != nil {
			return err
		}
		return next(c)
	}
}

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
const nobody = "$argon2id$v=19$m=65536,t=1,p=2$c29tZXNhbHRzb21lc2FsdA$YXV0aGVudGljYXRpb24tbmV2ZXItbWF0Y2hlcy0wMDE"

var errWrongPassword = errors.New("wrong name or password")

// authenticate checks a name and password.
func (w *Server) authenticate(ctx context.Context, name, password string) (storage.Person, error) {
	p, err := w.DB.PersonByName(ctx, name)
	hash := p.PasswordHash
	switch {
	case storage.CodeOf(err) == storage.NotFound || err == nil && !p.Active:
		hash = nobody
	case err != nil:
		return p, err
	}
	match, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil || !match || hash == nobody {
		return p, errWrongPassword
	}
	return p, nil
}
