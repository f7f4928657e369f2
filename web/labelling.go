package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"loupe/models"
	"loupe/storage"
	"loupe/web/ui"
)

func rights(c echo.Context) ui.Rights {
	who, _ := person(c)
	return ui.Rights{Train: who.Role.May(storage.QA), SetUp: who.Role.May(storage.Admin)}
}

func (w *Server) groupsPage(c echo.Context) error {
	v, err := w.views.Groups(c.Request().Context(), labelFilter(c.QueryParams()).Recipe, rights(c))
	if err != nil {
		return err
	}
	return w.labellingPage(c, v.Recipe.ID, func(p ui.Page) error { return w.render(c, http.StatusOK, ui.GroupsPage(p, v)) })
}

func (w *Server) suspectsPage(c echo.Context) error {
	v, err := w.views.Suspects(c.Request().Context(), labelFilter(c.QueryParams()).Recipe, rights(c))
	if err != nil {
		return err
	}
	return w.labellingPage(c, v.Recipe.ID, func(p ui.Page) error { return w.render(c, http.StatusOK, ui.SuspectsPage(p, v)) })
}

// labellingPage draws a page about a recipe; without one there is nothing to label.
func (w *Server) labellingPage(c echo.Context, recipe int64, draw func(ui.Page) error) error {
	if recipe == 0 {
		return c.Redirect(http.StatusSeeOther, ui.PathFirst)
	}
	p, err := w.page(c, ui.SectionLabel)
	if err != nil {
		return err
	}
	p.Events = ui.EventsURL("label", recipe, "")
	return draw(p)
}

// startWork queues a job about a recipe's labels.
func (w *Server) startWork(c echo.Context, kind string) (storage.Job, error) {
	r, err := w.recipeOf(c)
	if err != nil {
		return storage.Job{}, err
	}
	p, _ := person(c)
	return w.Learner.Start(c.Request().Context(), p.Name, kind, r.ID)
}

// startJob answers a program that starts such a job.
func (w *Server) startJob(kind string) echo.HandlerFunc {
	return func(c echo.Context) error {
		j, err := w.startWork(c, kind)
		if err != nil {
			return err
		}
		c.Response().Header().Set("Location", fmt.Sprintf("/api/v1/jobs/%d", j.ID))
		return c.JSON(http.StatusAccepted, jobJSON(j))
	}
}

// startForm answers a page that starts such a job.
func (w *Server) startForm(kind string) echo.HandlerFunc {
	return func(c echo.Context) error {
		j, err := w.startWork(c, kind)
		if err != nil {
			return err
		}
		if c.Request().Header.Get("HX-Request") != "true" {
			return c.Redirect(http.StatusSeeOther, localPath(c.Request().Referer()))
		}
		v, err := w.views.Work(c.Request().Context(), j.RecipeID, kind, rights(c))
		if err != nil {
			return err
		}
		return w.render(c, http.StatusOK, ui.WorkFragment(v))
	}
}

// confirmForm keeps a label that was suspected.
func (w *Server) confirmForm(c echo.Context) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	label, err := strconv.ParseInt(c.FormValue("label"), 10, 64)
	if err != nil {
		return refuse(http.StatusUnprocessableEntity, "label", "the correction that gave the label is missing")
	}
	p, _ := person(c)
	stored, err := w.DB.Confirm(c.Request().Context(), p.Name, id, label)
	if err != nil {
		return err
	}
	f, err := w.DB.Frame(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return w.labelAnswer(c, f.RecipeID, []storage.Correction{stored})
}

// confirm is the same for a program.
func (w *Server) confirm(c echo.Context) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	var q struct {
		LabelID int64 `json:"label_id"`
	}
	if err := readJSON(c, &q, `{"label_id": 17}`); err != nil {
		return err
	}
	p, _ := person(c)
	stored, err := w.DB.Confirm(c.Request().Context(), p.Name, id, q.LabelID)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, correctionJSON(stored))
}

func correctionJSON(s storage.Correction) correctionAnswer {
	return correctionAnswer{ID: s.ID, FrameID: s.FrameID, Class: s.Class, Note: s.Note, Person: s.Person}
}

func correctionsJSON(all []storage.Correction) map[string][]correctionAnswer {
	answers := make([]correctionAnswer, len(all))
	for i, s := range all {
		answers[i] = correctionJSON(s)
	}
	return map[string][]correctionAnswer{"corrections": answers}
}

// postCorrections labels many frames of a recipe at once: all or none.
func (w *Server) postCorrections(c echo.Context) error {
	r, err := w.recipeOf(c)
	if err != nil {
		return err
	}
	var q struct {
		Class  *string `json:"class"`
		Frames []int64 `json:"frames"`
	}
	const example = `{"class": "scratch", "frames": [12, 15]}`
	if err := readJSON(c, &q, example); err != nil {
		return err
	}
	if q.Class == nil || len(q.Frames) == 0 || len(q.Frames) > mostNumbers {
		return refuse(http.StatusUnprocessableEntity, "frames", fmt.Sprintf("send a class and 1 to %d frames, such as %s", mostNumbers, example))
	}
	corrections, err := w.manyCorrections(c, r.ID, q.Frames, *q.Class, "api")
	if err != nil {
		return err
	}
	stored, err := w.DB.CorrectMany(c.Request().Context(), r.ID, corrections)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, correctionsJSON(stored))
}

