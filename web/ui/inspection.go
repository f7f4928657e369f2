package ui

import (
	"context"
	"time"

	"loupe/vision"
)

// InspectionView is the page of one inspection.
type InspectionView struct {
	Part       Part
	Judged     bool // false for a frame that was never judged (imported, waiting, quarantined)
	Station    string
	Line       string
	Recipe     NamedRecipe
	Classes    []vision.Class // in use
	Region     vision.Region
	Thresholds vision.Thresholds // today's
	Marks      int               // how many places people marked in it
	Heat       []string          // classes that have a heat map, the most probable first; none without one
	Similar    []SimilarFrame
	Readings   []Reading
	TakenAt    time.Time
	Timings    vision.Timings
	Worker     string
	Format     string // "jpeg", …
	Bytes      int64
	Source     string // file name of an imported frame
	Share      string // "train", "test" or ""

	PictureRemoved time.Time // by the recipe's rule; zero while it is kept
	Trouble        string    // why the frame is in quarantine, "" where it is not
	History        []Said
	Filter         string // query of the filter in which next and previous move, "" for none
	FilterText     string // that filter in words, "" for none
	Newer          int64  // ID of the next newer inspection within the filter, 0 for none
	Older          int64
	Back           string // where Escape leads: a local path, "" for the Line page
	Now            time.Time
}

// SimilarFrame is a labelled frame that looks like this one.
type SimilarFrame struct {
	FrameID    int64
	Label      vision.Class
	Similarity float64 // cosine, at most 1
}

// Reading is one process reading of the station.
type Reading struct {
	Name  string
	Value string
}

// Said is one correction in a frame's history, oldest first.
type Said struct {
	Person string
	Class  Mark // Name "" where the label was taken back
	Source string
	Note   string
	At     time.Time
}

// drawsAs is the class that drawing begins with: the label where it fails, else
// what the model found, else the first class that fails.
func drawsAs(v InspectionView) string {
	names := []string{v.Part.Label.Name}
	for _, f := range v.Part.Findings {
		names = append(names, f.Class)
	}
	for _, c := range v.Classes {
		names = append(names, c.Name)
	}
	for _, name := range names {
		for _, c := range v.Classes {
			if c.Name == name && !c.Pass {
				return name
			}
		}
	}
	return names[len(names)-1]
}

func joined(line, station string) string {
	if line == "" || station == "" {
		return line + station
	}
	return line + " · " + station
}

func shareWord(ctx context.Context, share string) string {
	switch share {
	case "train":
		return T(ctx, "share.train")
	case "test":
		return T(ctx, "share.test")
	}
	return ""
}

func sourceWord(ctx context.Context, source string) string {
	switch source {
	case "api":
		return T(ctx, "source.api")
	case "import":
		return T(ctx, "source.import")
	case "undo":
		return T(ctx, "source.undo")
	case "settle":
		return T(ctx, "source.settle")
	case "confirm":
		return T(ctx, "source.confirm")
	case "archive":
		return T(ctx, "source.archive")
	}
	return source
}
