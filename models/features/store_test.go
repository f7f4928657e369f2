package features

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"syscall"
	"testing"

	"loupe/models/head"
	"loupe/models/onnx"
)

const side = 224

func open(t *testing.T, folder string) *Store {
	t.Helper()
	s, err := Open(folder, side)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

// draw gives features that belong to a number.
func draw(number int64) head.Features {
	rng := rand.New(rand.NewPCG(uint64(number), 3))
	values := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
		return v
	}
	return head.FromTaps(values(40*28*28), values(112*14*14), values(320*7*7), values(onnx.PooledLen))
}

func TestWhatIsPutIsRead(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "made", "here")
	s := open(t, folder)
	for _, id := range []int64{1, 5, 2000} {
		if s.Has(id) {
			t.Errorf("frame %d is there before it is put", id)
		}
		if err := s.Put(id, draw(id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, folder)
	f := head.NewFeatures(side)
	for _, id := range []int64{2000, 1, 5} {
		if err := s.Read(id, &f); err != nil || !reflect.DeepEqual(f, draw(id)) || !s.Has(id) {
			t.Errorf("frame %d is read differently, or not: %v", id, err)
		}
	}
	for _, id := range []int64{0, 2, 1999, 2001, 1 << 30, -1} {
		if err := s.Read(id, &f); !errors.Is(err, ErrMissing) || s.Has(id) {
			t.Errorf("frame %d, never put, reads with %v", id, err)
		}
	}
	if err := s.Put(1, draw(77)); err != nil {
		t.Fatal(err)
	}
	if err := s.Read(1, &f); err != nil || !reflect.DeepEqual(f, draw(77)) {
		t.Error("a second Put does not replace the first")
	}
}

func TestSparseFileTakesLittleRoom(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder)
	if err := s.PutPooled(1_000_000, draw(1).Pooled); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(folder, "pooled.f32"))
	if err != nil || info.Size() < 1<<30 {
		t.Fatalf("the file claims %d bytes: %v", info.Size(), err)
	}
	if used := info.Sys().(*syscall.Stat_t).Blocks * 512; used > 1<<20 {
		t.Errorf("one record takes %d bytes of the disk", used)
	}
}

func TestPooledAlone(t *testing.T) {
	s := open(t, t.TempDir())
	want := draw(4).Pooled
	if err := s.PutPooled(4, want); err != nil {
		t.Fatal(err)
	}
	got := make([]float32, onnx.PooledLen)
	if err := s.ReadPooled(4, got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("pooled features are read differently: %v", err)
	}
	if s.Has(4) {
		t.Error("a frame without taps counts as there")
	}
}

// Whatever happened to a record, it reads as missing, its neighbours are whole,
// and putting it again heals it.
func TestDamagedRecordsReadAsMissing(t *testing.T) {
	record := int64(recordHead + 2*head.TapsLen(side))
	for name, damage := range map[string]func(*os.File) error{
		"a flipped bit":      func(f *os.File) error { _, err := f.WriteAt([]byte{0xff}, 2*record+record/2); return err },
		"a torn end":         func(f *os.File) error { _, err := f.WriteAt(make([]byte, 4096), 3*record-4096); return err },
		"a cut file":         func(f *os.File) error { return f.Truncate(2*record + 100) },
		"another one's head": func(f *os.File) error { return copyTo(f, record, 2*record, recordHead) },
		"another frame's":    func(f *os.File) error { return copyTo(f, record, 2*record, int(record)) },
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			s := open(t, folder)
			for id := range int64(3) {
				if err := s.Put(id, draw(id)); err != nil {
					t.Fatal(err)
				}
			}
			file, err := os.OpenFile(filepath.Join(folder, "taps.f16"), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if err := damage(file); err != nil {
				t.Fatal(err)
			}
			f := head.NewFeatures(side)
			if err := s.Read(2, &f); !errors.Is(err, ErrMissing) || s.Has(2) {
				t.Errorf("the damaged record reads with %v", err)
			}
			if !s.Has(0) || !s.Has(1) {
				t.Error("its neighbours are gone too")
			}
			if err := s.Put(2, draw(2)); err != nil || !s.Has(2) {
				t.Errorf("it cannot be put again: %v", err)
			}
		})
	}
}

