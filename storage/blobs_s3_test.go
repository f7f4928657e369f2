package storage_test

import (
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"loupe/storage"
)

// bucket starts an S3-compatible server with one bucket and gives its URL.
func bucket(t *testing.T) (where string, stop func()) {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("plant"); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(s.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	return "s3://plant?" + url.Values{"endpoint": {s.URL}, "region": {"us-east-1"}, "use_path_style": {"true"}}.Encode(), s.Close
}

func TestBlobsLiveInABucketAsInAFolder(t *testing.T) {
	ctx := t.Context()
	where, _ := bucket(t)
	b, err := storage.OpenBlobs(ctx, where, "")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var keys []string
	for _, text := range []string{"one", "two", "one"} {
		key, err := b.PutContent(ctx, "frames", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if data, err := b.Get(ctx, key); err != nil || string(data) != text {
			t.Errorf("%q, %v", data, err)
		}
		keys = append(keys, key)
	}
	var listed []string
	if err := b.Keys(ctx, "frames/", func(key string, size int64) error { listed = append(listed, key); return nil }); err != nil {
		t.Fatal(err)
	}
	want := keys[:2]
	slices.Sort(want)
	if !slices.Equal(listed, want) {
		t.Errorf("listed %v, want %v", listed, want)
	}
	if err := b.Delete(ctx, keys[0]); err != nil {
		t.Error(err)
	}
	if _, err := b.Get(ctx, keys[0]); storage.CodeOf(err) != storage.NotFound {
		t.Errorf("deleted: %v", err)
	}
	if err := b.Delete(ctx, keys[0]); err != nil {
		t.Errorf("deleted twice: %v", err)
	}
}

// A station must hear "try again", not that something is broken for good.
func TestABucketThatDoesNotAnswerIsBusy(t *testing.T) {
	where, stop := bucket(t)
	b, err := storage.OpenBlobs(t.Context(), where, "")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	stop()
	if _, err := b.PutContent(t.Context(), "frames", []byte("one")); storage.CodeOf(err) != storage.Busy {
		t.Errorf("%v, want busy", err)
	}
}
