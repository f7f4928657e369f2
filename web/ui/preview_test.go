package ui

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"loupe/web/browsertest"
)

// looks are the pages that are worth looking at, by name of their picture.
var looks = map[string]string{
	"line1": "/?stations=1", "line2": "/?stations=2", "line3": "/?stations=3", "line4": "/?stations=4", "line6": "/?stations=6", "lineempty": "/?empty=1",
	"linelost": "/?stations=2&lost=1", "linecalm": "/?stations=1&calm=1", "inspection": "/inspections/4003", "label": "/label", "groups": PathGroups, "groupsempty": PathGroups + "?empty=1", "suspects": PathSuspects, "suspectsempty": PathSuspects + "?empty=1", "labelempty": "/label?empty=1", "model": "/recipes/1/model", "modelempty": "/recipes/1/model?empty=1", "modelupload": "/recipes/1/model?upload=1", "dataset": "/datasets/12", "shadow": "/versions/8/shadow", "shadowsettled": "/versions/8/shadow?settled=1", "shadowempty": "/versions/8/shadow?empty=1",
	"recipes": "/setup/recipes", "recipe": "/setup/recipes/1", "stations": "/setup/stations?token=1", "people": "/setup/people", "jobs": "/setup/jobs", "health": "/health", "healthempty": "/health?empty=1",
	"quarantine": "/setup/quarantine", "audit": "/setup/audit", "account": "/account", "first": "/first", "signin": "/signin", "missing": "/nowhere",
}

// TestPreview writes pictures of all pages into the folder LOUPE_PREVIEW, for
// people to look at; LOUPE_PREVIEW_ONLY names one of them.
func TestPreview(t *testing.T) {
	folder := os.Getenv("LOUPE_PREVIEW")
	if folder == "" {
		t.Skip("set LOUPE_PREVIEW to a folder to see the pages")
	}
	s := newSite(t)
	for name, path := range looks {
		if only := os.Getenv("LOUPE_PREVIEW_ONLY"); only != "" && only != name {
			continue
		}
		for _, v := range []struct {
			name, lang, theme string
			width, height     int64
		}{{"en-light-1280", "en", "light", 1280, 800}, {"zh-dark-1280", "zh", "dark", 1280, 800}, {"en-dark-1920", "en", "dark", 1920, 1080}, {"zh-light-1920", "zh", "light", 1920, 1080}} {
			join := "?"
			if filepath.Base(path) != path && len(path) > 1 && containsQuery(path) {
				join = "&"
			}
			t.Run(name+" "+v.name, func(t *testing.T) {
				b := browsertest.Open(t, s.URL+path+join+"lang="+v.lang+"&theme="+v.theme, v.width, v.height)
				time.Sleep(250 * time.Millisecond)
				var shot []byte
				b.Run(chromedp.CaptureScreenshot(&shot))
				if !browsertest.Eval[bool](b, `getComputedStyle(document.body).overflow === 'hidden'`) {
					b.Run(chromedp.FullScreenshot(&shot, 100))
				}
				if wide := browsertest.Eval[int](b, `document.documentElement.scrollWidth`); int64(wide) > v.width {
					t.Errorf("%s-%s is %d px wide", name, v.name, wide)
				}
				if err := os.WriteFile(filepath.Join(folder, name+"-"+v.name+".png"), shot, 0o644); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

func containsQuery(path string) bool {
	for _, c := range path {
		if c == '?' {
			return true
		}
	}
	return false
}
