package ui

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"loupe/models"
	"loupe/models/head"
	"loupe/static"
	"loupe/storage"
	"loupe/vision"
)

// ReportView is a version's report as one file that needs nothing else.
type ReportView struct {
	models.Account
	Shown    *VersionView
	Beside   *VersionView // figures of the champion on the same frames; nil for none
	Mistakes []Mistake
	Names    map[int64]int // numbers of the versions that are spoken of
	Program  string        // version of Loupe
	Now      time.Time
	Zone     *time.Location
}

// Mistake is a test frame of which the version says the wrong class.
type Mistake struct {
	storage.Result
	Serial  string
	Picture []byte // JPEG; nil where there is none
	Removed bool   // the picture is gone for good
}

// reportStyle is the sheet within the file.
var reportStyle = func() string {
	b, err := fs.ReadFile(static.FS(), "css/report.css")
	if err != nil {
		panic("the report's style cannot be read: " + err.Error())
	}
	return string(b)
}()

// ReportPolicy is the content security policy of a report, in its header and in
// the file itself: its own style, its own pictures, nothing from elsewhere.
var ReportPolicy = func() string {
	sum := sha256.Sum256([]byte(reportStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; base-uri 'none'; form-action 'none'"
}()

func dataURI(jpeg []byte) string {
	return "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(jpeg)
}

func (v ReportView) day(t time.Time) string { return t.In(v.Zone).Format("2006-01-02 15:04 MST") }

// region says which part of the picture is judged.
func (v ReportView) region(ctx context.Context) string {
	r := v.Version.Region
	if r == (vision.Region{}) || r == (vision.Region{W: 1, H: 1}) {
		return T(ctx, "report.whole")
	}
	return T(ctx, "report.region", "X", percent1(r.X), "Y", percent1(r.Y), "W", percent1(r.W), "H", percent1(r.H))
}

// The drawing of the loss, in its own units.
const (
	lossLeft, lossRight = 60.0, 590.0
	lossTop, lossBottom = 12.0, 180.0
)

// lossTopValue is the loss at the upper edge of the drawing.
func lossTopValue(losses []float64) float64 {
	top := 0.0
	for _, l := range losses {
		top = max(top, l)
	}
	if top == 0 {
		return 1
	}
	return top
}

// lossPoints are the corners of the drawn curve.
func lossPoints(losses []float64) string {
	top := lossTopValue(losses)
	var b strings.Builder
	for i, l := range losses {
		x := lossLeft
		if len(losses) > 1 {
			x += (lossRight - lossLeft) * float64(i) / float64(len(losses)-1)
		}
		fmt.Fprintf(&b, "%.1f,%.1f ", x, lossBottom-(lossBottom-lossTop)*l/top)
	}
	return b.String()
}

// optimiserText says how the head was fitted, with every setting.
func optimiserText(ctx context.Context, o head.Options) string {
	return T(ctx, "report.options", "Passes", o.Epochs, "Batch", o.Batch, "Local", fmt.Sprintf("%g", o.LocalRate), "Pooled", fmt.Sprintf("%g", o.PooledRate),
		"Decay", fmt.Sprintf("%g", o.Decay), "Sharpness", fmt.Sprintf("%g", o.Sharpness), "Average", o.Average, "Seed", fmt.Sprint(o.Seed))
}
