package storage

import (
	"context"
	"errors"
	"path"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// fillers is how many blobs are copied at once: their syncs share commits.
const fillers = 4

// Losses are what a backup or a restore could not get, because where it reads
// from has it no more, or damaged.
type Losses struct {
	Frames   []int64 `json:"frames,omitempty"`   // whose pictures are lost
	Versions []int64 `json:"versions,omitempty"` // whose models are lost
}

// Any reports whether anything is lost.
func (l Losses) Any() bool { return len(l.Frames)+len(l.Versions) > 0 }

// Tally counts what became of blobs.
type Tally struct {
	Copied      int   `json:"copied"` // written, read back and found right
	CopiedBytes int64 `json:"copied_bytes"`
	Sized       int   `json:"sized"`    // there already, and of the right size
	Verified    int   `json:"verified"` // there already, read whole and found right
	Repaired    int   `json:"repaired"` // of those copied, damaged or missing though the snapshot before named them
}

// filler brings blobs from one place to a shelf.
type filler struct {
	from   *Blobs
	to     shelf
	all    bool   // read all that is there already, not only its size
	before *names // of the snapshot before, may be nil
	owners func(ctx context.Context, key string) (frames, versions []int64, err error)
	tell   func(done float64)
	total  int

	mu      sync.Mutex
	done    int
	tally   Tally
	lost    Losses
	touched map[string]bool // folders with new files
	unnamed []string        // keys that are there and that nobody names
}

// fill copies what is named and not there whole. What cannot be had is left out
// and listed. On return all that was copied survives a power cut.
func (f *filler) fill(ctx context.Context, n *names) (err error) {
	if f.total, _, err = n.sum(ctx); err != nil {
		return err
	}
	f.touched = map[string]bool{}
	seen := map[string]bool{}
	copies, ctx := errgroup.WithContext(ctx)
	copies.SetLimit(fillers)
	folder, there := "", map[string]int64{}
	err = n.each(ctx, func(b namedBlob) error {
		if dir := path.Dir(b.key); dir != folder {
			f.leave(folder, there)
			var err error
			if there, err = f.to.list(dir); err != nil {
				return err
			}
			folder, seen[dir] = dir, true
		}
		size, old := there[path.Base(b.key)]
		delete(there, path.Base(b.key))
		if old && !f.all && b.size == size {
			f.count(func(t *Tally) { t.Sized++ })
			return ctx.Err()
		}
		copies.Go(func() error { return f.one(ctx, b.key, old) })
		return nil
	})
	if failed := copies.Wait(); failed != nil {
		return failed // and it ended the listing
	}
	if err != nil {
		return err
	}
	f.leave(folder, there)
	return errors.Join(f.strangers(seen), f.sync())
}

// leave notes what is left in a folder when all that is named was taken out.
func (f *filler) leave(folder string, left map[string]int64) {
	for name := range left {
		if digestName.MatchString(name) {
			f.unnamed = append(f.unnamed, path.Join(folder, name))
		}
	}
}

// strangers notes what lies in folders of which nothing is named.
func (f *filler) strangers(seen map[string]bool) error {
	folders, err := f.to.folders()
	if err != nil {
		return err
	}
	for _, folder := range folders {
		if seen[folder] {
			continue
		}
		left, err := f.to.list(folder)
		if err != nil {
			return err
		}
		f.leave(folder, left)
	}
	return nil
}

func (f *filler) sync() error {
	for dir := range f.touched {
		if err := syncFolder(filepath.Join(f.to.root, filepath.FromSlash(dir))); err != nil {
			return explain(err)
		}
	}
	return nil
}

// one sees to one blob; old says that there is a file of it.
func (f *filler) one(ctx context.Context, key string, old bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if old {
		sound, err := f.to.sound(key)
		if err != nil {
			return explain(err)
		}
		if sound {
			f.count(func(t *Tally) { t.Verified++ })
			return nil
		}
	}
	data, err := f.from.Get(ctx, key)
	lost := CodeOf(err) == NotFound || errors.Is(err, unix.EIO)
	if err != nil && !lost {
		return err
	}
	if lost || Digest(data) != path.Base(key) {
		return f.lose(ctx, key)
	}
	if err := f.to.put(key, data); err != nil {
		return err
	}
	if !old && f.before != nil {
		if old, err = f.before.has(ctx, key); err != nil {
			return err
		}
	}
	f.count(func(t *Tally) {
		t.Copied++
		t.CopiedBytes += int64(len(data))
		if old {
			t.Repaired++
		}
		f.touched[path.Dir(key)] = true
	})
	return nil
}

func (f *filler) lose(ctx context.Context, key string) error {
	frames, versions, err := f.owners(ctx, key)
	if err != nil {
		return err
	}
	f.count(func(*Tally) {
		f.lost.Frames = append(f.lost.Frames, frames...)
		f.lost.Versions = append(f.lost.Versions, versions...)
	})
	return nil
}

func (f *filler) count(add func(*Tally)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	add(&f.tally)
	f.done++
	if f.tell != nil && (f.done%64 == 0 || f.done == f.total) {
		f.tell(float64(f.done) / float64(max(1, f.total)))
	}
}

// losses are those of a fill that has ended, in order.
func (f *filler) losses() Losses {
	slices.Sort(f.lost.Frames)
	slices.Sort(f.lost.Versions)
	return Losses{Frames: slices.Compact(f.lost.Frames), Versions: slices.Compact(f.lost.Versions)}
}
