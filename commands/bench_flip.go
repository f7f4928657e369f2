package commands

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"loupe/models"
	"loupe/models/head"
	"loupe/models/mislabels"
)

// lookedAt is how much of the list of suspects somebody looks at.
const lookedAt = 0.08

// flipResult says how many wrong labels are found early.
type flipResult struct {
	Train   int     `json:"train"`
	Flipped int     `json:"flipped"`
	Looked  int     `json:"looked_at"` // of the training pictures, the most doubted first
	Found   int     `json:"found"`     // flipped ones among these
	Share   float64 `json:"found_share"`
	Folds   int     `json:"folds"`
	Seed    uint64  `json:"seed"`
	Seconds float64 `json:"seconds"` // of the search, features cached
}

// flip gives some training pictures a wrong class and looks for them as the page
// of suspected labels does. Test pictures are not looked at.
func (b *Bench) flip(pictures []picture, classes []string) (*flipResult, error) {
	folder, err := os.MkdirTemp("", "loupe-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	train, _ := choose(pictures, b.PerClass, b.Seed)
	train, flipped := flipped(train, classes, b.Flip, b.Seed)
	r := &flipResult{Train: len(train), Flipped: len(flipped), Folds: models.SuspectFolds, Seed: b.Seed, Looked: int(lookedAt * float64(len(train)))}
	if r.Flipped == 0 {
		return nil, usage("--flip %v of %d training pictures is none", b.Flip, len(train))
	}
	stores, err := b.openCaches(folder)
	defer func() {
		for _, s := range stores {
			s.Close()
		}
	}()
	if err != nil {
		return nil, err
	}
	if _, err := b.extract(stores, train, nil); err != nil {
		return nil, err
	}
	source := cached{stores, train, classes}
	o := head.ForFolds(len(train))
	o.Seed = b.Seed
	began := time.Now()
	said, err := head.HeldOut(context.Background(), source, classes, b.Size, models.SuspectFolds, o, func(head.Progress) error { return nil })
	if err != nil {
		return nil, usage("%v", err)
	}
	labels := make([]int, len(train))
	for i := range labels {
		labels[i] = source.Class(i)
	}
	ranked := mislabels.Rank(labels, said)
	r.Seconds = time.Since(began).Seconds()
	for _, s := range ranked[:min(r.Looked, len(ranked))] {
		if slices.Contains(flipped, s.Frame) {
			r.Found++
		}
	}
	r.Share = float64(r.Found) / float64(r.Flipped)
	return r, nil
}

// flipped gives a share of the pictures another class, drawn by the seed, and
// says which these are.
func flipped(pictures []picture, classes []string, share float64, seed uint64) (all []picture, wrong []int) {
	all = slices.Clone(pictures)
	rng := rand.New(rand.NewPCG(seed, 29))
	wrong = rng.Perm(len(all))[:int(math.Round(share*float64(len(all))))]
	for _, i := range wrong {
		is := slices.Index(classes, all[i].class)
		all[i].class = classes[(is+1+rng.IntN(len(classes)-1))%len(classes)]
	}
	return all, wrong
}
