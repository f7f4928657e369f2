package web

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"loupe/storage"
	"loupe/web/ui"
)

func keepRule(c echo.Context) (k storage.KeepRule, err error) {
	days, err := decimal(c, "days")
	if err != nil {
		return k, err
	}
	protect, err := decimal(c, "protect_days")
	if err != nil {
		return k, err
	}
	k.Days, k.ProtectDays, k.LabelledMayGo = int(days), int(protect), c.FormValue("labelled_may_go") != ""
	k.Gigabytes, err = decimal(c, "gigabytes")
	return k, err
}

func (w *Server) setKeeping(c echo.Context) error {
	return w.changeRecipe(c, "", func(r *storage.Recipe) (err error) {
		r.Keep, err = keepRule(c)
		return err
	})
}

// planKeeping shows what a rule that is being typed would remove now.
func (w *Server) planKeeping(c echo.Context) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	k, err := keepRule(c)
	if err != nil {
		return c.NoContent(http.StatusNoContent) // a field is empty for the moment
	}
	v, err := w.views.KeepingPlan(c.Request().Context(), id, k)
	if err != nil {
		return err
	}
	return w.render(c, http.StatusOK, ui.KeepingPlan(v))
}
