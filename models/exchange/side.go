package exchange

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"loupe/storage"
	"loupe/vision"
)

// sideName is the file beside every export with what the format has no place
// for: a line of JSON for the export itself, then one for each picture.
const sideName = "loupe.jsonl"

// missingName is the file that lists the frames whose picture is not there.
const missingName = "missing.csv"

// sideVersion is of the form of the file.
const sideVersion = 1

// header is the first line.
type header struct {
	Loupe   int            `json:"loupe"` // sideVersion
	Format  Format         `json:"format"`
	Recipe  string         `json:"recipe"`
	Classes []vision.Class `json:"classes"`
	Dataset *datasetName   `json:"dataset,omitempty"`
}

type datasetName struct {
	Number int    `json:"number"`
	SHA256 string `json:"sha256"`
}

// entry is the line of a picture.
type entry struct {
	File       string         `json:"file"`
	SHA256     string         `json:"sha256"`
	Class      string         `json:"class"`
	Split      string         `json:"split"`
	Serial     string         `json:"serial,omitempty"`
	Lot        string         `json:"lot,omitempty"`
	Group      string         `json:"group,omitempty"`
	Source     string         `json:"source,omitempty"`
	Station    string         `json:"station,omitempty"`
	TakenAt    time.Time      `json:"taken_at"`
	Readings   map[string]any `json:"readings,omitempty"`
	LabelledBy string         `json:"labelled_by,omitempty"`
	LabelledAt *time.Time     `json:"labelled_at,omitempty"`
	Note       string         `json:"note,omitempty"`
	Copy       int            `json:"copy,omitempty"`
	Regions    []storage.Mark `json:"regions,omitempty"` // exactly
}

// side is the file as it was read.
type side struct {
	header header
	of     map[string]entry
}

// mostLine bounds a line: a picture with many outlines.
const mostLine = 32 << 20

// readSide reads the file; nil where there is none.
func readSide(files *tree) (*side, error) {
	f, err := files.open(sideName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := parseSide(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; remove it to import without what Loupe wrote there", sideName, err)
	}
	return s, nil
}

func parseSide(from io.Reader) (*side, error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 64<<10), mostLine)
	s := &side{of: map[string]entry{}}
	for n := 1; lines.Scan(); n++ {
		var err error
		if n == 1 {
			err = json.Unmarshal(lines.Bytes(), &s.header)
		} else {
			var e entry
			if err = json.Unmarshal(lines.Bytes(), &e); err == nil {
				s.of[e.File] = e
			}
		}
		if err == nil && len(s.of) > mostPictures {
			err = fmt.Errorf("there are more than %d pictures", mostPictures)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if s.header.Loupe != sideVersion || !slices.Contains(Formats, s.header.Format) {
		return nil, errors.New("it is not of a Loupe that this one knows")
	}
	for _, c := range s.header.Classes {
		if c.Name == "" {
			return nil, errors.New("a class has no name")
		}
	}
	return s, nil
}

// join completes what the format says of the pictures. Where the format has a
// place for something, its word counts: somebody may have changed it since. The
// pictures come in the order in which they were exported.
func (s *side) join(set *Set) {
	set.Recipe = s.header.Classes
	slices.SortStableFunc(set.Pictures, func(a, b Picture) int { return strings.Compare(path.Base(a.File), path.Base(b.File)) })
	for i := range set.Pictures {
		p := &set.Pictures[i]
		e, ok := s.of[p.File]
		if !ok {
			continue
		}
		if p.Class == "" {
			p.Class = e.Class
		}
		if p.Share == "" {
			p.Share = e.Split
		}
		if set.Format != CSV {
			p.Serial, p.Lot, p.TakenAt, p.Readings = e.Serial, e.Lot, e.TakenAt, e.Readings
			p.Origin = storage.Origin{Part: e.Group, Station: e.Station, LabelledBy: e.LabelledBy, LabelledAt: e.LabelledAt, Note: e.Note}
		}
		if p.Class != e.Class { // somebody else says so
			p.Origin.LabelledBy, p.Origin.LabelledAt, p.Origin.Note = "", nil, ""
		}
		p.Source, p.Copy = e.Source, e.Copy
		s.regions(set, p, e)
	}
}

// regions takes the exact regions where the format has no place for them, or
// says the same less exactly.
func (s *side) regions(set *Set, p *Picture, e entry) {
	var same bool
	switch {
	case len(e.Regions) == 0:
		return
	case set.Format == VOC:
		same = bytes.Equal(p.said, vocXML(p.File, p.width, p.height, e.Regions))
	case set.Format == YOLO && len(set.Names) > 0:
		same = bytes.Equal(p.said, yoloText(set.Names, e.Regions))
	case set.Format == COCO:
		same = cocoSays(p.Marks, e.Regions, p.width, p.height)
	default:
		same = true
	}
	if same {
		p.Marks, p.pixels = e.Regions, false
	}
}
