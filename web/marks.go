package web

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"loupe/storage"
)

// markingAnswer is what is marked in a frame as the API shows it.
type markingAnswer struct {
	FrameID int64          `json:"frame_id"`
	Marks   []storage.Mark `json:"marks"`
	Person  string         `json:"person,omitempty"`
	Source  string         `json:"source,omitempty"`
	At      time.Time      `json:"at,omitzero"`
}

func (w *Server) getMarks(c echo.Context) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	m, err := w.marking(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, markingJSON(m))
}

// marking is the one in force of a frame; one without marks where nobody marked it.
func (w *Server) marking(ctx context.Context, frameID int64) (storage.Marking, error) {
	if _, err := w.DB.Frame(ctx, frameID); err != nil {
		return storage.Marking{}, err
	}
	all, err := w.DB.Markings(ctx, frameID)
	if err != nil || len(all) == 0 {
		return storage.Marking{FrameID: frameID}, err
	}
	return all[len(all)-1], nil
}

// putMarks replaces what is marked in a frame.
func (w *Server) putMarks(c echo.Context) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	var q struct {
		Marks *[]storage.Mark `json:"marks"`
	}
	const example = `{"marks": [{"class": "scratch", "shape": "box", "box": [0.4, 0.3, 0.1, 0.2]}]}`
	if err := readJSON(c, &q, example); err != nil {
		return err
	}
	if q.Marks == nil {
		return refuse(http.StatusUnprocessableEntity, "marks", "send a JSON object such as "+example+"; no marks take back what was marked")
	}
	p, _ := person(c)
	m := storage.Marking{FrameID: id, Marks: *q.Marks, Person: p.Name, Source: "page"}
	if isAPI(c) {
		m.Source = "api"
	}
	if m, err = w.DB.SetMarks(c.Request().Context(), m); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, markingJSON(m))
}

func markingJSON(m storage.Marking) markingAnswer {
	if m.Marks == nil {
		m.Marks = []storage.Mark{}
	}
	return markingAnswer{m.FrameID, m.Marks, m.Person, m.Source, m.At}
}
