package views

import (
	"context"
	"slices"

	"loupe/models"
	"loupe/storage"
	"loupe/web/ui"
)

// alikeMost is how many frames that look like one the grid shows.
const alikeMost = 2000

// ordered fills the grid with frames in an order of their own: those that are
// most worth a label, or those that look like one.
func (s *Source) ordered(ctx context.Context, r storage.Recipe, v *ui.LabelView) error {
	v.Order, v.Alike = []int64{}, []float64{}
	why := map[int64]string{}
	if v.Filter.Like != 0 {
		alike, unknown, err := s.Similar.Alike(ctx, v.Filter.Like, alikeMost)
		if err != nil {
			return err
		}
		v.Unknown = unknown
		for _, a := range alike {
			v.Order, v.Alike = append(v.Order, a.FrameID), append(v.Alike, float64(int(a.Similarity*1000))/1000)
		}
	} else {
		next, err := s.Similar.Next(ctx, r.ID, firstCells)
		if err != nil {
			return err
		}
		for _, n := range next {
			v.Order = append(v.Order, n.FrameID)
			why[n.FrameID] = ui.WhyNext(ctx, n.Between[0], n.Between[1], n.New, n.Unseen)
		}
	}
	v.Total = len(v.Order)
	first := v.Order[:min(firstCells, len(v.Order))]
	cells, err := s.Cells(ctx, r.ID, first)
	if err != nil {
		return err
	}
	slices.SortFunc(cells, func(a, b ui.GridCell) int { return slices.Index(first, a.Frame) - slices.Index(first, b.Frame) })
	for i := range cells {
		cells[i].Why = why[cells[i].Frame]
	}
	v.Cells = cells
	return nil
}

// Work is the newest job of a kind of a recipe.
func (s *Source) Work(ctx context.Context, recipe int64, kind string, may ui.Rights) (ui.WorkView, error) {
	v := ui.WorkView{Recipe: recipe, Kind: kind, Now: s.Now(), MayCancel: may.Train, MayStart: kind == models.GroupJob || may.Train}
	j, err := s.DB.LastJob(ctx, recipe, kind)
	if storage.CodeOf(err) == storage.NotFound {
		return v, nil
	}
	v.Job, v.State, v.Progress, v.Message = j.ID, string(j.State), j.Progress, j.Message
	if !j.FinishedAt.IsZero() {
		v.EndedAt = j.FinishedAt.In(s.location())
	}
	return v, err
}

// chosen is the recipe with an ID, or the first one where there is none such.
func (s *Source) chosen(ctx context.Context, recipe int64) (storage.Recipe, error) {
	byID, all, err := s.recipes(ctx)
	if err != nil || len(all) == 0 {
		return storage.Recipe{}, err
	}
	if r, ok := byID[recipe]; ok {
		return r, nil
	}
	return all[0], nil
}

// Groups are the frames of a recipe without a label in groups; Recipe.ID is 0
// where there is no recipe.
func (s *Source) Groups(ctx context.Context, recipe int64, may ui.Rights) (ui.GroupsView, error) {
	var v ui.GroupsView
	r, err := s.chosen(ctx, recipe)
	if err != nil || r.ID == 0 {
		return v, err
	}
	v.Recipe, v.Classes, v.Archived = named(r), r.Classes, r.Archived
	g, _, err := s.Learner.Groups(ctx, r.ID)
	if err != nil {
		return v, err
	}
	for _, one := range g.Groups {
		v.Groups = append(v.Groups, ui.GroupView{Frames: one.Frames})
		v.Frames += len(one.Frames)
	}
	v.Work, err = s.Work(ctx, r.ID, models.GroupJob, may)
	return v, err
}

// suspectsShown is how many suspected labels a page shows.
const suspectsShown = 300

// Suspects are the labels of a recipe that are probably wrong; Recipe.ID is 0
// where there is no recipe.
func (s *Source) Suspects(ctx context.Context, recipe int64, may ui.Rights) (ui.SuspectsView, error) {
	v := ui.SuspectsView{Suspects: []ui.SuspectView{}}
	r, err := s.chosen(ctx, recipe)
	if err != nil || r.ID == 0 {
		return v, err
	}
	v.Recipe, v.Classes = named(r), r.Classes
	all, err := s.DB.Suspects(ctx, r.ID, suspectsShown)
	if err != nil {
		return v, err
	}
	for _, one := range all {
		v.Suspects = append(v.Suspects, ui.SuspectView{
			Frame: one.FrameID, Label: one.Label, LabelID: one.LabelID, LabelColor: mark(r, one.Label).Color, Person: one.Person,
			Own: one.Own, Said: one.Said, SaidColor: mark(r, one.Said).Color, P: one.Probability,
		})
	}
	v.Work, err = s.Work(ctx, r.ID, models.SuspectJob, may)
	return v, err
}
