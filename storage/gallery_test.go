package storage_test

import (
	"slices"
	"testing"

	"loupe/storage"
	"loupe/vision"
)

// rank is the order of the grid: what needs a person most comes first.
func rank(f storage.Frame, i storage.Inspection) int {
	switch {
	case f.Disagreed:
		return 0
	case f.Label != "":
		return 3
	case i.Verdict == vision.Unsure:
		return 1
	}
	return 2
}

func TestTheGridShowsWhatNeedsAPersonFirstWithEachFilter(t *testing.T) {
	s := newShift(t, 60)
	r, st := s.stations[0].RecipeID, s.stations[0].ID
	waiting := s.frame(s.stations[0], "waits")
	s.label(s.all[10].FrameID, "dent", "lin") // ada said otherwise
	s.must(s.Quarantine(t.Context(), s.frame(s.stations[0], "bad").ID, "cannot be decoded"))
	given := s.frame(s.stations[0], "given up")
	s.must(s.Quarantine(t.Context(), given.ID, "cannot be decoded"))
	s.must(s.Discard(t.Context(), "ada", given.ID))
	from, to := s.all[20].Frame.ReceivedAt, s.all[40].Frame.ReceivedAt
	share, err := s.Frame(t.Context(), s.all[0].FrameID)
	s.must(err)
	class := func(f storage.Frame, i storage.Inspection) string {
		if f.Label != "" {
			return f.Label
		}
		return i.Class
	}
	for name, c := range map[string]struct {
		storage.GalleryFilter
		fits func(f storage.Frame, i storage.Inspection) bool
	}{
		"all":        {storage.GalleryFilter{}, func(f storage.Frame, i storage.Inspection) bool { return true }},
		"station":    {storage.GalleryFilter{StationID: st}, func(f storage.Frame, i storage.Inspection) bool { return f.StationID == st }},
		"class":      {storage.GalleryFilter{Class: "good"}, func(f storage.Frame, i storage.Inspection) bool { return class(f, i) == "good" }},
		"verdict":    {storage.GalleryFilter{Verdict: vision.NG}, func(f storage.Frame, i storage.Inspection) bool { return i.Verdict == vision.NG }},
		"labelled":   {storage.GalleryFilter{Status: "labelled"}, func(f storage.Frame, i storage.Inspection) bool { return f.Label != "" }},
		"unlabelled": {storage.GalleryFilter{Status: "unlabelled"}, func(f storage.Frame, i storage.Inspection) bool { return f.Label == "" }},
		"disagreed":  {storage.GalleryFilter{Status: "disagreed"}, func(f storage.Frame, i storage.Inspection) bool { return f.ID == s.all[10].FrameID }},
		"unsure":     {storage.GalleryFilter{Status: "unsure"}, func(f storage.Frame, i storage.Inspection) bool { return i.Verdict == vision.Unsure && f.Label == "" }},
		"share":      {storage.GalleryFilter{Share: share.Share}, func(f storage.Frame, i storage.Inspection) bool { return f.Share == share.Share }},
		"lot":        {storage.GalleryFilter{Lot: "L-1"}, func(f storage.Frame, i storage.Inspection) bool { return f.Lot == "L-1" }},
		"serial":     {storage.GalleryFilter{Serial: "S-4"}, func(f storage.Frame, i storage.Inspection) bool { return f.Serial == "S-4" }},
		"from to": {storage.GalleryFilter{From: from, To: to}, func(f storage.Frame, i storage.Inspection) bool {
			return !f.ReceivedAt.Before(from) && f.ReceivedAt.Before(to)
		}},
		"chosen": {storage.GalleryFilter{FrameIDs: []int64{s.all[2].FrameID, s.all[4].FrameID, s.all[3].FrameID}}, func(f storage.Frame, i storage.Inspection) bool {
			return f.ID == s.all[2].FrameID || f.ID == s.all[4].FrameID
		}},
		"several": {storage.GalleryFilter{Status: "unlabelled", Verdict: vision.OK, Class: "good"}, func(f storage.Frame, i storage.Inspection) bool {
			return f.Label == "" && i.Verdict == vision.OK && i.Class == "good"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c.RecipeID = r
			want := s.grid(r, waiting.ID+1, c.fits)
			if len(want) == 0 {
				t.Fatal("nothing fits: that tests nothing")
			}
			s.checkGrid(c.GalleryFilter, want)
		})
	}
}

// grid gives the IDs of the recipe's frames up to last that fit, in the grid's order.
func (s *shift) grid(recipe, last int64, fits func(f storage.Frame, i storage.Inspection) bool) []int64 {
	s.t.Helper()
	type both struct {
		f storage.Frame
		i storage.Inspection
	}
	var all []both
	for id := last; id > 0; id-- {
		fr, err := s.Frame(s.t.Context(), id)
		s.must(err)
		i, err := s.InspectionOfFrame(s.t.Context(), id)
		if err != nil {
			s.refused(err, storage.NotFound)
		}
		if fr.RecipeID == recipe && fr.State != storage.Discarded && fits(fr, i) {
			all = append(all, both{fr, i})
		}
	}
	slices.SortStableFunc(all, func(a, b both) int { return rank(a.f, a.i) - rank(b.f, b.i) })
	var ids []int64
	for _, one := range all {
		ids = append(ids, one.f.ID)
	}
	return ids
}

// checkGrid reads the grid's beginning, its order, and its count.
func (s *shift) checkGrid(g storage.GalleryFilter, want []int64) {
	s.t.Helper()
	for _, limit := range []int{4, 1000} {
		var got []int64
		window, err := s.Gallery(s.t.Context(), g, limit)
		s.must(err)
		for _, f := range window {
			got = append(got, f.FrameID)
		}
		if !slices.Equal(got, want[:min(limit, len(want))]) {
			s.t.Errorf("%d first are %v, want of %v", limit, got, want)
		}
	}
	if ids, err := s.GalleryIDs(s.t.Context(), g); err != nil || !slices.Equal(ids, want) {
		s.t.Errorf("IDs %v, want %v, %v", ids, want, err)
	}
	if n, err := s.GalleryCount(s.t.Context(), g); err != nil || n != len(want) {
		s.t.Errorf("counted %d, want %d, %v", n, len(want), err)
	}
}

func TestAFrameOfTheGridTellsWhatModelAndPeopleSay(t *testing.T) {
	f := open(t)
	r := f.recipe("caps")
	s, v := f.station(r, "press"), f.champion(r)
	fr := f.frame(s, "1")
	f.judge(fr, v, vision.NG, "dent")
	c := f.label(fr.ID, "good", "ada")
	g, err := f.Gallery(t.Context(), storage.GalleryFilter{RecipeID: r.ID}, 10)
	want := storage.GalleryFrame{FrameID: fr.ID, InspectionID: 1, Label: "good", LabelID: c.ID, Predicted: "dent", Score: 0.9, Verdict: vision.NG, Share: storage.TrainShare, ReceivedAt: fr.ReceivedAt}
	if err != nil || len(g) != 1 || g[0] != want {
		t.Errorf("%+v, want %+v, %v", g, want, err)
	}
	if ids, err := f.GalleryIDs(t.Context(), storage.GalleryFilter{RecipeID: 999}); err != nil || ids == nil || len(ids) != 0 {
		t.Errorf("%#v, %v", ids, err) // the page reads it as a JSON list
	}
}
