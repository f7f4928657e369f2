package views

import (
	"context"

	"loupe/models"
	"loupe/storage"
	"loupe/web/ui"
)

// The bounds of a report's pictures: together they stay under a megabyte.
const (
	reportSide   = 320 // pixels
	mostPicture  = 80 << 10
	mostPictures = 960 << 10
)

// Report is a version's report; picture draws an upright JPEG of a frame.
func (s *Source) Report(ctx context.Context, id int64, picture func(context.Context, storage.Frame, int) ([]byte, error)) (ui.ReportView, error) {
	v := ui.ReportView{Now: s.Now(), Zone: s.location(), Names: map[int64]int{}}
	var err error
	if v.Account, err = models.AccountOf(ctx, s.DB, id); err != nil {
		return v, err
	}
	if v.Shown, err = s.version(ctx, v.Recipe, v.Version); err != nil {
		return v, err
	}
	v.Names[id] = v.Version.Number
	if v.Champion != nil {
		v.Names[v.Champion.ID] = v.Champion.Number
	}
	if v.Report.Champion != nil {
		v.Beside = &ui.VersionView{}
		fillReport(v.Beside, v.Recipe, *v.Report.Champion)
	}
	total := 0
	for _, r := range v.Account.Mistakes {
		m := ui.Mistake{Result: r}
		f, err := s.DB.Frame(ctx, r.FrameID)
		switch {
		case storage.CodeOf(err) == storage.NotFound:
			m.Removed = true
		case err != nil:
			return v, err
		default:
			m.Serial, m.Removed = f.Serial, !f.PictureRemovedAt.IsZero()
		}
		if !m.Removed {
			// A picture that cannot be drawn, say without a worker, is told in its place.
			if data, err := picture(ctx, f, reportSide); err == nil && len(data) <= mostPicture && total+len(data) <= mostPictures {
				m.Picture, total = data, total+len(data)
			}
		}
		v.Mistakes = append(v.Mistakes, m)
	}
	return v, nil
}
