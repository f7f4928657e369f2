package storage

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Of a group that is synced one by one, each gets its own error; a large group
// is synced as a whole, and everybody is answered.
func TestEverybodyWhoWaitsForTheDiskIsAnswered(t *testing.T) {
	dir := t.TempDir()
	d, err := newDurable(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	closed, err := os.Create(filepath.Join(dir, "closed"))
	if err != nil {
		t.Fatal(err)
	}
	open, err := os.Create(filepath.Join(dir, "open"))
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	closed.Close()
	few := []unsynced{{closed, make(chan error, 1)}, {open, make(chan error, 1)}}
	d.together(few)
	if err := <-few[0].done; err == nil {
		t.Error("a closed file was called durable")
	}
	if err := <-few[1].done; err != nil {
		t.Error("the other one's trouble:", err)
	}
	if err := d.syncFolder(filepath.Join(dir, "missing")); err == nil {
		t.Error("a missing folder was called durable")
	}
	var all sync.WaitGroup
	for range 40 * manyUnsynced {
		all.Go(func() {
			if err := d.sync(open); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.waiting) > 0 {
		t.Errorf("%d wait still", len(d.waiting))
	}
}
