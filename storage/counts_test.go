package storage_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"loupe/storage"
	"loupe/vision"
)

func TestTheShiftIsCountedFromItsFirstInspection(t *testing.T) {
	s := newShift(t, 45)
	check := func() {
		t.Helper()
		for _, from := range []int{0, 1, 20, 44} {
			s.checkCounts(s.all[from].JudgedAt, s.all[from:])
		}
		s.checkCounts(s.all[0].JudgedAt.Add(-100*24*time.Hour), s.all)
	}
	check()
	for n, class := range []string{"good", "dent", ""} { // the table follows labels given and taken back
		for k := range 5 {
			i := &s.all[3+n*5+k]
			i.Label = class
			s.label(i.FrameID, class, "eve")
		}
	}
	check()
}

// checkCounts compares what is counted from a time with the inspections since.
func (s *shift) checkCounts(from time.Time, since []storage.Inspection) {
	s.t.Helper()
	want, got := map[storage.VerdictCount]int{}, map[storage.VerdictCount]int{}
	for _, i := range since {
		want[storage.VerdictCount{StationID: i.StationID, RecipeID: i.RecipeID, Verdict: i.Verdict, Class: i.Class, Label: i.Label}]++
	}
	counts, err := s.VerdictCounts(s.t.Context(), from)
	s.must(err)
	for _, c := range counts {
		n := c.N
		c.N = 0
		got[c] += n
	}
	if !maps.Equal(got, want) {
		s.t.Errorf("since %v: %v, want %v", from, got, want)
	}
}

func TestTheTrayHoldsWhatNobodyHasDecidedOldestFirst(t *testing.T) {
	s := newShift(t, 45)
	for _, stations := range [][]storage.Station{s.stations[:1], s.stations, nil} {
		var ids, want []int64
		for _, st := range stations {
			ids = append(ids, st.ID)
		}
		for _, i := range s.all {
			if i.Verdict == vision.Unsure && i.Label == "" && slices.Contains(ids, i.StationID) {
				want = append(want, i.ID)
			}
		}
		tray, n, err := s.Tray(t.Context(), ids, 4)
		s.must(err)
		var got []int64
		for _, i := range tray {
			got = append(got, i.ID)
		}
		if n != len(want) || !slices.Equal(got, want[:min(4, len(want))]) || len(stations) > 0 && n < 5 {
			t.Errorf("%v of %d, want %v of %d", got, n, want, len(want))
		}
	}
}

func TestTotals(t *testing.T) {
	s := newShift(t, 10)
	s.frame(s.stations[0], "waits")
	s.must(s.Quarantine(t.Context(), s.frame(s.stations[0], "bad").ID, "cannot be decoded"))
	totals, err := s.Totals(t.Context())
	if want := (storage.Totals{Frames: 12, Inspections: 10, Pending: 1, Quarantined: 1, Labelled: 2}); err != nil || totals != want {
		t.Errorf("%+v, want %+v, %v", totals, want, err)
	}
}
