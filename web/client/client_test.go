package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"loupe/vision"
)

// plant is a server behind a real listener. It keeps what it was sent, and
// stumbles as its test says.
type plant struct {
	mu      sync.Mutex
	posts   int
	frames  map[string]string // idempotency key to serial: what was accepted
	keys    []string
	tokens  []string
	fields  map[string]string
	picture []byte
	stumble func(n int, w http.ResponseWriter, r *http.Request) bool // true when it has answered
}

func (p *plant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.posts++
	p.keys = append(p.keys, r.Header.Get("Idempotency-Key"))
	p.tokens = append(p.tokens, r.Header.Get("Authorization"))
	if r.Method == http.MethodPost {
		if err := r.ParseMultipartForm(1 << 20); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		p.fields = map[string]string{"wait": r.URL.Query().Get("wait"), "path": r.URL.Path}
		for name, values := range r.MultipartForm.Value {
			p.fields[name] = values[0]
		}
		f, _, err := r.FormFile("image")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		p.picture, _ = io.ReadAll(f)
		p.frames[r.Header.Get("Idempotency-Key")] = r.FormValue("serial")
	}
	if p.stumble != nil && p.stumble(p.posts, w, r) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Location", "/api/v1/inspections/7")
	w.WriteHeader(http.StatusCreated)
	fmt.Fprint(w, `{"id":7,"frame_id":9,"station":"Press 4","version":3,"verdict":"NG","class":"scratch","score":0.93,
		"probabilities":{"scratch":0.93,"good":0.07},"findings":[{"class":"scratch","score":0.93,"box":[1,2,30,40]}],
		"heat_url":"/heat/7","timings_ms":{"forward":18.5}}`)
}

func (p *plant) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.posts
}

func open(t *testing.T, stumble func(n int, w http.ResponseWriter, r *http.Request) bool) (*plant, *Client) {
	t.Helper()
	p := &plant{frames: map[string]string{}, stumble: stumble}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	c := New(s.URL+"/", "secret")
	c.Pause = 2 * time.Millisecond
	return p, c
}

// drop ends the connection without an answer.
func drop(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}

