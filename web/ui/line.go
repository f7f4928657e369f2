package ui

import (
	"context"
	"fmt"
	"strings"
	"time"

	"loupe/storage"
	"loupe/vision"
)

// LineView is the Line page.
type LineView struct {
	Stations []StationView
	Tray     TrayView
	Learning []LearningView // one a recipe that learned lately; may be empty
}

// Places names the stations that are shown and their lines: another text means
// that the page must be read anew.
func (v LineView) Places() string {
	var b strings.Builder
	for _, s := range v.Stations {
		fmt.Fprintf(&b, "%d %q; ", s.ID, s.Line)
	}
	return b.String()
}

// StationState says whether a station's last part can be trusted.
type StationState string

const (
	StationRunning StationState = "running" // posts parts
	StationNew     StationState = "new"     // never posted
	StationLost    StationState = "lost"    // should post and does not
)

// StationView is one station of the Line page.
type StationView struct {
	ID        int64
	Name      string
	Line      string
	Recipe    NamedRecipe
	State     StationState
	Since     time.Time // when State began, for StationLost
	Last      *Part     // nil before the first
	Waiting   int       // frames accepted and not judged yet
	Undecided bool      // Last is not the newest part: that one has no verdict, and should have by now
	Dropped   int       // frames of the shift given up without a verdict, because newer ones went first
	Counts    Counts    // of the shift
	Classes   []vision.Class
	Strip     []Part // the last fifty, newest first, Last included
	Now       time.Time
}

// Counts are the verdicts of a shift. Where a person corrected, the correction
// counts: a part labelled with a passing class is good.
type Counts struct {
	OK, NG, Unsure int
}

// Total is the number of judged parts.
func (c Counts) Total() int { return c.OK + c.NG + c.Unsure }

// Yield is the share of good parts among all; 0 for none.
func (c Counts) Yield() float64 {
	if c.Total() == 0 {
		return 0
	}
	return float64(c.OK) / float64(c.Total())
}

// Part is one judged frame.
type Part struct {
	FrameID       int64
	InspectionID  int64
	Verdict       vision.Verdict
	Class         vision.Class // what the model says, with its colour
	Score         float64
	Probabilities []vision.Probability // all classes, most probable first
	Findings      []vision.Finding
	Novelty       float64 // as of vision.Judgement
	Reason        string
	Width, Height int // of the upright picture, pixels
	Serial, Lot   string
	At            time.Time        // judged
	Version       int              // number of the version that judged
	Label         Mark             // what a person says; Name "" for none
	LabelID       int64            // that correction, 0 for none
	Reasons       []storage.Reason // what speaks against training on it
}

// TrayView are the Unsure parts without a label, oldest first, of the stations shown.
type TrayView struct {
	Parts []TrayPart // at most 24
	Total int
	Now   time.Time
}

// TrayPart is a part that waits for a person.
type TrayPart struct {
	Part
	Station string
	Classes []vision.Class // of its recipe
}

// LearningView says what corrections have led to, for one recipe.
type LearningView struct {
	Recipe      NamedRecipe
	Version     int           // number of the champion
	Corrections int           // it learned from, since its parent
	At          time.Time     // when it became champion
	JudgedSince int           // frames it judged
	Waiting     int           // corrections not learned yet
	StartsIn    time.Duration // until training starts by the rule; 0 where it does not
	After       int           // the rule's number of corrections, 0 for none
	Training    bool          // a training runs now
	Progress    float64       // of it, 0–1
	Held        int           // number of a newer version that waits for a decision, 0 for none
	Now         time.Time
}

// Toast is a short answer to an action.
type Toast struct {
	Problem     string       // what went wrong, in words; the rest is not used then
	FrameID     int64        // whose picture is shown; 0 for none
	Class       vision.Class // the new label, Name "" where it was taken back
	Corrections []int64      // what undo takes back; none for no undo
	Undone      bool         // this answers an undo
	Others      string       // somebody whose different label was overtaken
	OthersClass string       // what they said
}

// verdictWord is the word of a verdict in the reader's language.
func verdictWord(ctx context.Context, v vision.Verdict) string {
	switch v {
	case vision.OK:
		return T(ctx, "verdict.ok")
	case vision.NG:
		return T(ctx, "verdict.ng")
	case vision.Unsure:
		return T(ctx, "verdict.unsure")
	}
	return T(ctx, "verdict.none")
}

func verdictClass(v vision.Verdict) string {
	switch v {
	case vision.OK:
		return "ok"
	case vision.NG:
		return "ng"
	case vision.Unsure:
		return "unsure"
	}
	return "none"
}

// Why says in one sentence what a verdict rests on.
func Why(ctx context.Context, p Part) string {
	odd := oddReason(p)
	switch {
	case p.Reason == vision.Unseen:
		return T(ctx, "why.unseen", "Place", place(ctx, p), "Times", fixed(p.Novelty, 1))
	case odd != nil:
		return ReasonWords(ctx, *odd)
	case p.Verdict == vision.Unsure && len(p.Probabilities) > 1:
		a, b := p.Probabilities[0], p.Probabilities[1]
		if b.P < 0.02 {
			return T(ctx, "why.unsure.one", "Class", a.Class, "Share", percent(a.P))
		}
		return T(ctx, "why.unsure", "A", a.Class, "PA", percent(a.P), "B", b.Class, "PB", percent(b.P))
	case p.Verdict == vision.NG && len(p.Findings) > 1:
		return T(ctx, "why.ng.more", "Class", p.Class.Name, "Share", percent(p.Score), "Place", place(ctx, p), "N", len(p.Findings)-1)
	case p.Verdict == vision.NG && len(p.Findings) == 1:
		return T(ctx, "why.ng.one", "Class", p.Class.Name, "Share", percent(p.Score), "Place", place(ctx, p))
	case p.Class.Name == "":
		return T(ctx, "why.nothing")
	}
	return T(ctx, "why.plain", "Class", p.Class.Name, "Share", percent(p.Score))
}

// place says in which ninth of the picture the strongest finding lies.
func place(ctx context.Context, p Part) string {
	if len(p.Findings) == 0 || p.Width <= 0 || p.Height <= 0 {
		return ""
	}
	b := p.Findings[0].Box
	if b[2]*b[3]*10 >= p.Width*p.Height*6 {
		return T(ctx, "place.all")
	}
	column := min(max((b[0]+b[2]/2)*3/p.Width, 0), 2)
	row := min(max((b[1]+b[3]/2)*3/p.Height, 0), 2)
	switch row*3 + column {
	case 0:
		return T(ctx, "place.upper-left")
	case 1:
		return T(ctx, "place.upper")
	case 2:
		return T(ctx, "place.upper-right")
	case 3:
		return T(ctx, "place.left")
	case 5:
		return T(ctx, "place.right")
	case 6:
		return T(ctx, "place.lower-left")
	case 7:
		return T(ctx, "place.lower")
	case 8:
		return T(ctx, "place.lower-right")
	}
	return T(ctx, "place.middle")
}

// colorOf finds the colour of a class by name; a grey for one that is unknown.
func colorOf(classes []vision.Class, name string) string {
	for _, c := range classes {
		if c.Name == name {
			return c.Color
		}
	}
	if name == vision.Unseen {
		return UnseenColor
	}
	return "#7d8a90"
}

// UnseenColor marks what is unlike all training frames, in pictures and lists.
const UnseenColor = "#b5179e"
