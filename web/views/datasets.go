package views

import (
	"context"

	"loupe/models/exchange"
	"loupe/storage"
	"loupe/web/ui"
)

// diffShown bounds how many frames of a difference a page lists.
const diffShown = 100

// datasetsShown bounds the data sets to compare with.
const datasetsShown = 200

func (s *Source) datasetRow(d storage.Dataset) ui.DatasetRow {
	return ui.DatasetRow{ID: d.ID, Number: d.Number, Train: d.Train, Test: d.Test, Digest: d.Digest, CreatedAt: d.CreatedAt.In(s.location())}
}

// formats are the names of the formats in which data can be taken out.
func formats() []string {
	var names []string
	for _, f := range exchange.Formats {
		names = append(names, string(f))
	}
	return names
}

// Dataset is the page of a data set beside another of its recipe; from 0 takes
// the one before it.
func (s *Source) Dataset(ctx context.Context, id, from int64) (ui.DatasetView, error) {
	v := ui.DatasetView{Formats: formats(), Now: s.Now()}
	d, err := s.DB.Dataset(ctx, id)
	if err != nil {
		return v, err
	}
	v.DatasetRow = s.datasetRow(d)
	r, err := s.DB.Recipe(ctx, d.RecipeID)
	if err != nil {
		return v, err
	}
	v.Recipe = named(r)
	for _, c := range d.Counts {
		v.Counts = append(v.Counts, ui.ClassCount{Class: c.Class, Train: c.Train, Test: c.Test})
	}
	versions, err := s.DB.DatasetVersions(ctx, id)
	if err != nil {
		return v, err
	}
	for _, one := range versions {
		v.Versions = append(v.Versions, s.versionRow(r, one))
	}
	all, err := s.DB.Datasets(ctx, d.RecipeID, datasetsShown)
	if err != nil {
		return v, err
	}
	for _, one := range all {
		if one.ID == id {
			continue
		}
		row := s.datasetRow(one)
		v.Others = append(v.Others, row)
		if one.ID == from || from == 0 && v.From == nil && one.Number < d.Number {
			v.From = &row
		}
	}
	if v.From == nil && len(v.Others) > 0 {
		v.From = &v.Others[0]
	}
	return v, s.datasetDiff(ctx, &v)
}

func (s *Source) datasetDiff(ctx context.Context, v *ui.DatasetView) error {
	if v.From == nil {
		return nil
	}
	from, err := s.DB.DatasetFrames(ctx, v.From.ID)
	if err != nil {
		return err
	}
	to, err := s.DB.DatasetFrames(ctx, v.ID)
	if err != nil {
		return err
	}
	d := storage.DiffDatasets(from, to)
	v.Added, v.Removed, v.Changed.All = diffOf(d.Added), diffOf(d.Removed), len(d.Changed)
	for _, c := range d.Changed[:min(len(d.Changed), diffShown)] {
		f := ui.DiffFrame{FrameID: c.To.FrameID, Class: c.To.Class, Marks: c.From.MarkingID != c.To.MarkingID}
		if c.Relabelled() {
			f.Was = c.From.Class
		}
		if c.From.Share != c.To.Share {
			f.Share = c.To.Share
		}
		v.Changed.Frames = append(v.Changed.Frames, f)
	}
	return nil
}

func diffOf(frames []storage.LabelledFrame) ui.DiffView {
	d := ui.DiffView{All: len(frames)}
	for _, f := range frames[:min(len(frames), diffShown)] {
		d.Frames = append(d.Frames, ui.DiffFrame{FrameID: f.FrameID, Class: f.Class})
	}
	return d
}
