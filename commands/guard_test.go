package commands

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"loupe/storage"
)

// A picture that was there before is judged, but stays out of training until
// somebody lets it in, on the page.
func TestADuplicateStaysOutOfTrainingUntilAPersonSaysOtherwise(t *testing.T) {
	s := startTaught(t)
	p := s.signInAs(storage.QA)
	part := encodePart(t, drawPart(rand.New(rand.NewPCG(21, 1)), "cut"))
	var first, second struct {
		FrameID int64  `json:"frame_id"`
		Verdict string `json:"verdict"`
		Quality *struct {
			Sharpness float64 `json:"sharpness"`
		} `json:"quality"`
		Reasons []struct {
			Kind  string            `json:"kind"`
			Frame int64             `json:"frame"`
			Words map[string]string `json:"words"`
		} `json:"reasons"`
	}
	for _, to := range []any{&first, &second} {
		if status, text := p.postPart(s.token, part); status != 201 || json.Unmarshal([]byte(text), to) != nil {
			t.Fatalf("%d %s", status, text)
		}
	}
	if len(first.Reasons) > 0 || first.Quality == nil || first.Quality.Sharpness == 0 {
		t.Errorf("the first: %+v", first)
	}
	if r := second.Reasons; second.Verdict != first.Verdict || len(r) != 1 || r[0].Kind != "duplicate" || r[0].Frame != first.FrameID || r[0].Words["zh"] == "" || !strings.Contains(r[0].Words["en"], fmt.Sprint(first.FrameID)) {
		t.Fatalf("the second: %+v", second)
	}
	frames := func() (n int) {
		counts, err := s.DB.ClassCounts(t.Context(), s.recipe.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range counts {
			n += c.Train + c.Test
		}
		return n
	}
	before := frames()
	if status, text := p.call("POST", fmt.Sprint("/api/v1/frames/", second.FrameID, "/corrections"), `{"class":"cut"}`, "application/json"); status != 201 {
		t.Fatalf("%d %s", status, text)
	}
	if n := frames(); n != before {
		t.Errorf("%d frames to learn from, %d before the duplicate was labelled", n, before)
	}
	ready, err := s.Learner.Readiness(t.Context(), s.recipe.ID)
	if err != nil || ready.LeftOut != 1 {
		t.Errorf("%d left out, %v", ready.LeftOut, err)
	}
	b := s.signIn(fmt.Sprintf("/setup/guard?recipe=%d", s.recipe.ID), 1280, 800)
	b.Until("it waits in the queue", `document.querySelectorAll('[data-testid="doubt"]').length === 1`)
	b.Keys("a")
	b.Until("it is chosen", `document.querySelector('[data-chosen]').textContent === '1'`)
	b.Keys("u")
	b.Until("the queue is empty", `document.querySelectorAll('[data-testid="doubt"]').length === 0 && location.search.includes('open')`)
	b.Calm()
	if n := frames(); n != before+1 {
		t.Errorf("%d frames to learn from after the decision, want %d", n, before+1)
	}
	log, err := s.DB.Audit(t.Context(), fmt.Sprint("frame ", second.FrameID), 0, 1)
	if err != nil || len(log) != 1 || log[0].Action != "guard.used" {
		t.Errorf("%+v, %v", log, err)
	}
}

func TestAnAlarmNamesTheStationAndIsSeenByAPerson(t *testing.T) {
	s := startTaught(t)
	b := s.signIn("/", 1280, 800)
	a, err := s.DB.RaiseDrift(t.Context(), storage.DriftAlarm{StationID: 1, RecipeID: s.recipe.ID, VersionID: 1, Since: time.Now().Add(-time.Hour),
		Causes: []storage.DriftCause{{Cause: "darker", Level: 1.2}, {Cause: "blurrier", Level: 0.8}}})
	if err != nil {
		t.Fatal(err)
	}
	b.Until("the Line page says so", fmt.Sprintf(`document.querySelector('#banners').innerText.includes('%s drifts: darker, blurrier')`, a.Station))
	operator := s.signInAs(storage.Operator)
	if _, text := operator.call("GET", "/metrics", "", ""); !strings.Contains(text, fmt.Sprintf(`loupe_station_drift{cause="darker",station="%s"} 36`, a.Station)) {
		t.Error("the metrics do not tell")
	}
	if status, text := operator.call("POST", fmt.Sprintf("/api/v1/drift/%d/seen", a.ID), `{"note":"new lamp"}`, "application/json"); status != 200 || !strings.Contains(text, "new lamp") {
		t.Errorf("%d %s", status, text)
	}
	b.Until("the banner is gone", `!document.querySelector('#banners').innerText.includes('drifts')`)
	if err := s.DB.CloseDrift(t.Context(), 1, storage.DriftGone); err != nil {
		t.Fatal(err)
	}
	all, err := s.DB.Drifts(t.Context(), 0, 10)
	if err != nil || len(all) != 1 || all[0].ClosedAt.IsZero() || all[0].Note != "new lamp" || all[0].SeenBy == "" {
		t.Errorf("the history: %+v, %v", all, err)
	}
	b.Calm()
}

func TestTheGuardRefusesWhatMakesNoSense(t *testing.T) {
	s := startTaught(t)
	p := s.signInAs(storage.QA)
	for _, path := range []string{"/setup/guard?state=x", "/setup/guard?recipe=999"} {
		if status, _ := p.call("GET", path, "", ""); status != 422 && status != 404 {
			t.Errorf("%s answers %d", path, status)
		}
	}
	for _, form := range []url.Values{{}, {"recipe": {"1"}, "decision": {"used"}}, {"recipe": {"1"}, "frame": {"x"}, "decision": {"used"}}, {"recipe": {"1"}, "frame": {"1"}, "decision": {"eat"}}} {
		if status, _ := p.call("POST", "/setup/guard", form.Encode(), "application/x-www-form-urlencoded"); status < 400 || status > 499 {
			t.Errorf("%v answers %d", form, status)
		}
	}
}
