package storage_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"loupe/storage"
	"loupe/vision"
)

// shift is a folder with many inspections that differ in all that one can ask for.
type shift struct {
	*folder
	stations []storage.Station
	versions []storage.Version // by station
	all      []storage.Inspection
}

func newShift(t testing.TB, n int) *shift {
	s := &shift{folder: open(t)}
	for _, name := range []string{"caps", "lids"} {
		r := s.recipe(name)
		s.stations = append(s.stations, s.station(r, "press of "+name))
		s.versions = append(s.versions, s.champion(r))
	}
	for range n {
		s.inspect()
	}
	return s
}

// inspect adds one more inspection, unlike the ones before it.
func (s *shift) inspect() {
	s.t.Helper()
	n := len(s.all)
	side := n % 2
	row := s.row(s.stations[side], fmt.Sprint("S-", n))
	row.Serial, row.Lot = fmt.Sprint("S-", n%11), fmt.Sprint("L-", n%3)
	fr, _, err := s.AddFrame(s.t.Context(), row)
	s.must(err)
	verdict := []vision.Verdict{vision.OK, vision.NG, vision.Unsure}[n/2%3]
	i := s.judge(fr, s.versions[side], verdict, []string{"good", "dent"}[n/3%2])
	if n%5 == 0 {
		i.Label = []string{"good", "scratch"}[n/5%2]
		s.label(fr.ID, i.Label, "ada")
	}
	s.all = append(s.all, i)
}

// filters pairs each filter with what it should let through.
func (s *shift) filters() map[string]struct {
	storage.InspectionFilter
	fits func(i storage.Inspection) bool
} {
	from, to := s.all[len(s.all)/4].JudgedAt, s.all[len(s.all)/2].JudgedAt
	type filter = struct {
		storage.InspectionFilter
		fits func(i storage.Inspection) bool
	}
	return map[string]filter{
		"all":        {storage.InspectionFilter{}, func(i storage.Inspection) bool { return true }},
		"station":    {storage.InspectionFilter{StationID: s.stations[1].ID}, func(i storage.Inspection) bool { return i.StationID == s.stations[1].ID }},
		"recipe":     {storage.InspectionFilter{RecipeID: s.stations[0].RecipeID}, func(i storage.Inspection) bool { return i.RecipeID == s.stations[0].RecipeID }},
		"version":    {storage.InspectionFilter{VersionID: s.versions[1].ID}, func(i storage.Inspection) bool { return i.VersionID == s.versions[1].ID }},
		"verdict":    {storage.InspectionFilter{Verdict: vision.Unsure}, func(i storage.Inspection) bool { return i.Verdict == vision.Unsure }},
		"class":      {storage.InspectionFilter{Class: "dent"}, func(i storage.Inspection) bool { return i.Class == "dent" }},
		"label":      {storage.InspectionFilter{Label: "scratch"}, func(i storage.Inspection) bool { return i.Label == "scratch" }},
		"lot":        {storage.InspectionFilter{Lot: "L-1"}, func(i storage.Inspection) bool { return i.Frame.Lot == "L-1" }},
		"serial":     {storage.InspectionFilter{Serial: "S-4"}, func(i storage.Inspection) bool { return i.Frame.Serial == "S-4" }},
		"from":       {storage.InspectionFilter{From: from}, func(i storage.Inspection) bool { return !i.JudgedAt.Before(from) }},
		"from to":    {storage.InspectionFilter{From: from, To: to}, func(i storage.Inspection) bool { return !i.JudgedAt.Before(from) && i.JudgedAt.Before(to) }},
		"unlabelled": {storage.InspectionFilter{Unlabelled: true}, func(i storage.Inspection) bool { return i.Label == "" }},
		"several": {storage.InspectionFilter{StationID: s.stations[0].ID, Verdict: vision.NG, Lot: "L-2", From: from}, func(i storage.Inspection) bool {
			return i.StationID == s.stations[0].ID && i.Verdict == vision.NG && i.Frame.Lot == "L-2" && !i.JudgedAt.Before(from)
		}},
	}
}

