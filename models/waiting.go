package models

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"loupe/models/acquisition"
	"loupe/models/embedding"
	"loupe/models/onnx"
	"loupe/storage"
	"loupe/vision"
)

// WaitingMost bounds how many frames without a label are compared with others,
// Unsure ones first, then the newest.
const WaitingMost = 10_000

// knownMost bounds with how many labelled frames each of them is compared.
const knownMost = 1000

// NextFrame is a frame that is worth a label, and why.
type NextFrame struct {
	FrameID int64
	// Between are the two classes that the model cannot tell apart on it; empty
	// where it is sure enough.
	Between [2]string
	New     bool    // it looks unlike all labelled frames
	Nearest float64 // cosine to the labelled or chosen frame that is most like it
	Unseen  bool    // its features are not known, so nothing is
}

// Next lists up to n frames of a recipe without a label, the most worth a label
// first: uncertain, new and unlike each other, see package acquisition. Frames
// whose features nobody computed come last, newest first.
func (p *PooledCache) Next(ctx context.Context, recipeID int64, n int) ([]NextFrame, error) {
	r, err := p.db.Recipe(ctx, recipeID)
	if err != nil {
		return nil, err
	}
	waiting, err := p.db.Unlabelled(ctx, r.ID, WaitingMost)
	if err != nil {
		return nil, err
	}
	labelled, err := p.db.FramesWithLabel(ctx, r.ID, knownMost)
	if err != nil {
		return nil, err
	}
	frames := framesOf(waiting)
	g, err := p.look(ctx, r, labelled, frames)
	if err != nil {
		return nil, err
	}
	seen, sketches := g.sketches(frames)
	_, known := g.sketches(labelled)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	candidates := make([]acquisition.Candidate, len(seen))
	for i, at := range seen {
		candidates[i] = acquisition.Candidate{Embedding: sketches[i]}
		for _, q := range waiting[at].Probabilities {
			candidates[i].Probabilities = append(candidates[i].Probabilities, q.P)
		}
	}
	var all []NextFrame
	for _, pick := range acquisition.Next(known, candidates, n) {
		f := waiting[seen[pick.Index]]
		next := NextFrame{FrameID: f.FrameID, Nearest: 1 - pick.Distance, New: pick.New}
		if len(f.Probabilities) > 1 && pick.Uncertainty >= 0.3 {
			next.Between = mostProbable(f.Probabilities)
		}
		all = append(all, next)
	}
	for i, f := range frames {
		if len(all) >= n {
			break
		}
		if _, found := slices.BinarySearch(seen, i); !found {
			all = append(all, NextFrame{FrameID: f.FrameID, Unseen: true})
		}
	}
	return all, nil
}

// mostProbable are the two most probable classes.
func mostProbable(all []vision.Probability) [2]string {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b vision.Probability) int {
		switch {
		case a.P > b.P:
			return -1
		case a.P < b.P:
			return 1
		}
		return 0
	})
	return [2]string{sorted[0].Class, sorted[1].Class}
}

// Alike finds the frames without a label that look most like a frame, at most n,
// most similar first. Unknown says how many were left out because their features
// are not known.
func (p *PooledCache) Alike(ctx context.Context, frameID int64, n int) (all []SimilarFrame, unknown int, err error) {
	f, r, err := p.frame(ctx, frameID)
	if err != nil {
		return nil, 0, err
	}
	waiting, err := p.db.Unlabelled(ctx, r.ID, WaitingMost)
	if err != nil {
		return nil, 0, err
	}
	labelled, err := p.db.FramesWithLabel(ctx, r.ID, knownMost)
	if err != nil {
		return nil, 0, err
	}
	frames := framesOf(waiting)
	if all, err = p.compare(ctx, r, f, frames, labelled, len(frames)); err != nil {
		return nil, 0, err
	}
	others := len(frames)
	if slices.ContainsFunc(frames, func(o storage.LabelledFrame) bool { return o.FrameID == f.ID }) {
		others--
	}
	return all[:min(n, len(all))], others - len(all), nil
}

func framesOf(waiting []storage.UnlabelledFrame) []storage.LabelledFrame {
	frames := make([]storage.LabelledFrame, len(waiting))
	for i, f := range waiting {
		frames[i] = f.LabelledFrame
	}
	return frames
}

// sketches gives the sketches of those frames whose features are there, and the
// places of these frames in the list, rising.
func (g looks) sketches(frames []storage.LabelledFrame) (places []int, all [][]float32) {
	each := make([][]float32, len(frames))
	sketcher := embedding.NewSketcher(onnx.PooledLen)
	var busy sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		busy.Go(func() {
			x := make([]float32, onnx.PooledLen)
			for i := w; i < len(frames); i += workers {
				if g.read(frames[i].FrameID, x) {
					each[i] = sketcher.Sketch(x)
				}
			}
		})
	}
	busy.Wait()
	for i, s := range each {
		if s != nil {
			places, all = append(places, i), append(all, s)
		}
	}
	return places, all
}
