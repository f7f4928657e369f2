package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"loupe/storage"
	"loupe/web/ui"
)

// correctionAnswer is a stored correction as the API shows it.
type correctionAnswer struct {
	ID        int64  `json:"id"`
	FrameID   int64  `json:"frame_id"`
	Class     string `json:"class"`
	Note      string `json:"note,omitempty"`
	Person    string `json:"person"`
	Share     string `json:"share,omitempty"`
	Overtaken *said  `json:"overtaken,omitempty"` // what somebody else had said in between; both are kept, this one is in force
}

type said struct {
	Person string `json:"person"`
	Class  string `json:"class"`
}

func (w *Server) postCorrection(c echo.Context) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	var q struct {
		Class *string `json:"class"`
		Note  string  `json:"note"`
		Seen  *int64  `json:"seen"`
	}
	const example = `{"class": "scratch", "note": ""}`
	if err := readJSON(c, &q, example); err != nil {
		return err
	}
	if q.Class == nil {
		return refuse(http.StatusUnprocessableEntity, "class", "send a JSON object such as "+example+`; class "" takes the label back`)
	}
	p, _ := person(c)
	stored, overtaken, err := w.correct(c.Request().Context(), p, storage.Correction{FrameID: id, Class: *q.Class, Note: q.Note, Source: "api", Seen: q.Seen})
	if err != nil {
		return err
	}
	a := correctionJSON(stored)
	if overtaken != nil {
		a.Overtaken = &said{overtaken.Person, overtaken.Class}
	}
	c.Response().Header().Set("Location", fmt.Sprintf("/api/v1/frames/%d", id))
	return c.JSON(http.StatusCreated, a)
}

// correct stores a person's correction. One of QA about a frame that people
// disagree on settles it.
func (w *Server) correct(ctx context.Context, p storage.Person, c storage.Correction) (storage.Correction, *storage.Correction, error) {
	f, err := w.DB.Frame(ctx, c.FrameID)
	if err != nil {
		return c, nil, err
	}
	if f.Disagreed && p.Role.May(storage.QA) {
		c.Source = "settle"
	}
	c.Person = p.Name
	stored, overtaken, err := w.DB.Correct(ctx, c)
	if overtaken != nil && (overtaken.Person == p.Name || overtaken.Class == stored.Class) {
		overtaken = nil
	}
	return stored, overtaken, err
}

// correctForm is a correction by a page's button or key.
func (w *Server) correctForm(c echo.Context) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	correction := storage.Correction{FrameID: id, Class: c.FormValue("class"), Note: c.FormValue("note"), Source: "page"}
	if seen, err := strconv.ParseInt(c.FormValue("seen"), 10, 64); err == nil {
		correction.Seen = &seen
	}
	p, _ := person(c)
	stored, overtaken, err := w.correct(c.Request().Context(), p, correction)
	if err != nil {
		return err
	}
	if c.Request().Header.Get("HX-Request") != "true" {
		return c.Redirect(http.StatusSeeOther, localPath(c.Request().Referer()))
	}
	f, err := w.DB.Frame(c.Request().Context(), id)
	if err != nil {
		return err
	}
	r, err := w.DB.Recipe(c.Request().Context(), f.RecipeID)
	if err != nil {
		return err
	}
	toast := ui.Toast{FrameID: id, Corrections: []int64{stored.ID}}
	toast.Class, _ = r.Class(stored.Class)
	if overtaken != nil {
		toast.Others, toast.OthersClass = overtaken.Person, overtaken.Class
	}
	return w.render(c, http.StatusOK, ui.ToastFragment(toast))
}

// labelMany labels many frames of the grid at once: all or none.
func (w *Server) labelMany(c echo.Context) error {
	recipe, err := strconv.ParseInt(c.FormValue("recipe"), 10, 64)
	if err != nil {
		return refuse(http.StatusUnprocessableEntity, "recipe", "the recipe is missing")
	}
	frames, err := numbers(c.FormValue("frames"))
	if err != nil || len(frames) == 0 {
		return refuse(http.StatusUnprocessableEntity, "frames", "choose at least one picture")
	}
	corrections, err := w.manyCorrections(c, recipe, frames, c.FormValue("class"), "page")
	if err != nil {
		return err
	}
	return w.answerLabels(c, recipe, corrections)
}

// manyCorrections gives frames of a recipe one class. Those of QA about a frame
// that people disagree on settle it.
func (w *Server) manyCorrections(c echo.Context, recipe int64, frames []int64, class, from string) ([]storage.Correction, error) {
	p, _ := person(c)
	before, err := w.DB.Gallery(c.Request().Context(), storage.GalleryFilter{RecipeID: recipe, FrameIDs: slices.Clone(frames)}, len(frames))
	if err != nil {
		return nil, err
	}
	if len(before) != len(frames) {
		return nil, refuse(http.StatusConflict, "frames", "some of these pictures are gone or belong to another recipe: load the page again")
	}
	var corrections []storage.Correction
	for _, f := range before {
		source := from
		if f.Disagreed && p.Role.May(storage.QA) {
			source = "settle"
		}
		corrections = append(corrections, storage.Correction{FrameID: f.FrameID, Class: class, Person: p.Name, Source: source})
	}
	return corrections, nil
}

// undo takes corrections back: each frame whose label is still that correction
// gets what was in force before.
func (w *Server) undo(c echo.Context) error {
	ids, err := numbers(c.FormValue("corrections"))
	if err != nil || len(ids) == 0 {
		return refuse(http.StatusUnprocessableEntity, "corrections", "there is nothing to undo")
	}
	p, _ := person(c)
	undone, recipe, err := w.DB.Undo(c.Request().Context(), p.Name, ids)
	if err != nil {
		return err
	}
	if c.Request().Header.Get("HX-Request") == "true" {
		made := make([]int64, len(undone))
		for i, u := range undone {
			made[i] = u.ID
		}
		return w.render(c, http.StatusOK, ui.ToastFragment(ui.Toast{Undone: true, Corrections: made}))
	}
	return w.labelAnswer(c, recipe, undone)
}

func (w *Server) answerLabels(c echo.Context, recipe int64, corrections []storage.Correction) error {
	stored, err := w.DB.CorrectMany(c.Request().Context(), recipe, corrections)
	if err != nil {
		return err
	}
	return w.labelAnswer(c, recipe, stored)
}

func (w *Server) labelAnswer(c echo.Context, recipe int64, stored []storage.Correction) error {
	answer := ui.LabelAnswer{Corrections: []int64{}}
	var frames []int64
	for _, s := range stored {
		answer.Corrections = append(answer.Corrections, s.ID)
		frames = append(frames, s.FrameID)
	}
	var err error
	if answer.Cells, err = w.views.Cells(c.Request().Context(), recipe, frames); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, answer)
}

const mostNumbers = 20000

func numbers(text string) ([]int64, error) {
	var all []int64
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.ParseInt(strings.TrimSpace(part), 10, 64)
		if err != nil || n < 1 || len(all) >= mostNumbers {
			return nil, fmt.Errorf("%q is no list of IDs", text)
		}
		all = append(all, n)
	}
	return all, nil
}
