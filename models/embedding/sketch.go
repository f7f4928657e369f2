package embedding

import (
	"math"
	"math/rand/v2"
)

// SketchLen is how many numbers a sketch has: the cosines of sketches differ from
// those of the embeddings by about 1/√SketchLen.
const SketchLen = 256

// Sketcher shortens embeddings so that thousands can be compared with thousands,
// by a very sparse random projection (Li, Hastie & Church 2006). It always is the
// same one.
type Sketcher struct {
	from []uint16 // embedding's place of each entry, row by row
	plus []bool
	rows [SketchLen + 1]int
}

// NewSketcher prepares for embeddings of so many numbers.
func NewSketcher(width int) *Sketcher {
	s := &Sketcher{}
	rng := rand.New(rand.NewPCG(1, uint64(width)))
	each := max(1, int(math.Sqrt(float64(width))))
	for row := range SketchLen {
		for range each {
			s.from, s.plus = append(s.from, uint16(rng.IntN(width))), append(s.plus, rng.IntN(2) == 0)
		}
		s.rows[row+1] = len(s.from)
	}
	return s
}

// Sketch gives the sketch of an embedding, of length one.
func (s *Sketcher) Sketch(e []float32) []float32 {
	x := make([]float32, SketchLen)
	for row := range x {
		var sum float32
		for i := s.rows[row]; i < s.rows[row+1]; i++ {
			if v := e[s.from[i]]; s.plus[i] {
				sum += v
			} else {
				sum -= v
			}
		}
		x[row] = sum
	}
	unit(x)
	return x
}
