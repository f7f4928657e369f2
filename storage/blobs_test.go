package storage_test

import (
	"testing"

	"loupe/storage"
)

func TestAPictureIsWholeOrNotThere(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	a, err := f.Blobs.PutContent(ctx, "frames", []byte("picture"))
	f.must(err)
	b, err := f.Blobs.PutContent(ctx, "frames", []byte("picture"))
	f.must(err)
	c, err := f.Blobs.PutContent(ctx, "frames", []byte("another"))
	f.must(err)
	if a != b || a == c {
		t.Errorf("keys %s, %s, %s", a, b, c)
	}
	if data, err := f.Blobs.Get(ctx, a); err != nil || string(data) != "picture" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := f.Blobs.Get(ctx, "frames/none"); storage.CodeOf(err) != storage.NotFound {
		t.Errorf("a blob that is not there: %v", err)
	}
	if _, err := f.Blobs.Get(ctx, "../loupe.db"); err == nil {
		t.Error("a key leads out of the folder")
	}
}
