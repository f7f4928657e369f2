package storage_test

import "testing"

func TestQuarantinedAndDiscardedFramesAreNotTrainedOn(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	s := f.station(r, "press")
	fr := f.frame(s, "1")
	f.label(fr.ID, "dent", "ada")
	for _, c := range []struct {
		step func() error
		want int
	}{
		{func() error { return nil }, 1},
		{func() error { return f.Quarantine(ctx, fr.ID, "cannot be decoded") }, 0},
		{func() error { return f.Release(ctx, "ada", fr.ID) }, 1},
		{func() error { return f.Quarantine(ctx, fr.ID, "cannot be decoded") }, 0},
		{func() error { return f.Discard(ctx, "ada", fr.ID) }, 0},
	} {
		f.must(c.step())
		data, err := f.DataSet(ctx, r.ID)
		f.must(err)
		counts, err := f.ClassCounts(ctx, r.ID)
		f.must(err)
		if len(data) != c.want || counts[2].Train+counts[2].Test != c.want {
			t.Errorf("%d to train on, %+v counted, want %d", len(data), counts[2], c.want)
		}
	}
}
