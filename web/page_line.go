package web

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"loupe/web/ui"
)

func (w *Server) linePage(c echo.Context) error {
	ctx := ui.WithLanguage(c.Request().Context(), language(c))
	recipes, err := w.DB.Recipes(ctx)
	if err != nil {
		return err
	}
	if len(recipes) == 0 {
		return c.Redirect(http.StatusSeeOther, ui.PathFirst)
	}
	p, err := w.page(c, ui.SectionLine)
	if err != nil {
		return err
	}
	v, err := w.views.Line(ctx, p.Line)
	if err != nil {
		return err
	}
	p.Events = ui.EventsURL("line", 0, p.Line)
	return w.render(c, http.StatusOK, ui.LinePage(p, v))
}

func (w *Server) firstPage(c echo.Context) error {
	p, err := w.page(c, ui.SectionLine)
	if err != nil {
		return err
	}
	return w.render(c, http.StatusOK, ui.FirstPage(p, ui.FirstView{Starting: p.Demo}))
}

func (w *Server) startDemo(c echo.Context) error {
	if err := w.Demo.Start(context.WithoutCancel(c.Request().Context())); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, ui.PathLine)
}

func (w *Server) removeDemo(c echo.Context) error {
	who, _ := person(c)
	if err := w.Demo.Remove(context.WithoutCancel(c.Request().Context()), who.Name); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, ui.PathLine)
}
