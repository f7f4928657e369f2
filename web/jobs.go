package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"loupe/storage"
	"loupe/web/ui"
)

type jobAnswer struct {
	ID         int64           `json:"id"`
	Kind       string          `json:"kind"`
	RecipeID   int64           `json:"recipe_id,omitempty"`
	State      string          `json:"state"`
	Progress   float64         `json:"progress"`
	Message    string          `json:"message"`
	Result     json.RawMessage `json:"result"`
	CreatedBy  string          `json:"created_by"`
	CreatedAt  time.Time       `json:"created_at"`
	FinishedAt *time.Time      `json:"finished_at,omitempty"`
}

func jobJSON(j storage.Job) jobAnswer {
	a := jobAnswer{ID: j.ID, Kind: j.Kind, RecipeID: j.RecipeID, State: string(j.State), Progress: j.Progress, Message: j.Message, Result: j.Result, CreatedBy: j.CreatedBy, CreatedAt: j.CreatedAt}
	if !j.FinishedAt.IsZero() {
		a.FinishedAt = &j.FinishedAt
	}
	return a
}

func (w *Server) startTraining(c echo.Context) (storage.Job, error) {
	r, err := w.recipeOf(c)
	if err != nil {
		return storage.Job{}, err
	}
	p, _ := person(c)
	return w.Learner.Train(c.Request().Context(), p.Name, r.ID)
}

func (w *Server) train(c echo.Context) error {
	j, err := w.startTraining(c)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Location", fmt.Sprintf("/api/v1/jobs/%d", j.ID))
	return c.JSON(http.StatusAccepted, jobJSON(j))
}

func (w *Server) trainForm(c echo.Context) error {
	j, err := w.startTraining(c)
	if err != nil {
		return err
	}
	if c.Request().Header.Get("HX-Request") != "true" {
		return c.Redirect(http.StatusSeeOther, ui.ModelURL(j.RecipeID, 0))
	}
	fragment, err := w.trainingFragment(c.Request().Context(), j.RecipeID)
	if err != nil {
		return err
	}
	return w.render(c, http.StatusOK, fragment)
}

func (w *Server) getJob(c echo.Context) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	j, err := w.DB.Job(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, jobJSON(j))
}

func (w *Server) cancelOf(c echo.Context) (storage.Job, error) {
	id, err := idOf(c)
	if err != nil {
		return storage.Job{}, err
	}
	p, _ := person(c)
	if err := w.Learner.Cancel(c.Request().Context(), p.Name, id); err != nil {
		return storage.Job{}, err
	}
	return w.DB.Job(c.Request().Context(), id)
}

func (w *Server) cancelJob(c echo.Context) error {
	j, err := w.cancelOf(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, jobJSON(j))
}

func (w *Server) cancelJobForm(c echo.Context) error {
	j, err := w.cancelOf(c)
	if err != nil {
		return err
	}
	v, err := w.views.Job(c.Request().Context(), j, true)
	if err != nil {
		return err
	}
	if c.Request().Header.Get("HX-Request") != "true" {
		return c.Redirect(http.StatusSeeOther, ui.PathJobs)
	}
	return w.render(c, http.StatusOK, ui.JobFragment(v))
}

func (w *Server) jobsPage(c echo.Context) error {
	p, err := w.page(c, ui.SectionSetUp)
	if err != nil {
		return err
	}
	v, err := w.views.Jobs(c.Request().Context(), p.Person.May.Train)
	if err != nil {
		return err
	}
	p.Events = ui.EventsURL("jobs", 0, "")
	return w.render(c, http.StatusOK, ui.JobsPage(p, v))
}
