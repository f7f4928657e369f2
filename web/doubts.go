package web

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"loupe/storage"
	"loupe/vision"
	"loupe/web/ui"
)

// reasonAnswer is a reason as the API shows it, in numbers and in words.
type reasonAnswer struct {
	storage.Reason
	Words map[string]string `json:"words"` // by language
}

func reasonsJSON(ctx context.Context, all []storage.Reason) []reasonAnswer {
	answers := make([]reasonAnswer, 0, len(all))
	for _, r := range all {
		a := reasonAnswer{r, map[string]string{}}
		for _, lang := range ui.Languages {
			a.Words[lang] = ui.ReasonWords(ui.WithLanguage(ctx, lang), r)
		}
		answers = append(answers, a)
	}
	return answers
}

// doubtAnswer is a doubtful frame as the API shows it.
type doubtAnswer struct {
	FrameID   int64              `json:"frame_id"`
	StationID int64              `json:"station_id,omitempty"`
	Serial    string             `json:"serial,omitempty"`
	Label     string             `json:"label,omitempty"`
	State     storage.DoubtState `json:"state"`
	Reasons   []reasonAnswer     `json:"reasons"`
	Quality   *vision.Quality    `json:"quality,omitempty"`
	At        time.Time          `json:"at"`
	Person    string             `json:"person,omitempty"`
	DecidedAt time.Time          `json:"decided_at,omitzero"`
}

// listDoubts gives a page of a recipe's doubtful frames, newest first.
func (w *Server) listDoubts(c echo.Context) error {
	ctx := c.Request().Context()
	r, err := w.recipeOf(c)
	if err != nil {
		return err
	}
	state, err := doubtState(c.QueryParam("state"))
	if err != nil {
		return err
	}
	before, limit, err := pageOf(c)
	if err != nil {
		return err
	}
	found, err := w.DB.Doubts(ctx, r.ID, state, before, limit)
	if err != nil {
		return err
	}
	counts, err := w.DB.CountDoubts(ctx, r.ID)
	if err != nil {
		return err
	}
	answer := struct {
		Doubts  []doubtAnswer `json:"doubts"`
		Open    int           `json:"open"`
		Out     int           `json:"out"`
		Used    int           `json:"used"`
		LeftOut int           `json:"left_out"` // labelled frames that training leaves out
		Next    int64         `json:"next,omitempty"`
	}{Doubts: []doubtAnswer{}, Open: counts.Open, Out: counts.Out, Used: counts.Used, LeftOut: counts.Labelled}
	for _, d := range found {
		answer.Doubts = append(answer.Doubts, doubtAnswer{FrameID: d.FrameID, StationID: d.StationID, Serial: d.Serial, Label: d.Label, State: d.State,
			Reasons: reasonsJSON(ctx, d.Reasons), Quality: d.Quality, At: d.At, Person: d.Person, DecidedAt: d.DecidedAt})
	}
	if len(found) == limit {
		answer.Next = found[limit-1].FrameID
	}
	return c.JSON(http.StatusOK, answer)
}

// pageOf reads before and limit of a list.
func pageOf(c echo.Context) (before int64, limit int, err error) {
	if text := c.QueryParam("before"); text != "" {
		if before, err = strconv.ParseInt(text, 10, 64); err != nil || before < 1 {
			return 0, 0, refuse(http.StatusUnprocessableEntity, "before", "before must be the number that next named")
		}
	}
	limit, err = countOf(c, "limit", pageLength, longestPage)
	return before, limit, err
}

// decideDoubts stores what a person says to doubtful frames.
func (w *Server) decideDoubts(c echo.Context) error {
	r, err := w.recipeOf(c)
	if err != nil {
		return err
	}
	var q struct {
		Frames   []int64            `json:"frames"`
		Decision storage.DoubtState `json:"decision"`
	}
	if err := readJSON(c, &q, `{"frames": [17, 18], "decision": "used"}`); err != nil {
		return err
	}
	who, _ := person(c)
	n, err := w.DB.DecideDoubts(c.Request().Context(), who.Name, r.ID, q.Frames, q.Decision)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]int{"changed": n})
}

// driftAnswer is an alarm as the API shows it.
type driftAnswer struct {
	ID        int64                `json:"id"`
	StationID int64                `json:"station_id"`
	Station   string               `json:"station"`
	RecipeID  int64                `json:"recipe_id"`
	Causes    []storage.DriftCause `json:"causes"`
	Words     map[string]string    `json:"words"` // what changed, by language
	Since     time.Time            `json:"since"`
	At        time.Time            `json:"at"`
	SeenBy    string               `json:"seen_by,omitempty"`
	SeenAt    time.Time            `json:"seen_at,omitzero"`
	Note      string               `json:"note,omitempty"`
	ClosedAt  time.Time            `json:"closed_at,omitzero"`
	ClosedWhy string               `json:"closed_because,omitempty"`
}

func driftJSON(a storage.DriftAlarm) driftAnswer {
	answer := driftAnswer{ID: a.ID, StationID: a.StationID, Station: a.Station, RecipeID: a.RecipeID, Causes: a.Causes, Words: map[string]string{}, Since: a.Since, At: a.At,
		SeenBy: a.SeenBy, SeenAt: a.SeenAt, Note: a.Note, ClosedAt: a.ClosedAt, ClosedWhy: a.ClosedWhy}
	for _, lang := range ui.Languages {
		answer.Words[lang] = ui.DriftWords(ui.WithLanguage(context.Background(), lang), a.Causes)
	}
	return answer
}

// listDrifts gives the alarms that last, or with all=1 a page of all.
func (w *Server) listDrifts(c echo.Context) error {
	ctx := c.Request().Context()
	before, limit, err := pageOf(c)
	if err != nil {
		return err
	}
	answer := struct {
		Alarms []driftAnswer `json:"alarms"`
		Next   int64         `json:"next,omitempty"`
	}{Alarms: []driftAnswer{}}
	var all []storage.DriftAlarm
	if c.QueryParam("all") == "1" {
		if all, err = w.DB.Drifts(ctx, before, limit); len(all) == limit {
			answer.Next = all[limit-1].ID
		}
	} else {
		all, err = w.DB.OpenDrifts(ctx)
	}
	if err != nil {
		return err
	}
	for _, a := range all {
		answer.Alarms = append(answer.Alarms, driftJSON(a))
	}
	return c.JSON(http.StatusOK, answer)
}

// seeDrift notes that a person has seen an alarm.
func (w *Server) seeDrift(c echo.Context) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	var q struct {
		Note string `json:"note"`
	}
	if err := readJSON(c, &q, `{"note": "the lamp was changed"}`); err != nil {
		return err
	}
	who, _ := person(c)
	a, err := w.DB.SeeDrift(c.Request().Context(), who.Name, id, q.Note)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, driftJSON(a))
}
