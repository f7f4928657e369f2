package storage

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"

	"golang.org/x/sys/unix"
)

// shelf is a local folder of blobs that a backup or a restore fills, and that
// nobody else writes meanwhile.
type shelf struct{ root string }

// unfinished is a blob that an interrupted copy left behind.
var unfinished = regexp.MustCompile(`^\.[0-9a-f]{64}`)

// digestName is the name of a blob's file.
var digestName = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (s shelf) path(key string) (string, error) {
	name := filepath.FromSlash(key)
	if !filepath.IsLocal(name) {
		return "", fail(Conflict, "the key %q leads out of the folder of pictures", key)
	}
	return filepath.Join(s.root, name), nil
}

// list gives the sizes of the files in a folder of blobs, and clears what an
// interrupted copy left in it. One look at a folder is far cheaper than one for
// each file.
func (s shelf) list(dir string) (map[string]int64, error) {
	path, err := s.path(dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(path)
	if errors.Is(err, os.ErrNotExist) {
		return map[string]int64{}, nil
	}
	if err != nil {
		return nil, explain(fmt.Errorf("list the blobs: %w", err))
	}
	sizes := make(map[string]int64, len(entries))
	for _, e := range entries {
		if unfinished.MatchString(e.Name()) {
			if err := os.Remove(filepath.Join(path, e.Name())); err != nil {
				return nil, fmt.Errorf("clear an unfinished copy: %w", err)
			}
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, explain(fmt.Errorf("list the blobs: %w", err))
		}
		if info.Mode().IsRegular() {
			sizes[e.Name()] = info.Size()
		}
	}
	return sizes, nil
}

// folders are the folders of blobs that there are, such as frames/0a.
func (s shelf) folders() ([]string, error) {
	found, err := filepath.Glob(filepath.Join(s.root, "*", "[0-9a-f][0-9a-f]"))
	for i := range found {
		if found[i], err = filepath.Rel(s.root, found[i]); err != nil {
			return nil, err
		}
		found[i] = filepath.ToSlash(found[i])
	}
	return found, err
}

// put writes a blob durably but for its folder, which the caller syncs, and
// reads it back from the disk.
func (s shelf) put(key string, data []byte) error {
	path, err := s.path(key)
	if err != nil {
		return err
	}
	if err := makeFolders(s.root, filepath.Dir(path)); err != nil {
		return explain(fmt.Errorf("store blob %s: %w", key, err))
	}
	fresh := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	digest, err := writeAndRead(fresh, bytes.NewReader(data))
	if err != nil {
		return explain(fmt.Errorf("store blob %s: %w", key, err))
	}
	if digest != filepath.Base(path) {
		return fail(Conflict, "the disk does not give back what was written to %s: replace it", path)
	}
	return explain(os.Rename(fresh, path))
}

// remove takes blobs off the shelf.
func (s shelf) remove(keys []string) (removed int, err error) {
	for _, key := range keys {
		path, err := s.path(key)
		if err != nil {
			return removed, err
		}
		if err := os.Remove(path); err != nil {
			return removed, fmt.Errorf("remove a blob that nothing names: %w", err)
		}
		removed++
	}
	return removed, nil
}

// sound reports whether a blob's file is there whole, by reading all of it.
func (s shelf) sound(key string) (bool, error) {
	path, err := s.path(key)
	if err != nil {
		return false, err
	}
	digest, err := digestOf(path)
	if errors.Is(err, unix.EIO) || errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil && digest == filepath.Base(path), err
}

// writeAndRead writes a file through to the disk and gives the hex SHA-256 of
// what the disk gives back.
func writeAndRead(path string, from io.Reader) (digest string, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o640)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.Copy(f, from); err != nil {
		return "", err
	}
	return digestBack(f)
}

// digestBack syncs a file and reads it back. The kernel is told to forget it
// before: its memory would only repeat what was written.
func digestBack(f *os.File) (string, error) {
	if err := f.Sync(); err != nil {
		return "", err
	}
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) // a hint: some file systems know none
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func digestOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
