package models

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"loupe/models/drift"
	"loupe/storage"
	"loupe/vision"
)

// charts are the control charts of one station.
type charts struct {
	recipe  int64
	version int64
	monitor drift.Monitor
	alarm   bool // one is open
	causes  []drift.Cause
	dirty   bool
}

const (
	chartPeriod = 2 * time.Second // between two savings of what changed
	causeFrom   = 0.5             // of its limit, at which a chart is named in an alarm
	goneBelow   = 0.25            // of all limits, at which an alarm is over
)

// takeUp reads the charts of before a restart.
func (w *Watch) takeUp(ctx context.Context) error {
	all, err := w.db.DriftCharts(ctx)
	if err != nil {
		return err
	}
	for _, one := range all {
		c := &charts{recipe: one.RecipeID, version: one.VersionID}
		if err := json.Unmarshal(one.State, &c.monitor); err != nil {
			w.log.Warn("the control charts of a station begin anew", "station", one.StationID, "error", err)
			continue
		}
		w.charts[one.StationID] = c
	}
	open, err := w.db.OpenDrifts(ctx)
	for _, a := range open {
		if c := w.charts[a.StationID]; c != nil {
			c.alarm = true
		} else {
			w.charts[a.StationID] = &charts{alarm: true}
		}
	}
	return err
}

// read puts a judged frame onto the charts of its station.
func (w *Watch) read(ctx context.Context, i storage.Inspection) error {
	w.mu.RLock()
	u := w.known[i.RecipeID]
	w.mu.RUnlock()
	if u == nil || u.version != i.VersionID || !u.profile.Ready() {
		return nil
	}
	c := w.charts[i.StationID]
	if c == nil || c.recipe != i.RecipeID || c.version != u.version {
		if c != nil && c.alarm {
			if err := w.db.CloseDrift(ctx, i.StationID, storage.DriftRetrained); err != nil {
				return err
			}
		}
		c = &charts{recipe: i.RecipeID, version: u.version}
		w.charts[i.StationID] = c
	}
	c.dirty = true
	c.monitor.Add(u.profile.Reading(i.Pooled, i.Quality), u.profile.Limits)
	if u.expected > 0 {
		c.monitor.Verdict.Expected = u.expected
	}
	c.monitor.Verdict.Add(i.Verdict == vision.NG)
	return w.decide(ctx, i, c, u.profile.Limits)
}

// decide raises, changes or closes a station's alarm.
func (w *Watch) decide(ctx context.Context, i storage.Inspection, c *charts, l drift.Limits) error {
	over := c.monitor.Findings(l, 1)
	switch {
	case len(over) == 0 && c.alarm && len(c.monitor.Findings(l, goneBelow)) == 0:
		c.alarm, c.causes = false, nil
		return w.db.CloseDrift(ctx, i.StationID, storage.DriftGone)
	case len(over) == 0:
		return nil
	}
	a := storage.DriftAlarm{StationID: i.StationID, RecipeID: i.RecipeID, VersionID: c.version}
	since, isNew := int64(0), !c.alarm
	for _, f := range c.monitor.Findings(l, causeFrom) {
		a.Causes = append(a.Causes, storage.DriftCause{Cause: string(f.Cause), Level: f.Level})
		if f.Level >= 1 {
			since = max(since, f.Since)
			if !slices.Contains(c.causes, f.Cause) {
				c.causes, isNew = append(c.causes, f.Cause), true
			}
		}
	}
	if !isNew {
		return nil
	}
	var err error
	if a.Since, err = w.db.JudgedAgo(ctx, i.StationID, i.ID, since); err != nil {
		return err
	}
	if _, err = w.db.RaiseDrift(ctx, a); err == nil {
		c.alarm = true
	}
	return err
}

// saveCharts stores the charts that changed, so that a restart forgets little.
func (w *Watch) saveCharts(ctx context.Context) error {
	var all []storage.DriftChart
	for id, c := range w.charts {
		if !c.dirty {
			continue
		}
		state, err := json.Marshal(c.monitor)
		if err != nil {
			return err
		}
		all = append(all, storage.DriftChart{StationID: id, RecipeID: c.recipe, VersionID: c.version, State: state})
	}
	if len(all) == 0 {
		return nil
	}
	if err := w.db.SaveDriftCharts(ctx, all); err != nil {
		return err
	}
	for _, c := range w.charts {
		c.dirty = false
	}
	return nil
}
