package models

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"loupe/storage"
	"loupe/vision/pool"
	"loupe/vision/wire"
)

// Pictures gives upright JPEG copies of frames in a few sizes, drawn by the
// workers and kept in a folder that can be thrown away at any time.
type Pictures struct {
	crew   *pool.Pool
	folder string
	flight singleflight.Group
}

// thumbSide is the size of a thumbnail, in pixels.
const thumbSide = 320

// pictureSides are the sizes that are kept; a request is rounded up.
var pictureSides = []int{thumbSide, 640, 960, 1920, 4096}

const pictureQuality = 85

// endOfJPEG ends each whole copy; one that a crash or a full disk cut short is
// drawn anew.
var endOfJPEG = []byte{0xff, 0xd9}

// NewPictures keeps its copies in the folder.
func NewPictures(crew *pool.Pool, folder string) *Pictures {
	return &Pictures{crew: crew, folder: folder}
}

// JPEG gives an upright copy of a frame whose longer side has at most the next
// of 320, 640, 960, 1920 or 4096 pixels from side on.
func (p *Pictures) JPEG(ctx context.Context, f storage.Frame, side int) ([]byte, error) {
	i, _ := slices.BinarySearch(pictureSides, side)
	side = pictureSides[min(i, len(pictureSides)-1)]
	path := p.path(f.BlobKey, side)
	if data, err := os.ReadFile(path); err == nil && bytes.HasSuffix(data, endOfJPEG) {
		return data, nil
	}
	data, err, _ := p.flight.Do(path, func() (any, error) {
		// The work is shared: it must not end because one of its callers left.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		r, err := p.crew.Render(ctx, wire.RenderRequest{BlobKey: f.BlobKey, Orientation: f.Orientation, MaxSide: side, Quality: pictureQuality})
		if err != nil {
			return nil, fmt.Errorf("draw frame %d: %w", f.ID, err)
		}
		p.Keep(f.BlobKey, side, r.JPEG)
		return r.JPEG, nil
	})
	if err != nil {
		return nil, err
	}
	return data.([]byte), nil
}

// Keep stores a copy that was drawn elsewhere. Losing it costs nothing but the
// drawing, so trouble is not reported.
func (p *Pictures) Keep(blobKey string, side int, jpeg []byte) {
	if len(jpeg) == 0 {
		return
	}
	path := p.path(blobKey, side)
	err := os.WriteFile(path, jpeg, 0o640)
	if errors.Is(err, fs.ErrNotExist) && os.MkdirAll(filepath.Dir(path), 0o750) == nil {
		_ = os.WriteFile(path, jpeg, 0o640)
	}
}

func (p *Pictures) path(blobKey string, side int) string {
	name := blobKey[strings.LastIndexByte(blobKey, '/')+1:]
	return filepath.Join(p.folder, name[:min(2, len(name))], name+"-"+strconv.Itoa(side)+".jpg")
}

// forget removes the copies of a picture.
func (p *Pictures) forget(blobKey string) error {
	var all error
	for _, side := range pictureSides {
		if err := os.Remove(p.path(blobKey, side)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			all = errors.Join(all, err)
		}
	}
	return all
}

// Prune removes the oldest copies until at most limit bytes are left.
func (p *Pictures) Prune(limit int64) error {
	type copyFile struct {
		path string
		size int64
		at   time.Time
	}
	var files []copyFile
	var total int64
	err := filepath.WalkDir(p.folder, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return nil // gone in the meantime
		}
		files = append(files, copyFile{path, info.Size(), info.ModTime()})
		total += info.Size()
		return nil
	})
	if err != nil {
		return fmt.Errorf("look through the picture copies: %w", err)
	}
	slices.SortFunc(files, func(a, b copyFile) int { return a.at.Compare(b.at) })
	for _, f := range files {
		if total <= limit {
			break
		}
		if err := os.Remove(f.path); err == nil {
			total -= f.size
		}
	}
	return nil
}
