package storage_test

import (
	"fmt"
	"testing"

	"loupe/storage"
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

// A version is compared with the one before on the same frames: what was held
// out stays held out, whatever is added later, and nothing else moves there.
func TestTheTestShareIsFrozenAsFramesAreAdded(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	s := f.station(r, "press")
	shares := map[int64]string{}
	for round := range 4 {
		for n := range 15 {
			f.label(f.frame(s, fmt.Sprint(round, "-", n)).ID, []string{"good", "dent", "scratch"}[n%3], "ada")
		}
		f.reopen()
		data, err := f.DataSet(ctx, r.ID)
		f.must(err)
		tests := 0
		for _, d := range data {
			if was, ok := shares[d.FrameID]; ok && was != d.Share {
				t.Errorf("round %d: frame %d moved from %s to %s", round, d.FrameID, was, d.Share)
			}
			if shares[d.FrameID] = d.Share; d.Share == storage.TestShare {
				tests++
			}
		}
		if len(data) != 15*(round+1) || tests != 3*(round+1) {
			t.Errorf("round %d: %d of %d held out, want a fifth", round, tests, len(data))
		}
	}
}

// The first three of a class are trained on, so that it can be learned at once.
func TestEachClassIsLearnedFromItsFirstFrames(t *testing.T) {
	f := open(t)
	r := f.recipe("caps")
	s := f.station(r, "press")
	for n := range 40 {
		f.label(f.frame(s, fmt.Sprint("good ", n)).ID, "good", "ada")
	}
	var sides []string
	for n := range 5 {
		fr := f.frame(s, fmt.Sprint("dent ", n))
		f.label(fr.ID, "dent", "ada")
		now, err := f.Frame(t.Context(), fr.ID)
		f.must(err)
		sides = append(sides, now.Share)
	}
	if got := fmt.Sprint(sides); got != "[train train train test train]" {
		t.Error(got)
	}
}

// The same picture posted twice without a serial is the same part.
func TestTheSamePictureLiesOnOneSide(t *testing.T) {
	f := open(t)
	r := f.recipe("caps")
	s := f.station(r, "press")
	for n := range 12 {
		row := f.row(s, fmt.Sprint(n))
		row.Serial = ""
		var sides [2]string
		for twice := range sides {
			fr, _, err := f.AddFrame(t.Context(), row)
			f.must(err)
			f.label(fr.ID, "dent", "ada")
			now, err := f.Frame(t.Context(), fr.ID)
			f.must(err)
			sides[twice] = now.Share
		}
		if sides[0] != sides[1] {
			t.Errorf("picture %d lies in %v", n, sides)
		}
	}
}
