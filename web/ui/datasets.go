package ui

import "time"

// DatasetRow names a data set.
type DatasetRow struct {
	ID          int64
	Number      int
	Train, Test int    // frames
	Digest      string // hex SHA-256 of the content
	CreatedAt   time.Time
}

// DatasetView is the page of one data set beside another of the recipe.
type DatasetView struct {
	DatasetRow
	Recipe   NamedRecipe
	Counts   []ClassCount
	Versions []VersionRow // trained on it, oldest first
	Others   []DatasetRow // of the recipe, newest first, without this one
	From     *DatasetRow  // what it is compared with; nil where there is no other
	Added    DiffView
	Removed  DiffView
	Changed  DiffView
	Formats  []string
	Now      time.Time
}

// DiffView lists the first frames of a difference.
type DiffView struct {
	All    int
	Frames []DiffFrame
}

// DiffFrame is a frame that differs between two data sets. Was is empty where the
// frame is in one of them only, or the class is the same.
type DiffFrame struct {
	FrameID    int64
	Was, Class string
	Share      string // the side on which it lies now, where it lay on the other; else ""
	Marks      bool   // its regions differ
}
