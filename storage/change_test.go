package storage_test

import (
	"fmt"
	"sync"
	"testing"

	"loupe/storage"
)

func TestOneBadChangeUndoesNoOther(t *testing.T) {
	f := open(t)
	s := f.station(f.recipe("caps"), "press")
	var all sync.WaitGroup
	for n := range 40 {
		all.Go(func() {
			row := f.row(s, fmt.Sprint(n))
			if n%4 == 3 {
				row.RecipeID = 999 // there is none: the row is refused
			}
			_, _, err := f.AddFrame(t.Context(), row)
			if (err != nil) != (n%4 == 3) {
				t.Errorf("frame %d: %v", n, err)
			}
		})
	}
	all.Wait()
	totals, err := f.Totals(t.Context())
	if err != nil || totals.Frames != 30 {
		t.Errorf("%d frames stored, %v", totals.Frames, err)
	}
}

func TestAClosedFolderRefusesChanges(t *testing.T) {
	f := open(t)
	f.must(f.Ready(t.Context()))
	f.must(f.Close())
	if err := f.Ready(t.Context()); err == nil || storage.CodeOf(err) != "" {
		t.Errorf("ready after closing: %v", err)
	}
	f.DB = nil
	f.reopen()
}
