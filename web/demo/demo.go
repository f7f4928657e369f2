// Package demo runs the demonstration line: a software station that draws
// parts and posts them over HTTP as any station would, a recipe of its own, and
// after a while a defect that the model has never seen.
package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"loupe/storage"
	"loupe/vision"
	"loupe/vision/plates"
	"loupe/web/client"
)

// Line is the demonstration line. There is at most one in a data folder.
type Line struct {
	db    *storage.DB
	train func(ctx context.Context, by string, recipeID int64) (storage.Job, error)
	url   string // of the server, as a station reaches it
	log   *slog.Logger
	Timing

	mu   sync.Mutex
	stop context.CancelFunc
	done chan struct{}
}

// Settings of a Line.
type Settings struct {
	DB    *storage.DB
	Train func(ctx context.Context, by string, recipeID int64) (storage.Job, error)
	URL   string
	Log   *slog.Logger
	Timing
}

// Timing of a Line; what is 0 has a default.
type Timing struct {
	Examples int           // labelled parts of each known kind that the first version learns from, 48
	Pace     time.Duration // between two parts, 1.8 s
	Novelty  time.Duration // of running until the unseen defect begins, 75 s
}

const (
	recipeName  = "Demonstration: brushed plates"
	stationName = "Demonstration camera"
	by          = "demonstration"
	// startedKey remembers when the line first ran.
	startedKey = "demonstration.started"
)

// New makes a line that does not run yet.
func New(s Settings) *Line {
	s.Examples = cmp.Or(s.Examples, 48)
	s.Pace = cmp.Or(s.Pace, 1800*time.Millisecond)
	s.Novelty = cmp.Or(s.Novelty, 75*time.Second)
	return &Line{db: s.DB, train: s.Train, url: s.URL, log: s.Log, Timing: s.Timing}
}

// classes of the demonstration recipe; the last one has no picture at first.
func classes() []vision.Class {
	return []vision.Class{
		{Name: className(plates.Good), Pass: true, Color: "#5b8c5a", Key: "1"},
		{Name: className(plates.Scratch), Color: "#c0392b", Key: "2"},
		{Name: className(plates.Dent), Color: "#8e44ad", Key: "3"},
		{Name: className(plates.Stain), Color: "#b9770e", Key: "4"},
		{Name: className(plates.MissingHole), Color: "#1f618d", Key: "5"},
		{Name: className(plates.Burr), Color: "#117a65", Key: "6"},
	}
}

func className(k plates.Kind) string { return strings.ReplaceAll(string(k), "_", " ") }

// Exists reports whether the data folder has a demonstration.
func (l *Line) Exists(ctx context.Context) (bool, error) {
	_, err := l.recipe(ctx)
	if storage.CodeOf(err) == storage.NotFound {
		return false, nil
	}
	return err == nil, err
}

func (l *Line) recipe(ctx context.Context) (storage.Recipe, error) {
	all, err := l.db.Recipes(ctx)
	if err != nil {
		return storage.Recipe{}, err
	}
	for _, r := range all {
		if r.Demo {
			return r, nil
		}
	}
	return storage.Recipe{}, &storage.Error{Code: storage.NotFound, Message: "there is no demonstration"}
}

// Start makes the demonstration's recipe where there is none and lets its line
// run in the background until Stop or Remove. A line that runs already goes on.
func (l *Line) Start(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stop != nil {
		return nil
	}
	r, err := l.recipe(ctx)
	if storage.CodeOf(err) == storage.NotFound {
		r, err = l.addRecipe(ctx)
	}
	if err != nil {
		return err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop, l.done = stop, make(chan struct{})
	go func(done chan struct{}) {
		defer close(done)
		if err := l.run(run, r); err != nil && run.Err() == nil {
			l.log.Error("the demonstration line stopped", "error", err)
		}
	}(l.done)
	return nil
}

// Stop ends the line; what it made stays.
func (l *Line) Stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stop == nil {
		return
	}
	l.stop()
	<-l.done
	l.stop = nil
}

// Remove ends the line and removes everything that belongs to it.
func (l *Line) Remove(ctx context.Context, by string) error {
	l.Stop()
	if err := l.db.RemoveDemonstration(ctx, by); err != nil {
		return err
	}
	return l.db.SetSetting(ctx, startedKey, "")
}

func (l *Line) run(ctx context.Context, r storage.Recipe) error {
	token, err := l.token(ctx, r)
	if err != nil {
		return err
	}
	if r.ChampionID == 0 {
		if err := l.addExamples(ctx, r); err != nil {
			return fmt.Errorf("draw the demonstration's examples: %w", err)
		}
		if err := l.firstVersion(ctx, r.ID); err != nil {
			return err
		}
	}
	since, err := l.started(ctx)
	if err != nil {
		return err
	}
	return l.post(ctx, client.New(l.url, token), since)
}

