package web

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"loupe/web/ui"
)

func labelFilter(q url.Values) ui.LabelFilter {
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(q.Get(name), 10, 64)
		return max(0, n)
	}
	return ui.LabelFilter{
		Recipe: number("recipe"), Status: q.Get("status"), Station: number("station"), Class: q.Get("class"), Verdict: q.Get("verdict"),
		Share: q.Get("share"), Lot: q.Get("lot"), Serial: q.Get("serial"), From: q.Get("from"), To: q.Get("to"),
		Version: number("version"), Truth: q.Get("truth"), Predicted: q.Get("predicted"), Differ: q.Get("differ"),
		Order: q.Get("order"), Like: number("like"),
	}
}

func (w *Server) labelPage(c echo.Context) error {
	v, err := w.views.Label(ui.WithLanguage(c.Request().Context(), language(c)), labelFilter(c.QueryParams()))
	if err != nil {
		return err
	}
	if len(v.Recipes) == 0 {
		return c.Redirect(http.StatusSeeOther, ui.PathFirst)
	}
	p, err := w.page(c, ui.SectionLabel)
	if err != nil {
		return err
	}
	p.Events = ui.EventsURL("label", v.Filter.Recipe, "")
	return w.render(c, http.StatusOK, ui.LabelPage(p, v))
}

// labelIDs lists all frames of the grid in its order.
func (w *Server) labelIDs(c echo.Context) error {
	ctx := c.Request().Context()
	g, err := w.views.Gallery(ctx, labelFilter(c.QueryParams()))
	if err != nil {
		return err
	}
	ids, err := w.DB.GalleryIDs(ctx, g)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string][]int64{"ids": ids})
}

const mostCells = 300

func (w *Server) labelCells(c echo.Context) error {
	ids, err := numbers(c.QueryParam("ids"))
	if err != nil || len(ids) > mostCells {
		return refuse(http.StatusUnprocessableEntity, "ids", "ids must be up to 300 frame IDs")
	}
	ctx := c.Request().Context()
	f, err := w.DB.Frame(ctx, ids[0])
	if err != nil {
		return err
	}
	cells, err := w.views.Cells(ctx, f.RecipeID, ids)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string][]ui.GridCell{"cells": cells})
}
