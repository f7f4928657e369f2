package commands

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"loupe/storage"
	"loupe/vision"
	"loupe/web/browsertest"
	"loupe/web/client"
	"loupe/web/demo"
)

// site is a whole server with workers that are real processes.
type site struct {
	*App
	t       testing.TB
	recipe  storage.Recipe
	station *client.Client
	token   string // of the station
	stop    func()
}

func startSite(t testing.TB) *site { return startSiteIn(t, t.TempDir()) }

// startSiteIn serves a data folder until stop is called or the test ends; with
// changes its settings.
func startSiteIn(t testing.TB, folder string, with ...func(*AppSettings)) *site {
	t.Helper()
	t.Setenv("LOUPE_TEST_PROGRAM", "1") // for the workers
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	settings := AppSettings{
		Folder: folder, Listener: l, Workers: 2, Threads: 1, Gate: vision.DefaultGate, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Demo: demo.Timing{Examples: 4, Pace: 500 * time.Millisecond, Novelty: time.Hour},
	}
	for _, change := range with {
		change(&settings)
	}
	app, err := OpenApp(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx, false) }()
	s := &site{App: app, t: t}
	s.stop = sync.OnceFunc(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := app.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(s.stop)
	return s
}

// teach makes a recipe with good parts, stains and cuts, of which cuts have no
// picture yet, trains its first version and makes a station.
func (s *site) teach() { s.teachFrom(24) }

func (s *site) teachFrom(parts int) {
	s.t.Helper()
	ctx := s.t.Context()
	r := storage.NewRecipe("Caps", []vision.Class{
		{Name: "good", Pass: true, Color: "#5b8c5a", Key: "1"}, {Name: "stain", Color: "#b9770e", Key: "2"}, {Name: "cut", Color: "#1f618d", Key: "3"},
	})
	r.Learn = storage.LearnRule{After: 1, QuietSeconds: 0}
	r.Promote.Margin = 0.3
	r, err := s.DB.AddRecipe(ctx, "test", r)
	if err != nil {
		s.t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var all []storage.Import
	for n := range parts {
		kind := []string{"good", "stain"}[n%2]
		f, err := storePicture(ctx, s.DB, encodePart(s.t, drawPart(rng, kind)), fmt.Sprintf("%s-%d.png", kind, n))
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, storage.Import{Frame: f, Class: kind})
	}
	if done, err := s.DB.Import(ctx, r.ID, all); err != nil || done.Added != parts {
		s.t.Fatalf("%+v, %v", done, err)
	}
	_, token, err := s.DB.AddStation(ctx, "test", storage.Station{Name: "press 4", Line: "A", RecipeID: r.ID})
	if err != nil {
		s.t.Fatal(err)
	}
	s.station, s.token = client.New(s.URL, token), token
	if _, err := s.Learner.Train(ctx, "test", r.ID); err != nil {
		s.t.Fatal(err)
	}
	s.recipe = r
	s.champion(0)
}

// champion waits for a champion other than the last one.
func (s *site) champion(last int64) int64 {
	s.t.Helper()
	for began := time.Now(); time.Since(began) < 4*time.Minute; time.Sleep(20 * time.Millisecond) {
		r, err := s.DB.Recipe(s.t.Context(), s.recipe.ID)
		if err != nil {
			s.t.Fatal(err)
		}
		if r.ChampionID != last {
			return r.ChampionID
		}
	}
	s.t.Fatal("no new champion within four minutes")
	return 0
}

// post posts a drawn part and waits for its verdict.
func (s *site) post(rng *rand.Rand, kind, serial string) client.Inspection {
	s.t.Helper()
	p, err := s.station.PostFrame(s.t.Context(), client.Frame{Image: encodePart(s.t, drawPart(rng, kind)), Serial: serial}, 2*time.Minute)
	if err != nil {
		s.t.Fatal(err)
	}
	if p.Inspection == nil {
		s.t.Fatal("no verdict in time")
	}
	return *p.Inspection
}

// signIn opens a page and signs the admin in.
func (s *site) signIn(path string, width, height int64) *browsertest.Tab {
	s.t.Helper()
	b := browsertest.Open(s.t, s.URL+path, width, height)
	b.Run(chromedp.SendKeys("input[name=name]", s.Admin, chromedp.ByQuery), chromedp.SendKeys("input[name=password]", s.Password, chromedp.ByQuery), chromedp.Submit("form[action='/signin']", chromedp.ByQuery))
	b.Until("somebody is signed in", `document.readyState === 'complete' && !!document.querySelector('meta[name=csrf]')?.content && !document.querySelector('input[name=password]')`)
	return b
}
