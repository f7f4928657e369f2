// Package drift watches a stream of measurements for a change of its level, by
// control charts that sum up what is too much (Page 1954, "Continuous
// inspection schemes"): they notice a small lasting change sooner than any rule
// about single frames, and their last zero dates its beginning.
package drift

import "math"

// Sum is a two-sided cumulative sum of standardised values.
type Sum struct {
	Up        float64 `json:"up"`
	Down      float64 `json:"down"`
	UpSince   int64   `json:"up_since"` // frames since Up was last zero
	DownSince int64   `json:"down_since"`
}

// Add takes a value of mean 0 and deviation 1; what is within the allowance of 0
// lowers the sums.
func (s *Sum) Add(z, allowance, most float64) {
	s.Up, s.UpSince = step(s.Up, s.UpSince, z-allowance, most)
	s.Down, s.DownSince = step(s.Down, s.DownSince, -z-allowance, most)
}

func step(sum float64, since int64, by, most float64) (float64, int64) {
	if sum = min(sum+by, most); sum <= 0 {
		return 0, 0
	}
	return sum, since + 1
}

// Level is the greater of both sums.
func (s *Sum) Level() float64 { return max(s.Up, s.Down) }

// Since is how many frames ago the greater sum began to rise.
func (s *Sum) Since() int64 {
	if s.Down > s.Up {
		return s.DownSince
	}
	return s.UpSince
}

// Vector is a cumulative sum of vectors: it notices a lasting shift in any
// direction (Crosier 1988, "Multivariate generalizations of cumulative sum
// quality-control schemes").
type Vector struct {
	S     []float64 `json:"s"`
	Begun int64     `json:"begun"` // frames since it was last calm
}

// Add takes a vector of whitened components.
func (v *Vector) Add(z []float64, allowance, most float64) {
	if len(v.S) != len(z) {
		v.S, v.Begun = make([]float64, len(z)), 0
	}
	length := 0.0
	for i, x := range z {
		v.S[i] += x
		length += v.S[i] * v.S[i]
	}
	length = math.Sqrt(length)
	if length <= allowance {
		clear(v.S)
		v.Begun = 0
		return
	}
	v.Begun++
	if length-allowance <= calm*most { // it is hardly ever zero in many directions
		v.Begun = 0
	}
	factor := 1 - allowance/length
	if length-allowance > most {
		factor = most / length
	}
	for i := range v.S {
		v.S[i] *= factor
	}
}

// calm is the share of the greatest level below which nothing is going on.
const calm = 0.3

// Level is the length of the sum.
func (v *Vector) Level() float64 {
	sum := 0.0
	for _, x := range v.S {
		sum += x * x
	}
	return math.Sqrt(sum)
}

// Since is how many frames ago the sum began to rise.
func (v *Vector) Since() int64 { return v.Begun }
