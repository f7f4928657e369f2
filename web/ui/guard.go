package ui

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"loupe/storage"
	"loupe/vision"
)

// GuardView is the queue of doubtful frames of one recipe.
type GuardView struct {
	Recipe  NamedRecipe
	Recipes []NamedRecipe
	State   storage.DoubtState
	Counts  storage.DoubtCount
	Frames  []DoubtView
	Older   int64 // the frame before which the next page begins, 0 for none
	First   bool  // this is the first page
	Known   int   // training frames from which it is known what is usual
	Enough  bool  // they are enough
	Need    int   // frames that are enough
	Now     time.Time
}

// DoubtView is one doubtful frame.
type DoubtView struct {
	FrameID int64
	Station string
	Serial  string
	Label   Mark
	Reasons []storage.Reason
	At      time.Time
	Person  string // who decided
}

// PathGuard lists the doubtful frames of a recipe. Query: recipe, state ("open",
// "out" or "used") and before. POST: recipe, frame (several) and decision ("used"
// or "out"), or one of used and out with the ID of a frame; 303 to GuardURL.
const PathGuard = "/setup/guard"

// GuardURL is the page of a recipe's doubtful frames.
func GuardURL(recipe int64, state storage.DoubtState, before int64) string {
	q := encode("recipe", id(recipe), "state", string(state), "before", id(before))
	return PathGuard + "?" + q
}

// reasonName is the kind of a reason, as a title.
func reasonName(ctx context.Context, r storage.Reason) string {
	switch r.Kind {
	case storage.Blurred:
		return T(ctx, "guard.blurred")
	case storage.Dark:
		return T(ctx, "guard.dark")
	case storage.Overexposed:
		return T(ctx, "guard.overexposed")
	case storage.WrongSize:
		return T(ctx, "guard.size")
	case storage.WrongPart:
		return T(ctx, "guard.part")
	case storage.Duplicate:
		return T(ctx, "guard.duplicate")
	case storage.NearDuplicate:
		return T(ctx, "guard.near")
	}
	return T(ctx, "guard.unusual")
}

// ReasonWords says a reason with what was measured and what is usual.
func ReasonWords(ctx context.Context, r storage.Reason) string {
	switch r.Kind {
	case storage.Blurred:
		return T(ctx, "guard.blurred.why", "Value", sharpness(r.Value), "Low", sharpness(r.Low))
	case storage.Dark:
		return T(ctx, "guard.dark.why", "Value", percent(r.Value), "Low", percent(r.Low), "High", percent(r.High))
	case storage.Overexposed:
		return T(ctx, "guard.overexposed.why", "Value", percent(r.Value), "High", percent(r.High))
	case storage.WrongSize:
		return T(ctx, "guard.size.why", "Size", fmt.Sprintf("%d × %d", r.Width, r.Height), "Low", fixed(r.Low, 0), "High", fixed(r.High, 0))
	case storage.WrongPart:
		return T(ctx, "guard.part.why", "Recipe", r.Recipe, "Value", fixed(r.Value/max(r.High, 1e-9), 1))
	case storage.Duplicate:
		return T(ctx, "guard.duplicate.why", "Frame", strconv.FormatInt(r.Frame, 10))
	case storage.NearDuplicate:
		return T(ctx, "guard.near.why", "Frame", strconv.FormatInt(r.Frame, 10))
	}
	return T(ctx, "guard.unusual.why", "Value", fixed(r.Value/max(r.High, 1e-9), 1))
}

// sharpness shows the logarithm that is measured as a number from 0 on: how many
// times stronger the fine differences are than after a blur.
func sharpness(v float64) string { return fixed(math.Exp(v), 1) }

// oddReason is why a part that might be OK is not, nil for none.
func oddReason(p Part) *storage.Reason {
	for i, r := range p.Reasons {
		if r.Odd() && p.Verdict == vision.Unsure {
			return &p.Reasons[i]
		}
	}
	return nil
}

// DriftView is the page of the alarms.
type DriftView struct {
	Alarms []DriftRow
	Older  int64
	First  bool
	Now    time.Time
}

// DriftRow is one alarm.
type DriftRow struct {
	storage.DriftAlarm
	Recipe NamedRecipe
}

// PathDrift lists the alarms of stations that drift. Query: before.
const PathDrift = "/setup/drift"

// DriftSeenURL POST: note; 303 to PathDrift.
func DriftSeenURL(alarm int64) string { return fmt.Sprintf("%s/%d/seen", PathDrift, alarm) }

// DriftWords says what changed.
func DriftWords(ctx context.Context, causes []storage.DriftCause) string {
	var words []string
	for _, c := range causes {
		words = append(words, causeWord(ctx, c.Cause))
	}
	return strings.Join(words, T(ctx, "drift.and"))
}

func causeWord(ctx context.Context, cause string) string {
	switch cause {
	case "darker":
		return T(ctx, "drift.darker")
	case "brighter":
		return T(ctx, "drift.brighter")
	case "blurrier":
		return T(ctx, "drift.blurrier")
	case "sharper":
		return T(ctx, "drift.sharper")
	case "shifted":
		return T(ctx, "drift.shifted")
	case "more_ng":
		return T(ctx, "drift.more_ng")
	case "fewer_ng":
		return T(ctx, "drift.fewer_ng")
	}
	return T(ctx, "drift.different")
}

func closedWhy(ctx context.Context, why string) string {
	if why == storage.DriftRetrained {
		return T(ctx, "drift.retrained")
	}
	return T(ctx, "drift.gone")
}
