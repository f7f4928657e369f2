package models

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"loupe/models/guard"
	"loupe/models/onnx"
	"loupe/storage"
	"loupe/vision"
	"loupe/vision/pool"
	"loupe/vision/wire"
)

// Watch knows what pictures of each recipe usually are like. It holds against a
// frame that it is not like them, and notices when a station drifts.
type Watch struct {
	db       *storage.DB
	crew     *pool.Pool
	features *Extractor
	log      *slog.Logger

	changed chan int64              // recipes whose champion may be another
	judged  chan storage.Inspection // bounded: what does not fit is not watched
	missed  atomic.Int64

	mu    sync.RWMutex
	known map[int64]*usual // by recipe

	charts map[int64]*charts // by station; of Run alone
}

// usual is what is usual of one recipe, by the training frames of its champion.
type usual struct {
	mu       sync.Mutex // Check remembers frames
	name     string
	version  int64
	region   vision.Region
	size     int
	expected float64 // share of NG that the recipe states; 0 for none
	profile  *guard.Profile
}

const (
	judgedAhead = 1024
	// settleTime is for how long a recipe's versions must rest before it is
	// learned anew what is usual.
	settleTime = 2 * time.Second
	// usualFrames bounds the training frames that a profile is learned from.
	usualFrames = 400
)

// NewWatch makes a watch; Run starts it.
func NewWatch(db *storage.DB, crew *pool.Pool, features *Extractor, log *slog.Logger) *Watch {
	w := &Watch{
		db: db, crew: crew, features: features, log: log, changed: make(chan int64, 256), judged: make(chan storage.Inspection, judgedAhead),
		known: map[int64]*usual{}, charts: map[int64]*charts{},
	}
	db.Listen(func(e storage.Event) {
		switch {
		case e.Kind == storage.VersionChanged || e.Kind == storage.RecipeChanged:
			select {
			case w.changed <- e.RecipeID:
			default: // a look at all recipes is due then anyway
			}
		case e.Kind == storage.InspectionMade && e.StationID != 0:
			select {
			case w.judged <- *e.Inspection:
			default:
				w.missed.Add(1)
			}
		}
	})
	return w
}

// Missed counts the frames that came too fast to be watched.
func (w *Watch) Missed() int64 { return w.missed.Load() }

// Run learns what is usual and watches the stations until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	if err := w.takeUp(ctx); err != nil {
		return err
	}
	var learning sync.WaitGroup
	learning.Go(func() { w.learnLoop(ctx) })
	defer learning.Wait()
	save := time.NewTicker(chartPeriod)
	defer save.Stop()
	for {
		select {
		case <-ctx.Done():
			return w.saveCharts(context.WithoutCancel(ctx))
		case i := <-w.judged:
			if err := w.read(ctx, i); err != nil && ctx.Err() == nil {
				w.log.Warn("cannot watch a station for drift", "station", i.StationID, "error", err)
			}
		case <-save.C:
			if err := w.saveCharts(ctx); err != nil && ctx.Err() == nil {
				w.log.Warn("cannot store the control charts", "error", err)
			}
		}
	}
}

// learnLoop learns anew where a champion changed, once its recipe rests.
func (w *Watch) learnLoop(ctx context.Context) {
	due := map[int64]bool{0: true} // 0: all recipes
	rest := time.NewTimer(0)
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-w.changed:
			due[id] = true
			rest.Reset(settleTime)
		case <-rest.C:
			for id := range due {
				delete(due, id)
				if err := w.look(ctx, id); err != nil && ctx.Err() == nil {
					w.log.Warn("cannot learn what is usual", "recipe", id, "error", err)
				}
			}
		}
	}
}

func (w *Watch) look(ctx context.Context, recipeID int64) error {
	if recipeID != 0 {
		return w.Learn(ctx, recipeID)
	}
	recipes, err := w.db.Recipes(ctx)
	for _, r := range recipes {
		err = errors.Join(err, w.Learn(ctx, r.ID))
	}
	return err
}

// Learn learns what is usual in a recipe from its champion's training frames,
// unless it is known already.
func (w *Watch) Learn(ctx context.Context, recipeID int64) error {
	r, err := w.db.Recipe(ctx, recipeID)
	if err != nil || r.ChampionID == 0 {
		w.mu.Lock()
		delete(w.known, recipeID)
		w.mu.Unlock()
		if storage.CodeOf(err) == storage.NotFound {
			return nil
		}
		return err
	}
	w.mu.Lock()
	before := w.known[r.ID]
	if before != nil && before.version == r.ChampionID {
		before.name, before.expected = r.Name, r.Costs.BadShare
		w.mu.Unlock()
		return nil
	}
	w.mu.Unlock()
	v, err := w.db.Version(ctx, r.ChampionID)
	if err != nil {
		return err
	}
	samples, imported, err := w.samples(ctx, r, v)
	if err != nil {
		return err
	}
	u := &usual{name: r.Name, version: v.ID, region: v.Region, size: v.Size, expected: r.Costs.BadShare}
	if u.profile, err = guard.Learn(samples, uint64(v.ID)); err != nil {
		return err
	}
	w.mu.Lock()
	w.known[r.ID] = u
	w.mu.Unlock()
	return w.db.DoubtFrames(ctx, r.ID, u.profile.Screen(imported))
}

