package web

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"loupe/models"
	"loupe/storage"
	"loupe/vision"
	"loupe/web/ui"
)

// shadowAnswer is a challenger in shadow as the API shows it.
type shadowAnswer struct {
	VersionID  int64            `json:"version_id"`
	RecipeID   int64            `json:"recipe_id"`
	State      string           `json:"state"` // judging, settling or closed
	MostFrames int              `json:"most_frames"`
	Until      time.Time        `json:"until"`
	Seen       int              `json:"seen"` // frames that the champion judged meanwhile
	Judged     int              `json:"judged"`
	Dropped    int              `json:"dropped"` // left out, for the workers had more urgent ones
	Failed     int              `json:"failed"`
	Differing  int              `json:"differing"`
	StartedBy  string           `json:"started_by"`
	StartedAt  time.Time        `json:"started_at"`
	EndedAt    *time.Time       `json:"ended_at,omitempty"`
	Reason     string           `json:"reason,omitempty"`
	Standing   *models.Standing `json:"standing,omitempty"`
}

func shadowJSON(s storage.Shadow) shadowAnswer {
	a := shadowAnswer{VersionID: s.VersionID, RecipeID: s.RecipeID, State: string(s.State), MostFrames: s.MostFrames, Until: s.Until, Seen: s.Seen, Judged: s.Judged,
		Dropped: max(0, s.Dropped()), Failed: s.Failed, Differing: s.Differing, StartedBy: s.StartedBy, StartedAt: s.StartedAt, Reason: s.Reason}
	if !s.EndedAt.IsZero() {
		a.EndedAt = &s.EndedAt
	}
	return a
}

func (w *Server) shadowOf(c echo.Context) (storage.Shadow, error) {
	v, err := w.versionOf(c)
	if err != nil {
		return storage.Shadow{}, err
	}
	return w.DB.ShadowOf(c.Request().Context(), v.ID)
}

func (w *Server) getShadow(c echo.Context) error {
	s, err := w.shadowOf(c)
	if err != nil {
		return err
	}
	a := shadowJSON(s)
	st, err := models.StandingOf(c.Request().Context(), w.DB, s)
	if err != nil {
		return err
	}
	a.Standing = &st
	return c.JSON(http.StatusOK, a)
}

func (w *Server) startShadow(c echo.Context) (storage.Shadow, error) {
	id, err := idOf(c)
	if err != nil {
		return storage.Shadow{}, err
	}
	p, _ := person(c)
	return w.Registry.StartShadow(c.Request().Context(), p.Name, id)
}

func (w *Server) stopShadow(c echo.Context) (storage.Shadow, error) {
	id, err := idOf(c)
	if err != nil {
		return storage.Shadow{}, err
	}
	p, _ := person(c)
	return w.DB.CloseShadow(c.Request().Context(), p.Name, id, "stopped by "+p.Name)
}

func (w *Server) postShadow(c echo.Context) error {
	s, err := w.startShadow(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, shadowJSON(s))
}

func (w *Server) deleteShadow(c echo.Context) error {
	s, err := w.stopShadow(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, shadowJSON(s))
}

func (w *Server) shadowForm(c echo.Context) error {
	act := w.startShadow
	if c.FormValue("stop") == "1" {
		act = w.stopShadow
	}
	s, err := act(c)
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, ui.ModelURL(s.RecipeID, s.VersionID))
}

func (w *Server) setShadowRule(c echo.Context) error {
	r, err := w.recipeOf(c)
	if err != nil {
		return err
	}
	rule := storage.ShadowRule{Auto: c.FormValue("auto") == "1"}
	for name, to := range map[string]*int{"frames": &rule.Frames, "days": &rule.Days, "settled": &rule.Settled} {
		v, err := decimal(c, name)
		if err != nil {
			return err
		}
		*to = int(v)
	}
	p, _ := person(c)
	if err := w.DB.SetShadowRule(c.Request().Context(), p.Name, r.ID, rule); err != nil {
		return err
	}
	back := ui.ModelURL(r.ID, 0)
	if text := c.FormValue("back"); text != "" {
		back = localPath(text)
	}
	return c.Redirect(http.StatusSeeOther, back)
}

func (w *Server) shadowPage(c echo.Context) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	after, _ := strconv.ParseInt(c.QueryParam("after"), 10, 64)
	v, err := w.views.Disagreements(c.Request().Context(), id, c.QueryParam("settled") == "1", after)
	if err != nil {
		return err
	}
	p, err := w.page(c, ui.SectionModel)
	if err != nil {
		return err
	}
	return w.render(c, http.StatusOK, ui.ShadowPage(p, v))
}

// opinionAnswer is what one version says about a frame.
type opinionAnswer struct {
	VersionID int64          `json:"version_id"`
	Verdict   vision.Verdict `json:"verdict"`
	Class     string         `json:"class"`
	Score     float64        `json:"score"`
	Bad       float64        `json:"bad"` // probability of a bad part
}

type disagreementAnswer struct {
	ID         int64         `json:"id"`
	FrameID    int64         `json:"frame_id"`
	Difference float64       `json:"difference"` // of the two probabilities of a bad part
	Champion   opinionAnswer `json:"champion"`
	Challenger opinionAnswer `json:"challenger"`
	Label      string        `json:"label,omitempty"` // what a person says
	JudgedAt   time.Time     `json:"judged_at"`
}

const mostDisagreements = 200

// listDisagreements lists the frames on which a challenger and the champion
// differ, the biggest difference first.
func (w *Server) listDisagreements(c echo.Context) error {
	s, err := w.shadowOf(c)
	if err != nil {
		return err
	}
	d := storage.Disagreements{ShadowID: s.ID, Settled: c.QueryParam("settled") == "1", Limit: 50}
	for name, to := range map[string]*int64{"after": &d.After, "limit": new(int64)} {
		text := c.QueryParam(name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 1 || name == "limit" && n > mostDisagreements {
			return refuse(http.StatusUnprocessableEntity, name, name+" must be a whole number: limit up to 200, after the id of the last one you have")
		}
		if *to = n; name == "limit" {
			d.Limit = int(n)
		}
	}
	all, err := w.DB.Disagreements(c.Request().Context(), d)
	if err != nil {
		return err
	}
	answer := []disagreementAnswer{}
	for _, i := range all {
		say := func(o storage.Opinion) opinionAnswer {
			return opinionAnswer{o.VersionID, o.Verdict, o.Class, o.Score, o.Fail}
		}
		answer = append(answer, disagreementAnswer{i.ID, i.FrameID, i.Difference(), say(i.Champion), say(i.Challenger), i.Label, i.JudgedAt})
	}
	return c.JSON(http.StatusOK, map[string]any{"disagreements": answer})
}
