package ui

import (
	"time"

	"loupe/storage"
	"loupe/vision"
)

// FirstView is the page of an empty data folder.
type FirstView struct {
	Starting bool // the demonstration is being made
}

// SignInView is the sign-in page.
type SignInView struct {
	Name    string // as typed before
	Next    string // a local path
	WaitFor time.Duration
}

// RecipesView lists the recipes.
type RecipesView struct {
	Recipes []RecipeRow
}

// RecipeRow is a recipe in the list.
type RecipeRow struct {
	NamedRecipe
	Classes  []vision.Class
	Champion int // number of its champion, 0 for none
	Labelled int
	Stations int
}

// RecipeView is a recipe's set-up page.
type RecipeView struct {
	Recipe     NamedRecipe
	Classes    []vision.Class
	Archived   []vision.Class
	Use        map[string]int // labelled frames by class
	Thresholds vision.Thresholds
	Histogram  []HistogramBin // of the champion on the test share; none without one
	Region     vision.Region
	Size       int
	Sizes      []SizeChoice
	Mirror     bool
	Sample     int64 // a frame to draw the region on, 0 while there is none
	SampleW    int   // pixels of its upright picture
	SampleH    int
	Rules      RulesView

	QueueLimit  int  // frames of one station that may wait
	NewestFirst bool // drop the oldest over the limit instead of refusing the newest
	Costs       CostsView
	Normality   storage.NormalityRule
	Keep        storage.KeepRule
	OddUnsure   bool // a part that looks like nothing known is Unsure rather than OK
	LeftOut     storage.DoubtCount
}

// HistogramBin counts test frames whose summed probability of the passing
// classes lies in the bin; the bins share [0, 1] evenly.
type HistogramBin struct {
	Good, Bad int
}

// SizeChoice is an input size with what it costs.
type SizeChoice struct {
	Size   int     // pixels a side
	Factor float64 // time of one forward, 1 for 224
}

// StationsView lists the stations.
type StationsView struct {
	Stations []StationRow
	Recipes  []NamedRecipe
	Server   string // address that stations post to, such as http://10.0.0.5:8080
	Token    string // of the station just made or renewed; shown once
	TokenFor string // that station's name
	Now      time.Time
}

// StationRow is a station in the list.
type StationRow struct {
	ID        int64
	Name      string
	Line      string
	Recipe    NamedRecipe
	TokenHint string // the token's last four characters
	LastSeen  time.Time
	State     StationState
	Demo      bool
}

// Curl is a line that posts a picture as the station would.
func (v StationsView) Curl() string {
	return "curl -H 'Authorization: Bearer " + v.Token + "' -F image=@part.jpg -F serial=A-0001 -F lot=L1 '" + v.Server + "/api/v1/frames?wait=5s'"
}

// PeopleView lists who may sign in.
type PeopleView struct {
	People []PersonRow
}

// PersonRow is a person in the list.
type PersonRow struct {
	ID         int64
	Name       string
	Role       string // "operator", "qa" or "admin"
	Active     bool
	MustChange bool // the password was given by somebody else
	Self       bool // it is the reader
	CreatedAt  time.Time
}

// JobsView lists jobs, newest first.
type JobsView struct {
	Jobs []JobView
	Now  time.Time
}

// JobView is one job.
type JobView struct {
	ID        int64
	Kind      string // "train", "import", …
	Recipe    NamedRecipe
	State     string // "queued", "running", "done", "failed" or "cancelled"
	Progress  float64
	Message   string
	Result    string // in words, "" for none
	Link      string // local path to what it made, "" for none
	CreatedBy string
	CreatedAt time.Time
	Took      time.Duration
	MayCancel bool
	Now       time.Time
}

func (j JobView) open() bool { return j.State == "queued" || j.State == "running" }

// QuarantineView lists frames that could not be judged, newest first.
type QuarantineView struct {
	Frames []QuarantinedFrame
	Now    time.Time
}

// QuarantinedFrame is one of them.
type QuarantinedFrame struct {
	FrameID  int64
	Station  string
	Recipe   NamedRecipe
	Serial   string
	Lot      string
	Received time.Time
	Deaths   int    // workers that died over it
	Trouble  string // in words
	Width    int
	Height   int
	Bytes    int64
}

// AuditView is a page of the audit log, newest first.
type AuditView struct {
	Entries []AuditRow
	Subject string // shown alone, "" for all
	Older   int64  // ID before which the next page begins, 0 for none
	First   bool   // this is the newest page
}

// AuditRow is one entry.
type AuditRow struct {
	ID      int64
	At      time.Time
	Person  string
	Action  string // such as "recipe.thresholds"
	Subject string // such as "recipe 3"
	Before  string // JSON
	After   string // JSON
}

// AccountView is one's own account.
type AccountView struct {
	MustChange bool // the password was given by somebody else and must be changed now
}
