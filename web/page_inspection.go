package web

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"loupe/storage"
	"loupe/web/ui"
)

func (w *Server) inspectionPage(c echo.Context) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	q := c.QueryParams()
	back := q.Get("back")
	q.Del("back")
	v, err := w.views.Inspection(c.Request().Context(), id, q)
	if err != nil {
		return err
	}
	return w.showInspection(c, v, back)
}

// framePage leads to a frame's inspection, or shows a frame that has none.
func (w *Server) framePage(c echo.Context) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	i, err := w.DB.InspectionOfFrame(c.Request().Context(), id)
	if err == nil {
		return c.Redirect(http.StatusSeeOther, ui.InspectionURL(i.ID, c.QueryString()))
	}
	if storage.CodeOf(err) != storage.NotFound {
		return err
	}
	v, err := w.views.Frame(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return w.showInspection(c, v, c.QueryParam("back"))
}

func (w *Server) showInspection(c echo.Context, v ui.InspectionView, back string) error {
	p, err := w.page(c, ui.SectionLine)
	if err != nil {
		return err
	}
	if back == "" {
		if from, err := url.Parse(c.Request().Referer()); err == nil && from.Path == ui.PathLabel {
			back = from.RequestURI()
		}
	}
	if back != "" {
		v.Back = localPath(back)
	}
	return w.render(c, http.StatusOK, ui.InspectionPage(p, v))
}
