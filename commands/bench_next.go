package commands

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"loupe/models/acquisition"
	"loupe/models/embedding"
	"loupe/models/features"
	"loupe/models/head"
	"loupe/models/onnx"
)

// nextSeeds is over how many seeds the curves are averaged.
const nextSeeds = 3

// within is how near to the accuracy of all labels counts as reached.
const within = 0.01

// nextResult compares two orders of labelling the training half.
type nextResult struct {
	Train  int         `json:"train"`
	Test   int         `json:"test"`
	Full   float64     `json:"full_accuracy"` // with all labels, mean over the seeds
	Curve  []nextPoint `json:"curve"`
	Needed nextPair    `json:"labels_needed"` // to come within 1 % of it, on the mean curve; 0 where it was not reached
	Ratio  float64     `json:"chosen_over_random"`
}

type nextPoint struct {
	Labels int     `json:"labels"`
	Random float64 `json:"random"`
	Chosen float64 `json:"chosen"`
}

type nextPair struct {
	Random int `json:"random"`
	Chosen int `json:"chosen"`
}

// learning is the cached data of a simulation.
type learning struct {
	train, test []picture
	classes     []string
	stores      []*features.Store // of the training half, one a view
	tests       *features.Store
	embeddings  [][]float32 // sketches of the training half
	size        int
	seed        uint64
}

// labelSteps are the numbers of labels at which both orders are compared.
func labelSteps(all int) (steps []int) {
	for n := 10; n < all; n = max(n+5, n*5/4) {
		steps = append(steps, n)
	}
	return steps
}

