package storage

import (
	"errors"
	"os"
	"sync"
)

// durable makes files and folders of one file system survive a power cut. Many
// that wait at the same time share one sync of the whole file system, which
// costs little more than that of a single file; a few are synced one by one, so
// that nobody waits for what other programs have written.
type durable struct {
	root *os.File // any folder of the file system; nil where it is never synced as a whole

	mu      sync.Mutex
	waiting []unsynced
	leading bool // somebody syncs, and will take care of who waits next
}

type unsynced struct {
	file *os.File
	done chan error
}

// manyUnsynced is from how many waiting on files are synced as a whole.
const manyUnsynced = 8

// newDurable syncs what lies below root.
func newDurable(root string) (*durable, error) {
	if !wholeSyncTells() {
		return &durable{}, nil
	}
	f, err := os.Open(root)
	return &durable{root: f}, err
}

func (d *durable) close() error {
	if d.root == nil {
		return nil
	}
	return d.root.Close()
}

// sync returns when what was written to f before is durable.
func (d *durable) sync(f *os.File) error {
	me := unsynced{f, make(chan error, 1)}
	d.mu.Lock()
	d.waiting = append(d.waiting, me)
	lead := !d.leading
	d.leading = true
	d.mu.Unlock()
	if lead {
		d.lead()
	}
	return <-me.done
}

// syncFolder returns when the names in a folder are durable.
func (d *durable) syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.sync(f), f.Close())
}

// lead syncs for those who wait, and then leaves the lead to one who came
// meanwhile.
func (d *durable) lead() {
	d.mu.Lock()
	group := d.waiting
	d.waiting = nil
	d.mu.Unlock()
	d.together(group)
	d.mu.Lock()
	d.leading = len(d.waiting) > 0
	next := d.leading
	d.mu.Unlock()
	if next {
		go d.lead()
	}
}

// together makes a group durable and tells each how that went.
func (d *durable) together(group []unsynced) {
	if d.root != nil && len(group) >= manyUnsynced && syncWhole(d.root) == nil {
		for _, u := range group {
			u.done <- nil
		}
		return
	}
	// One by one, each has an error of its own.
	var all sync.WaitGroup
	for _, u := range group {
		all.Go(func() { u.done <- u.file.Sync() })
	}
	all.Wait()
}
