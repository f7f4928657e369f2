package storage_test

import (
	"fmt"
	"testing"
)

func TestAllFramesOfAPartLieOnOneSideOfTheSplit(t *testing.T) {
	f := open(t)
	r := f.recipe("caps")
	s := f.station(r, "press")
	side := map[string]string{}
	for turn := range 3 { // three pictures of each part
		for n := range 40 {
			serial := fmt.Sprint(n)
			row := f.row(s, fmt.Sprint(n, " ", turn))
			row.Serial = serial
			fr, _, err := f.AddFrame(t.Context(), row)
			f.must(err)
			f.label(fr.ID, []string{"good", "dent"}[n%2], "ada")
			now, err := f.Frame(t.Context(), fr.ID)
			f.must(err)
			if was, ok := side[serial]; ok && was != now.Share {
				t.Errorf("part %s lies in %s and %s", serial, was, now.Share)
			}
			side[serial] = now.Share
		}
	}
	counts, err := f.ClassCounts(t.Context(), r.ID)
	f.must(err)
	for _, c := range counts[:1] {
		if c.Test == 0 || c.Train < 3*c.Test {
			t.Errorf("%s: %d to train on, %d to test", c.Class, c.Train, c.Test)
		}
	}
	// What a frame is corrected to later never moves it.
	data, err := f.DataSet(t.Context(), r.ID)
	f.must(err)
	for _, d := range data {
		f.label(d.FrameID, "scratch", "ada")
		if now, err := f.Frame(t.Context(), d.FrameID); err != nil || now.Share != d.Share {
			t.Errorf("frame %d moved from %s to %s, %v", d.FrameID, d.Share, now.Share, err)
		}
	}
}
