package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"loupe/models"
	"loupe/storage"
	"loupe/vision"
	"loupe/web/ui"
)

// live is the stream of one open page: it sends ready-rendered fragments.
type live struct {
	*Server
	*sse
	ctx       context.Context // in the reader's language
	view      string
	line      string
	recipe    int64
	may       ui.Rights
	banners   []byte               // as sent last
	undecided map[int64]bool       // stations, as sent last
	stays     func() (bool, error) // whether the reader is still signed in
}

// pageEvents streams what a page shows, as web/ui's EventsURL says.
func (w *Server) pageEvents(c echo.Context) error {
	who, _ := person(c)
	l := &live{
		Server: w, ctx: ui.WithLanguage(c.Request().Context(), language(c)), view: c.QueryParam("view"), line: c.QueryParam("line"),
		may: ui.Rights{Train: who.Role.May(storage.QA), SetUp: who.Role.May(storage.Admin)},
	}
	l.recipe, _ = strconv.ParseInt(c.QueryParam("recipe"), 10, 64)
	s := w.hub.join()
	defer w.hub.leave(s)
	l.sse = openSSE(c)
	l.stays = func() (bool, error) { return w.stillSignedIn(c) }
	err := l.run(s)
	if l.ctx.Err() != nil || errors.Is(err, errReaderLeft) {
		return nil // the reader left
	}
	return err
}

func (l *live) run(s *stream) error {
	if err := l.whole(); err != nil {
		return err
	}
	tick := time.NewTicker(tickPeriod)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-l.ctx.Done():
			return nil
		case <-l.hub.closed:
			return nil
		case e := <-s.events:
			err = l.on(e)
		case <-tick.C:
			var stays bool
			if stays, err = l.stays(); err == nil && !stays {
				return nil
			}
			if err == nil {
				err = l.tick()
			}
		}
		if err == nil && !l.hub.caughtUp(s) {
			err = l.whole()
		}
		if err != nil {
			return err
		}
	}
}

// fragment renders and sends one event.
func (l *live) fragment(event string, t templ.Component, err error) error {
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.Render(l.ctx, &b); err != nil {
		return fmt.Errorf("render %s: %w", event, err)
	}
	return l.send(event, b.Bytes())
}

// whole sends everything that the view shows, and then the first tick.
func (l *live) whole() error {
	l.banners = nil
	_, err := l.sendBanners()
	if err != nil {
		return err
	}
	switch l.view {
	case "line":
		err = l.wholeLine()
	case "label":
		if err = l.progress(); err == nil && l.recipe != 0 {
			err = l.sendWork(l.ctx, models.GroupJob, models.SuspectJob)
		}
	case "model":
		err = l.training()
	case "jobs":
		err = l.jobs()
	case "health":
		err = l.health()
	}
	if err != nil {
		return err
	}
	return l.send("tick", []byte("1"))
}

func (l *live) wholeLine() error {
	v, err := l.views.Line(l.ctx, l.line)
	if err != nil {
		return err
	}
	if err := l.send("stations", []byte(v.Places())); err != nil {
		return err
	}
	l.undecided = map[int64]bool{}
	for _, st := range v.Stations {
		l.undecided[st.ID] = st.Undecided
		if err := l.fragment(fmt.Sprintf("station-%d", st.ID), ui.StationFragment(st), nil); err != nil {
			return err
		}
		if err := l.fragment(fmt.Sprintf("strip-%d", st.ID), ui.StripFragment(st.Strip, st.Classes), nil); err != nil {
			return err
		}
	}
	if err := l.fragment("tray", ui.TrayFragment(v.Tray), nil); err != nil {
		return err
	}
	return l.fragment("learning", ui.LearningFragment(v.Learning), nil)
}

// tick sends what changes with time alone: a station that falls silent is lost,
// on the banner and in its own place.
func (l *live) tick() error {
	changed, err := l.sendBanners()
	switch {
	case err == nil && l.view == "line" && changed:
		err = l.wholeLine()
	case err == nil && l.view == "line":
		if err = l.sendUndecided(); err == nil {
			err = l.learning()
		}
	case err == nil && l.view == "health":
		err = l.health()
	case err == nil && l.view == "model":
		err = l.shadow()
	}
	if err != nil {
		return err
	}
	return l.send("tick", []byte("1"))
}

// sendUndecided sends the stations whose newest part has waited too long for its
// verdict since the last time, or has it now.
func (l *live) sendUndecided() error {
	now, err := l.views.Undecided(l.ctx, l.line)
	if err != nil {
		return err
	}
	for id, undecided := range now {
		if undecided == l.undecided[id] {
			continue
		}
		st, err := l.views.Station(l.ctx, id)
		if err := l.fragment(fmt.Sprintf("station-%d", id), ui.StationFragment(st), err); err != nil {
			return err
		}
	}
	l.undecided = now
	return nil
}

// sendBanners sends the banners where they changed.
func (l *live) sendBanners() (changed bool, err error) {
	all, err := l.views.Banners(l.ctx)
	if err != nil {
		return false, err
	}
	state, err := json.Marshal(all)
	if err != nil || l.banners != nil && bytes.Equal(state, l.banners) {
		return false, err
	}
	l.banners = state
	return true, l.fragment("banner", ui.BannersFragment(all, l.views.Now()), nil)
}

func (l *live) on(e storage.Event) error {
	if e.Kind == workersChanged || e.Kind == storage.FrameTroubled || e.Kind == storage.DriftChanged {
		if _, err := l.sendBanners(); err != nil {
			return err
		}
	}
	switch l.view {
	case "line":
		return l.onLine(e)
	case "label":
		return l.onLabel(e)
	case "model":
		return l.onModel(e)
	case "jobs":
		return l.onJobs(e)
	}
	return nil
}

