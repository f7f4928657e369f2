package models

import (
	"context"
	"fmt"
	"sort"

	"loupe/models/embedding"
	"loupe/models/features"
	"loupe/models/onnx"
	"loupe/storage"
	"loupe/vision"
)

// SimilarFrame is a frame that looks like another.
type SimilarFrame struct {
	FrameID    int64
	Class      string  // its label, "" for none
	Similarity float64 // cosine of the standardised pooled features, -1 to 1
}

// PooledCache keeps the pooled features of judged frames and compares frames by them.
type PooledCache struct {
	db       *storage.DB
	features *Extractor
	registry *Registry
}

// NewPooledCache makes a cache on top of the extractor's.
func NewPooledCache(db *storage.DB, features *Extractor, registry *Registry) *PooledCache {
	return &PooledCache{db, features, registry}
}

// Keep stores the pooled features that came with a verdict of the version. Those
// of an uploaded one are left out: another network's do not compare.
func (p *PooledCache) Keep(frameID int64, v storage.Version, pooled []float32) error {
	if v.Uploaded() {
		return nil
	}
	store, err := p.features.store(vision.Preparation{Region: v.Region, Size: v.Size})
	if err != nil {
		return err
	}
	if err := store.PutPooled(frameID, pooled); err != nil {
		return err
	}
	return store.ForgetPooled(frameID - pooledKept)
}

// pooledKept is for how many of the newest frames pooled features are kept that
// no training needs, 11 kB each. Those of an older frame are computed when
// somebody looks at it.
const pooledKept = 50_000

// similarAmong bounds how many labelled frames are compared, the newest first.
const similarAmong = 3000

// Similar finds the n labelled frames of the same recipe that look most like a
// frame, most similar first: by the cosine of their pooled features, standardised
// as the champion's head does, or where it has no scale, over the labelled frames.
// Without a champion there are none.
func (p *PooledCache) Similar(ctx context.Context, frameID int64, n int) ([]SimilarFrame, error) {
	f, r, err := p.frame(ctx, frameID)
	if err != nil || r.ChampionID == 0 {
		return nil, err
	}
	labelled, err := p.db.FramesWithLabel(ctx, r.ID, similarAmong)
	if err != nil {
		return nil, err
	}
	return p.compare(ctx, r, f, labelled, labelled, n)
}

func (p *PooledCache) frame(ctx context.Context, frameID int64) (f storage.Frame, r storage.Recipe, err error) {
	if f, err = p.db.Frame(ctx, frameID); err == nil {
		r, err = p.db.Recipe(ctx, f.RecipeID)
	}
	return f, r, err
}

// compare finds the n of some frames that look most like f; the features of f
// are computed where they are missing. Frames without features are left out.
func (p *PooledCache) compare(ctx context.Context, r storage.Recipe, f storage.Frame, among, labelled []storage.LabelledFrame, n int) ([]SimilarFrame, error) {
	g, err := p.look(ctx, r, labelled, among)
	if err != nil {
		return nil, err
	}
	own := make([]float32, onnx.PooledLen)
	if !g.read(f.ID, own) {
		if !f.PictureRemovedAt.IsZero() {
			return nil, nil // they cannot be computed any more
		}
		if err := p.features.one(ctx, g.prep, storage.LabelledFrame{FrameID: f.ID, BlobKey: f.BlobKey, Orientation: f.Orientation}); err != nil {
			return nil, err
		}
		if !g.read(f.ID, own) {
			return nil, fmt.Errorf("features of frame %d: %w", f.ID, features.ErrMissing)
		}
	}
	var all []SimilarFrame
	other := make([]float32, onnx.PooledLen)
	for _, o := range among {
		if o.FrameID != f.ID && g.read(o.FrameID, other) {
			all = append(all, SimilarFrame{o.FrameID, o.Class, embedding.Cosine(own, other)})
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Similarity > all[j].Similarity })
	return all[:min(n, len(all))], ctx.Err()
}

// looks reads the embeddings of a recipe's frames.
type looks struct {
	store *features.Store
	prep  vision.Preparation
	scale embedding.Scale
}

// look opens the cache of a recipe. The standardisation is that of the
// champion's head; where there is none, it is over the frames given, the first
// list that has features of two frames.
func (p *PooledCache) look(ctx context.Context, r storage.Recipe, frames ...[]storage.LabelledFrame) (looks, error) {
	g := looks{prep: vision.Preparation{Region: r.Region, Size: r.Size}} // whose features trainings keep
	var v storage.Version
	var err error
	if r.ChampionID != 0 {
		if v, err = p.db.Version(ctx, r.ChampionID); err != nil {
			return g, err
		}
	}
	trained := r.ChampionID != 0 && !v.Uploaded()
	if trained {
		g.prep = vision.Preparation{Region: v.Region, Size: v.Size}
	}
	if g.store, err = p.features.store(g.prep); err != nil {
		return g, err
	}
	if trained {
		h, err := p.registry.head(ctx, v)
		if err != nil {
			return g, err
		}
		if !h.NormalOnly() { // one of good parts only has no scale
			g.scale = embedding.Scale{Mean: h.PooledMean, Std: h.PooledStd}
			return g, nil
		}
	}
	x := make([]float32, onnx.PooledLen)
	for _, some := range frames {
		var m embedding.Moments
		n := 0
		for _, f := range some {
			if g.store.ReadPooled(f.FrameID, x) == nil {
				m.Add(x)
				n++
			}
		}
		if n > 1 {
			g.scale = m.Scale()
			break
		}
	}
	return g, nil
}

// read fills x with the embedding of a frame and says whether its features are there.
func (g looks) read(frameID int64, x []float32) bool {
	if g.store.ReadPooled(frameID, x) != nil {
		return false
	}
	if g.scale.Mean != nil {
		g.scale.Unit(x)
	}
	return true
}
