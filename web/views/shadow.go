package views

import (
	"context"

	"loupe/models"
	"loupe/storage"
	"loupe/web/ui"
)

// differing narrows the grid to the test frames that only one of two versions
// was right about.
func (s *Source) differing(ctx context.Context, g storage.GalleryFilter, f ui.LabelFilter) (storage.GalleryFilter, error) {
	v, err := s.DB.Version(ctx, f.Version)
	if err != nil {
		return g, err
	}
	g.FrameIDs = []int64{0} // no frame at all rather than every one
	if c := reportOf(v).Comparison; c != nil && f.Differ == "champion" {
		g.FrameIDs = append(g.FrameIDs, c.ChampionFrames...)
	} else if c != nil {
		g.FrameIDs = append(g.FrameIDs, c.CandidateFrames...)
	}
	return g, nil
}

// Shadow is how a version does, or did last, in shadow.
func (s *Source) Shadow(ctx context.Context, version int64) (ui.ShadowView, error) {
	v := ui.ShadowView{Version: version, Now: s.Now()}
	one, err := s.DB.Version(ctx, version)
	if err != nil {
		return v, err
	}
	r, err := s.DB.Recipe(ctx, one.RecipeID)
	if err != nil {
		return v, err
	}
	v.Recipe, v.Number = named(r), one.Number
	rule, err := s.DB.ShadowRule(ctx, r.ID)
	if err != nil {
		return v, err
	}
	v.Rule = rule
	v.MayStart = r.ChampionID != 0 && r.ChampionID != one.ID
	if r.ChampionID != 0 {
		champion, err := s.DB.Version(ctx, r.ChampionID)
		if err != nil {
			return v, err
		}
		v.Champion = champion.Number
	}
	if open, err := s.DB.OpenShadow(ctx, r.ID); err == nil && open.VersionID != version && open.State == storage.ShadowJudging {
		other, err := s.DB.Version(ctx, open.VersionID)
		if err != nil {
			return v, err
		}
		v.Other, v.OtherID = other.Number, other.ID
	}
	h, err := s.DB.ShadowOf(ctx, version)
	if storage.CodeOf(err) == storage.NotFound {
		return v, nil
	}
	if err != nil {
		return v, err
	}
	v.Known, v.State = true, string(h.State)
	v.Standing, err = models.StandingOf(ctx, s.DB, h)
	v.Standing.Shadow.StartedAt, v.Standing.Shadow.Until = h.StartedAt.In(s.location()), h.Until.In(s.location())
	return v, err
}

const disagreementsShown = 24

// Disagreements is the page of the frames on which a version in shadow and the
// champion differ, the biggest difference first.
func (s *Source) Disagreements(ctx context.Context, version int64, settled bool, after int64) (ui.DisagreementsView, error) {
	v := ui.DisagreementsView{ShowSettled: settled}
	var err error
	if v.ShadowView, err = s.Shadow(ctx, version); err != nil || !v.Known {
		return v, err
	}
	r, err := s.DB.Recipe(ctx, v.Recipe.ID)
	if err != nil {
		return v, err
	}
	v.Classes = r.Classes
	all, err := s.DB.Disagreements(ctx, storage.Disagreements{ShadowID: v.Standing.Shadow.ID, Settled: settled, After: after, Limit: disagreementsShown + 1})
	if err != nil {
		return v, err
	}
	if len(all) > disagreementsShown {
		all = all[:disagreementsShown]
		v.Next = all[len(all)-1].ID
	}
	numbers := map[int64]int{version: v.Number}
	for _, i := range all {
		d, err := s.disagreement(ctx, r, i, numbers)
		if err != nil {
			return v, err
		}
		v.Frames = append(v.Frames, d)
	}
	return v, nil
}

func (s *Source) disagreement(ctx context.Context, r storage.Recipe, i storage.ShadowInspection, numbers map[int64]int) (ui.Disagreement, error) {
	d := ui.Disagreement{Difference: i.Difference()}
	judged, err := s.DB.InspectionOfFrame(ctx, i.FrameID)
	if err != nil {
		return d, err
	}
	d.Part = s.part(r, judged)
	if _, ok := numbers[i.Champion.VersionID]; !ok {
		v, err := s.DB.Version(ctx, i.Champion.VersionID)
		if err != nil {
			return d, err
		}
		numbers[v.ID] = v.Number
	}
	opinion := func(o storage.Opinion) ui.Opinion {
		return ui.Opinion{Number: numbers[o.VersionID], Verdict: o.Verdict, Class: mark(r, o.Class), Score: o.Score, Fail: o.Fail}
	}
	d.Champion, d.Challenger = opinion(i.Champion), opinion(i.Challenger)
	return d, nil
}