func TestPagesOfInspectionsHaveNoGapsWhileNewOnesArrive(t *testing.T) {
	s := newShift(t, 60)
	for name, filter := range s.filters() {
		t.Run(name, func(t *testing.T) {
			var want, got []int64
			for n := len(s.all) - 1; n >= 0; n-- {
				if filter.fits(s.all[n]) {
					want = append(want, s.all[n].ID)
				}
			}
			for before := int64(0); ; {
				page, err := s.Inspections(t.Context(), filter.InspectionFilter, before, 4)
				s.must(err)
				if len(page) == 0 {
					break
				}
				for _, i := range page {
					got = append(got, i.ID)
				}
				before = page[len(page)-1].ID
				if len(got) <= 8 {
					s.inspect()
				}
			}
			if !slices.Equal(got, want) || len(want) < 3 || name != "all" && len(want) >= len(s.all)-10 {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}

func TestNeighboursWalkThroughAFilter(t *testing.T) {
	s := newShift(t, 30)
	for name, filter := range s.filters() {
		t.Run(name, func(t *testing.T) {
			var newer int64
			for n := len(s.all) - 1; n >= 0; n-- {
				if !filter.fits(s.all[n]) {
					continue
				}
				got, _, err := s.Neighbours(t.Context(), filter.InspectionFilter, s.all[n].ID)
				if err != nil || got != newer {
					t.Errorf("newer than %d is %d, want %d, %v", s.all[n].ID, got, newer, err)
				}
				if newer != 0 {
					if _, older, err := s.Neighbours(t.Context(), filter.InspectionFilter, newer); err != nil || older != s.all[n].ID {
						t.Errorf("older than %d is %d, want %d, %v", newer, older, s.all[n].ID, err)
					}
				}
				newer = s.all[n].ID
			}
			if _, older, err := s.Neighbours(t.Context(), filter.InspectionFilter, newer); err != nil || older != 0 {
				t.Errorf("older than the oldest is %d, %v", older, err)
			}
		})
	}
}

func TestAnInspectionComesBackWithItsHeatMapAfterARestart(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	v := f.champion(r)
	fr := f.frame(f.station(r, "press"), "1")
	f.label(fr.ID, "scratch", "ada") // before it was judged
	in := judged(fr, v, vision.NG, "dent")
	in.Probabilities = []vision.Probability{{Class: "dent", P: 0.75}, {Class: "good", P: 0.25}}
	in.Findings = []vision.Finding{{Class: "dent", Score: 0.75}}
	heat := vision.HeatMap{Classes: []string{"dent"}, W: 3, H: 2, Data: []uint8{0, 1, 2, 253, 254, 255}}
	in.Heat = heat
	stored, err := f.SaveInspection(ctx, in)
	f.must(err)
	if stored.Label != "scratch" || stored.Timings.Total != float64(stored.JudgedAt.Sub(fr.ReceivedAt).Milliseconds()) {
		t.Errorf("label %q, %v ms in all", stored.Label, stored.Timings.Total)
	}
	f.reopen()
	for name, find := range map[string]func() (storage.Inspection, error){
		"by ID":    func() (storage.Inspection, error) { return f.Inspection(ctx, stored.ID) },
		"of frame": func() (storage.Inspection, error) { return f.InspectionOfFrame(ctx, fr.ID) },
	} {
		got, err := find()
		f.must(err)
		if !reflect.DeepEqual(got.Probabilities, in.Probabilities) || !reflect.DeepEqual(got.Findings, in.Findings) || got.Frame.State != storage.Judged ||
			got.VersionNumber != 1 || !got.JudgedAt.Equal(stored.JudgedAt) || got.Label != "scratch" || got.Width != 64 || got.Worker != "w1" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got, err := f.Heat(ctx, stored.ID); err != nil || !reflect.DeepEqual(got, heat) {
		t.Errorf("heat map %+v, %v", got, err)
	}
	plain := f.judge(f.frame(storage.Station{ID: fr.StationID, RecipeID: r.ID}, "2"), v, vision.OK, "good")
	_, err = f.Heat(ctx, plain.ID)
	f.refused(err, storage.NotFound)
	_, err = f.Heat(ctx, 999)
	f.refused(err, storage.NotFound)
	_, err = f.Inspection(ctx, 999)
	f.refused(err, storage.NotFound)
}

// Two workers may answer for one frame, when the first was believed dead.
func TestAFrameIsJudgedOnce(t *testing.T) {
	f := open(t)
	r := f.recipe("caps")
	v := f.champion(r)
	fr := f.frame(f.station(r, "press"), "1")
	told := 0
	f.Listen(func(e storage.Event) {
		if e.Kind == storage.InspectionMade {
			told++
		}
	})
	first := f.judge(fr, v, vision.Unsure, "dent")
	_, err := f.SaveInspection(t.Context(), judged(fr, v, vision.OK, "good"))
	f.refused(err, storage.Conflict)
	if now, err := f.InspectionOfFrame(t.Context(), fr.ID); err != nil || now.ID != first.ID || now.Verdict != vision.Unsure || told != 1 {
		t.Errorf("%+v, told %d times, %v", now, told, err)
	}
	if n, err := f.JudgedBy(t.Context(), v.ID); err != nil || n != 1 {
		t.Errorf("judged %d, %v", n, err)
	}
	_, err = f.SaveInspection(t.Context(), storage.Inspection{FrameID: 999, VersionID: v.ID})
	f.refused(err, storage.NotFound)
}
