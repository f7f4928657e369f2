package storage_test

import (
	"slices"
	"testing"

	"loupe/storage"
	"loupe/vision"
)

func TestTheShiftIsCountedFromItsFirstInspection(t *testing.T) {
	s := newShift(t, 45)
	for _, from := range []int{0, 20, 44} {
		want := map[storage.VerdictCount]int{}
		for _, i := range s.all[from:] {
			want[storage.VerdictCount{StationID: i.StationID, RecipeID: i.RecipeID, Verdict: i.Verdict, Class: i.Class, Label: i.Label}]++
		}
		counts, err := s.VerdictCounts(t.Context(), s.all[from].JudgedAt)
		s.must(err)
		for _, c := range counts {
			n := c.N
			c.N = 0
			if want[c] != n {
				t.Errorf("from %d: %+v is counted %d times, want %d", from, c, n, want[c])
			}
			delete(want, c)
		}
		if len(want) != 0 {
			t.Errorf("from %d: not counted: %v", from, want)
		}
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
