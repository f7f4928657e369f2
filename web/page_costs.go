package web

import (
	"github.com/labstack/echo/v4"

	"loupe/storage"
)

// setCosts stores what wrong verdicts of a recipe cost.
func (w *Server) setCosts(c echo.Context) error {
	return w.changeRecipe(c, "", func(r *storage.Recipe) (err error) {
		rule := storage.CostRule{}
		for _, field := range []struct {
			name  string
			to    *float64
			whole float64
		}{{"escape", &rule.Escape, 1}, {"false_reject", &rule.FalseReject, 1}, {"unsure_percent", &rule.UnsureShare, 100}, {"bad_percent", &rule.BadShare, 100}} {
			v, err := decimal(c, field.name)
			if err != nil {
				return err
			}
			*field.to = v / field.whole
		}
		r.Costs = rule
		return nil
	})
}
