// Package acquisition says which frames are worth a label next: those of which
// the model is least sure and that look least like what is labelled already or
// was just chosen (active learning; Settles 2009).
package acquisition

import (
	"math"
	"slices"

	"loupe/models/embedding"
)

// Candidate is a frame without a label.
type Candidate struct {
	Embedding     []float32 // of length one, see package embedding
	Probabilities []float64 // by the model of now; nil where there is none
}

// uncertainty is one less the margin between the two most probable classes
// (Scheffer et al. 2001): 0 where the model is certain, 1 where it cannot tell
// two classes apart or there is no model.
func (c Candidate) uncertainty() float64 {
	if len(c.Probabilities) < 2 {
		return 1
	}
	first, second := 0.0, 0.0
	for _, p := range c.Probabilities {
		if p > first {
			first, second = p, first
		} else if p > second {
			second = p
		}
	}
	return 1 - (first - second)
}

// Pick is a candidate that was chosen.
type Pick struct {
	Index       int     // of the candidate
	Uncertainty float64 // 0 where the model is certain, 1 where it cannot tell two classes apart
	Distance    float64 // 1 less the cosine to the nearest frame labelled or chosen before it
	New         bool    // few candidates are as far from all labelled frames
}

// Next chooses up to n of the candidates, the most worthy first: each has the
// largest product of its uncertainty and its cosine distance to the nearest
// frame that is labelled or chosen before it (a weighted form of the greedy
// k-centre choice of Sener & Savarese 2018).
func Next(labelled [][]float32, candidates []Candidate, n int) []Pick {
	c := choice{candidates: candidates, unsure: make([]float64, len(candidates)), distance: make([]float64, len(candidates)), far: math.Inf(1)}
	for i, one := range candidates {
		c.unsure[i], c.distance[i] = one.uncertainty(), math.Inf(1)
	}
	for _, l := range labelled {
		c.near(l)
	}
	n = min(n, len(candidates))
	if len(labelled) == 0 && n > 0 {
		c.take(c.typical())
	} else if n > 0 {
		sorted := slices.Sorted(slices.Values(c.distance))
		c.far = sorted[(len(sorted)-1)*(100-farthest)/100]
	}
	for len(c.chosen) < n {
		c.take(c.best())
	}
	return c.chosen
}

// farthest is which percentage of the candidates counts as new.
const farthest = 10

// choice is what is chosen so far.
type choice struct {
	candidates []Candidate
	unsure     []float64
	distance   []float64 // to the nearest that is labelled or chosen; negative for the chosen
	far        float64   // beyond which distance a frame is new
	chosen     []Pick
}

// near notes that there is a frame with this embedding.
func (c *choice) near(e []float32) {
	for i, one := range c.candidates {
		if c.distance[i] >= 0 {
			c.distance[i] = min(c.distance[i], max(0, 1-embedding.Cosine(one.Embedding, e)))
		}
	}
}

func (c *choice) take(i int) {
	d := c.distance[i]
	c.chosen, c.distance[i] = append(c.chosen, Pick{i, c.unsure[i], min(d, 2), d > c.far && !math.IsInf(d, 1)}), -1
	c.near(c.candidates[i].Embedding)
}

func (c *choice) best() int {
	best, score := -1, -1.0
	for i, d := range c.distance {
		if s := c.unsure[i] * d; d >= 0 && s > score {
			best, score = i, s
		}
	}
	return best
}

// typical is the frame nearest to all others, the first where nothing is
// labelled yet: an outlier would say least about the rest.
func (c *choice) typical() int {
	mean := make([]float32, len(c.candidates[0].Embedding))
	for _, one := range c.candidates {
		for j, v := range one.Embedding {
			mean[j] += v
		}
	}
	typical, most := 0, math.Inf(-1)
	for i, one := range c.candidates {
		if d := embedding.Cosine(one.Embedding, mean); d > most {
			typical, most = i, d
		}
	}
	return typical
}