func (l *Line) addRecipe(ctx context.Context) (storage.Recipe, error) {
	r := storage.NewRecipe(recipeName, classes())
	r.Demo, r.Size = true, 320 // burrs are small
	r.Learn = storage.LearnRule{After: 1, QuietSeconds: 2}
	r.Promote.Margin = 0.10 // the test share is small: some frames more or less say little
	r, err := l.db.AddRecipe(ctx, by, r)
	if err != nil {
		return r, fmt.Errorf("set up the demonstration's recipe: %w", err)
	}
	return r, nil
}

// addExamples labels drawn parts of each kind but the last, as many as are
// missing: an earlier start may have been interrupted.
func (l *Line) addExamples(ctx context.Context, r storage.Recipe) error {
	use, err := l.db.ClassUse(ctx, r.ID)
	if err != nil {
		return err
	}
	for n := range l.Examples {
		for k, kind := range known {
			if n < use[className(kind)] {
				continue
			}
			rng := rand.New(rand.NewPCG(uint64(n), uint64(k)))
			if err := l.addExample(ctx, r, rng, kind, n); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *Line) addExample(ctx context.Context, r storage.Recipe, rng *rand.Rand, kind plates.Kind, n int) error {
	img, _ := plates.Draw(rng, kind)
	data, err := plates.JPEG(img)
	if err != nil {
		return err
	}
	f, _, err := l.db.StoreFrame(ctx, storage.Frame{
		RecipeID: r.ID, Format: "jpeg", Bytes: int64(len(data)), Orientation: 1,
		Width: img.Bounds().Dx(), Height: img.Bounds().Dy(), State: storage.Kept, Source: fmt.Sprintf("%s %d", kind, n+1),
	}, data)
	if err != nil {
		return err
	}
	_, _, err = l.db.Correct(ctx, storage.Correction{FrameID: f.ID, Class: className(kind), Person: by, Source: "import"})
	return err
}

// token gives the demonstration's station a fresh token: the old one was never stored.
func (l *Line) token(ctx context.Context, r storage.Recipe) (string, error) {
	stations, err := l.db.Stations(ctx)
	if err != nil {
		return "", err
	}
	for _, s := range stations {
		if s.Demo {
			return l.db.RotateToken(ctx, by, s.ID)
		}
	}
	_, token, err := l.db.AddStation(ctx, by, storage.Station{Name: stationName, Line: "Demonstration", RecipeID: r.ID, Demo: true})
	return token, err
}

// firstVersion trains and waits until the recipe has a champion.
func (l *Line) firstVersion(ctx context.Context, recipeID int64) error {
	if _, err := l.train(ctx, by, recipeID); err != nil {
		return err
	}
	for {
		r, err := l.db.Recipe(ctx, recipeID)
		if err != nil {
			return err
		}
		if r.ChampionID != 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (l *Line) started(ctx context.Context) (time.Time, error) {
	text, err := l.db.Setting(ctx, startedKey)
	if err != nil {
		return time.Time{}, err
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.UnixMilli(ms), nil
	}
	now := l.db.Now()
	return now, l.db.SetSetting(ctx, startedKey, strconv.FormatInt(now.UnixMilli(), 10))
}

// post draws and posts a part at each beat. A part that cannot be posted is
// gone, as on a line that does not stop; the next one is posted all the same.
func (l *Line) post(ctx context.Context, c *client.Client, since time.Time) error {
	rng := rand.New(rand.NewPCG(uint64(l.db.Now().UnixNano()), 2))
	beat := time.NewTicker(l.Pace)
	defer beat.Stop()
	for n := 1; ; n++ {
		now := l.db.Now()
		kind := pick(rng, now.Sub(since) > l.Novelty)
		img, _ := plates.Draw(rng, kind)
		data, err := plates.JPEG(img)
		if err != nil {
			return err
		}
		serial := fmt.Sprintf("D%X-%04d", since.Unix()&0xffff, now.Sub(since)/l.Pace)
		_, err = c.PostFrame(ctx, client.Frame{
			Image: data, Serial: serial, Lot: fmt.Sprintf("DEMO-%d", 1+now.Sub(since)/(10*time.Minute)), TakenAt: now, IdempotencyKey: serial,
			Readings: map[string]any{"press_kN": 120 + rng.NormFloat64()*4, "coolant_C": 21 + rng.NormFloat64(), "tool": fmt.Sprintf("T%d", 1+n/200%3)},
		}, 0)
		if ctx.Err() != nil {
			return nil
		}
		var problem *client.Problem
		if errors.As(err, &problem) && (problem.Status == 401 || problem.Status == 403) {
			return fmt.Errorf("the demonstration's station was refused: %w", err)
		}
		if err != nil {
			l.log.Warn("a demonstration part was not posted", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
		}
	}
}

// known are the kinds that the first version has learned, the good one first.
var known = []plates.Kind{plates.Good, plates.Scratch, plates.Dent, plates.Stain, plates.MissingHole}

// pick chooses the next part: mostly good ones, and the unseen defect now and then.
func pick(rng *rand.Rand, novel bool) plates.Kind {
	p := rng.Float64()
	if novel && p < 0.3 {
		return plates.Burr
	}
	if p > 0.7 {
		return known[1+rng.IntN(len(known)-1)]
	}
	return plates.Good
}
