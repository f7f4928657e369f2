package commands

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"loupe/storage"
	"loupe/vision"
	"loupe/vision/picturetest"
	"loupe/vision/wire"
	"loupe/web/client"
)

// lenient is a site whose champion finds everything good: whatever goes wrong,
// an OK that slips through would be seen.
type lenient struct {
	*site
	operator *caller
	posted   int
}

func newLenient(t *testing.T) *lenient {
	t.Helper()
	l := &lenient{site: startSite(t)}
	r := storage.NewRecipe("Caps", []vision.Class{{Name: "good", Pass: true, Color: "#5b8c5a", Key: "1"}, {Name: "stain", Color: "#b9770e", Key: "2"}})
	r.Learn.After = 0
	r, err := l.DB.AddRecipe(t.Context(), "test", r)
	if err != nil {
		t.Fatal(err)
	}
	l.recipe = r
	if _, err := l.DB.Promote(t.Context(), "test", addVersion(t, l.DB, r, true), "first"); err != nil {
		t.Fatal(err)
	}
	_, token, err := l.DB.AddStation(t.Context(), "test", storage.Station{Name: "press 4", Line: "A", RecipeID: r.ID})
	if err != nil {
		t.Fatal(err)
	}
	l.station, l.token = client.New(l.URL, token), token
	l.operator = l.signInAs(storage.Operator)
	return l
}

// sound makes sure that the site says OK as long as all is well: otherwise the
// rest would test nothing.
func (l *lenient) sound() {
	l.t.Helper()
	if i := l.post(rand.New(rand.NewPCG(1, uint64(l.posted))), "good", "sound"); i.Verdict != vision.OK {
		l.t.Fatalf("a sound site says %s", i.Verdict)
	}
	if shown := l.shown(); shown != "ok" {
		l.t.Fatalf("a sound site shows %q", shown)
	}
}

var shownPart = regexp.MustCompile(`<div class="part ([a-z ]+)"`)

// shown is how the Line page presents the station's newest part.
func (l *lenient) shown() string {
	l.t.Helper()
	status, page := l.operator.call(http.MethodGet, "/", "", "text/html")
	m := shownPart.FindStringSubmatch(page)
	if status != http.StatusOK || m == nil {
		l.t.Fatalf("the Line page answers %d without a part", status)
	}
	return m[1]
}

// noOK posts a picture and looks everywhere that a verdict is given.
func (l *lenient) noOK(what string, picture []byte) {
	l.t.Helper()
	l.posted++
	began := time.Now()
	answer, err := l.station.PostFrame(l.t.Context(), client.Frame{Image: picture, Serial: what, IdempotencyKey: what}, 700*time.Millisecond)
	if err != nil {
		l.t.Fatalf("%s: %v", what, err)
	}
	if answer.Inspection != nil {
		l.t.Errorf("%s: the post answers %s", what, answer.Inspection.Verdict)
	}
	status, body := l.get(answer.Location)
	var state struct{ Verdict, State string }
	if err := json.Unmarshal([]byte(body), &state); err != nil || status != http.StatusAccepted || state.Verdict != "" || state.State == string(storage.Judged) {
		l.t.Errorf("%s: the frame answers %d %s, %v", what, status, body, err)
	}
	if status, body := l.get("/api/v1/inspections?serial=" + strings.ReplaceAll(what, " ", "+")); status != http.StatusOK || strings.Contains(body, `"OK"`) {
		l.t.Errorf("%s: the list answers %d %s", what, status, body)
	}
	time.Sleep(time.Until(began.Add(3 * time.Second))) // a verdict may take a moment before the last one counts as old
	if shown := l.shown(); shown != "stale" {
		l.t.Errorf("%s: the Line page shows the part before as %q, as if it were this one", what, shown)
	}
}

// get asks as the station.
func (l *lenient) get(path string) (int, string) {
	l.t.Helper()
	req, err := http.NewRequestWithContext(l.t.Context(), http.MethodGet, l.URL+path, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+l.token)
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestNothingButAVerdictSaysOK(t *testing.T) {
	l := newLenient(t)
	part := func(n uint64) []byte { return encodePart(t, drawPart(rand.New(rand.NewPCG(9, n)), "good")) }

	l.sound()
	broken := picturetest.PNG(t, picturetest.Quarters(60, 40))
	broken[60] ^= 0xff // inside the pixels; the header is sound
	l.noOK("a broken picture", broken)
	if w, err := l.DB.Waiting(t.Context()); err != nil || w.Quarantined != 1 {
		t.Errorf("the broken picture is not set aside: %+v, %v", w, err)
	}

	l.sound()
	for _, w := range l.Crew.Workers() { // they hang: no answer, and no heartbeat
		if err := syscall.Kill(w.PID, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Kill(w.PID, syscall.SIGCONT) })
	}
	l.noOK("hung workers", part(1))
	eventually(t, "the hung workers struck off", func() bool { return len(l.Crew.Workers()) == 0 })
	l.noOK("no worker", part(2))
	conn, err := nats.Connect(l.Crew.URL(), nats.Token(l.Crew.Access().Token))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Publish(wire.Heartbeats, fmt.Appendf(nil, `{"protocol":%d,"id":"old","name":"old"}`, wire.Protocol+1)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a worker of another protocol there", func() bool { w := l.Crew.Workers(); return len(w) == 1 && w[0].Refused != "" })
	l.noOK("a refused worker", part(3))
}

func TestNothingButAVerdictSaysOKWithoutAModel(t *testing.T) {
	l := newLenient(t)
	l.sound()
	for n, ruin := range []func(path string) error{
		func(path string) error { return os.WriteFile(path, []byte("no model"), 0o600) },
		os.Remove,
	} {
		r := l.recipe
		r.Size = 256 + 32*n // another model than the workers have loaded
		id := addVersion(t, l.DB, r, true)
		v, err := l.DB.Version(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if err := ruin(filepath.Join(l.DB.Blobs.Folder(), filepath.FromSlash(v.ModelKey))); err != nil {
			t.Fatal(err)
		}
		if _, err := l.DB.Promote(t.Context(), "test", id, "ruined"); err != nil {
			t.Fatal(err)
		}
		l.noOK([]string{"a corrupt model", "a missing model"}[n], encodePart(t, drawPart(rand.New(rand.NewPCG(8, uint64(n))), "good")))
	}
}
