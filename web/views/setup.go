package views

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"loupe/models"
	"loupe/storage"
	"loupe/web/ui"
)

// Recipes lists the recipes.
func (s *Source) Recipes(ctx context.Context) (ui.RecipesView, error) {
	var v ui.RecipesView
	all, err := s.DB.Recipes(ctx)
	if err != nil {
		return v, err
	}
	stations, err := s.DB.Stations(ctx)
	if err != nil {
		return v, err
	}
	for _, r := range all {
		row := ui.RecipeRow{NamedRecipe: named(r), Classes: r.Classes}
		if r.ChampionID != 0 {
			champion, err := s.DB.Version(ctx, r.ChampionID)
			if err != nil {
				return v, err
			}
			row.Champion = champion.Number
		}
		use, err := s.DB.ClassUse(ctx, r.ID)
		if err != nil {
			return v, err
		}
		for _, n := range use {
			row.Labelled += n
		}
		for _, st := range stations {
			if st.RecipeID == r.ID {
				row.Stations++
			}
		}
		v.Recipes = append(v.Recipes, row)
	}
	return v, nil
}

// histogramBins share the probabilities of the passing classes.
const histogramBins = 40

// Recipe is a recipe's set-up page.
func (s *Source) Recipe(ctx context.Context, id int64) (ui.RecipeView, error) {
	var v ui.RecipeView
	r, err := s.DB.Recipe(ctx, id)
	if err != nil {
		return v, err
	}
	v = ui.RecipeView{Recipe: named(r), Classes: r.Classes, Archived: r.Archived, Thresholds: r.Thresholds, Region: r.Region, Size: r.Size, Mirror: r.Mirror, Normality: r.Normality, Rules: rules(r),
		QueueLimit: r.Queue.Limit, NewestFirst: r.Queue.NewestFirst, Keep: r.Keep}
	for _, side := range []int{224, 320, 448, 640} {
		v.Sizes = append(v.Sizes, ui.SizeChoice{Size: side, Factor: float64(side*side) / (224 * 224)})
	}
	v.OddUnsure = r.OddUnsure
	if v.LeftOut, err = s.DB.CountDoubts(ctx, id); err != nil {
		return v, err
	}
	if v.Use, err = s.DB.ClassUse(ctx, id); err != nil {
		return v, err
	}
	newest, err := s.DB.Gallery(ctx, storage.GalleryFilter{RecipeID: id}, 1)
	if err != nil {
		return v, err
	}
	if len(newest) > 0 {
		f, err := s.DB.Frame(ctx, newest[0].FrameID)
		if err != nil {
			return v, err
		}
		v.Sample, v.SampleW, v.SampleH = f.ID, f.Width, f.Height
	}
	if v.Costs, err = s.costs(ctx, r); err != nil || r.ChampionID == 0 {
		return v, err
	}
	results, err := s.DB.Results(ctx, r.ChampionID)
	if len(results) > 0 {
		v.Histogram = make([]ui.HistogramBin, histogramBins)
	}
	for _, one := range results {
		bin := &v.Histogram[min(histogramBins-1, max(0, int((1-one.Fail)*histogramBins)))]
		if mark(r, one.Truth).Pass {
			bin.Good++
		} else {
			bin.Bad++
		}
	}
	return v, err
}

// KeepingPlan tells what a rule would remove of a recipe's pictures now.
func (s *Source) KeepingPlan(ctx context.Context, recipe int64, k storage.KeepRule) (ui.KeepingPlanView, error) {
	plan, err := s.DB.PlanKeeping(ctx, recipe, k)
	if refused := (*storage.Error)(nil); errors.As(err, &refused) && refused.Code == storage.Invalid {
		return ui.KeepingPlanView{Refused: refused.Message}, nil
	}
	for i := range plan.Sums {
		plan.Sums[i].Oldest = plan.Sums[i].Oldest.In(s.location())
	}
	return ui.KeepingPlanView{Kinds: plan.Sums, Over: plan.Over}, err
}

// Stations lists the stations; server is the address that they post to.
func (s *Source) Stations(ctx context.Context, server string) (ui.StationsView, error) {
	v := ui.StationsView{Server: server, Now: s.Now()}
	recipes, all, err := s.recipes(ctx)
	if err != nil {
		return v, err
	}
	v.Recipes = namedAll(slices.DeleteFunc(all, func(r storage.Recipe) bool { return r.Demo })) // its camera is its own
	stations, err := s.DB.Stations(ctx)
	if err != nil {
		return v, err
	}
	for _, st := range stations {
		last, err := s.DB.Inspections(ctx, storage.InspectionFilter{StationID: st.ID}, 0, 20)
		if err != nil {
			return v, err
		}
		row := ui.StationRow{ID: st.ID, Name: st.Name, Line: st.Line, Recipe: named(recipes[st.RecipeID]), TokenHint: st.TokenHint, Demo: st.Demo}
		if !st.LastSeenAt.IsZero() {
			row.LastSeen = st.LastSeenAt.In(s.location())
		}
		row.State, _ = s.state(st, last)
		v.Stations = append(v.Stations, row)
	}
	return v, nil
}

