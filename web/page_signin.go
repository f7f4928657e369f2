package web

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"loupe/web/ui"
)

func (w *Server) signInPage(c echo.Context) error {
	if _, ok := person(c); ok {
		return c.Redirect(http.StatusSeeOther, localPath(c.QueryParam("next")))
	}
	p, err := w.page(c, "")
	if err != nil {
		return err
	}
	return w.render(c, http.StatusOK, ui.SignInPage(p, ui.SignInView{Next: c.QueryParam("next")}))
}

func (w *Server) signInPost(c echo.Context) error {
	ctx := c.Request().Context()
	name := strings.TrimSpace(c.FormValue("name"))
	v := ui.SignInView{Name: name, Next: c.FormValue("next")}
	if wait := w.attempts.take(strings.ToLower(name), c.RealIP()); wait > 0 {
		v.WaitFor = wait.Round(time.Second) + time.Second
		return w.signInAgain(c, http.StatusTooManyRequests, v, ui.NoticeWrongSignIn)
	}
	who, err := w.authenticate(ctx, name, c.FormValue("password"))
	if errors.Is(err, errWrongPassword) {
		w.Log.Warn("somebody could not sign in", "name", name, "address", c.RealIP())
		return w.signInAgain(c, http.StatusUnauthorized, v, ui.NoticeWrongSignIn)
	}
	if err != nil {
		return err
	}
	w.attempts.forgive(strings.ToLower(name))
	if err := w.signIn(ctx, who); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, localPath(v.Next))
}

func (w *Server) signInAgain(c echo.Context, status int, v ui.SignInView, notice ui.Notice) error {
	p, err := w.page(c, "")
	if err != nil {
		return err
	}
	if v.WaitFor == 0 {
		p.Problem = notice.Words(ui.WithLanguage(c.Request().Context(), p.Language))
	}
	return w.render(c, status, ui.SignInPage(p, v))
}

func (w *Server) signOut(c echo.Context) error {
	if err := w.sessions.Destroy(c.Request().Context()); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, ui.PathSignIn)
}

const preferenceLife = 365 * 24 * time.Hour

func (w *Server) preferences(c echo.Context) error {
	for name, value := range map[string]string{ui.CookieLanguage: c.FormValue("lang"), ui.CookieTheme: c.FormValue("theme")} {
		switch value {
		case "en", "zh", "auto", "light", "dark":
			c.SetCookie(&http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(preferenceLife.Seconds()), SameSite: http.SameSiteLaxMode, HttpOnly: true, Secure: w.Secure})
		}
	}
	return c.Redirect(http.StatusSeeOther, localPath(c.FormValue("back")))
}

func (w *Server) accountPage(c echo.Context) error { return w.account(c, http.StatusOK, "") }

func (w *Server) account(c echo.Context, status int, trouble string) error {
	p, err := w.page(c, ui.SectionAccount)
	if err != nil {
		return err
	}
	who, _ := person(c)
	p.Problem = trouble
	if c.QueryParam("saved") == "password" {
		p.Saved = ui.NoticePasswordSaved.Words(ui.WithLanguage(c.Request().Context(), p.Language))
	}
	return w.render(c, status, ui.AccountPage(p, ui.AccountView{MustChange: who.MustChange}))
}

func (w *Server) changePassword(c echo.Context) error {
	ctx := c.Request().Context()
	who, _ := person(c)
	say := func(n ui.Notice) error {
		return w.account(c, http.StatusUnprocessableEntity, n.Words(ui.WithLanguage(ctx, language(c))))
	}
	if wait := w.attempts.take(strings.ToLower(who.Name), c.RealIP()); wait > 0 {
		return refuse(http.StatusTooManyRequests, "attempts", "too many attempts: wait a minute")
	}
	if _, err := w.authenticate(ctx, who.Name, c.FormValue("old")); errors.Is(err, errWrongPassword) {
		return say(ui.NoticeWrongPassword)
	} else if err != nil {
		return err
	}
	if c.FormValue("new") != c.FormValue("again") {
		return say(ui.NoticePasswordsDiffer)
	}
	hash, err := HashPassword(c.FormValue("new"))
	if err != nil {
		return say(ui.NoticePasswordShort)
	}
	who.PasswordHash, who.MustChange = hash, false
	if err := w.DB.ChangePerson(ctx, who.Name, who); err != nil {
		return err
	}
	if err := w.signIn(ctx, who); err != nil { // the other sessions end, this one goes on
		return err
	}
	return c.Redirect(http.StatusSeeOther, ui.PathAccount+"?saved=password")
}
