package commands

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"loupe/models"
	"loupe/models/evaluation"
	"loupe/storage"
	"loupe/vision"
	"loupe/web/browsertest"
)

// rival adds a version that takes good parts for stains and the other way round:
// the champion's own file with its outputs swapped, and an evaluation that says so.
func (s *site) rival() storage.Version {
	s.t.Helper()
	ctx := s.t.Context()
	r, err := s.DB.Recipe(ctx, s.recipe.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Learn.After = 0 // labels train nothing
	if err := s.DB.ChangeRecipe(ctx, "test", r); err != nil {
		s.t.Fatal(err)
	}
	champion, err := s.DB.Version(ctx, r.ChampionID)
	if err != nil {
		s.t.Fatal(err)
	}
	file, err := s.Registry.ModelFile(ctx, champion.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	file = append(file, 0x32, 1, 'x') // a doc_string: another file, the same network
	v := champion
	v.Classes = slices.Clone(champion.Classes)
	slices.Reverse(v.Classes)
	v.ParentID, v.JobID, v.Decision, v.CreatedBy, v.ModelSHA = champion.ID, 0, "it is worse than the champion", "test", storage.Digest(file)
	if v.ModelKey, err = s.DB.Blobs.PutContent(ctx, "models", file); err != nil {
		s.t.Fatal(err)
	}
	results, err := s.DB.Results(ctx, champion.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	var old, young []evaluation.Sample
	other := map[string]string{"good": "stain", "stain": "good"}
	for i, one := range results {
		sample := evaluation.Sample{Truth: one.Truth, Predicted: one.Predicted, Pass: one.Truth == "good", PassedOK: one.Predicted == "good", Score: one.Score, Fail: one.Fail, Frame: one.FrameID}
		old = append(old, sample)
		results[i].Predicted, results[i].Fail, results[i].Verdict = other[one.Predicted], 1-one.Fail, map[string]vision.Verdict{"good": vision.NG, "stain": vision.OK}[one.Predicted]
		sample.Predicted, sample.PassedOK, sample.Fail = results[i].Predicted, !sample.PassedOK, 1-one.Fail
		young = append(young, sample)
	}
	before, c := evaluation.Evaluate(v.Classes, old), evaluation.Compare(old, young, evaluation.Costs{Escape: 100, FalseReject: 1})
	report := models.Report{Candidate: evaluation.Evaluate(v.Classes, young), Champion: &before, ChampionID: champion.ID, Comparison: &c}
	if v.Report, err = json.Marshal(report); err == nil {
		v, err = s.DB.AddVersion(ctx, v, results)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

func (s *site) inShadow(version int64) storage.Shadow {
	s.t.Helper()
	h, err := s.DB.ShadowOf(s.t.Context(), version)
	if err != nil {
		s.t.Fatal(err)
	}
	return h
}

func TestAChallengerInShadowIsWatchedAndItsDisagreementsSettledByOneKey(t *testing.T) {
	s := startTaught(t)
	v := s.rival()
	b := s.signIn(fmt.Sprintf("/recipes/%d/model?version=%d", s.recipe.ID, v.ID), 1280, 800)
	b.Until("the paired test is in words", `document.querySelector('[data-testid=paired]').innerText.includes('Only version 1 right')`)
	b.Click(`form[action$="/shadow"] button`)
	b.Until("it judges in shadow", `document.querySelector('#shadow')?.innerText.includes('judges in shadow since')`)
	rng := rand.New(rand.NewPCG(4, 4))
	for n, kind := range []string{"good", "stain", "good"} {
		i := s.post(rng, kind, fmt.Sprint("S-", n))
		if i.Version != 1 {
			t.Errorf("part %d is judged by version %d", n, i.Version)
		}
		eventually(t, "judged in shadow", func() bool { return s.inShadow(v.ID).Judged == n+1 })
	}
	b.Until("the page counts them", `document.querySelector('#shadow .four dd')?.innerText === '3'`)
	b.Go(s.URL + fmt.Sprintf("/versions/%d/shadow", v.ID))
	open := `document.querySelector('[data-duel] article:not([hidden])')`
	b.Until("both opinions are there", open+`?.querySelectorAll('.opinion').length === 2`)
	first := browsertest.Eval[int64](b, `Number(`+open+`.dataset.frame)`)
	b.Keys("a")
	b.Until("the next one is shown", `Number(`+open+`?.dataset.frame) !== `+fmt.Sprint(first))
	b.Until("the label is confirmed", `!!document.querySelector('#toasts .toast')`)
	b.Calm()
	f, err := s.DB.Frame(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	judged, err := s.DB.InspectionOfFrame(t.Context(), first)
	if err != nil || f.Label != judged.Class || judged.VersionID == v.ID {
		t.Errorf("frame %d is labelled %q, the champion said %q, %v", first, f.Label, judged.Class, err)
	}
	b.Go(s.URL + fmt.Sprintf("/versions/%d/shadow?settled=1", v.ID))
	b.Until("it is said who was right", `document.querySelector('.settled .card')?.innerText.includes('The champion was right')`)
	b.Go(s.URL + fmt.Sprintf("/recipes/%d/model?version=%d", s.recipe.ID, v.ID))
	b.Until("the running test is shown", `document.querySelector('#shadow .plainly')?.innerText.includes('only champion 1 right 1')`)
	b.Click(`form[action$="/shadow"] button`)
	b.Until("it was in shadow", `document.querySelector('#shadow')?.innerText.includes('It was in shadow')`)
	b.Calm()
	if h := s.inShadow(v.ID); h.State != storage.ShadowClosed || h.Seen != 3 || h.Dropped() != 0 {
		t.Errorf("%+v", h)
	}
	s.reported(v)
}

// reported reads a version's report as a file and as JSON.
func (s *site) reported(v storage.Version) {
	s.t.Helper()
	p := s.signInAs(storage.Operator)
	at := fmt.Sprintf("/api/v1/versions/%d/report", v.ID)
	status, page := p.call(http.MethodGet, at+".html", "", "text/html")
	if status != http.StatusOK || !strings.Contains(page, v.ModelSHA) || !strings.Contains(page, "data:image/jpeg;base64,") || len(page) > 2<<20 {
		s.t.Errorf("the report answers %d with %d bytes", status, len(page))
	}
	if out := regexp.MustCompile(`(?i)(src|href|action)="[^"]*"|url\([^)]*\)|@import|<script|<link`).FindAllString(page, -1); slices.ContainsFunc(out, func(one string) bool { return !strings.HasPrefix(one, `src="data:image/jpeg;base64,`) }) {
		s.t.Errorf("the report needs more than itself: %.300q", out)
	}
	var a struct {
		Wrong    int
		Mistakes []storage.Result
		Report   models.Report
		Hashes   map[string]string
	}
	status, text := p.call(http.MethodGet, at, "", "application/json")
	if err := json.Unmarshal([]byte(text), &a); err != nil || status != http.StatusOK {
		s.t.Fatalf("%d, %v", status, err)
	}
	if a.Wrong == 0 || len(a.Mistakes) != min(12, a.Wrong) || a.Report.Comparison.OnlyChampion == 0 || a.Hashes["model"] != v.ModelSHA || strings.Count(page, "<figure") < len(a.Mistakes) {
		s.t.Errorf("%d mistakes of %d, %+v", len(a.Mistakes), a.Wrong, a.Hashes)
	}
}

// shadowModel has the version that is not champion judge in shadow and reads
// what comes of it.
func (c *caller) shadowModel(recipe int64) {
	c.t.Helper()
	for n := range 20 { // an evaluation may make it champion meanwhile
		id := n%2 + 1
		at := fmt.Sprintf("/api/v1/versions/%d/", id)
		if status, _ := c.call(http.MethodPost, at+"shadow", "", "application/json"); status != http.StatusCreated {
			continue
		}
		for path, want := range map[string]int{"shadow": 200, "disagreements": 200, "disagreements?limit=1000": 422} {
			if status, text := c.call(http.MethodGet, at+path, "", "application/json"); status != want {
				c.t.Errorf("%s answers %d %s", path, status, text)
			}
		}
		if status, text := c.call(http.MethodDelete, at+"shadow", "", "application/json"); status != http.StatusOK {
			c.t.Errorf("stopping the shadow answers %d %s", status, text)
		}
		return
	}
	c.t.Errorf("no version of recipe %d could be in shadow", recipe)
}
