package ui

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"loupe/storage"
	"loupe/vision"
	"loupe/web/browsertest"
)

// One press takes the suggestion, by the thresholds' own address.
func TestTheSuggestionIsTakenWithOnePress(t *testing.T) {
	s := newSite(t)
	b := browsertest.Open(t, s.URL+looks["recipe"], 1280, 800)
	best := fixtureRecipe("en").Costs.Suggestion.Best.Thresholds
	browsertest.Eval[bool](b, `(document.querySelector('[data-take] button').click(), true)`)
	p := s.lastPost(t, 1)
	if p.Path != RecipeThresholdsURL(1) || p.Form.Get("ok") != fixed(best.OK, 2) || p.Form.Get("ng") != fixed(best.NG, 2) || p.Token == "" {
		t.Errorf("%s %v, want %v", p.Path, p.Form, best)
	}
}

func rendered(t *testing.T, lang string, v RecipeView) string {
	t.Helper()
	b, err := Render(t.Context(), lang, costsForm(Page{}, v))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTheCostsArePutInWordsAndDrawn(t *testing.T) {
	v := fixtureRecipe("en")
	html := rendered(t, "en", v)
	held := v.Costs.expected()
	for _, want := range []string{
		"about " + parts(held.Escapes.Value) + " bad ones", range95(held.Escapes), "look at " + parts(held.Unsure), "cross-fitted",
		`class="best"`, `class="now"`, `name="bad_percent"`, `value="6"`, "take 2.0% of parts to be bad",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if regexp.MustCompile(`NaN|Inf|style=|<script`).MatchString(html) {
		t.Error("the page has what it must not have")
	}
	if !strings.Contains(rendered(t, "zh", v), "交叉拟合") {
		t.Error("the Chinese page says nothing of cross-fitting")
	}
}

func TestTheCostsSayWhatIsMissing(t *testing.T) {
	v := fixtureRecipe("en")
	v.Costs.Suggestion.HasHeld, v.Costs.Suggestion.Feasible = false, false
	if html := rendered(t, "en", v); !strings.Contains(html, "optimistic") || !strings.Contains(html, "narrowest band") {
		t.Error("nothing warns of few parts and of too many Unsure")
	}
	v.Costs.Suggestion.Now.Thresholds = v.Costs.Suggestion.Best.Thresholds
	if html := rendered(t, "en", v); strings.Contains(html, "data-take") || !strings.Contains(html, "in use") {
		t.Error("thresholds in use are suggested again")
	}
	v.Costs = CostsView{Rule: storage.DefaultCosts}
	if html := rendered(t, "en", v); !strings.Contains(html, "needs a champion") || strings.Contains(html, "<svg") {
		t.Error("without a champion nothing says what to do")
	}
}

func TestTheCostCurveStaysInItsDrawing(t *testing.T) {
	v := fixtureCosts(vision.DefaultThresholds)
	for _, path := range []string{v.path(v.total), v.path(v.escapes), v.path(v.rejects)} {
		for _, point := range regexp.MustCompile(`[ML]([\d.]+) ([\d.]+)`).FindAllStringSubmatch(path, -1) {
			x, y := atof(t, point[1]), atof(t, point[2])
			if x < curveLeft || x > curveRight || y < curveTop || y > curveBottom {
				t.Errorf("the curve leaves the drawing at %v %v", x, y)
			}
		}
	}
	for most, top := range map[float64]float64{0: 1, 0.7: 1, 1: 1, 130: 200, 4.2: 5, 612: 1000} {
		v.Suggestion.Curve = nil
		v.Suggestion.Now.Cost = most
		if v.top() != top {
			t.Errorf("a curve up to %v is drawn up to %v, not %v", most, v.top(), top)
		}
	}
}

func TestTheReliabilityDiagramIsDrawn(t *testing.T) {
	v := fixtureVersion(8, "candidate", 0, plateClasses)
	b, err := Render(t.Context(), "en", calibration(v))
	if err != nil {
		t.Fatal(err)
	}
	html := string(b)
	for _, want := range []string{"Expected calibration error on 312 test frames: 2.0%; before calibration: 9.0%", `<circle class="after"`, `<circle class="before"`, "temperature of 0.82", "No test frame"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	v.Statement.Calibration.Unsure = true
	if b, err = Render(t.Context(), "en", calibration(v)); err != nil || !strings.Contains(string(b), "calibration is unsure") {
		t.Errorf("%v: an unsure calibration is not called so", err)
	}
	v.Calibration = nil // of an older Loupe
	if b, err = Render(t.Context(), "en", calibration(v)); err != nil || len(strings.TrimSpace(string(b))) > 0 {
		t.Errorf("%v: a version that was never measured shows %s", err, b)
	}
}

func atof(t *testing.T, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
