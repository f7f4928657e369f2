// Package exchange reads and writes labelled pictures in the formats of other
// tools: COCO, Pascal VOC, YOLO, class folders and CSV. What it reads is foreign:
// every file is bounded, and no picture outside the folder is ever opened.
package exchange

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"loupe/storage"
	"loupe/vision"
)

// Format is a way to lay out labelled pictures.
type Format string

// The formats.
const (
	COCO    Format = "coco"    // annotations/instances_train.json and the like, boxes in pixels
	VOC     Format = "voc"     // Pascal VOC: Annotations/*.xml, one a picture
	YOLO    Format = "yolo"    // data.yaml with labels/*.txt, or train/CLASS/* without regions
	Folders Format = "folders" // one folder for each class
	CSV     Format = "csv"     // path,class,split
)

// Formats are all of them.
var Formats = []Format{COCO, VOC, YOLO, Folders, CSV}

// ParseFormat finds a format by its name.
func ParseFormat(name string) (Format, error) {
	if f := Format(name); slices.Contains(Formats, f) {
		return f, nil
	}
	return "", fmt.Errorf("there is no format %q: use coco, voc, yolo, folders or csv", name)
}

// Bounds of foreign files.
const (
	mostFiles    = 4_000_000 // in a folder
	mostPictures = 2_000_000
	mostMarks    = 10_000_000 // in one file of annotations
	mostJSON     = 2 << 30    // bytes
	mostCSV      = 1 << 30
	mostText     = 8 << 20 // of the annotations of one picture, or of a YAML file
)

// Picture is one picture with what a folder says about it.
type Picture struct {
	File     string // slash path in the folder
	Class    string // "" until Set.Label
	Share    string // storage.TrainShare, storage.TestShare or "" where the folder does not say
	Serial   string
	Lot      string
	Source   string // file name that it has in Loupe
	TakenAt  time.Time
	Readings map[string]any
	Origin   storage.Origin
	Marks    []storage.Mark // in shares of the picture after Fit
	Copy     int            // see storage.Import
	Notes    []string       // what the folder says about it that is left out, and why

	pixels        bool   // the marks are in pixels still
	width, height int    // of the picture as the annotations say, 0 where they do not
	said          []byte // its own file of annotations
}

// Set is what a folder holds.
type Set struct {
	Format   Format
	Recipe   []vision.Class // as the Loupe that exported it had them; nil where another tool wrote it
	Names    []string       // of the classes, in the format's order
	Pictures []Picture
	Refused  []string // pictures that cannot be taken, each with the reason

	files *tree
	ours  bool // a Loupe wrote it
}

// Read lists the pictures of a folder with all that it says about them; format
// "" finds out which it is. list is the file that was named in it, "" for the
// folder itself. No picture is opened yet. An error is one line for the person
// who named the folder.
func Read(fsys fs.FS, list string, format Format) (*Set, error) {
	files := &tree{fsys: fsys}
	var err error
	if !strings.HasSuffix(list, ".csv") { // which names each picture where it is
		if files, err = walk(fsys); err != nil {
			return nil, err
		}
	}
	s := &Set{Format: format, files: files}
	side, err := readSide(files)
	if err != nil {
		return nil, err
	}
	s.ours = side != nil
	if s.Format == "" {
		s.Format = detect(files, list, side)
	}
	if err := s.read(list); err != nil {
		return nil, err
	}
	if side != nil {
		side.join(s)
	}
	if len(s.Pictures) == 0 && len(s.Refused) == 0 {
		return nil, errors.New("no picture is named: it must hold one folder for each class, COCO, Pascal VOC or YOLO annotations, or a CSV with path,class")
	}
	if len(s.Pictures) > mostPictures {
		return nil, fmt.Errorf("there are more than %d pictures: import them in parts", mostPictures)
	}
	return s, nil
}

func (s *Set) read(list string) error {
	switch s.Format {
	case COCO:
		return s.readCOCO(list)
	case VOC:
		return s.readVOC()
	case YOLO:
		return s.readYOLO(list)
	case CSV:
		return s.readCSV(list)
	}
	s.readFolders()
	return nil
}

// detect tells the format by the files that there are.
func detect(files *tree, list string, side *side) Format {
	switch {
	case strings.HasSuffix(list, ".csv"):
		return CSV
	case strings.HasSuffix(list, ".json"):
		return COCO
	case strings.HasSuffix(list, ".yaml"), strings.HasSuffix(list, ".yml"):
		return YOLO
	case side != nil:
		return side.header.Format
	case files.yaml("") != "", files.classList() != "":
		return YOLO
	case files.any(isXML):
		return VOC
	case len(cocoFiles(files, "")) > 0:
		return COCO
	case len(files.splits()) > 0:
		return YOLO
	case files.list() != "":
		return CSV
	}
	return Folders
}

// Open reads a picture, and at most one byte more than the limit.
func (s *Set) Open(p Picture, limit int64) ([]byte, error) { return s.files.readMost(p.File, limit+1) }

// Fit turns a picture's regions into shares of the picture, now that its upright
// size in pixels is known. What does not fit is left out and noted. An error says
// that the annotations are of another picture.
func (p *Picture) Fit(width, height int) error {
	if p.pixels && p.width > 0 && p.height > 0 && len(p.Marks) > 0 && (p.width != width || p.height != height) {
		return fmt.Errorf("the annotations are for %d × %d pixels, the upright picture has %d × %d: export them again for it", p.width, p.height, width, height)
	}
	w, h := float64(width), float64(height)
	var fit []storage.Mark
	for _, m := range p.Marks {
		if p.pixels {
			m.Box = [4]float64{m.Box[0] / w, m.Box[1] / h, m.Box[2] / w, m.Box[3] / h}
			m.Polygons = scale(m.Polygons, w, h)
		}
		err := m.Check()
		if err == nil && m.Mask != nil && (m.Mask.Size[0] != height || m.Mask.Size[1] != width) {
			err = fmt.Errorf("a mask has %d × %d pixels, the upright picture %d × %d", m.Mask.Size[1], m.Mask.Size[0], width, height)
		}
		if err != nil {
			p.Notes = append(p.Notes, err.Error())
			continue
		}
		fit = append(fit, m)
	}
	if len(fit) > storage.MostMarks {
		return fmt.Errorf("it has more than %d regions", storage.MostMarks)
	}
	p.Marks, p.pixels = fit, false
	return nil
}

// scale divides outlines by the size of a picture.
func scale(polygons [][]float64, w, h float64) [][]float64 {
	var all [][]float64
	for _, p := range polygons {
		q := make([]float64, len(p))
		for i, v := range p {
			q[i] = v / []float64{w, h}[i%2]
		}
		all = append(all, q)
	}
	return all
}
