package views

import (
	"context"
	"slices"
	"time"

	"loupe/models"
	"loupe/storage"
	"loupe/vision"
	"loupe/web/ui"
)

const (
	stripLength = 50
	trayLength  = 24
)

// Line is the Line page of one line, "" for all.
func (s *Source) Line(ctx context.Context, line string) (ui.LineView, error) {
	var v ui.LineView
	stations, err := s.stations(ctx, line)
	if err != nil {
		return v, err
	}
	recipes, _, err := s.recipes(ctx)
	if err != nil {
		return v, err
	}
	counts, err := s.counts(ctx, recipes)
	if err != nil {
		return v, err
	}
	for _, st := range stations {
		view, err := s.station(ctx, st, recipes[st.RecipeID], counts[st.ID])
		if err != nil {
			return v, err
		}
		v.Stations = append(v.Stations, view)
	}
	if v.Tray, err = s.Tray(ctx, line); err != nil {
		return v, err
	}
	v.Learning, err = s.Learning(ctx, line)
	return v, err
}

func (s *Source) stations(ctx context.Context, line string) ([]storage.Station, error) {
	all, err := s.DB.Stations(ctx)
	if err != nil || line == "" {
		return all, err
	}
	return slices.DeleteFunc(all, func(st storage.Station) bool { return st.Line != line }), nil
}

// counts are the shift's verdicts by station, a label having the last word.
func (s *Source) counts(ctx context.Context, recipes map[int64]storage.Recipe) (map[int64]ui.Counts, error) {
	rows, err := s.DB.VerdictCounts(ctx, s.Shift(ctx).From)
	if err != nil {
		return nil, err
	}
	counts := map[int64]ui.Counts{}
	for _, row := range rows {
		c := counts[row.StationID]
		switch verdict := row.Verdict; {
		case row.Label != "":
			if mark(recipes[row.RecipeID], row.Label).Pass {
				c.OK += row.N
			} else {
				c.NG += row.N
			}
		case verdict == vision.OK:
			c.OK += row.N
		case verdict == vision.NG:
			c.NG += row.N
		default:
			c.Unsure += row.N
		}
		counts[row.StationID] = c
	}
	return counts, nil
}

// Station is one station of the Line page.
func (s *Source) Station(ctx context.Context, id int64) (ui.StationView, error) {
	st, err := s.DB.Station(ctx, id)
	if err != nil {
		return ui.StationView{}, err
	}
	recipes, _, err := s.recipes(ctx)
	if err != nil {
		return ui.StationView{}, err
	}
	counts, err := s.counts(ctx, recipes)
	if err != nil {
		return ui.StationView{}, err
	}
	return s.station(ctx, st, recipes[st.RecipeID], counts[st.ID])
}

func (s *Source) station(ctx context.Context, st storage.Station, r storage.Recipe, counts ui.Counts) (ui.StationView, error) {
	v := ui.StationView{ID: st.ID, Name: st.Name, Line: st.Line, Recipe: named(r), Classes: r.Classes, Counts: counts, Now: s.Now()}
	last, err := s.DB.Inspections(ctx, storage.InspectionFilter{StationID: st.ID}, 0, stripLength)
	if err != nil {
		return v, err
	}
	for _, i := range last {
		v.Strip = append(v.Strip, s.part(r, i))
	}
	if len(v.Strip) > 0 {
		v.Last = &v.Strip[0]
	}
	if v.Waiting, err = s.DB.CountWaiting(ctx, st.ID); err != nil {
		return v, err
	}
	if v.Dropped, err = s.DB.CountDropped(ctx, st.ID, s.Shift(ctx).From); err != nil {
		return v, err
	}
	if v.Undecided, err = s.undecided(ctx, st.ID); err != nil {
		return v, err
	}
	v.State, v.Since = s.state(st, last)
	return v, nil
}

// verdictDue is how long the newest part may wait before the verdict of the one
// before it no longer counts as the station's present one.
const verdictDue = 2 * time.Second

// undecided reports whether the newest part of a station has no verdict although
// one is due: then that of the part before must not stand for it.
func (s *Source) undecided(ctx context.Context, station int64) (bool, error) {
	state, at, err := s.DB.NewestFrame(ctx, station)
	switch state {
	case "", storage.Judged:
		return false, err
	case storage.Pending:
		waits := s.DB.Now().Sub(at)
		return waits > verdictDue || waits < 0, err // below 0 the clock was set back
	}
	return true, err
}

// Undecided tells which stations of a line have no verdict for their newest part.
func (s *Source) Undecided(ctx context.Context, line string) (map[int64]bool, error) {
	stations, err := s.stations(ctx, line)
	if err != nil {
		return nil, err
	}
	all := map[int64]bool{}
	for _, st := range stations {
		if all[st.ID], err = s.undecided(ctx, st.ID); err != nil {
			return nil, err
		}
	}
	return all, nil
}

const (
	leastSilence = 15 * time.Second // shorter pauses are never a loss
	gapsOfPace   = 8                // so many missed parts at the usual pace are
)