func (l *live) onLine(e storage.Event) error {
	switch e.Kind {
	case storage.FrameAdded:
		if e.StationID == 0 {
			return nil
		}
		return l.send(fmt.Sprintf("coming-%d", e.StationID), []byte(ui.FrameImageURL(e.ID, 960)))
	case storage.InspectionMade:
		return l.onInspection(*e.Inspection)
	case storage.FrameTroubled:
		return l.sendUndecided()
	case storage.FrameCorrected:
		return l.onCorrection(e)
	case storage.JobChanged, storage.VersionChanged:
		return l.learning()
	case storage.StationChanged, storage.RecipeChanged:
		return l.wholeLine()
	}
	return nil
}

// onInspection shows a verdict: the station first, for it is what people wait for.
func (l *live) onInspection(i storage.Inspection) error {
	shown, err := l.shows(i.StationID)
	if err != nil || !shown {
		return err
	}
	st, err := l.views.Station(l.ctx, i.StationID)
	if err := l.fragment(fmt.Sprintf("station-%d", i.StationID), ui.StationFragment(st), err); err != nil {
		return err
	}
	parts, classes, err := l.views.Strip(l.ctx, i)
	if err := l.fragment(fmt.Sprintf("strip-%d", i.StationID), ui.StripFragment(parts, classes), err); err != nil {
		return err
	}
	if i.Verdict == vision.Unsure {
		return l.tray()
	}
	return nil
}

func (l *live) onCorrection(e storage.Event) error {
	i, err := l.DB.InspectionOfFrame(l.ctx, e.Correction.FrameID)
	if storage.CodeOf(err) == storage.NotFound {
		return l.learning()
	}
	if err != nil {
		return err
	}
	if err := l.onInspection(i); err != nil {
		return err
	}
	if err := l.tray(); err != nil {
		return err
	}
	return l.learning()
}

// shows reports whether the page shows the station.
func (l *live) shows(station int64) (bool, error) {
	if station == 0 {
		return false, nil
	}
	st, err := l.DB.Station(l.ctx, station)
	return err == nil && !st.Revoked && (l.line == "" || st.Line == l.line), err
}

func (l *live) tray() error {
	v, err := l.views.Tray(l.ctx, l.line)
	return l.fragment("tray", ui.TrayFragment(v), err)
}

func (l *live) learning() error {
	v, err := l.views.Learning(l.ctx, l.line)
	return l.fragment("learning", ui.LearningFragment(v), err)
}

func (l *live) onLabel(e storage.Event) error {
	if e.RecipeID == l.recipe && e.Kind == storage.JobChanged && (e.Job.Kind == models.GroupJob || e.Job.Kind == models.SuspectJob) {
		return l.sendWork(l.ctx, e.Job.Kind)
	}
	if e.RecipeID != l.recipe || e.Kind != storage.FrameCorrected {
		return nil
	}
	cells, err := l.views.Cells(l.ctx, l.recipe, []int64{e.Correction.FrameID})
	if err != nil {
		return err
	}
	data, err := json.Marshal(map[string][]ui.GridCell{"cells": cells})
	if err != nil {
		return err
	}
	if err := l.send("cells", data); err != nil {
		return err
	}
	return l.progress()
}

func (l *live) progress() error {
	if l.recipe == 0 {
		return nil
	}
	v, err := l.views.Progress(l.ctx, l.recipe)
	return l.fragment("progress", ui.ProgressFragment(v), err)
}

func (l *live) onModel(e storage.Event) error {
	if e.RecipeID != l.recipe {
		return nil
	}
	switch e.Kind {
	case storage.JobChanged, storage.FrameCorrected:
		return l.training()
	case storage.VersionChanged:
		return l.send("version", []byte("1"))
	}
	return nil
}

// shadow sends how the recipe's challenger in shadow does, which changes with
// each frame and is sent with each tick. The page shows it where it shows that version.
func (l *live) shadow() error {
	open, err := l.DB.OpenShadow(l.ctx, l.recipe)
	if storage.CodeOf(err) == storage.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	v, err := l.views.Shadow(l.ctx, open.VersionID)
	return l.fragment(fmt.Sprintf("shadow-%d", open.VersionID), ui.ShadowFragment(v), err)
}

func (l *live) training() error {
	t, err := l.trainingFragment(l.ctx, l.recipe)
	return l.fragment("training", t, err)
}

func (w *Server) trainingFragment(ctx context.Context, recipe int64) (templ.Component, error) {
	r, err := w.DB.Recipe(ctx, recipe)
	if err != nil {
		return nil, err
	}
	t, err := w.views.Training(ctx, recipe)
	if err != nil {
		return nil, err
	}
	d, err := w.views.Data(ctx, r)
	return ui.TrainingFragment(t, d), err
}

func (l *live) onJobs(e storage.Event) error {
	if e.Kind != storage.JobChanged {
		return nil
	}
	if e.Job.State == storage.JobQueued {
		return l.jobs()
	}
	v, err := l.views.Job(l.ctx, *e.Job, l.may.Train)
	return l.fragment(fmt.Sprintf("job-%d", e.ID), ui.JobFragment(v), err)
}

func (l *live) jobs() error {
	v, err := l.views.Jobs(l.ctx, l.may.Train)
	return l.fragment("jobs", ui.JobsFragment(v), err)
}
