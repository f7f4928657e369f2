package exchange

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"loupe/storage"
)

// tree is a folder's files, without the hidden ones.
type tree struct {
	fsys  fs.FS
	all   []string // slash paths in rising order
	has   map[string]bool
	based map[string]string // the file of a base name, "" where there are several
}

func walk(fsys fs.FS) (*tree, error) {
	t := &tree{fsys: fsys, has: map[string]bool{}, based: map[string]string{}}
	err := fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && (strings.HasPrefix(e.Name(), ".") || e.Name() == "__MACOSX"):
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case e.IsDir() || e.Type() != 0 && e.Type() != fs.ModeSymlink:
			return nil
		case len(t.all) == mostFiles:
			return fmt.Errorf("there are more than %d files", mostFiles)
		}
		t.all = append(t.all, name)
		t.has[name] = true
		if _, twice := t.based[e.Name()]; twice {
			t.based[e.Name()] = ""
		} else {
			t.based[e.Name()] = name
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("the folder cannot be read: %w", err)
	}
	slices.Sort(t.all)
	return t, nil
}

func (t *tree) any(is func(string) bool) bool { return slices.ContainsFunc(t.all, is) }

// open opens a file that is one: no device, no pipe.
func (t *tree) open(name string) (fs.File, error) {
	info, err := fs.Stat(t.fsys, name)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no file")
	}
	var f fs.File
	if err == nil {
		f, err = t.fsys.Open(name)
	}
	var of *fs.PathError
	if errors.As(err, &of) {
		err = of.Err // who asks knows the name
	}
	return f, err
}

func (t *tree) readMost(name string, most int64) ([]byte, error) {
	f, err := t.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}

// read reads a text file whole; a larger one than most bytes is an error.
func (t *tree) read(name string, most int64) ([]byte, error) {
	data, err := t.readMost(name, most+1)
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s has more than %d bytes", name, most)
	}
	return data, err
}

// errOutside is a path that leads out of the folder.
var errOutside = errors.New("lies outside the folder: put it into it, or import the folder above")

// inside cleans a path that a file names, and refuses one that leads out of the
// folder.
func inside(folder, name string) (string, error) {
	name = strings.ReplaceAll(name, `\`, "/")
	if clean := path.Join(folder, name); name != "" && !path.IsAbs(name) && fs.ValidPath(clean) {
		return clean, nil
	}
	return "", fmt.Errorf("the picture %.200q %w", name, errOutside)
}

// find looks for the picture that a file in folder names, in the places where the
// tools put pictures.
func (t *tree) find(folder, name string, places ...string) (string, error) {
	first, err := inside(folder, name)
	if err != nil {
		if first, err = inside(".", name); err != nil {
			return "", err
		}
	}
	if t.has[first] {
		return first, nil
	}
	for _, place := range places {
		if at, err := inside(place, name); err == nil && t.has[at] {
			return at, nil
		}
	}
	if at := t.based[path.Base(first)]; at != "" {
		return at, nil
	}
	return first, nil // that it is not there is told when it is opened
}

var pictureEndings = []string{".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}

func isPicture(name string) bool {
	return slices.Contains(pictureEndings, strings.ToLower(path.Ext(name)))
}

func isXML(name string) bool { return strings.EqualFold(path.Ext(name), ".xml") }

// shareOf tells the side of the split by the name of a folder or file: val and
// test pictures are Loupe's test share. "" for other names.
func shareOf(name string) string {
	name = strings.ToLower(name)
	switch {
	case strings.Contains(name, "train"):
		return storage.TrainShare
	case strings.Contains(name, "val"), strings.Contains(name, "test"):
		return storage.TestShare
	}
	return ""
}

// shareIn tells the side of the split by the folders of a path.
func shareIn(name string) string {
	for _, part := range strings.Split(path.Dir(name), "/") {
		if slices.Contains([]string{"train", "training", "val", "valid", "validation", "test", "testing"}, strings.ToLower(part)) || isYear(part) {
			return shareOf(part)
		}
	}
	return ""
}

// isYear tells train2017 and val2017.
func isYear(name string) bool {
	stem := strings.TrimRight(strings.ToLower(name), "0123456789")
	return stem != strings.ToLower(name) && slices.Contains([]string{"train", "val", "test"}, stem)
}