func TestPostSendsEverythingAndReadsTheInspection(t *testing.T) {
	p, c := open(t, nil)
	at := time.Date(2026, 5, 4, 3, 2, 1, 500e6, time.FixedZone("CST", 8*3600))
	got, err := c.PostFrame(t.Context(), Frame{
		Image: []byte("picture"), Serial: "S-1", Lot: "L/2", TakenAt: at,
		Readings: map[string]any{"press_kN": 121.5, "tool": "T2"}, IdempotencyKey: "k1",
	}, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var readings map[string]any
	if err := json.Unmarshal([]byte(p.fields["readings"]), &readings); err != nil || readings["press_kN"] != 121.5 || readings["tool"] != "T2" {
		t.Errorf("readings arrived as %q", p.fields["readings"])
	}
	for name, want := range map[string]string{"serial": "S-1", "lot": "L/2", "taken_at": "2026-05-03T19:02:01.5Z", "wait": "5s", "path": "/api/v1/frames"} {
		if p.fields[name] != want {
			t.Errorf("%s arrived as %q, want %q", name, p.fields[name], want)
		}
	}
	if string(p.picture) != "picture" || p.tokens[0] != "Bearer secret" || p.keys[0] != "k1" {
		t.Errorf("picture %q, token %q, key %q", p.picture, p.tokens[0], p.keys[0])
	}
	i := got.Inspection
	if i == nil || i.ID != 7 || i.FrameID != 9 || i.Station != "Press 4" || i.Version != 3 || i.Verdict != vision.NG || i.Probabilities["good"] != 0.07 ||
		len(i.Findings) != 1 || i.Findings[0].Box != [4]int{1, 2, 30, 40} || i.Timings.Forward != 18.5 || got.Attempts != 1 {
		t.Errorf("inspection %+v after %d attempts", i, got.Attempts)
	}
}

func TestARetriedPostIsOneFrame(t *testing.T) {
	stumbles := map[string]func(w http.ResponseWriter){
		"dropped connection": drop,
		"429":                func(w http.ResponseWriter) { w.WriteHeader(http.StatusTooManyRequests) },
		"502":                func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) },
		"503":                func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) },
		"504":                func(w http.ResponseWriter) { w.WriteHeader(http.StatusGatewayTimeout) },
		"answer broken off": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "500")
			fmt.Fprint(w, `{"id":7`)
		},
	}
	for name, stumble := range stumbles {
		t.Run(name, func(t *testing.T) {
			p, c := open(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
				if n <= 3 {
					stumble(w)
				}
				return n <= 3
			})
			var told int
			c.Retried = func(error, time.Duration) { told++ }
			got, err := c.PostFrame(t.Context(), Frame{Image: []byte("x"), Serial: "S-1"}, 0)
			if err != nil {
				t.Fatal(err)
			}
			if got.Attempts != 4 || p.count() != 4 || told != 3 {
				t.Errorf("%d attempts, %d posts, %d retries told; want 4, 4, 3", got.Attempts, p.count(), told)
			}
			if len(p.frames) != 1 || p.keys[0] == "" {
				t.Errorf("the server has %d frames under the keys %q; want one", len(p.frames), p.keys)
			}
			if _, err := c.PostFrame(t.Context(), Frame{Image: []byte("x")}, 0); err != nil || len(p.frames) != 2 {
				t.Errorf("a second frame shares the key of the first: %v, %v", p.keys, err)
			}
		})
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for name, value := range map[string]func() string{
		"seconds": func() string { return "1" },
		"date":    func() string { return time.Now().Add(2 * time.Second).UTC().Format(http.TimeFormat) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, c := open(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
				if n == 1 {
					w.Header().Set("Retry-After", value())
					w.WriteHeader(http.StatusServiceUnavailable)
				}
				return n == 1
			})
			start := time.Now()
			if _, err := c.PostFrame(t.Context(), Frame{Image: []byte("x")}, 0); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took < 900*time.Millisecond {
				t.Errorf("came back after %v", took)
			}
		})
	}
}

func TestARefusalIsFinal(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 409, 413, 415, 422, 500} {
		p, c := open(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(status)
			fmt.Fprint(w, `{"type":"/problems/too-many-pixels","title":"The picture is too large","status":1,"detail":"100 million pixels; at most 64."}`)
			return true
		})
		_, err := c.PostFrame(t.Context(), Frame{Image: []byte("x")}, 0)
		var problem *Problem
		if !errors.As(err, &problem) || problem.Status != status || problem.Title != "The picture is too large" ||
			problem.Detail != "100 million pixels; at most 64." || problem.Type != "/problems/too-many-pixels" {
			t.Errorf("%d: %v", status, err)
		}
		if p.count() != 1 {
			t.Errorf("%d was tried %d times", status, p.count())
		}
	}
}

func TestARefusalWithoutADocumentStillSaysWhat(t *testing.T) {
	_, c := open(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
		http.Error(w, "no such place\nstack", http.StatusNotFound)
		return true
	})
	_, err := c.GetInspection(t.Context(), 1)
	if err == nil || err.Error() != "read an inspection: Not Found: no such place (status 404)" {
		t.Errorf("error %q", err)
	}
}

