package ui

import (
	"time"

	"loupe/models/evaluation"
	"loupe/models/head"
	"loupe/models/novelty"
	"loupe/vision"
)

// ModelView is the page of a recipe's versions.
type ModelView struct {
	Recipes  []NamedRecipe
	Recipe   NamedRecipe
	Versions []VersionRow // newest first
	Shown    *VersionView // the version that is looked at; nil while there is none
	Champion *VersionView // beside it; nil where there is none or it is the one shown
	Shadow   ShadowView   // of the version shown
	Training TrainingView
	Data     DataView
	Rules    RulesView
	CanRoll  int      // number of the version that a roll-back would bring back, 0 for none
	UploadMB int      // size of the largest model file that is taken
	Formats  []string // in which labelled pictures can be taken out
	Now      time.Time
}

// VersionRow is a version in the lineage.
type VersionRow struct {
	ID        int64
	Number    int
	ParentID  int64  // 0 for none
	State     string // "candidate", "challenger", "champion" or "retired"
	CreatedAt time.Time
	CreatedBy string
	Headline  Metric // of the recipe's promotion rule
}

// Metric is a share with its 95 % confidence interval, all in [0, 1]. Known is
// false where there was nothing to measure.
type Metric struct {
	Value, Low, High float64
	Known            bool
}

// VersionView is one version with its evaluation.
type VersionView struct {
	VersionRow
	Size        int
	ModelSHA    string
	Decision    string // in words: why it was promoted or waits
	Waits       bool   // it is a candidate that a person must decide about
	Better      *bool  // the gate's answer; nil without a champion to compare with
	Statement   Statement
	Accuracy    Metric
	Balanced    Metric
	Escapes     Metric // share of bad test frames called OK
	FalseAlarms Metric // share of good test frames called NG
	UnsureShare Metric
	AUROC       float64 // 0 where there is no passing class
	Classes     []ClassReport
	Confusion   Confusion
	TestFrames  int
	Paired      *evaluation.Comparison // with the champion of then on the same test frames; nil where there was none
	PairedWith  int                    // its number
	// Calibration is on the test share, Uncalibrated the same before the
	// temperature; nil where an older Loupe, or nobody, measured it.
	Calibration, Uncalibrated *evaluation.Calibration

	JudgedLive int // frames it judged on the line
	Gone       TrainingGone
	Upload     *UploadView // nil for a version that was trained here
	Dataset    *DatasetRow // nil where it is not known
}

// UploadView says where the file of a version comes from.
type UploadView struct {
	Note      string // of the person
	Producer  string // the program that wrote it
	Engine    string // that tried it, with its version
	ForwardMS float64
	Missing   []string // classes of the recipe that it does not tell
}

// ClassReport is the evaluation of one class on the test share.
type ClassReport struct {
	Class                 vision.Class
	Precision, Recall, F1 Metric
	Frames                int // of the class in the test share
}

// Confusion counts the test share: Counts[truth][predicted].
type Confusion struct {
	Classes []string
	Counts  [][]int
}

// Statement is what a training states about itself.
type Statement struct {
	Loss        string // such as "class-weighted cross-entropy"
	Optimiser   string // such as "Adam, 3e-3 local, 1e-3 pooled, decay 1e-4"
	Seed        int64
	Passes      int
	Backbone    string
	Train, Test int // frames
	PerClass    []ClassCount
	Seconds     float64 // of fitting
	FinalLoss   float64
	Losses      []float64 // after each pass
	Calibration *head.Calibration
	Novelty     *novelty.Statement // nil where the version does not know what it was trained on
	GoodOnly    bool               // it learned from good parts alone
}

// ClassCount counts the frames of one class.
type ClassCount struct {
	Class       string
	Train, Test int
}

// TrainingView is a training, or an evaluation of an upload, that runs, waits or has just ended.
type TrainingView struct {
	Recipe    int64
	Job       int64  // 0 while there was none
	State     string // "", "queued", "running", "done", "failed" or "cancelled"
	Progress  float64
	Message   string // in words
	Pass      int
	Passes    int
	Losses    []float64 // after each pass so far
	Left      time.Duration
	LeftKnown bool
	MayTrain  bool

	Evaluation bool // it evaluates an uploaded version
}

// DataView says what there is to learn from.
type DataView struct {
	Train, Test int
	Classes     []ClassData
	New         int // corrections since the last training
}

// ClassData is what one class has; Missing frames are needed before a training
// can start, Advised more would make it reliable.
type ClassData struct {
	Class            vision.Class
	Train, Test      int
	Missing, Advised int
}

func (d DataView) missing() []ClassData {
	var all []ClassData
	for _, c := range d.Classes {
		if c.Missing > 0 {
			all = append(all, c)
		}
	}
	return all
}

func (d DataView) advised() []ClassData {
	var all []ClassData
	for _, c := range d.Classes {
		if c.Missing == 0 && c.Advised > 0 {
			all = append(all, c)
		}
	}
	return all
}

// RulesView are a recipe's rules of learning and promotion.
type RulesView struct {
	Recipe        int64
	After         int // corrections; 0 switches the rule off
	QuietSeconds  int
	Auto          bool
	Metric        string // "balanced_accuracy", "accuracy" or "escapes"
	MarginPercent float64
}

// reportFor finds the report of a class in another version, nil where it has none.
func (v *VersionView) reportFor(class string) *ClassReport {
	if v == nil {
		return nil
	}
	for i := range v.Classes {
		if v.Classes[i].Class.Name == class {
			return &v.Classes[i]
		}
	}
	return nil
}

// shade is 0 to 8 for a cell of the confusion matrix, by its share of the row.
func (c Confusion) shade(truth, predicted int) int {
	sum := 0
	for _, n := range c.Counts[truth] {
		sum += n
	}
	n := c.Counts[truth][predicted]
	if n == 0 || sum == 0 {
		return 0
	}
	return max(1, n*8/sum)
}

// LineagePoint places a version in the drawn lineage: Lane 0 is the line of
// champions, others stand beside it.
type LineagePoint struct {
	Row, Lane int
	ParentRow int // -1 where the parent is not listed
}

// Lineage lays out versions, newest first: champions past and present share
// lane 0, versions that were never promoted stand on lane 1.
func Lineage(versions []VersionRow) []LineagePoint {
	rows := map[int64]int{}
	parent := map[int64]bool{}
	for i, v := range versions {
		rows[v.ID] = i
		parent[v.ParentID] = true
	}
	points := make([]LineagePoint, len(versions))
	for i, v := range versions {
		p := LineagePoint{Row: i, ParentRow: -1}
		if r, ok := rows[v.ParentID]; ok {
			p.ParentRow = r
		}
		if v.State != "champion" && !parent[v.ID] {
			p.Lane = 1
		}
		points[i] = p
	}
	return points
}
