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

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v4"

	"loupe/storage"
	"loupe/web/ui"
)

const (
	sessionLife = 14 * time.Hour   // how long somebody stays signed in: a shift and its handover
	idleLife    = 2 * time.Hour    // without a request or an open page
	usePeriod   = 10 * time.Minute // how exactly the last use is known: each note of it is a commit
)

// Keys of the session and of the request.
const (
	personKey  = "person"
	epochKey   = "epoch"
	csrfKey    = "csrf"
	usedKey    = "used"
	stationKey = "station"
)

// session loads the session of a request and stores what changed before the
// answer begins.
func (w *Server) session(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if bearer(c.Request()) || strings.HasPrefix(c.Path(), "/static/") {
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
		p, ok, err := w.signedIn(ctx)
		if err != nil {
			return err
		}
		if ok {
			c.Set(personKey, p)
		}
		if err := w.checkCSRF(c); err != nil {
			return err
		}
		return next(c)
	}
}

// signedIn gives the person of a session; false where it has none, was not used
// for too long, or was ended by a new password or a deactivation.
func (w *Server) signedIn(ctx context.Context) (storage.Person, bool, error) {
	id := w.sessions.GetInt64(ctx, personKey)
	unused := w.DB.Now().Sub(time.UnixMilli(w.sessions.GetInt64(ctx, usedKey)))
	if id == 0 || unused > idleLife {
		return storage.Person{}, false, nil
	}
	p, err := w.DB.Person(ctx, id)
	if storage.CodeOf(err) == storage.NotFound {
		return p, false, nil
	}
	if err != nil || !p.Active || w.sessions.GetString(ctx, epochKey) != epoch(p) {
		return p, false, err
	}
	if unused > usePeriod {
		w.sessions.Put(ctx, usedKey, w.DB.Now().UnixMilli())
	}
	return p, true, nil
}

// stillSignedIn looks at the session of an open stream anew. The stream counts
// as use of it.
func (w *Server) stillSignedIn(c echo.Context) (bool, error) {
	cookie, err := c.Cookie(w.sessions.Cookie.Name)
	if err != nil {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if ctx, err = w.sessions.Load(ctx, cookie.Value); err != nil {
		return false, err
	}
	_, ok, err := w.signedIn(ctx)
	if ok && w.sessions.Status(ctx) == scs.Modified {
		_, _, err = w.sessions.Commit(ctx)
	}
	return ok, err
}

func (w *Server) saveSession(c echo.Context, ctx context.Context) {
	switch w.sessions.Status(ctx) {
	case scs.Modified:
		token, expiry, err := w.sessions.Commit(ctx)
		if err != nil {
			w.Log.Error("cannot store a session", "error", err)
			return
		}
		w.sessions.WriteSessionCookie(ctx, c.Response(), token, expiry)
	case scs.Destroyed:
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
	if token == "" && !takesModel(c) { // a large body is not read for somebody without a token
		if err := c.Request().ParseMultipartForm(maxForm); errors.As(err, new(*http.MaxBytesError)) {
			return err
		}
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
	w.sessions.Put(ctx, usedKey, w.DB.Now().UnixMilli())
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
			case p.MustChange && c.Path() != ui.PathAccount && c.Path() != ui.PathPassword:
				return refuse(http.StatusForbidden, "must_change", "choose a password of your own first, under My account")
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
