package models

import (
	"context"
	"fmt"
	"math"
	"sort"

	"loupe/models/features"
	"loupe/models/head"
	"loupe/models/onnx"
	"loupe/storage"
	"loupe/vision"
)

// SimilarFrame is a labelled frame that looks like another.
type SimilarFrame struct {
	FrameID    int64
	Class      string
	Similarity float64 // cosine of the standardised pooled features, -1 to 1
}

// PooledCache keeps the pooled features of judged frames and finds similar ones.
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
func (p *PooledCache) Similar(ctx context.Context, frameID int64, n int) ([]SimilarFrame, error) {
	f, err := p.db.Frame(ctx, frameID)
	if err != nil {
		return nil, err
	}
	r, err := p.db.Recipe(ctx, f.RecipeID)
	if err != nil || r.ChampionID == 0 {
		return nil, err
	}
	v, err := p.db.Version(ctx, r.ChampionID)
	if err != nil {
		return nil, err
	}
	prep := vision.Preparation{Region: v.Region, Size: v.Size}
	if v.Uploaded() {
		prep = vision.Preparation{Region: r.Region, Size: r.Size} // whose features trainings keep
	}
	store, err := p.features.store(prep)
	if err != nil {
		return nil, err
	}
	own := make([]float32, onnx.PooledLen)
	if err := store.ReadPooled(frameID, own); err != nil {
		if !f.PictureRemovedAt.IsZero() {
			return nil, nil // it cannot be computed any more
		}
		if err := p.features.one(ctx, prep, storage.LabelledFrame{FrameID: f.ID, BlobKey: f.BlobKey, Orientation: f.Orientation}); err != nil {
			return nil, err
		}
		if err := store.ReadPooled(frameID, own); err != nil {
			return nil, fmt.Errorf("features of frame %d: %w", frameID, err)
		}
	}
	labelled, err := p.db.FramesWithLabel(ctx, r.ID, similarAmong)
	if err != nil {
		return nil, err
	}
	scale, err := p.scale(ctx, v, store, labelled)
	if err != nil {
		return nil, err
	}
	scale.unit(own)
	var all []SimilarFrame
	other := make([]float32, onnx.PooledLen)
	for _, l := range labelled {
		if l.FrameID == frameID || store.ReadPooled(l.FrameID, other) != nil {
			continue
		}
		scale.unit(other)
		var dot float64
		for i, x := range other {
			dot += float64(x * own[i])
		}
		all = append(all, SimilarFrame{l.FrameID, l.Class, dot})
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Similarity > all[j].Similarity })
	return all[:min(n, len(all))], nil
}

// scale standardises pooled features.
type scale struct{ mean, std []float32 }

// scale gives the standardisation of a version's head, or of the labelled frames.
func (p *PooledCache) scale(ctx context.Context, v storage.Version, store *features.Store, labelled []storage.LabelledFrame) (scale, error) {
	if !v.Uploaded() {
		h, err := p.registry.head(ctx, v)
		if err != nil {
			return scale{}, err
		}
		if !h.NormalOnly() { // one of good parts only has no scale
			return scale{h.PooledMean, h.PooledStd}, nil
		}
	}
	var sum, square [onnx.PooledLen]float64
	x := make([]float32, onnx.PooledLen)
	n := 0.0
	for _, l := range labelled {
		if store.ReadPooled(l.FrameID, x) != nil {
			continue
		}
		n++
		for i, y := range x {
			sum[i] += float64(y)
			square[i] += float64(y) * float64(y)
		}
	}
	s := scale{make([]float32, onnx.PooledLen), make([]float32, onnx.PooledLen)}
	for i := range sum {
		s.mean[i], s.std[i] = head.MeanStd(sum[i]/max(n, 1), square[i]/max(n, 1))
	}
	return s, nil
}

// unit standardises pooled features and scales them to length one.
func (s scale) unit(x []float32) {
	var square float64
	for i := range x {
		x[i] = (x[i] - s.mean[i]) / s.std[i]
		square += float64(x[i]) * float64(x[i])
	}
	if square == 0 {
		return
	}
	length := float32(1 / math.Sqrt(square))
	for i := range x {
		x[i] *= length
	}
}
