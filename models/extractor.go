package models

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"loupe/models/features"
	"loupe/models/head"
	"loupe/models/onnx"
	"loupe/storage"
	"loupe/vision"
	"loupe/vision/pool"
	"loupe/vision/wire"
)

// Extractor has the workers compute features and caches them on disk, apart for
// each input size and region.
type Extractor struct {
	db     *storage.DB
	crew   *pool.Pool
	folder string
	log    *slog.Logger

	mu     sync.Mutex
	files  map[int]vision.ModelRef // extractor files by input size
	stores map[string]*features.Store

	ahead   chan int64    // frames to compute before a training asks for them
	removed chan struct{} // recipes were removed
}

// NewExtractor keeps its caches in the folder.
func NewExtractor(db *storage.DB, crew *pool.Pool, folder string, log *slog.Logger) *Extractor {
	e := &Extractor{
		db: db, crew: crew, folder: folder, log: log, files: map[int]vision.ModelRef{}, stores: map[string]*features.Store{},
		ahead: make(chan int64, 1024), removed: make(chan struct{}, 1),
	}
	db.Listen(func(event storage.Event) {
		if event.Kind == storage.RecipeChanged && event.RecipeID == 0 {
			select {
			case e.removed <- struct{}{}:
			default:
			}
		}
	})
	return e
}

// Run computes features ahead until ctx ends, then closes the caches. Caches
// that no recipe uses any more are removed.
func (e *Extractor) Run(ctx context.Context) error {
	e.tidy(ctx)
	for {
		select {
		case <-ctx.Done():
			return e.close()
		case <-e.removed:
			e.tidy(ctx)
		case id := <-e.ahead:
			if err := e.compute(ctx, id); err != nil && ctx.Err() == nil {
				e.log.Debug("features could not be computed ahead", "frame", id, "error", err)
			}
		}
	}
}

func (e *Extractor) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var err error
	for _, s := range e.stores {
		err = errors.Join(err, s.Close())
	}
	clear(e.stores)
	return err
}

// Prefetch has a frame's features computed soon; it never blocks.
func (e *Extractor) Prefetch(frameID int64) {
	select {
	case e.ahead <- frameID:
	default: // the training will compute them
	}
}

func (e *Extractor) compute(ctx context.Context, frameID int64) error {
	f, err := e.db.Frame(ctx, frameID)
	if err != nil {
		return err
	}
	r, err := e.db.Recipe(ctx, f.RecipeID)
	if err != nil {
		return err
	}
	for view := range views(r) {
		prep := vision.Preparation{Region: r.Region, Size: r.Size, View: view}
		if err := e.one(ctx, prep, storage.LabelledFrame{FrameID: f.ID, BlobKey: f.BlobKey, Orientation: f.Orientation}); err != nil {
			return err
		}
	}
	return nil
}

// views is from how many sides a recipe's training looks at a frame.
func views(r storage.Recipe) int {
	if r.Mirror {
		return vision.Views
	}
	return 1
}

// one has the features of a frame computed unless they are there.
func (e *Extractor) one(ctx context.Context, prep vision.Preparation, f storage.LabelledFrame) error {
	store, err := e.store(prep)
	if err != nil {
		return err
	}
	if store.Has(f.FrameID) {
		return nil
	}
	r, err := e.ask(ctx, prep, f)
	if err != nil {
		return err
	}
	return store.Put(f.FrameID, head.FromTaps(r.Stride8, r.Stride16, r.Stride32, r.Pooled))
}

// pooled has the pooled features of a frame computed, whether they are there or not.
func (e *Extractor) pooled(ctx context.Context, prep vision.Preparation, f storage.LabelledFrame) error {
	store, err := e.store(prep)
	if err != nil {
		return err
	}
	r, err := e.ask(ctx, prep, f)
	if err != nil {
		return err
	}
	return store.PutPooled(f.FrameID, r.Pooled)
}

// ask has a worker look at a frame.
func (e *Extractor) ask(ctx context.Context, prep vision.Preparation, f storage.LabelledFrame) (r wire.ExtractResult, err error) {
	file, err := e.file(ctx, prep.Size)
	if err != nil {
		return r, err
	}
	prep.Orientation = f.Orientation
	if r, err = e.crew.Extract(ctx, wire.ExtractRequest{BlobKey: f.BlobKey, Model: file, Preparation: prep}); err != nil {
		err = fmt.Errorf("features of frame %d: %w", f.FrameID, err)
	}
	return r, err
}

// file gives the extractor's file for an input size, written to the blobs once.
func (e *Extractor) file(ctx context.Context, size int) (vision.ModelRef, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if ref, ok := e.files[size]; ok {
		return ref, nil
	}
	backbone, err := Backbone()
	if err != nil {
		return vision.ModelRef{}, err
	}
	data, err := onnx.WriteExtractor(backbone, size)
	if err != nil {
		return vision.ModelRef{}, err
	}
	key, err := e.db.Blobs.PutContent(ctx, "extractors", data)
	if err != nil {
		return vision.ModelRef{}, err
	}
	ref := vision.ModelRef{Key: key, SHA256: storage.Digest(data), Size: size}
	e.files[size] = ref
	return ref, nil
}

