package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/fileblob" // file:// folders
	_ "gocloud.dev/blob/s3blob"   // s3:// buckets
	"gocloud.dev/gcerrors"
)

// Blobs keeps pictures and models by key. A key that ends in a SHA-256 names
// its content, so a blob that is there never changes.
type Blobs struct {
	bucket  *blob.Bucket
	url     string
	folder  string   // of a local bucket, else ""
	durable *durable // of a local bucket
}

// OpenBlobs opens the bucket of a gocloud.dev/blob URL, or the folder where the
// URL is empty.
func OpenBlobs(ctx context.Context, bucketURL, folder string) (*Blobs, error) {
	if bucketURL == "" {
		abs, err := filepath.Abs(folder)
		if err != nil {
			return nil, fmt.Errorf("find the blob folder: %w", err)
		}
		if err := os.MkdirAll(abs, 0o750); err != nil {
			return nil, fmt.Errorf("make the blob folder: %w", err)
		}
		folder = abs
		bucketURL = (&url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: "metadata=skip&no_tmp_dir=true"}).String()
	} else {
		folder = ""
	}
	bucket, err := blob.OpenBucket(ctx, bucketURL)
	if err != nil {
		return nil, fmt.Errorf("open the blobs: %w", err)
	}
	b := &Blobs{bucket: bucket, url: bucketURL, folder: folder}
	if folder != "" {
		if b.durable, err = newDurable(folder); err != nil {
			return nil, errors.Join(fmt.Errorf("open the blobs: %w", err), bucket.Close())
		}
	}
	return b, nil
}

// URL is what a worker opens to read the same blobs.
func (b *Blobs) URL() string { return b.url }

// Folder is the local folder of the blobs, or "" where they are elsewhere.
func (b *Blobs) Folder() string { return b.folder }

// Close releases the bucket.
func (b *Blobs) Close() error {
	if b.durable == nil {
		return b.bucket.Close()
	}
	return errors.Join(b.bucket.Close(), b.durable.close())
}

// Digest is the hex SHA-256 of data.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// ContentKey is the key of content of a kind.
func ContentKey(kind string, data []byte) string {
	digest := Digest(data)
	return kind + "/" + digest[:2] + "/" + digest
}

// PutContent stores data under a key made of the kind ("frames", "models") and
// its SHA-256, durably, and gives the key. Content that is there already is not
// written again.
func (b *Blobs) PutContent(ctx context.Context, kind string, data []byte) (string, error) {
	key := ContentKey(kind, data)
	return key, b.PutOnce(ctx, key, data)
}

// PutOnce stores content under its ContentKey, unless it is there already.
func (b *Blobs) PutOnce(ctx context.Context, key string, data []byte) error {
	there, err := b.Exists(ctx, key)
	if err != nil || there {
		return err
	}
	return b.Put(ctx, key, data)
}

// Put stores data under the key. On return it survives a power cut: a local
// file is written aside, synced, renamed, and its folder synced, together with
// those that others put meanwhile.
func (b *Blobs) Put(ctx context.Context, key string, data []byte) error {
	if b.folder == "" {
		ctx, stop := context.WithTimeout(ctx, remoteTime)
		defer stop()
		return b.trouble("store", key, b.bucket.WriteAll(ctx, key, data, nil))
	}
	if err := b.putFile(filepath.Join(b.folder, filepath.FromSlash(key)), data); err != nil {
		return explain(fmt.Errorf("store blob %s: %w", key, err))
	}
	return nil
}

func (b *Blobs) putFile(path string, data []byte) error {
	dir := filepath.Dir(path)
	if err := makeFolders(b.folder, dir); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o640)
	}
	if err == nil {
		err = b.durable.sync(f)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return b.durable.syncFolder(dir)
}

// makeFolders makes dir below root and syncs the parent of each new folder.
func makeFolders(root, dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if strings.HasPrefix(parent, root) {
		if err := makeFolders(root, parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return syncFolder(parent)
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Get reads a blob whole. A missing one is a NotFound error.
func (b *Blobs) Get(ctx context.Context, key string) ([]byte, error) {
	data, err := b.bucket.ReadAll(ctx, key)
	return data, b.trouble("read", key, err)
}

// Open streams a blob. A missing one is a NotFound error.
func (b *Blobs) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := b.bucket.NewReader(ctx, key, nil)
	if err != nil {
		return nil, b.trouble("read", key, err)
	}
	return r, nil
}

// Exists reports whether there is a blob of that key.
func (b *Blobs) Exists(ctx context.Context, key string) (bool, error) {
	if b.folder != "" { // much less work than the bucket's way
		_, err := os.Stat(filepath.Join(b.folder, filepath.FromSlash(key)))
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return err == nil, b.trouble("look up", key, err)
	}
	ctx, stop := context.WithTimeout(ctx, remoteTime)
	defer stop()
	there, err := b.bucket.Exists(ctx, key)
	return there, b.trouble("look up", key, err)
}

// Delete removes a blob; one that is missing already is fine.
func (b *Blobs) Delete(ctx context.Context, key string) error {
	err := b.bucket.Delete(ctx, key)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil
	}
	return b.trouble("delete", key, err)
}

// remoteTime bounds what a bucket may take, so that a station is told to send
// its frame again instead of waiting.
const remoteTime = 10 * time.Second

// trouble says what an error of the bucket means; nil for none. A bucket
// elsewhere that fails may answer later.
func (b *Blobs) trouble(what, key string, err error) error {
	switch {
	case err == nil:
		return nil
	case gcerrors.Code(err) == gcerrors.NotFound:
		return fail(NotFound, "blob %s is missing", key)
	case b.folder == "" && !errors.Is(err, context.Canceled):
		return &Error{Code: Busy, Message: "the picture store does not answer: try again", Err: fmt.Errorf("%s blob %s: %w", what, key, err)}
	}
	return explain(fmt.Errorf("%s blob %s: %w", what, key, err))
}

// Keys calls each for every key with the prefix, in order.
func (b *Blobs) Keys(ctx context.Context, prefix string, each func(key string, size int64) error) error {
	it := b.bucket.List(&blob.ListOptions{Prefix: prefix})
	for {
		o, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("list the blobs: %w", err)
		}
		if err := each(o.Key, o.Size); err != nil {
			return err
		}
	}
}
