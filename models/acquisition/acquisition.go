// Package acquisition says which frames are worth a label next: those of which
// the model is least sure and that look least like what is labelled already or
// was just chosen (active learning; Settles 2009).
package acquisition

import (
	"math"

	"loupe/models/head"
)

// Candidate is a frame without a label.
type Candidate struct {
	Embedding     []float32 // of unit length, from Embed
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

// Next chooses up to n of the candidates, the most worthy first: each has the
// largest product of its uncertainty and its cosine distance to the nearest
// frame that is labelled or chosen before it (a weighted form of the greedy
// k-centre choice of Sener & Savarese 2018). It gives indexes of candidates.
func Next(labelled [][]float32, candidates []Candidate, n int) []int {
	c := choice{candidates: candidates, unsure: make([]float64, len(candidates)), distance: make([]float64, len(candidates))}
	for i, one := range candidates {
		c.unsure[i], c.distance[i] = one.uncertainty(), math.Inf(1)
	}
	for _, l := range labelled {
		c.near(l)
	}
	n = min(n, len(candidates))
	if len(labelled) == 0 && n > 0 {
		c.take(c.typical())
	}
	for len(c.chosen) < n {
		c.take(c.best())
	}
	return c.chosen
}

// choice is what is chosen so far.
type choice struct {
	candidates []Candidate
	unsure     []float64
	distance   []float64 // to the nearest that is labelled or chosen; negative for the chosen
	chosen     []int
}

// near notes that there is a frame with this embedding.
func (c *choice) near(e []float32) {
	for i, one := range c.candidates {
		if c.distance[i] >= 0 {
			c.distance[i] = min(c.distance[i], max(0, 1-dot(one.Embedding, e)))
		}
	}
}

func (c *choice) take(i int) {
	c.chosen, c.distance[i] = append(c.chosen, i), -1
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
		if d := dot(one.Embedding, mean); d > most {
			typical, most = i, d
		}
	}
	return typical
}

func dot(a, b []float32) float64 {
	var sum float32
	for i, v := range a {
		sum += v * b[i]
	}
	return float64(sum)
}

// Embed makes embeddings of the pooled features of frames: each feature is
// standardised over all of them, and each frame scaled to length one.
func Embed(pooled [][]float32) [][]float32 {
	if len(pooled) == 0 {
		return nil
	}
	n, width := float64(len(pooled)), len(pooled[0])
	mean, std := make([]float32, width), make([]float32, width)
	for j := range width {
		var sum, square float64
		for _, p := range pooled {
			x := float64(p[j])
			sum += x
			square += x * x
		}
		mean[j], std[j] = head.MeanStd(sum/n, square/n)
	}
	all := make([][]float32, len(pooled))
	for i, p := range pooled {
		e := make([]float32, width)
		var square float64
		for j, v := range p {
			e[j] = (v - mean[j]) / std[j]
			square += float64(e[j]) * float64(e[j])
		}
		if square > 0 {
			scale := float32(1 / math.Sqrt(square))
			for j := range e {
				e[j] *= scale
			}
		}
		all[i] = e
	}
	return all
}
