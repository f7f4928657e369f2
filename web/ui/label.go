package ui

import (
	"strconv"
	"strings"

	"loupe/vision"
)

// LabelFilter is the query of the labelling grid, each field under its tag's name.
type LabelFilter struct {
	Recipe    int64  // recipe
	Status    string // status: "", "unsure", "disagreed", "unlabelled", "labelled"
	Station   int64  // station
	Class     string // class: the label, or what the model says where there is none
	Verdict   string // verdict: "OK", "NG", "Unsure"
	Share     string // share: "train", "test"
	Lot       string // lot
	Serial    string // serial
	From      string // from: a day, 2006-01-02, in the plant's time zone
	To        string // to: a day, included
	Version   int64  // version, truth, predicted: one cell of its confusion matrix
	Truth     string
	Predicted string
	Order     string // order: "worth", the frames without a label that are most worth one first
	Like      int64  // like: a frame; those without a label, the most similar first
	Differ    string // differ: "champion" or "challenger", the test frames that only this one was right about, of version and the champion it was compared with
}

// Query gives the filter as it stands in an address.
func (f LabelFilter) Query() string {
	return encode("recipe", id(f.Recipe), "status", f.Status, "station", id(f.Station), "class", f.Class, "verdict", f.Verdict,
		"share", f.Share, "lot", f.Lot, "serial", f.Serial, "from", f.From, "to", f.To,
		"version", id(f.Version), "truth", f.Truth, "predicted", f.Predicted, "differ", f.Differ, "order", f.Order, "like", id(f.Like))
}

// more counts the filters that are not in the first row of the page.
func (f LabelFilter) more() int {
	n := 0
	for _, v := range []string{f.Class, f.Verdict, f.Share, f.Lot, f.Serial, f.From, f.To} {
		if v != "" {
			n++
		}
	}
	if f.Station != 0 {
		n++
	}
	return n
}

func (f LabelFilter) withStatus(status string) string {
	f.Status, f.Order = status, ""
	return PathLabel + "?" + f.Query()
}

// worth asks for the frames that are most worth a label.
func (f LabelFilter) worth() string {
	return PathLabel + "?" + LabelFilter{Recipe: f.Recipe, Order: OrderWorth}.Query()
}

func (f LabelFilter) withoutLike() string {
	return PathLabel + "?" + LabelFilter{Recipe: f.Recipe}.Query()
}

func (f LabelFilter) withoutCell() string {
	f.Version, f.Truth, f.Predicted, f.Differ = 0, "", "", ""
	return PathLabel + "?" + f.Query()
}

// OrderWorth is the order of the frames that are most worth a label first.
const OrderWorth = "worth"

// LabelView is the labelling grid.
type LabelView struct {
	Recipes       []NamedRecipe
	Stations      []NamedStation // of the recipe
	Filter        LabelFilter
	Total         int        // frames within the filter that the grid has
	More          bool       // the filter has more of them
	Cells         []GridCell // the first screenful, at most 120, in the grid's order
	Classes       []vision.Class
	Archived      []vision.Class // frames may still carry them
	Progress      ProgressView
	VersionNumber int       // of Filter.Version
	Order         []int64   // where Filter.Order or Like asks for one: all frames of the grid
	Alike         []float64 // of each of them to Filter.Like, 0 to 1
	Unknown       int       // frames that could not be compared, as nobody computed their features
	Suspects      int       // labels of the recipe that are probably wrong
}

// NamedStation is a station to choose.
type NamedStation struct {
	ID   int64
	Name string
}

// GridCell is one picture of the grid. The names in JSON are short because
// thousands of them travel.
type GridCell struct {
	Frame      int64          `json:"f"`
	Inspection int64          `json:"i,omitempty"` // 0 where it was not judged
	Label      string         `json:"l,omitempty"` // class in force, "" for none
	Predicted  string         `json:"p,omitempty"`
	Score      float64        `json:"s,omitempty"`
	Verdict    vision.Verdict `json:"v,omitempty"`
	Disagreed  bool           `json:"d,omitempty"`
	Share      string         `json:"h,omitempty"`
	Why        string         `json:"w,omitempty"` // it is worth a label
}

// ProgressView counts the labels of a recipe.
type ProgressView struct {
	Recipe   int64
	Frames   int // all frames of the recipe
	Labelled int
	Classes  []ClassProgress
}

// ClassProgress counts the labels of one class.
type ClassProgress struct {
	Class    vision.Class
	Labelled int
	Test     int // of them on the test share
	Enough   int // as many should be labelled before the class can be judged well
}

// LabelAnswer is the JSON that answers PathLabelMany and PathUndo.
type LabelAnswer struct {
	Corrections []int64    `json:"corrections"` // for PathUndo; none where nothing changed
	Cells       []GridCell `json:"cells"`       // the frames as they stand now
	Overtaken   []Overtake `json:"overtaken,omitempty"`
}

// Overtake names a frame whose label somebody else had just given.
type Overtake struct {
	Frame  int64  `json:"frame"`
	Person string `json:"person"`
	Class  string `json:"class"`
}

// labelScript is that of the grid, or the one around it for frames that look alike.
func labelScript(v LabelView) string {
	if v.Filter.Like != 0 {
		return "js/alike.js"
	}
	return "js/label.js"
}

func (v LabelView) allClasses() []vision.Class {
	return append(append([]vision.Class{}, v.Classes...), v.Archived...)
}

func share100(n, of int) string {
	if of <= 0 {
		return "0"
	}
	return strconv.Itoa(min(100, n*100/of))
}

func joinIDs(ids []int64) string {
	s := make([]string, len(ids))
	for i, n := range ids {
		s[i] = id(n)
	}
	return strings.Join(s, ",")
}
