package novelty

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"runtime"
	"slices"
	"sync"

	"gonum.org/v1/gonum/stat/distuv"

	"loupe/models/head"
	"loupe/models/onnx"
)

const (
	leastHeld = 3   // frames held back, for a threshold at all
	mostHeld  = 160 // more cost time and change the threshold little
	fewOf     = 9   // a class with fewer frames holds none back
	few       = 48  // with fewer frames a third is held back, else a fifth
)

// holdBack parts the frames into those that the bank is chosen from and those
// that it never sees before the threshold is found. All frames of a part lie on
// one side.
func holdBack(source head.Source, seed uint64) (fitted, held []int) {
	known, _ := source.(head.Parts)
	type part struct {
		order  uint64
		name   string
		frames []int
	}
	byName := map[string]*part{}
	counts := map[int]int{}
	for i := range source.Len() {
		name := fmt.Sprint("frame ", i)
		if known != nil {
			name = known.Part(i)
		}
		p := byName[name]
		if p == nil {
			sum := fnv.New64a()
			fmt.Fprint(sum, seed, " ", name)
			p = &part{order: sum.Sum64() * 0x9e3779b97f4a7c15, name: name}
			byName[name] = p
		}
		p.frames = append(p.frames, i)
		counts[source.Class(i)]++
	}
	parts := make([]*part, 0, len(byName))
	for _, p := range byName {
		parts = append(parts, p)
	}
	slices.SortFunc(parts, func(a, b *part) int { return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.name, b.name)) })
	share := 5
	if source.Len() < few {
		share = 3
	}
	room := map[int]int{} // frames of a class that may be held back
	for c, n := range counts {
		if n >= fewOf {
			room[c] = min(n/share, max(leastHeld, mostHeld*n/source.Len()))
		}
	}
	for _, p := range parts {
		need := map[int]int{}
		for _, i := range p.frames {
			need[source.Class(i)]++
		}
		fits := true
		for c, n := range need {
			fits = fits && n <= room[c]
		}
		if !fits {
			fitted = append(fitted, p.frames...)
			continue
		}
		for c, n := range need {
			room[c] -= n
		}
		held = append(held, p.frames...)
	}
	slices.Sort(fitted)
	slices.Sort(held)
	return fitted, held
}

// distancesOf gives the largest distance of each frame, as it is judged, and the
// mean distance of all their places.
func distancesOf(ctx context.Context, source head.Source, frames []int, size int, b *onnx.Bank) ([]float64, float64, error) {
	all := make([]float64, len(frames))
	means := make([]float64, len(frames))
	errs := make([]error, runtime.GOMAXPROCS(0))
	var done sync.WaitGroup
	for w := range errs {
		done.Go(func() {
			s, f := NewScorer(b, size), head.NewFeatures(size)
			for n := w; n < len(frames) && errs[w] == nil; n += len(errs) {
				if errs[w] = ctx.Err(); errs[w] != nil {
					return
				}
				if errs[w] = source.Read(frames[n], 0, &f); errs[w] != nil {
					return
				}
				all[n] = s.Novelty(&f) * float64(b.Threshold)
				for _, d := range s.lengths {
					means[n] += math.Sqrt(float64(d)) / float64(len(s.lengths))
				}
			}
		})
	}
	done.Wait()
	var usual float64
	for _, m := range means {
		usual += m / float64(len(means))
	}
	for _, err := range errs {
		if err != nil {
			return nil, 0, err
		}
	}
	return all, usual, nil
}

// threshold is the distance that a further frame of the same kind passes with
// the given rate at most. With enough frames it is the one that is so many from
// the top (split conformal prediction, Papadopoulos et al. 2002); with fewer it
// is the prediction limit of a log-normal distribution. spread is the standard
// deviation of the logarithm.
func threshold(distances []float64, rate float64) (limit, spread float64, measured bool) {
	n := float64(len(distances))
	var sum, square float64
	for _, d := range distances {
		l := math.Log(math.Max(d, 1e-6))
		sum += l
		square += l * l
	}
	mean := sum / n
	spread = math.Sqrt(math.Max(square-n*mean*mean, 0) / (n - 1))
	if rank := int(math.Ceil((n + 1) * (1 - rate))); rank <= len(distances) {
		return slices.Sorted(slices.Values(distances))[rank-1], spread, true
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(1 - rate)
	return math.Exp(mean + t*spread*math.Sqrt(1+1/n)), spread, false
}

// quantile of the normal distribution.
func quantile(p float64) float64 { return distuv.UnitNormal.Quantile(p) }