// store gives the cache of a preparation.
func (e *Extractor) store(prep vision.Preparation) (*features.Store, error) {
	name, err := cacheName(prep)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if s, ok := e.stores[name]; ok {
		return s, nil
	}
	s, err := features.Open(filepath.Join(e.folder, name), prep.Size)
	if err == nil {
		e.stores[name] = s
	}
	return s, err
}

// extractAtOnce is how many frames are under way together at most: enough to keep
// many workers busy. The pool gives each worker as many as it needs.
const extractAtOnce = 64

// look is a frame with the way it is prepared.
type look struct {
	frame storage.LabelledFrame
	prep  vision.Preparation
	brief bool // its pooled features will do
}

// missing lists what is not cached of the given number of views of each frame.
func (e *Extractor) missing(prep vision.Preparation, views int, frames []storage.LabelledFrame) ([]look, error) {
	var all []look
	for prep.View = range views {
		store, err := e.store(prep)
		if err != nil {
			return nil, err
		}
		for _, f := range frames {
			if !store.Has(f.FrameID) {
				all = append(all, look{frame: f, prep: prep})
			}
		}
	}
	return all, nil
}

// Fill has the features of the first view of frames computed that are not cached,
// by all workers together.
func (e *Extractor) Fill(ctx context.Context, prep vision.Preparation, frames []storage.LabelledFrame) error {
	missing, err := e.missing(prep, 1, frames)
	if err != nil {
		return err
	}
	return e.computeAll(ctx, missing, func(context.Context, int, int, time.Duration) error { return nil })
}

// computeAll has the features of all looks computed. It calls progress now and
// then; what it did stays when it is interrupted.
func (e *Extractor) computeAll(ctx context.Context, missing []look, progress func(ctx context.Context, done, all int, left time.Duration) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan look)
	done := make(chan struct{}, extractAtOnce)
	var all sync.WaitGroup
	for range extractAtOnce {
		all.Go(func() {
			for l := range work {
				if err := e.patiently(ctx, l); err != nil {
					cancel(err)
					return
				}
				done <- struct{}{}
			}
		})
	}
	go func() {
		defer close(work)
		for _, l := range missing {
			select {
			case work <- l:
			case <-ctx.Done():
				return
			}
		}
	}()
	began := time.Now()
	for n := 0; n < len(missing); {
		select {
		case <-done:
			n++
			left := time.Duration(float64(time.Since(began)) / float64(n) * float64(len(missing)-n))
			if err := progress(ctx, n, len(missing), left); err != nil {
				cancel(err)
			}
			continue
		case <-ctx.Done():
		}
		break
	}
	cancelled := ctx.Err() != nil
	cause := context.Cause(ctx)
	all.Wait()
	if cancelled {
		return cause
	}
	return nil
}

// patiently waits for a worker where none is there, and tries again where one died.
func (e *Extractor) patiently(ctx context.Context, l look) error {
	compute := e.one
	if l.brief {
		compute = e.pooled
	}
	for attempt := 1; ; attempt++ {
		err := compute(ctx, l.prep, l.frame)
		gone := errors.Is(err, pool.ErrNoWorkers)
		if err == nil || !gone && (attempt >= storage.MaxDeaths || !errors.Is(err, pool.ErrTimeout) && !errors.Is(err, pool.ErrWorkerDied)) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(troublePause):
		}
	}
}

// frameSource reads cached features for a fit.
type frameSource struct {
	stores  []*features.Store // one a view
	frames  []storage.LabelledFrame
	classes []int
}

// source gives cached views of frames for a fit; their classes become indexes
// into classes.
func (e *Extractor) source(prep vision.Preparation, views int, frames []storage.LabelledFrame, classes []string) (*frameSource, error) {
	s := &frameSource{frames: frames}
	for prep.View = range views {
		store, err := e.store(prep)
		if err != nil {
			return nil, err
		}
		s.stores = append(s.stores, store)
	}
	for _, f := range frames {
		s.classes = append(s.classes, slices.Index(classes, f.Class))
	}
	return s, nil
}

func (s *frameSource) Len() int        { return len(s.frames) }
func (s *frameSource) Class(i int) int { return s.classes[i] }
func (s *frameSource) Views() int      { return len(s.stores) }

// Part names the part in a frame, by which folds are dealt.
func (s *frameSource) Part(i int) string { return s.frames[i].Part }

func (s *frameSource) Read(i, view int, f *head.Features) error {
	return s.stores[view].Read(s.frames[i].FrameID, f)
}
