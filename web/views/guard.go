package views

import (
	"context"

	"loupe/models/guard"
	"loupe/storage"
	"loupe/web/ui"
)

const doubtsShown = 100

// Guard is the queue of a recipe's doubtful frames; recipe 0 takes the first.
func (s *Source) Guard(ctx context.Context, recipe int64, state storage.DoubtState, before int64) (ui.GuardView, error) {
	v := ui.GuardView{State: state, First: before <= 0, Need: guard.Few, Now: s.Now()}
	_, all, err := s.recipes(ctx)
	if err != nil || len(all) == 0 {
		return v, err
	}
	v.Recipes = namedAll(all)
	r := all[0]
	if recipe != 0 {
		if r, err = s.DB.Recipe(ctx, recipe); err != nil {
			return v, err
		}
	}
	v.Recipe = named(r)
	if v.Counts, err = s.DB.CountDoubts(ctx, r.ID); err != nil {
		return v, err
	}
	if s.Watch != nil {
		v.Known, v.Enough = s.Watch.Knows(r.ID)
	}
	found, err := s.DB.Doubts(ctx, r.ID, state, before, doubtsShown+1)
	if err != nil {
		return v, err
	}
	if len(found) > doubtsShown {
		found = found[:doubtsShown]
		v.Older = found[doubtsShown-1].FrameID
	}
	names, err := s.stationNames(ctx)
	for _, d := range found {
		v.Frames = append(v.Frames, ui.DoubtView{FrameID: d.FrameID, Station: names[d.StationID], Serial: d.Serial, Label: mark(r, d.Label),
			Reasons: d.Reasons, At: d.At.In(s.location()), Person: d.Person})
	}
	return v, err
}

func (s *Source) stationNames(ctx context.Context) (map[int64]string, error) {
	stations, err := s.DB.Stations(ctx)
	names := make(map[int64]string, len(stations))
	for _, st := range stations {
		names[st.ID] = st.Name
	}
	return names, err
}

const driftsShown = 100

// Drift is a page of the alarms of stations that drift.
func (s *Source) Drift(ctx context.Context, before int64) (ui.DriftView, error) {
	v := ui.DriftView{First: before <= 0, Now: s.Now()}
	recipes, _, err := s.recipes(ctx)
	if err != nil {
		return v, err
	}
	all, err := s.DB.Drifts(ctx, before, driftsShown+1)
	if len(all) > driftsShown {
		all = all[:driftsShown]
		v.Older = all[driftsShown-1].ID
	}
	for _, a := range all {
		a.Since, a.At = a.Since.In(s.location()), a.At.In(s.location())
		if !a.SeenAt.IsZero() {
			a.SeenAt = a.SeenAt.In(s.location())
		}
		if !a.ClosedAt.IsZero() {
			a.ClosedAt = a.ClosedAt.In(s.location())
		}
		v.Alarms = append(v.Alarms, ui.DriftRow{DriftAlarm: a, Recipe: named(recipes[a.RecipeID])})
	}
	return v, err
}
