package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"loupe/storage"
	"loupe/web/ui"
)

// language is the reader's: chosen before, or the browser's.
func language(c echo.Context) string {
	chosen := ""
	if cookie, err := c.Cookie(ui.CookieLanguage); err == nil {
		chosen = cookie.Value
	}
	return ui.MatchLanguage(chosen, c.Request().Header.Get("Accept-Language"))
}

// render draws a page or fragment into memory and only then sets the status.
func (w *Server) render(c echo.Context, status int, t templ.Component) error {
	body, err := ui.Render(c.Request().Context(), language(c), t)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.HTMLBlob(status, body)
}

// page fills what all pages share.
func (w *Server) page(c echo.Context, section ui.Section) (ui.Page, error) {
	ctx := ui.WithLanguage(c.Request().Context(), language(c))
	p := ui.Page{
		Section: section, Path: c.Request().URL.RequestURI(), Language: language(c), Theme: "auto", CSRF: w.csrfToken(ctx),
		Now: w.views.Now(), Shift: w.views.Shift(ctx), Line: c.QueryParam("line"), Events: ui.EventsURL("other", 0, ""),
	}
	if cookie, err := c.Cookie(ui.CookieTheme); err == nil {
		p.Theme = cookie.Value
	}
	who, ok := person(c)
	if !ok || who.MustChange {
		p.Events = "" // nothing may be shown live yet
	}
	if !ok {
		return p, nil
	}
	p.Person = ui.Person{Name: who.Name, Role: string(who.Role), Known: true, May: ui.Rights{Train: who.Role.May(storage.QA), SetUp: who.Role.May(storage.Admin)}}
	var err error
	if p.Lines, err = w.views.Lines(ctx); err != nil {
		return p, err
	}
	if p.Banners, err = w.views.Banners(ctx); err != nil {
		return p, err
	}
	p.Demo, err = w.Demo.Exists(ctx)
	return p, err
}

// errorPage shows a person what went wrong.
func (w *Server) errorPage(c echo.Context, problem *problem) error {
	p, err := w.page(c, "")
	if err != nil {
		p = ui.Page{Path: c.Request().URL.Path, Language: language(c), Theme: "auto", Now: w.views.Now()}
	}
	return w.render(c, problem.Status, ui.ErrorPage(p, problem.Status, problem.Detail))
}

// toSignIn leads somebody who is not signed in to the sign-in page.
func (w *Server) toSignIn(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		p, ok := person(c)
		wantsPage := c.Request().Method == http.MethodGet && strings.Contains(c.Request().Header.Get("Accept"), "text/html")
		switch {
		case !ok && wantsPage:
			return c.Redirect(http.StatusSeeOther, ui.PathSignIn+"?"+url.Values{"next": {c.Request().URL.RequestURI()}}.Encode())
		case ok && p.MustChange && wantsPage && c.Path() != ui.PathAccount && c.Path() != ui.PathPassword:
			return c.Redirect(http.StatusSeeOther, ui.PathAccount)
		}
		return next(c)
	}
}

// localPath keeps a redirect on this server.
func localPath(text string) string {
	u, err := url.Parse(text)
	if err != nil || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.Contains(u.Path, `\`) {
		return ui.PathLine
	}
	return (&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String()
}