// postUndo takes corrections back.
func (w *Server) postUndo(c echo.Context) error {
	var q struct {
		Corrections []int64 `json:"corrections"`
	}
	const example = `{"corrections": [12, 15]}`
	if err := readJSON(c, &q, example); err != nil {
		return err
	}
	if len(q.Corrections) == 0 || len(q.Corrections) > mostNumbers {
		return refuse(http.StatusUnprocessableEntity, "corrections", fmt.Sprintf("send 1 to %d corrections, such as %s", mostNumbers, example))
	}
	p, _ := person(c)
	undone, _, err := w.DB.Undo(c.Request().Context(), p.Name, q.Corrections)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, correctionsJSON(undone))
}

type nextAnswer struct {
	FrameID int64    `json:"frame_id"`
	Between []string `json:"between,omitempty"` // two classes that the model cannot tell apart on it
	New     bool     `json:"new"`               // it looks unlike all labelled frames
	Nearest float64  `json:"nearest"`           // cosine to the most similar frame labelled or listed before
	Unseen  bool     `json:"unseen"`            // its features are not known
	Why     string   `json:"why"`
}

// getNext lists the frames that are most worth a label.
func (w *Server) getNext(c echo.Context) error {
	r, err := w.recipeOf(c)
	if err != nil {
		return err
	}
	n, err := countOf(c, "n", 60, 500)
	if err != nil {
		return err
	}
	ctx := ui.WithLanguage(c.Request().Context(), language(c))
	next, err := w.Similar.Next(ctx, r.ID, n)
	if err != nil {
		return err
	}
	frames := make([]nextAnswer, len(next))
	for i, f := range next {
		frames[i] = nextAnswer{FrameID: f.FrameID, New: f.New, Nearest: f.Nearest, Unseen: f.Unseen, Why: ui.WhyNext(ctx, f.Between[0], f.Between[1], f.New, f.Unseen)}
		if f.Between[0] != "" {
			frames[i].Between = f.Between[:]
		}
	}
	return c.JSON(http.StatusOK, map[string]any{"frames": frames})
}

// countOf reads how many of something a program wants.
func countOf(c echo.Context, name string, usual, most int) (int, error) {
	text := c.QueryParam(name)
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, refuse(http.StatusUnprocessableEntity, name, fmt.Sprintf("%s must be from 1 to %d", name, most))
	}
	return n, nil
}

type alikeAnswer struct {
	FrameID    int64   `json:"frame_id"`
	Similarity float64 `json:"similarity"`
}

// getAlike lists the frames without a label that look like one.
func (w *Server) getAlike(c echo.Context) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	n, err := countOf(c, "n", 100, 2000)
	if err != nil {
		return err
	}
	alike, unknown, err := w.Similar.Alike(c.Request().Context(), id, n)
	if err != nil {
		return err
	}
	frames := make([]alikeAnswer, len(alike))
	for i, a := range alike {
		frames[i] = alikeAnswer{a.FrameID, a.Similarity}
	}
	return c.JSON(http.StatusOK, map[string]any{"frames": frames, "unknown": unknown})
}

type groupsAnswer struct {
	Job    int64          `json:"job,omitempty"` // that made them, 0 for none yet
	Groups []models.Group `json:"groups"`
}

// getGroups lists the newest groups.
func (w *Server) getGroups(c echo.Context) error {
	r, err := w.recipeOf(c)
	if err != nil {
		return err
	}
	g, j, err := w.Learner.Groups(c.Request().Context(), r.ID)
	if err != nil {
		return err
	}
	a := groupsAnswer{Job: j.ID, Groups: g.Groups}
	if a.Groups == nil {
		a.Groups = []models.Group{}
	}
	return c.JSON(http.StatusOK, a)
}

type suspectAnswer struct {
	FrameID     int64   `json:"frame_id"`
	Label       string  `json:"label"`
	LabelID     int64   `json:"label_id"` // the correction in force; POST /frames/{id}/confirm keeps it
	Person      string  `json:"person"`
	Own         float64 `json:"own"` // probability of the label
	Said        string  `json:"said"`
	Probability float64 `json:"probability"` // of said
	Doubt       float64 `json:"doubt"`       // ln(probability / own)
}

// getSuspects lists the labels that are probably wrong.
func (w *Server) getSuspects(c echo.Context) error {
	r, err := w.recipeOf(c)
	if err != nil {
		return err
	}
	n, err := countOf(c, "n", 100, models.SuspectsMost)
	if err != nil {
		return err
	}
	all, err := w.DB.Suspects(c.Request().Context(), r.ID, n)
	if err != nil {
		return err
	}
	suspects := make([]suspectAnswer, len(all))
	for i, s := range all {
		suspects[i] = suspectAnswer{s.FrameID, s.Label, s.LabelID, s.Person, s.Own, s.Said, s.Probability, s.Doubt}
	}
	return c.JSON(http.StatusOK, map[string]any{"suspects": suspects})
}

// sendWork sends how the jobs about a recipe's labels are.
func (l *live) sendWork(ctx context.Context, kinds ...string) error {
	for _, kind := range kinds {
		v, err := l.views.Work(ctx, l.recipe, kind, l.may)
		if err := l.fragment(ui.WorkEvent(kind), ui.WorkFragment(v), err); err != nil {
			return err
		}
	}
	return nil
}
