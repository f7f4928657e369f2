package views

import (
	"context"
	"slices"

	"loupe/models"
	"loupe/storage"
	"loupe/vision"
	"loupe/web/ui"
)

const firstCells = 120

// Gallery turns the query of the labelling grid into a storage filter; for one
// cell of a confusion matrix it looks the frames up.
func (s *Source) Gallery(ctx context.Context, f ui.LabelFilter) (storage.GalleryFilter, error) {
	g := storage.GalleryFilter{
		RecipeID: f.Recipe, StationID: f.Station, Class: f.Class, Verdict: vision.Verdict(f.Verdict), Status: f.Status,
		Share: f.Share, Lot: f.Lot, Serial: f.Serial, From: day(f.From, s.location(), 0), To: day(f.To, s.location(), 1),
	}
	if f.Version == 0 {
		return g, nil
	}
	if f.Differ != "" {
		return s.differing(ctx, g, f)
	}
	results, err := s.DB.Results(ctx, f.Version)
	if err != nil {
		return g, err
	}
	g.FrameIDs = []int64{0} // no frame at all rather than every one
	for _, r := range results {
		if r.Truth == f.Truth && r.Predicted == f.Predicted {
			g.FrameIDs = append(g.FrameIDs, r.FrameID)
		}
	}
	return g, nil
}

// Label is the labelling grid.
func (s *Source) Label(ctx context.Context, f ui.LabelFilter) (ui.LabelView, error) {
	recipes, all, err := s.recipes(ctx)
	if err != nil {
		return ui.LabelView{}, err
	}
	v := ui.LabelView{Recipes: namedAll(all)}
	if _, ok := recipes[f.Recipe]; !ok && len(all) > 0 {
		f.Recipe = all[0].ID
	}
	v.Filter = f
	r, ok := recipes[f.Recipe]
	if !ok {
		return v, nil
	}
	v.Classes, v.Archived = r.Classes, r.Archived
	stations, err := s.DB.Stations(ctx)
	if err != nil {
		return v, err
	}
	for _, st := range stations {
		if st.RecipeID == r.ID {
			v.Stations = append(v.Stations, ui.NamedStation{ID: st.ID, Name: st.Name})
		}
	}
	if v.Suspects, err = s.DB.SuspectCount(ctx, r.ID); err != nil {
		return v, err
	}
	if v.Progress, err = s.Progress(ctx, r.ID); err != nil {
		return v, err
	}
	if f.Order == ui.OrderWorth || f.Like != 0 {
		return v, s.ordered(ctx, r, &v)
	}
	g, err := s.Gallery(ctx, f)
	if err != nil {
		return v, err
	}
	if v.Total, err = s.DB.GalleryCount(ctx, g); err != nil {
		return v, err
	}
	if v.Total > storage.GalleryMost {
		v.Total, v.More = storage.GalleryMost, true
	}
	if v.Cells, err = s.cells(ctx, g, firstCells); err != nil {
		return v, err
	}
	if f.Version != 0 {
		version, err := s.DB.Version(ctx, f.Version)
		if err != nil {
			return v, err
		}
		v.VersionNumber = version.Number
	}
	return v, err
}

// Cells are some frames of a recipe as the grid shows them.
func (s *Source) Cells(ctx context.Context, recipe int64, frames []int64) ([]ui.GridCell, error) {
	if len(frames) == 0 {
		return []ui.GridCell{}, nil
	}
	return s.cells(ctx, storage.GalleryFilter{RecipeID: recipe, FrameIDs: slices.Clone(frames)}, len(frames))
}

func (s *Source) cells(ctx context.Context, g storage.GalleryFilter, limit int) ([]ui.GridCell, error) {
	frames, err := s.DB.Gallery(ctx, g, limit)
	cells := make([]ui.GridCell, len(frames))
	for i, f := range frames {
		cells[i] = ui.GridCell{Frame: f.FrameID, Inspection: f.InspectionID, Label: f.Label, Predicted: f.Predicted, Score: f.Score, Verdict: f.Verdict, Disagreed: f.Disagreed, Share: f.Share}
	}
	return cells, err
}

// Progress counts the labels of a recipe.
func (s *Source) Progress(ctx context.Context, recipe int64) (ui.ProgressView, error) {
	v := ui.ProgressView{Recipe: recipe}
	r, err := s.DB.Recipe(ctx, recipe)
	if err != nil {
		return v, err
	}
	counts, err := s.DB.ClassCounts(ctx, recipe)
	if err != nil {
		return v, err
	}
	for _, c := range counts {
		v.Labelled += c.Train + c.Test
		v.Classes = append(v.Classes, ui.ClassProgress{Class: mark(r, c.Class), Labelled: c.Train + c.Test, Test: c.Test, Enough: models.SoundPerClass + c.Test})
	}
	v.Frames, err = s.DB.FrameCount(ctx, recipe)
	return v, err
}
