package commands

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"loupe/vision/plates"
)

// post is what the test's server was sent.
type post struct{ serial, lot, key string }

// receiver is a server that judges by the picture's serial number.
type receiver struct {
	mu    sync.Mutex
	posts []post
	away  int // so many of the next posts are answered 503
	url   string
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	r.url = s.URL
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := post{req.FormValue("serial"), req.FormValue("lot"), req.Header.Get("Idempotency-Key")}
	r.posts = append(r.posts, p)
	refuse := func(status int, detail string) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"title":"No","status":%d,"detail":%q}`, status, detail)
	}
	switch {
	case req.Header.Get("Authorization") != "Bearer right":
		refuse(401, "This token is not known.")
	case r.away > 0:
		r.away--
		refuse(503, "The disk is full.")
	case p.serial == "broken":
		refuse(415, "This is not a picture.")
	case p.serial == "slow":
		w.Header().Set("Location", "/api/v1/frames/4/inspection")
		w.WriteHeader(202)
	default:
		verdict := "OK"
		if strings.HasPrefix(p.serial, "bad") {
			verdict = "NG"
		}
		w.WriteHeader(201)
		fmt.Fprintf(w, `{"id":%d,"verdict":%q,"class":"good","score":0.9}`, len(r.posts), verdict)
	}
}

func (r *receiver) seen() []post {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.posts)
}

// folderOf writes small pictures of the names and gives their folder.
func folderOf(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	img, _ := plates.Draw(rand.New(rand.NewPCG(1, 1)), plates.Good)
	data, err := plates.JPEG(img)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestStationPostsAFolderInOrder(t *testing.T) {
	r := newReceiver(t)
	dir := folderOf(t, "b.jpg", "a.JPG", "c/bad1.jpg", "c/slow.png", "notes.txt", "broken.jpg")
	p := newProgram(t, "station", dir, "--to", r.url, "--token", "right", "--every", "0s", "--lot", "L7", "--json")
	if code := p.code(t); code != 1 {
		t.Errorf("exit code %d, want 1 for a refused picture", code)
	}
	var serials []string
	for _, post := range r.seen() {
		serials = append(serials, post.serial)
		if post.lot != "L7" {
			t.Errorf("%s came with the lot %q", post.serial, post.lot)
		}
	}
	if want := []string{"a", "b", "broken", "bad1", "slow"}; !slices.Equal(serials, want) {
		t.Errorf("posted %q, want %q", serials, want)
	}
	var answers []answer
	for line := range strings.Lines(p.out.String()) {
		var a answer
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		answers = append(answers, a)
	}
	if len(answers) != 5 || answers[0].Inspection == nil || answers[0].Source != "a.JPG" || answers[2].Refused != "This is not a picture." || answers[2].Status != 415 ||
		answers[3].Inspection == nil || answers[3].Inspection.Verdict != "NG" || answers[4].Pending == "" {
		t.Errorf("answers %+v", answers)
	}
	if want := "4 posted: 2 OK, 1 NG, 0 Unsure, 1 not judged yet; 1 refused."; !strings.Contains(p.err.String(), want) {
		t.Errorf("standard error %q has no %q", p.err.String(), want)
	}
}

func TestStationPrintsLinesForPeople(t *testing.T) {
	r := newReceiver(t)
	p := newProgram(t, "station", folderOf(t, "bad1.jpg", "good1.jpg"), "--to", r.url, "--every", "1ms")
	p.Env = append(p.Env, "LOUPE_TOKEN=right")
	if code := p.code(t); code != 0 {
		t.Fatalf("exit code %d: %s", code, p.err.String())
	}
	lines := strings.Split(strings.TrimSpace(p.out.String()), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "NG ") || !strings.HasPrefix(lines[1], "OK ") || !strings.Contains(lines[1], "good1.jpg") {
		t.Errorf("lines %q", lines)
	}
}

func TestStationLoopsUntilItIsInterrupted(t *testing.T) {
	r := newReceiver(t)
	p := newProgram(t, "station", folderOf(t, "a.jpg", "b.jpg"), "--to", r.url, "--token", "right", "--every", "5ms", "--loop")
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); len(r.seen()) < 5; time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > 20*time.Second {
			t.Fatalf("only %d posts: %s", len(r.seen()), p.err.String())
		}
	}
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Fatalf("interrupted: %v: %s", err, p.err.String())
	}
	keys := map[string]bool{}
	for _, post := range r.seen() {
		keys[post.key] = true
	}
	if len(keys) != len(r.seen()) {
		t.Errorf("%d posts have %d keys; each round is new frames", len(r.seen()), len(keys))
	}
	if !strings.Contains(p.err.String(), "posted:") {
		t.Errorf("no sum at the end: %q", p.err.String())
	}
}

func TestStationWaitsForAServerThatIsAway(t *testing.T) {
	r := newReceiver(t)
	r.away = 2
	p := newProgram(t, "station", folderOf(t, "a.jpg"), "--to", r.url, "--token", "right")
	if code := p.code(t); code != 0 {
		t.Fatalf("exit code %d: %s", code, p.err.String())
	}
	posts := r.seen()
	if len(posts) != 3 || posts[0].key != posts[2].key || posts[0].key == "" {
		t.Errorf("posts %+v", posts)
	}
	if text := p.err.String(); strings.Count(text, "does not answer") != 1 || !strings.Contains(text, "answers again") {
		t.Errorf("standard error %q", text)
	}
}

func TestStationStopsWhenItsTokenIsRefused(t *testing.T) {
	r := newReceiver(t)
	p := newProgram(t, "station", folderOf(t, "a.jpg", "b.jpg"), "--to", r.url, "--token", "wrong")
	if code := p.code(t); code != 2 || len(r.seen()) != 1 || !strings.Contains(p.err.String(), "This token is not known.") {
		t.Errorf("exit code %d after %d posts: %s", code, len(r.seen()), p.err.String())
	}
}

func TestStationCountsPictures(t *testing.T) {
	r := newReceiver(t)
	p := newProgram(t, "station", folderOf(t, "a.jpg", "b.jpg"), "--to", r.url, "--token", "right", "--every", "0s", "--loop", "--count", "5")
	if code := p.code(t); code != 0 || len(r.seen()) != 5 {
		t.Errorf("exit code %d after %d posts: %s", code, len(r.seen()), p.err.String())
	}
}
