package ui

import (
	"context"
	"time"

	"loupe/vision"
)

// WorkView is the newest job of one kind of a recipe: grouping, or the search for
// wrong labels.
type WorkView struct {
	Recipe    int64
	Kind      string // "group" or "suspect"
	Job       int64  // 0 where there was none
	State     string
	Progress  float64
	Message   string
	EndedAt   time.Time // zero while it runs
	Now       time.Time
	MayStart  bool
	MayCancel bool
}

func (v WorkView) open() bool { return v.State == "queued" || v.State == "running" }

// start is where the job is started.
func (v WorkView) start() string {
	if v.Kind == "group" {
		return GroupsStartURL(v.Recipe)
	}
	return SuspectsStartURL(v.Recipe)
}

// page is where what the job found is shown.
func (v WorkView) page() string {
	if v.Kind == "group" {
		return GroupsURL(v.Recipe)
	}
	return SuspectsURL(v.Recipe)
}

// WorkEvent is the name of the event that brings a WorkFragment.
func WorkEvent(kind string) string { return "work-" + kind }

// GroupsView are the frames without a label in groups that look alike.
type GroupsView struct {
	Recipe   NamedRecipe
	Classes  []vision.Class
	Archived []vision.Class
	Groups   []GroupView // the largest first
	Frames   int         // in all groups
	Work     WorkView
	Progress ProgressView
}

// GroupView is one group, the most typical frame first.
type GroupView struct {
	Frames []int64 `json:"f"`
}

// SuspectsView are labels that are probably wrong, the most doubted first.
type SuspectsView struct {
	Recipe   NamedRecipe
	Classes  []vision.Class
	Suspects []SuspectView
	Work     WorkView
}

// SuspectView is one doubted label, as the script shows it.
type SuspectView struct {
	Frame      int64   `json:"frame"`
	Label      string  `json:"label"`
	LabelID    int64   `json:"label_id"`
	LabelColor string  `json:"label_color"`
	Person     string  `json:"person"`
	Own        float64 `json:"own"`
	Said       string  `json:"said"`
	SaidColor  string  `json:"said_color"`
	P          float64 `json:"p"`
}

// WhyNext says in words why a frame is worth a label: the two classes between
// which the model cannot decide ("" for none), whether it looks new, whether
// nothing is known of it.
func WhyNext(ctx context.Context, first, second string, isNew, unseen bool) string {
	switch {
	case unseen:
		return T(ctx, "next.unseen")
	case first != "" && isNew:
		return T(ctx, "next.unsure-new", "First", first, "Second", second)
	case first != "":
		return T(ctx, "next.unsure", "First", first, "Second", second)
	case isNew:
		return T(ctx, "next.new")
	}
	return T(ctx, "next.other")
}
