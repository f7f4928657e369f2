// Package novelty knows what training frames look like, place by place, and
// says how far another frame is from all of them: PatchCore (Roth et al. 2022)
// on the frozen backbone. It needs no picture of a defect. The distance from
// which on a frame is unlike the known ones comes from frames that were held
// back, at a stated rate of false alarms.
package novelty

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"loupe/models/head"
	"loupe/models/onnx"
)

// Options of a fit.
type Options struct {
	Rate   float64 // share of known frames that may be taken for unlike them, (0, 0.5)
	Bank   int     // most places in the bank
	Sample int     // most places that the bank is chosen from
	Seed   uint64
}

// Defaults keep the search below a quarter of the backbone's time.
func Defaults(rate float64) Options {
	return Options{Rate: rate, Bank: 600, Sample: 10_000, Seed: 1}
}

// Statement says where a bank's threshold comes from.
type Statement struct {
	Rate      float64 `json:"rate"` // false alarms, as the recipe asked
	Places    int     `json:"places"`
	Fitted    int     `json:"fitted"` // frames that the bank was chosen from before the threshold was
	Held      int     `json:"held"`   // frames that were held back for the threshold
	Threshold float64 `json:"threshold"`
	Spread    float64 `json:"spread"`   // standard deviation of the logarithm of the held-back distances
	Measured  bool    `json:"measured"` // enough were held back to count the rate; else it is extrapolated
	Seconds   float64 `json:"seconds"`
}

// ErrTooFew says that nothing could be held back, so that there is no threshold.
var ErrTooFew = errors.New("too few frames to hold some back")

// heldShare of the places of a bank is kept for the frames that were held back.
const heldShare = 5

// Fit chooses the bank of a source's frames by an approximate greedy coreset.
// Part of the frames is held back, whole parts and none of a class with few:
// their distances to the bank of the others give the threshold. Then they add
// places of their own, so that nothing that was seen is unknown; that only
// brings frames nearer, and the rate stays below the stated one. The same seed
// and data always give the same bank.
func Fit(ctx context.Context, source head.Source, size int, o Options) (*onnx.Bank, Statement, error) {
	began := time.Now()
	s := Statement{Rate: o.Rate}
	if !(o.Rate > 0 && o.Rate < 0.5) || o.Bank < 2*heldShare {
		return nil, s, fmt.Errorf("no bank has %d places and a rate of %v", o.Bank, o.Rate)
	}
	fitted, held := holdBack(source, o.Seed)
	if len(held) < leastHeld {
		return nil, s, ErrTooFew
	}
	s.Fitted, s.Held = len(fitted), len(held)
	known, err := sample(ctx, source, fitted, size, o.Sample, o.Seed)
	if err != nil {
		return nil, s, err
	}
	b := &onnx.Bank{Threshold: 1}
	b.Mean, b.Std = known.standardise()
	c := newCoreset(o.Seed)
	b.Patches = c.grow(known, nil, o.Bank-o.Bank/heldShare)
	distances, usual, err := distancesOf(ctx, source, held, size, b)
	if err != nil {
		return nil, s, err
	}
	s.Threshold, s.Spread, s.Measured = threshold(distances, o.Rate)
	if !(s.Threshold > 0) || math.IsInf(s.Threshold, 0) {
		return nil, s, errors.New("the distances of the held-back frames are not numbers: look for damaged pictures")
	}
	b.Threshold, b.Usual = float32(s.Threshold), float32(usual/s.Threshold)
	more, err := sample(ctx, source, held, size, o.Sample/heldShare, o.Seed)
	if err != nil {
		return nil, s, err
	}
	more.apply(b.Mean, b.Std)
	b.Patches = c.grow(more, b.Patches, o.Bank)
	s.Places, s.Seconds = b.Len(), time.Since(began).Seconds()
	return b, s, ctx.Err()
}

// Odds gives a bank the probabilities of a version of good parts only: at the
// threshold the passing class has just what the recipe asks for OK, and the
// failing one reaches what it asks for NG where a tenth as many good frames would be.
func Odds(b *onnx.Bank, s Statement, ok, ng float64) {
	logit := func(p float64) float64 { return math.Log(p / (1 - p)) }
	clip := func(p float64) float64 { return math.Min(math.Max(p, 0.51), 0.999) }
	band := math.Exp((quantile(1-s.Rate/10)-quantile(1-s.Rate))*math.Max(s.Spread, 0.02)) - 1
	b.Offset = float32(logit(1 - clip(ok)))
	b.Steepness = float32((logit(clip(ng)) - logit(1-clip(ok))) / band)
}

// Scorer says how unlike the known frames others are, without the network. It
// belongs to one goroutine.
type Scorer struct {
	bank    *onnx.Bank
	grid    *head.Grid
	vectors []float32 // interleaved
	half    []float32 // half the squared length of each place of the bank
	out     []float32
	lengths []float32
	best    []float32
}

// NewScorer prepares a bank for frames of an input of the given side.
func NewScorer(b *onnx.Bank, size int) *Scorer {
	s := &Scorer{bank: b, grid: head.NewGrid(size), vectors: head.Interleave(b.Patches), half: make([]float32, b.Len())}
	s.out, s.lengths, s.best = make([]float32, 8*s.grid.Row()), make([]float32, s.grid.Places), make([]float32, s.grid.Places)
	for p := range s.half {
		s.half[p] = squared(b.Patches[p*onnx.PatchLen:(p+1)*onnx.PatchLen]) / 2
	}
	return s
}

// Novelty gives the largest distance of a frame's places to the bank, with the
// threshold as 1.
func (s *Scorer) Novelty(f *head.Features) float64 {
	s.distances(f)
	top := float32(0)
	for _, d := range s.lengths {
		top = max(top, d)
	}
	return math.Sqrt(float64(top)) / float64(s.bank.Threshold)
}

// distances leaves the squared distance of each place in lengths.
//
//go:norace
func (s *Scorer) distances(f *head.Features) {
	s.grid.Fill(f)
	clear(s.lengths)
	s.grid.Standardise(s.bank.Mean, s.bank.Std, s.lengths)
	for i := range s.best {
		s.best[i] = float32(math.Inf(-1))
	}
	for first := 0; first < len(s.half); first += 8 {
		s.grid.Products(s.out, s.vectors[first*onnx.PatchLen:])
		for k, half := range s.half[first:min(first+8, len(s.half))] {
			for i, v := range s.out[k*s.grid.Row():][:len(s.best)] {
				s.best[i] = max(s.best[i], v-half)
			}
		}
	}
	for i, v := range s.best {
		s.lengths[i] = max(0, s.lengths[i]-2*v)
	}
}

// Probabilities are those of a version of good parts only: of the passing class
// and of what is unlike it.
func Probabilities(b *onnx.Bank, novelty float64) (good, unlike float64) {
	unlike = 1 / (1 + math.Exp(-float64(b.Steepness)*(novelty-1)-float64(b.Offset)))
	return 1 - unlike, unlike
}