// state says whether a station posts as it should: it is lost when it stayed
// silent for several times the usual gap between its parts.
func (s *Source) state(st storage.Station, last []storage.Inspection) (ui.StationState, time.Time) {
	if st.LastSeenAt.IsZero() {
		return ui.StationNew, time.Time{}
	}
	heard := st.LastSeenAt
	if s.StartedAt.After(heard) {
		heard = s.StartedAt // the server was away itself
	}
	silence := s.DB.Now().Sub(heard)
	limit := max(leastSilence, gapsOfPace*usualGap(last))
	if silence <= limit {
		return ui.StationRunning, time.Time{}
	}
	return ui.StationLost, st.LastSeenAt.In(s.location())
}

// usualGap is the median time between a station's last parts.
func usualGap(last []storage.Inspection) time.Duration {
	var gaps []time.Duration
	for i := 1; i < len(last); i++ {
		gaps = append(gaps, last[i-1].Frame.ReceivedAt.Sub(last[i].Frame.ReceivedAt))
	}
	if len(gaps) == 0 {
		return 0
	}
	slices.Sort(gaps)
	return gaps[len(gaps)/2]
}

// Strip is the newest part of a station alone, for adding to its strip.
func (s *Source) Strip(ctx context.Context, i storage.Inspection) ([]ui.Part, []vision.Class, error) {
	r, err := s.DB.Recipe(ctx, i.RecipeID)
	return []ui.Part{s.part(r, i)}, r.Classes, err
}

// Tray are the Unsure parts of a line without a label, oldest first.
func (s *Source) Tray(ctx context.Context, line string) (ui.TrayView, error) {
	v := ui.TrayView{Now: s.Now()}
	stations, err := s.stations(ctx, line)
	if err != nil {
		return v, err
	}
	names := map[int64]string{}
	ids := make([]int64, 0, len(stations))
	for _, st := range stations {
		names[st.ID] = st.Name
		ids = append(ids, st.ID)
	}
	recipes, _, err := s.recipes(ctx)
	if err != nil {
		return v, err
	}
	waiting, total, err := s.DB.Tray(ctx, ids, trayLength)
	if err != nil {
		return v, err
	}
	v.Total = total
	for _, i := range waiting {
		r := recipes[i.RecipeID]
		v.Parts = append(v.Parts, ui.TrayPart{Part: s.part(r, i), Station: names[i.StationID], Classes: r.Classes})
	}
	return v, nil
}

// learningFor is how long a line's learning note stays after a promotion.
const learningFor = 24 * time.Hour

// Learning says what corrections have led to, for the recipes of a line.
func (s *Source) Learning(ctx context.Context, line string) ([]ui.LearningView, error) {
	stations, err := s.stations(ctx, line)
	if err != nil {
		return nil, err
	}
	recipes, _, err := s.recipes(ctx)
	if err != nil {
		return nil, err
	}
	var all []ui.LearningView
	seen := map[int64]bool{}
	for _, st := range stations {
		r, ok := recipes[st.RecipeID]
		if !ok || seen[r.ID] {
			continue
		}
		seen[r.ID] = true
		v, show, err := s.learning(ctx, r)
		if err != nil {
			return nil, err
		}
		if show {
			all = append(all, v)
		}
	}
	return all, nil
}

func (s *Source) learning(ctx context.Context, r storage.Recipe) (v ui.LearningView, show bool, err error) {
	v = ui.LearningView{Recipe: named(r), After: r.Learn.After, Now: s.Now()}
	if r.ChampionID != 0 {
		champion, err := s.DB.Version(ctx, r.ChampionID)
		if err != nil {
			return v, false, err
		}
		v.Version = champion.Number
		v.Corrections = statementOf(champion).Corrections
		promoted, err := s.DB.PromotedAt(ctx, r.ChampionID)
		if err != nil {
			return v, false, err
		}
		v.At = promoted.In(s.location())
		if v.JudgedSince, err = s.DB.JudgedBy(ctx, r.ChampionID); err != nil {
			return v, false, err
		}
		show = s.Now().Sub(v.At) < learningFor
	}
	newest, err := s.DB.Versions(ctx, r.ID, 1)
	if err != nil {
		return v, false, err
	}
	if len(newest) > 0 && newest[0].State == storage.Candidate {
		v.Held, show = newest[0].Number, true
	}
	waiting, at, err := s.Learner.Waiting(ctx, r.ID)
	if err != nil {
		return v, false, err
	}
	if v.Waiting = waiting; waiting > 0 {
		show = true
		if r.Learn.After > 0 && waiting >= r.Learn.After {
			v.StartsIn = max(0, time.Duration(r.Learn.QuietSeconds)*time.Second-s.DB.Now().Sub(at))
		}
	}
	j, err := s.DB.LastJob(ctx, r.ID, models.TrainJob)
	if err != nil && storage.CodeOf(err) != storage.NotFound {
		return v, false, err
	}
	if err == nil && !j.State.Ended() {
		v.Training, v.Progress, show = true, j.Progress, true
	}
	return v, show, nil
}
