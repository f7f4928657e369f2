package models_test

import (
	"bytes"
	"image/jpeg"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"loupe/models"
	"loupe/vision/plates"
)

// copies lists the picture copies below a folder by path, with their sizes.
func copies(t testing.TB, folder string) map[string]int64 {
	t.Helper()
	all := map[string]int64{}
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		all[path] = info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestCopiesComeInAFewSizesAndAreDrawnOnce(t *testing.T) {
	p := open(t, t.TempDir(), 1)
	folder := filepath.Join(p.folder, "copies")
	pictures := models.NewPictures(p.crew, folder)
	f := p.picture(plates.Good, 0)
	for _, c := range []struct{ ask, width, height, files int }{
		{1, 320, 240, 1}, {320, 320, 240, 1}, {321, 640, 480, 2},
		{10_000, 640, 480, 3}, // no picture is made larger than it is
	} {
		data := must(pictures.JPEG(t.Context(), f, c.ask))(t)
		got := must(jpeg.DecodeConfig(bytes.NewReader(data)))(t)
		if got.Width != c.width || got.Height != c.height || len(copies(t, folder)) != c.files {
			t.Errorf("asked for %d pixels: %d×%d, %d files", c.ask, got.Width, got.Height, len(copies(t, folder)))
		}
	}
	first := must(pictures.JPEG(t.Context(), f, 320))(t)
	for path, size := range copies(t, folder) {
		if err := os.Truncate(path, size/2); err != nil {
			t.Fatal(err)
		}
	}
	if again := must(pictures.JPEG(t.Context(), f, 320))(t); !bytes.Equal(again, first) {
		t.Error("a copy that was cut short is not drawn anew")
	}
	if err := p.db.Blobs.Delete(t.Context(), f.BlobKey); err != nil {
		t.Fatal(err)
	}
	if again := must(pictures.JPEG(t.Context(), f, 320))(t); !bytes.Equal(again, first) {
		t.Error("a kept copy differs")
	}
	if _, err := pictures.JPEG(t.Context(), f, 960); err == nil {
		t.Error("a copy is drawn of a picture that is gone")
	}
}

func TestOldestCopiesGoFirst(t *testing.T) {
	p := open(t, t.TempDir(), 0)
	folder := filepath.Join(p.folder, "copies")
	pictures := models.NewPictures(p.crew, folder)
	if err := pictures.Prune(0); err != nil {
		t.Errorf("without a folder: %v", err)
	}
	paths := map[string]string{}
	for n, key := range []string{"frames/aa/aa1", "frames/aa/aa2", "frames/bb/bb1"} {
		pictures.Keep(key, 320, make([]byte, 1000))
		paths[key] = filepath.Join(folder, filepath.Base(filepath.Dir(key)), filepath.Base(key)+"-320.jpg")
		at := time.Now().Add(-time.Duration(n) * time.Hour) // the last one is the oldest
		if err := os.Chtimes(paths[key], at, at); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		limit int64
		left  []string
	}{
		{3000, []string{"frames/aa/aa1", "frames/aa/aa2", "frames/bb/bb1"}},
		{2999, []string{"frames/aa/aa1", "frames/aa/aa2"}},
		{1500, []string{"frames/aa/aa1"}},
		{0, nil},
	} {
		if err := pictures.Prune(c.limit); err != nil {
			t.Fatal(err)
		}
		left := copies(t, folder)
		for _, key := range c.left {
			if _, ok := left[paths[key]]; !ok {
				t.Errorf("at most %d bytes: %s is gone", c.limit, key)
			}
		}
		if len(left) != len(c.left) {
			t.Errorf("at most %d bytes: %v are left", c.limit, left)
		}
	}
}