// samples gives training frames with what is known of them; imported are those
// that no station sent, with the key of their file as the part.
func (w *Watch) samples(ctx context.Context, r storage.Recipe, v storage.Version) (all, imported []guard.Sample, err error) {
	frames, err := w.db.UsualFrames(ctx, r.ID, max(10, usualFrames/max(1, len(r.Classes))))
	if err != nil {
		return nil, nil, err
	}
	measured := map[int64]vision.Quality{}
	for _, f := range frames {
		s := guard.Sample{FrameID: f.FrameID, Class: f.Class, Part: f.Part, StationID: f.StationID, Width: f.Width, Height: f.Height, Quality: f.Quality}
		if s.Quality == nil {
			if s.Quality, err = w.measure(ctx, f, v.Region); err != nil {
				return nil, nil, err
			}
			if s.Quality != nil {
				measured[f.FrameID] = *s.Quality
			}
		}
		if !v.Uploaded() {
			if s.Pooled, err = w.pooled(v, f.FrameID); err != nil {
				return nil, nil, err
			}
		}
		all = append(all, s)
		if f.StationID == 0 {
			s.Part = f.BlobKey
			imported = append(imported, s)
		}
	}
	if len(measured) > 0 {
		err = w.db.SaveQualities(ctx, measured)
	}
	return all, imported, err
}

// pooled reads the cached features of a frame; nil where they are not there.
func (w *Watch) pooled(v storage.Version, frameID int64) ([]float32, error) {
	store, err := w.features.store(vision.Preparation{Region: v.Region, Size: v.Size})
	if err != nil {
		return nil, err
	}
	x := make([]float32, onnx.PooledLen)
	if store.ReadPooled(frameID, x) != nil {
		return nil, nil
	}
	return x, nil
}

// measure has a worker measure a picture that was not judged live; nil where it
// cannot.
func (w *Watch) measure(ctx context.Context, f storage.UsualFrame, region vision.Region) (*vision.Quality, error) {
	r, err := w.crew.Render(ctx, wire.RenderRequest{BlobKey: f.BlobKey, Orientation: f.Orientation, MaxSide: 8, Quality: 1, Measure: true, Region: region})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		w.log.Debug("a training picture cannot be measured", "frame", f.FrameID, "error", err)
	}
	return r.Quality, nil
}

// Check says what speaks against training on a frame that was just judged by a
// version, and whether its part may be OK.
func (w *Watch) Check(ctx context.Context, f storage.Frame, v storage.Version, j vision.Judgement) ([]storage.Reason, error) {
	var all []storage.Reason
	if f.StationID != 0 {
		twin, err := w.db.SameFile(ctx, f)
		if err != nil {
			return nil, err
		}
		if twin != 0 {
			all = append(all, storage.Reason{Kind: storage.Duplicate, Frame: twin})
		}
	}
	w.mu.RLock()
	u := w.known[f.RecipeID]
	var others []guard.Other
	for id, o := range w.known {
		if u != nil && id != f.RecipeID && o.size == u.size {
			others = append(others, guard.Other{Name: o.name, Profile: o.profile})
		}
	}
	w.mu.RUnlock()
	if u == nil || u.profile == nil || u.region != v.Region || u.size != v.Size {
		return all, nil
	}
	s := guard.Sample{FrameID: f.ID, StationID: f.StationID, Width: f.Width, Height: f.Height, Quality: j.Quality, Part: f.BlobKey}
	if !v.Uploaded() {
		s.Pooled = j.Pooled
	}
	u.mu.Lock()
	more := u.profile.Check(s, others...)
	u.mu.Unlock()
	for _, r := range more {
		if r.Kind != storage.NearDuplicate || len(all) == 0 { // the same file is nearly the same, too
			all = append(all, r)
		}
	}
	return all, nil
}

// Knows tells how many training frames it is known from what is usual in a
// recipe, and whether that is enough.
func (w *Watch) Knows(recipeID int64) (frames int, enough bool) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	u := w.known[recipeID]
	if u == nil {
		return 0, false
	}
	return u.profile.Frames, u.profile.Ready()
}
