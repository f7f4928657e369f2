package mislabels

import "testing"

func TestTheMostDoubtedGoFirst(t *testing.T) {
	got := Rank([]int{0, 0, 1, 1}, [][]float64{{0.9, 0.1}, {0.2, 0.8}, {0.99, 0.01}, nil})
	want := []struct {
		frame, said int
	}{{2, 0}, {1, 1}, {0, 1}}
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i, w := range want {
		if got[i].Frame != w.frame || got[i].Said != w.said || (got[i].Doubt > 0) != (i < 2) {
			t.Errorf("place %d: %+v, want %+v", i, got[i], w)
		}
	}
}

func TestNothingIsKnownOfFramesThatWereNeverHeldOut(t *testing.T) {
	if got := Rank([]int{0, 1}, [][]float64{nil, nil}); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