// next simulates labelling the training half, in a random order and in the order
// that Loupe suggests, and judges the test half after each step.
func (b *Bench) next(pictures []picture, classes []string) (*nextResult, error) {
	folder, err := os.MkdirTemp("", "loupe-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	l, err := b.learning(folder, pictures, classes)
	if err != nil {
		return nil, err
	}
	defer l.close()
	r := &nextResult{Train: len(l.train), Test: len(l.test)}
	steps := labelSteps(len(l.train))
	bar := newBar(2*nextSeeds*len(steps), "labelling")
	for _, n := range steps {
		r.Curve = append(r.Curve, nextPoint{Labels: n})
	}
	for seed := range uint64(nextSeeds) {
		l.seed = b.Seed + seed
		full, err := l.accuracy(l.all())
		if err != nil {
			return nil, err
		}
		r.Full += full / nextSeeds
		for _, chosen := range []bool{false, true} {
			curve, err := l.run(steps, chosen, func() { _ = bar.Add(1) })
			if err != nil {
				return nil, err
			}
			for i, a := range curve {
				if chosen {
					r.Curve[i].Chosen += a / nextSeeds
				} else {
					r.Curve[i].Random += a / nextSeeds
				}
			}
		}
	}
	r.conclude()
	if b.SVG != "" {
		name := strings.TrimSuffix(filepath.Base(b.Data), filepath.Ext(b.Data))
		if err := os.WriteFile(b.SVG, []byte(r.svg(name)), 0o644); err != nil {
			return nil, usage("%v", err)
		}
	}
	return r, nil
}

// conclude finds from how many labels on a curve stays within reach.
func (r *nextResult) conclude() {
	needed := func(value func(nextPoint) float64) int {
		n := r.Train
		for _, p := range slices.Backward(r.Curve) {
			if value(p) < r.Full-within {
				break
			}
			n = p.Labels
		}
		return n
	}
	r.Needed = nextPair{needed(func(p nextPoint) float64 { return p.Random }), needed(func(p nextPoint) float64 { return p.Chosen })}
	r.Ratio = float64(r.Needed.Chosen) / float64(r.Needed.Random)
}

func (l *learning) close() {
	for _, s := range append(l.stores, l.tests) {
		if s != nil {
			s.Close()
		}
	}
}

func (l *learning) all() []int {
	all := make([]int, len(l.train))
	for i := range all {
		all[i] = i
	}
	return all
}

// learning extracts the features of both halves.
func (b *Bench) learning(folder string, pictures []picture, classes []string) (*learning, error) {
	l := &learning{classes: classes, size: b.Size}
	l.train, l.test = choose(pictures, b.PerClass, b.Seed)
	var err error
	if l.stores, err = b.openCaches(folder); err != nil {
		return nil, err
	}
	if l.tests, err = features.Open(folder+"/test", b.Size); err != nil {
		return nil, err
	}
	if _, err = b.extract(l.stores, l.train, nil); err != nil {
		return nil, err
	}
	if _, err = b.extract([]*features.Store{l.tests}, l.test, nil); err != nil {
		return nil, err
	}
	pooled := make([][]float32, len(l.train))
	for i := range pooled {
		pooled[i] = make([]float32, onnx.PooledLen)
		if err := l.stores[0].ReadPooled(int64(i), pooled[i]); err != nil {
			return nil, err
		}
	}
	sketcher := embedding.NewSketcher(onnx.PooledLen)
	for _, e := range embedding.All(pooled) {
		l.embeddings = append(l.embeddings, sketcher.Sketch(e))
	}
	return l, nil
}

// run labels step by step and gives the accuracy after each.
func (l *learning) run(steps []int, chosen bool, told func()) (curve []float64, err error) {
	rng := rand.New(rand.NewPCG(l.seed, 17))
	order := rng.Perm(len(l.train))
	labelled := order[:0:0]
	var h *head.Head
	for _, n := range steps {
		if !chosen {
			labelled = order[:n]
		} else if labelled, err = l.more(labelled, h, n-len(labelled)); err != nil {
			return nil, err
		}
		accuracy := 0.0
		if h, err = l.fit(labelled); err != nil {
			return nil, err
		}
		if accuracy, err = l.judge(h, l.class(labelled[0])); err != nil {
			return nil, err
		}
		curve = append(curve, accuracy)
		told()
	}
	return curve, nil
}

func (l *learning) class(i int) string { return l.train[i].class }

// more adds the n frames that the model of now makes most worthy.
func (l *learning) more(labelled []int, h *head.Head, n int) ([]int, error) {
	var known [][]float32
	for _, i := range labelled {
		known = append(known, l.embeddings[i])
	}
	var pool []int
	var candidates []acquisition.Candidate
	var p *head.Predictor
	if h != nil {
		p = head.NewPredictor(h)
	}
	f := head.NewFeatures(l.size)
	for i := range l.train {
		if slices.Contains(labelled, i) {
			continue
		}
		c := acquisition.Candidate{Embedding: l.embeddings[i]}
		if p != nil {
			if err := l.stores[0].Read(int64(i), &f); err != nil {
				return nil, err
			}
			for _, v := range p.Predict(&f) {
				c.Probabilities = append(c.Probabilities, float64(v))
			}
		}
		pool, candidates = append(pool, i), append(candidates, c)
	}
	for _, p := range acquisition.Next(known, candidates, n) {
		labelled = append(labelled, pool[p.Index])
	}
	return labelled, nil
}

// subset is a head.Source of some of the training pictures.
type subset struct {
	cached
	of []int
}

func (s subset) Len() int        { return len(s.of) }
func (s subset) Class(i int) int { return s.cached.Class(s.of[i]) }
func (s subset) Read(i, view int, f *head.Features) error {
	return s.cached.Read(s.of[i], view, f)
}

// fit trains on some labels; nil where they are of one class only.
func (l *learning) fit(labelled []int) (*head.Head, error) {
	var present []string
	for _, c := range l.classes {
		if slices.ContainsFunc(labelled, func(i int) bool { return l.class(i) == c }) {
			present = append(present, c)
		}
	}
	if len(present) < 2 {
		return nil, nil
	}
	o := head.ForFrames(len(labelled))
	o.Seed = l.seed
	return head.Fit(context.Background(), subset{cached{l.stores, l.train, present}, labelled}, present, l.size, o, func(head.Progress) error { return nil })
}

func (l *learning) accuracy(labelled []int) (float64, error) {
	h, err := l.fit(labelled)
	if err != nil {
		return 0, err
	}
	return l.judge(h, l.class(labelled[0]))
}

// judge gives the accuracy on the test half; without a head everything is only.
func (l *learning) judge(h *head.Head, only string) (float64, error) {
	right := 0
	f := head.NewFeatures(l.size)
	var p *head.Predictor
	if h != nil {
		p = head.NewPredictor(h)
	}
	for i, picture := range l.test {
		said := only
		if p != nil {
			if err := l.tests.Read(int64(i), &f); err != nil {
				return 0, err
			}
			said = h.Classes[most(p.Predict(&f))]
		}
		if said == picture.class {
			right++
		}
	}
	return float64(right) / float64(len(l.test)), nil
}

func most(p []float32) int {
	best := 0
	for i, v := range p {
		if v > p[best] {
			best = i
		}
	}
	return best
}
