package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"loupe/vision/opencv"
)

// picked is a picture to be posted.
type picked struct {
	data   []byte
	source string // the file's name in its folder, or the camera with the time
	serial string
	taken  time.Time
}

// pictures is where a station's pictures come from.
type pictures interface {
	next(ctx context.Context) (picked, error) // io.EOF after the last
	count() int                               // -1 when it is not known
	close()
}

// openPictures opens a folder, a camera or a video.
func openPictures(source string, loop bool, log *slog.Logger) (pictures, error) {
	info, err := os.Stat(source)
	switch {
	case err == nil && info.IsDir():
		return openFolder(source, loop)
	case err == nil:
		if isPicture(source) {
			return nil, usage("%s is one picture; give its folder", source)
		}
	case !strings.Contains(source, "://") && strings.Trim(source, "0123456789") != "":
		return nil, usage("there is no folder %s; a camera is a number or a URL such as rtsp://…", source)
	}
	camera, err := opencv.OpenCamera(source)
	if err != nil {
		return nil, usage("%v", err)
	}
	return &film{camera: camera, source: source, loop: loop, video: info != nil, log: log}, nil
}

var pictureEndings = []string{".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}

func isPicture(path string) bool {
	return slices.Contains(pictureEndings, strings.ToLower(filepath.Ext(path)))
}

// folder gives the pictures of a folder in the order of their names.
type folder struct {
	root string
	all  []string
	at   int
	loop bool
}

func openFolder(root string, loop bool) (*folder, error) {
	f := &folder{root: root, loop: loop}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && isPicture(path) {
			f.all = append(f.all, path)
		}
		return err
	})
	if err != nil {
		return nil, usage("read the folder: %v", err)
	}
	if len(f.all) == 0 {
		return nil, usage("the folder %s has no pictures (%s)", root, strings.Join(pictureEndings, " "))
	}
	return f, nil
}

func (f *folder) next(context.Context) (picked, error) {
	if f.at == len(f.all) {
		if !f.loop {
			return picked{}, io.EOF
		}
		f.at = 0
	}
	path := f.all[f.at]
	f.at++
	data, err := os.ReadFile(path)
	if err != nil {
		return picked{}, fmt.Errorf("read a picture: %w", err)
	}
	name, err := filepath.Rel(f.root, path)
	if err != nil {
		name = path
	}
	serial := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	return picked{data: data, source: name, serial: serial, taken: time.Now()}, nil
}

func (f *folder) count() int { return len(f.all) }
func (f *folder) close()     {}

const (
	cameraTimeout = 10 * time.Second // for the next picture of a live camera
	cameraPause   = 2 * time.Second  // before a lost camera is opened again
)

// film gives the pictures of a camera or a video file. A camera that stops is
// opened again until it is there.
type film struct {
	camera *opencv.Camera // nil while it is lost
	source string
	loop   bool
	video  bool
	given  int
	log    *slog.Logger
}

func (f *film) next(ctx context.Context) (picked, error) {
	lost := false
	for {
		if f.camera != nil {
			data, err := f.camera.Next(cameraTimeout)
			if err == nil {
				if lost {
					f.log.Info("the camera is back", "camera", f.source)
				}
				f.given++
				return picked{data: data, source: fmt.Sprintf("%s #%d", f.source, f.given), taken: time.Now()}, nil
			}
			f.close()
			if f.video && (!f.loop || f.given == 0) {
				return picked{}, err
			}
			if !errors.Is(err, io.EOF) {
				f.log.Warn("the camera gives no picture; it is opened again until it does", "camera", f.source, "error", err)
				lost = true
			}
		}
		camera, err := opencv.OpenCamera(f.source)
		if err == nil {
			f.camera = camera
			continue
		}
		if f.video {
			return picked{}, err
		}
		if !pause(ctx, cameraPause) {
			return picked{}, ctx.Err()
		}
	}
}

func (f *film) count() int { return -1 }

func (f *film) close() {
	if f.camera != nil {
		_ = f.camera.Close()
		f.camera = nil
	}
}