func copyTo(f *os.File, from, to int64, n int) error {
	b := make([]byte, n)
	if _, err := f.ReadAt(b, from); err != nil {
		return err
	}
	_, err := f.WriteAt(b, to)
	return err
}

func TestForget(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Put(3, draw(3)); err != nil {
		t.Fatal(err)
	}
	if err := s.Forget(3); err != nil {
		t.Fatal(err)
	}
	if s.Has(3) || !errors.Is(s.ReadPooled(3, make([]float32, onnx.PooledLen)), ErrMissing) {
		t.Error("a forgotten frame is still there")
	}
	if err := s.Forget(99); err != nil {
		t.Errorf("forgetting what never was: %v", err)
	}
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Put(1, head.NewFeatures(256)); err == nil {
		t.Error("features of another size were put")
	}
	if err := s.Put(1, head.FromTaps(make([]float32, 40), nil, nil, nil)); err == nil {
		t.Error("half a set of taps was put")
	}
	if err := s.Put(-1, draw(1)); err == nil {
		t.Error("frame -1 was put")
	}
	f := head.NewFeatures(256)
	if err := s.Read(1, &f); err == nil || errors.Is(err, ErrMissing) {
		t.Errorf("no room for the features gives %v", err)
	}
}

func TestClosedStoreSaysSo(t *testing.T) {
	s, err := Open(t.TempDir(), side)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f := head.NewFeatures(side)
	if err := s.Read(1, &f); err == nil || errors.Is(err, ErrMissing) {
		t.Errorf("reading a closed cache gives %v", err)
	}
}

// Readers beside a writer of the same frame get whole features or none.
func TestConcurrentUse(t *testing.T) {
	s := open(t, t.TempDir())
	versions := [2]head.Features{draw(1), draw(2)}
	var all sync.WaitGroup
	for w := range 2 {
		all.Go(func() {
			for range 40 {
				if err := s.Put(7, versions[w]); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			f := head.NewFeatures(side)
			for range 40 {
				err := s.Read(7, &f)
				whole := reflect.DeepEqual(f.Taps, versions[0].Taps) || reflect.DeepEqual(f.Taps, versions[1].Taps)
				if err == nil && !whole || err != nil && !errors.Is(err, ErrMissing) {
					t.Errorf("torn features are taken for whole ones (%v)", err)
				}
			}
		})
	}
	all.Wait()
}

// Forgetting gives the room back: the cache of a plant that removes old pictures
// stays as large as what it keeps.
func TestForgettingFreesTheDisk(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder)
	for id := range int64(40) {
		if err := s.Put(id, draw(id)); err != nil {
			t.Fatal(err)
		}
	}
	full := blocks(t, folder)
	for id := range int64(36) {
		if err := s.Forget(id); err != nil {
			t.Fatal(err)
		}
	}
	if left := blocks(t, folder); left > full/4 {
		t.Errorf("%d blocks of %d are still taken", left, full)
	}
	for id := range int64(40) {
		if s.Has(id) != (id >= 36) {
			t.Errorf("frame %d is there: %v", id, s.Has(id))
		}
	}
}

func TestPooledFeaturesGoUnlessTheRestIsThere(t *testing.T) {
	s := open(t, t.TempDir())
	whole, pooled := draw(1), draw(2).Pooled
	if err := errors.Join(s.Put(1, whole), s.PutPooled(2, pooled)); err != nil {
		t.Fatal(err)
	}
	for _, id := range []int64{-7, 1, 2, 50} {
		if err := s.ForgetPooled(id); err != nil {
			t.Error(err)
		}
	}
	if err := s.ReadPooled(2, pooled); !s.Has(1) || !errors.Is(err, ErrMissing) {
		t.Errorf("a training's features are there: %v; the others: %v", s.Has(1), err)
	}
}

// blocks is what the files of a folder take on the disk.
func blocks(t *testing.T, folder string) (n int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		var s syscall.Stat_t
		if err := syscall.Stat(f, &s); err != nil {
			t.Fatal(err)
		}
		n += s.Blocks
	}
	return n
}
