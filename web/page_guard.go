package web

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"loupe/storage"
	"loupe/web/ui"
)

// doubtState reads a state from a query or form; open where there is none.
func doubtState(text string) (storage.DoubtState, error) {
	switch s := storage.DoubtState(text); s {
	case "":
		return storage.DoubtOpen, nil
	case storage.DoubtOpen, storage.DoubtOut, storage.DoubtUsed:
		return s, nil
	}
	return "", refuse(http.StatusUnprocessableEntity, "state", `state must be "open", "out" or "used"`)
}

func (w *Server) guardPage(c echo.Context) error {
	state, err := doubtState(c.QueryParam("state"))
	if err != nil {
		return err
	}
	recipe, _ := strconv.ParseInt(c.QueryParam("recipe"), 10, 64)
	before, _ := strconv.ParseInt(c.QueryParam("before"), 10, 64)
	v, err := w.views.Guard(c.Request().Context(), recipe, state, before)
	if err != nil {
		return err
	}
	p, err := w.page(c, ui.SectionSetUp)
	if err != nil {
		return err
	}
	return w.render(c, http.StatusOK, ui.GuardPage(p, v))
}

// guardForm stores what a person says to doubtful frames: to one by its own
// button, or to all that are chosen.
func (w *Server) guardForm(c echo.Context) error {
	form, err := c.FormParams()
	if err != nil {
		return err
	}
	recipe, err := strconv.ParseInt(form.Get("recipe"), 10, 64)
	if err != nil {
		return refuse(http.StatusUnprocessableEntity, "recipe", "recipe must be a number")
	}
	state, err := doubtState(form.Get("state"))
	if err != nil {
		return err
	}
	chosen, to := form["frame"], storage.DoubtState(form.Get("decision"))
	for _, one := range []storage.DoubtState{storage.DoubtUsed, storage.DoubtOut} {
		if len(form[string(one)]) > 0 {
			chosen, to = form[string(one)], one
		}
	}
	var frames []int64
	for _, text := range chosen {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return refuse(http.StatusUnprocessableEntity, "frame", "frame must be a number")
		}
		frames = append(frames, id)
	}
	who, _ := person(c)
	if _, err := w.DB.DecideDoubts(c.Request().Context(), who.Name, recipe, frames, to); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, ui.GuardURL(recipe, state, 0))
}

// setGuard stores whether a part that looks like nothing known may be OK.
func (w *Server) setGuard(c echo.Context) error {
	return w.changeRecipe(c, "", func(r *storage.Recipe) error {
		r.OddUnsure = c.FormValue("odd_unsure") != ""
		return nil
	})
}

func (w *Server) driftPage(c echo.Context) error {
	before, _ := strconv.ParseInt(c.QueryParam("before"), 10, 64)
	v, err := w.views.Drift(c.Request().Context(), before)
	if err != nil {
		return err
	}
	p, err := w.page(c, ui.SectionSetUp)
	if err != nil {
		return err
	}
	p.Events = ui.EventsURL("other", 0, "")
	return w.render(c, http.StatusOK, ui.DriftPage(p, v))
}

func (w *Server) driftSeenForm(c echo.Context) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	who, _ := person(c)
	if _, err := w.DB.SeeDrift(c.Request().Context(), who.Name, id, c.FormValue("note")); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, ui.PathDrift)
}