// People lists who may sign in; self is the reader's ID.
func (s *Source) People(ctx context.Context, self int64) (ui.PeopleView, error) {
	all, err := s.DB.People(ctx)
	var v ui.PeopleView
	for _, p := range all {
		v.People = append(v.People, ui.PersonRow{ID: p.ID, Name: p.Name, Role: string(p.Role), Active: p.Active, MustChange: p.MustChange, Self: p.ID == self, CreatedAt: p.CreatedAt.In(s.location())})
	}
	return v, err
}

const jobsShown = 100

// Jobs lists the newest jobs.
func (s *Source) Jobs(ctx context.Context, mayCancel bool) (ui.JobsView, error) {
	v := ui.JobsView{Now: s.Now()}
	all, err := s.DB.Jobs(ctx, 0, jobsShown)
	if err != nil {
		return v, err
	}
	recipes, _, err := s.recipes(ctx)
	for _, j := range all {
		v.Jobs = append(v.Jobs, s.job(recipes, j, mayCancel))
	}
	return v, err
}

// Job is one job.
func (s *Source) Job(ctx context.Context, j storage.Job, mayCancel bool) (ui.JobView, error) {
	recipes, _, err := s.recipes(ctx)
	return s.job(recipes, j, mayCancel), err
}

func (s *Source) job(recipes map[int64]storage.Recipe, j storage.Job, mayCancel bool) ui.JobView {
	v := ui.JobView{
		ID: j.ID, Kind: j.Kind, Recipe: named(recipes[j.RecipeID]), State: string(j.State), Progress: j.Progress, Message: j.Message,
		CreatedBy: j.CreatedBy, CreatedAt: j.CreatedAt.In(s.location()), MayCancel: mayCancel && !j.State.Ended(), Now: s.Now(),
	}
	if !j.StartedAt.IsZero() {
		end := j.FinishedAt
		if end.IsZero() {
			end = s.DB.Now()
		}
		v.Took = max(0, end.Sub(j.StartedAt))
	}
	var t models.Training
	if json.Unmarshal(j.Result, &t) == nil && t.Version != 0 {
		v.Link = ui.ModelURL(j.RecipeID, t.Version)
	}
	return v
}

const quarantineShown = 200

// Quarantine lists the frames that a person must decide about.
func (s *Source) Quarantine(ctx context.Context) (ui.QuarantineView, error) {
	v := ui.QuarantineView{Now: s.Now()}
	frames, err := s.DB.QuarantinedFrames(ctx, quarantineShown)
	if err != nil {
		return v, err
	}
	recipes, _, err := s.recipes(ctx)
	if err != nil {
		return v, err
	}
	names := map[int64]string{}
	for _, f := range frames {
		if _, ok := names[f.StationID]; !ok && f.StationID != 0 {
			st, err := s.DB.Station(ctx, f.StationID)
			if err != nil {
				return v, err
			}
			names[f.StationID] = st.Name
		}
		v.Frames = append(v.Frames, ui.QuarantinedFrame{
			FrameID: f.ID, Station: names[f.StationID], Recipe: named(recipes[f.RecipeID]), Serial: f.Serial, Lot: f.Lot,
			Received: f.ReceivedAt.In(s.location()), Deaths: f.Deaths, Trouble: f.Trouble, Width: f.Width, Height: f.Height, Bytes: f.Bytes,
		})
	}
	return v, nil
}

const auditShown = 100

// Audit is a page of the audit log.
func (s *Source) Audit(ctx context.Context, before int64, subject string) (ui.AuditView, error) {
	v := ui.AuditView{Subject: subject, First: before == 0}
	entries, err := s.DB.Audit(ctx, subject, before, auditShown+1)
	if len(entries) > auditShown {
		entries = entries[:auditShown]
		v.Older = entries[auditShown-1].ID
	}
	for _, e := range entries {
		v.Entries = append(v.Entries, ui.AuditRow{ID: e.ID, At: e.At.In(s.location()), Person: e.Person, Action: e.Action, Subject: e.Subject, Before: e.Before, After: e.After})
	}
	return v, err
}
