package web

import (
	"github.com/labstack/echo/v4"

	"loupe/storage"
)

// setNormality stores what a recipe makes of parts unlike those it learned from.
func (w *Server) setNormality(c echo.Context) error {
	return w.changeRecipe(c, "", func(r *storage.Recipe) error {
		rate, err := decimal(c, "false_alarm_percent")
		r.Normality = storage.NormalityRule{GoodOnly: c.FormValue("good_only") == "1", FalseAlarms: rate / 100}
		return err
	})
}