func TestPatienceEnds(t *testing.T) {
	p, c := open(t, func(n int, w http.ResponseWriter, r *http.Request) bool { drop(w); return true })
	c.Patience = 60 * time.Millisecond
	_, err := c.PostFrame(t.Context(), Frame{Image: []byte("x")}, 0)
	if err == nil || !strings.Contains(err.Error(), "gave up after") || p.count() < 2 {
		t.Errorf("%d posts, error %v", p.count(), err)
	}
	// A server that wants a longer pause than the patience left is not waited for.
	_, c = open(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	start := time.Now()
	var problem *Problem
	if _, err := c.PostFrame(t.Context(), Frame{Image: []byte("x")}, 0); !errors.As(err, &problem) || time.Since(start) > 5*time.Second {
		t.Errorf("error %v after %v", err, time.Since(start))
	}
}

func TestCancelledCallEndsAtOnce(t *testing.T) {
	_, c := open(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	c.Pause = time.Hour
	c.Patience = 100 * time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	start := time.Now()
	if _, err := c.PostFrame(ctx, Frame{Image: []byte("x")}, 0); !errors.Is(err, context.Canceled) || time.Since(start) > 3*time.Second {
		t.Errorf("error %v after %v", err, time.Since(start))
	}
}

func TestAServerThatIsNotUpYet(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	p := &plant{frames: map[string]string{}}
	server := &http.Server{Handler: p}
	t.Cleanup(func() { server.Close() })
	c := New("http://"+address, "secret")
	c.Pause = 5 * time.Millisecond
	start := make(chan struct{})
	var once sync.Once
	c.Retried = func(error, time.Duration) { once.Do(func() { close(start) }) }
	go func() {
		<-start // it was refused once
		if l, err := net.Listen("tcp", address); err == nil {
			server.Serve(l)
		}
	}()
	if _, err := c.PostFrame(t.Context(), Frame{Image: []byte("x")}, 0); err != nil {
		t.Fatal(err)
	}
}

func TestASilentServerIsLeftAfterTheAttempt(t *testing.T) {
	release := make(chan struct{})
	_, c := open(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n == 1 {
			select {
			case <-r.Context().Done():
			case <-release:
			}
		}
		return n == 1
	})
	defer close(release)
	c.Attempt = 100 * time.Millisecond
	if got, err := c.PostFrame(t.Context(), Frame{Image: []byte("x")}, 0); err != nil || got.Attempts < 2 {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	other, _ := open(t, nil)
	elsewhere := httptest.NewServer(other)
	defer elsewhere.Close()
	_, c := open(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		return true
	})
	_, err := c.PostFrame(t.Context(), Frame{Image: []byte("x")}, 0)
	if err == nil || !strings.Contains(err.Error(), elsewhere.URL) || other.count() != 0 {
		t.Errorf("%d posts at the other server, error %v", other.count(), err)
	}
}

func TestAwaitFollowsThePendingFrame(t *testing.T) {
	p, c := open(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n <= 3 {
			w.Header().Set("Location", "/api/v1/frames/9/inspection")
			w.WriteHeader(http.StatusAccepted)
		}
		return n <= 3
	})
	posted, err := c.PostFrame(t.Context(), Frame{Image: []byte("x")}, 0)
	if err != nil || posted.Inspection != nil || posted.Location != "/api/v1/frames/9/inspection" {
		t.Fatalf("%+v, %v", posted, err)
	}
	i, err := c.Await(t.Context(), posted)
	if err != nil || i.ID != 7 || p.count() != 4 {
		t.Fatalf("%+v after %d calls, %v", i, p.count(), err)
	}
}

func TestTheTokenStaysWithItsServer(t *testing.T) {
	other, _ := open(t, nil)
	elsewhere := httptest.NewServer(other)
	defer elsewhere.Close()
	_, c := open(t, nil)
	if _, err := c.Await(t.Context(), &Posted{Location: elsewhere.URL + "/x"}); err == nil || other.count() != 0 {
		t.Errorf("%d calls at the other server, error %v", other.count(), err)
	}
}

func TestABadAddressIsExplained(t *testing.T) {
	for _, address := range []string{"", "plant:8080", "ftp://plant", "http://", "://"} {
		start := time.Now()
		_, err := New(address, "x").PostFrame(t.Context(), Frame{}, 0)
		if err == nil || !strings.Contains(err.Error(), "http://host:8080") || time.Since(start) > time.Second {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestBackoffGrowsAndHasJitter(t *testing.T) {
	c := New("http://x", "")
	seen := map[time.Duration]bool{}
	for range 50 {
		seen[c.backoff(3)] = true
	}
	if len(seen) < 10 {
		t.Errorf("50 pauses have %d lengths", len(seen))
	}
	if d := c.backoff(1); d < 100*time.Millisecond || d > 200*time.Millisecond {
		t.Errorf("first pause %v", d)
	}
	if d := c.backoff(60); d < longestPause/2 || d > longestPause {
		t.Errorf("late pause %v", d)
	}
}
