package guard

import (
	"errors"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// space is where pooled features are compared: standardised, turned onto their
// principal components and whitened within the classes, so that a distance of
// one is what pictures of one class usually differ by, whatever they show. What
// the components leave over is a measure of its own: something never seen lies
// there (Wang et al. 2022, "ViM").
type space struct {
	mean, scale []float64 // of each feature
	basis       [][]float64
	whiten      *mat.TriDense // inverse of the lower Cholesky factor of the scatter within classes
	centers     [][]float64   // of each class, whitened
	rest        float64       // usual squared length that the components leave over
}

const (
	mostComponents = 24
	framesEach     = 6    // frames for each component, at least
	shrinkage      = 0.1  // of the scatter towards a sphere (Ledoit & Wolf 2004, with a fixed share)
	leastScale     = 0.05 // of a feature, as a share of the mean one
)

var errTooFew = errors.New("too few frames")

// newSpace learns a space from pooled features and their classes, 0 to classes-1.
func newSpace(pooled [][]float32, class []int, classes int) (*space, error) {
	n := len(pooled)
	d := min(mostComponents, n/framesEach)
	if d < 2 {
		return nil, errTooFew
	}
	s := &space{}
	s.standardise(pooled)
	x := mat.NewDense(n, len(s.mean), nil)
	for i, row := range pooled {
		s.standard(row, x.RawRowView(i))
	}
	if err := s.components(x, d); err != nil {
		return nil, err
	}
	flat := make([][]float64, n)
	rests := make([]float64, n)
	for i := range n {
		flat[i], rests[i] = s.turn(x.RawRowView(i))
	}
	s.rest = max(middle(rests), 1e-9)
	return s, s.within(flat, class, classes)
}

func (s *space) standardise(pooled [][]float32) {
	p := len(pooled[0])
	s.mean, s.scale = make([]float64, p), make([]float64, p)
	n := float64(len(pooled))
	square := make([]float64, p)
	for _, row := range pooled {
		for j, v := range row {
			s.mean[j] += float64(v) / n
			square[j] += float64(v) * float64(v) / n
		}
	}
	sum := 0.0
	for j, m := range s.mean {
		s.scale[j] = math.Sqrt(max(0, square[j]-m*m))
		sum += s.scale[j]
	}
	least := max(leastScale*sum/float64(p), 1e-9)
	for j := range s.scale {
		s.scale[j] = max(s.scale[j], least)
	}
}

func (s *space) standard(row []float32, to []float64) {
	for j, v := range row {
		to[j] = (float64(v) - s.mean[j]) / s.scale[j]
	}
}

// components finds the d main directions of the rows by their Gram matrix: there
// are fewer frames than features.
func (s *space) components(x *mat.Dense, d int) error {
	n, p := x.Dims()
	gram := mat.NewSymDense(n, nil)
	gram.SymOuterK(1, x)
	var eigen mat.EigenSym
	if !eigen.Factorize(gram, true) {
		return errors.New("the features have no principal components")
	}
	values := eigen.Values(nil) // rising
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	for k := n - 1; k >= max(0, n-d); k-- {
		if values[k] <= 1e-9*values[n-1] {
			break
		}
		direction := mat.NewVecDense(p, nil)
		direction.MulVec(x.T(), vectors.ColView(k))
		direction.ScaleVec(1/math.Sqrt(values[k]), direction)
		s.basis = append(s.basis, direction.RawVector().Data)
	}
	if len(s.basis) == 0 {
		return errTooFew
	}
	return nil
}

// turn gives the components of a standardised row, and the squared length of
// what they leave over.
func (s *space) turn(row []float64) (flat []float64, rest float64) {
	flat = make([]float64, len(s.basis))
	for _, v := range row {
		rest += v * v
	}
	for k, b := range s.basis {
		dot := 0.0
		for j, v := range row {
			dot += v * b[j]
		}
		flat[k] = dot
		rest -= dot * dot
	}
	return flat, max(0, rest)
}

// within whitens by the scatter of the frames around their classes' centres.
func (s *space) within(flat [][]float64, class []int, classes int) error {
	d := len(s.basis)
	centers, counts := make([][]float64, classes), make([]float64, classes)
	for c := range centers {
		centers[c] = make([]float64, d)
	}
	for i, row := range flat {
		counts[class[i]]++
		for k, v := range row {
			centers[class[i]][k] += v
		}
	}
	for c := range centers {
		for k := range d {
			centers[c][k] /= max(1, counts[c])
		}
	}
	scatter := mat.NewSymDense(d, nil)
	for i, row := range flat {
		r := make([]float64, d)
		for k, v := range row {
			r[k] = v - centers[class[i]][k]
		}
		scatter.SymRankOne(scatter, 1/max(1, float64(len(flat)-classes)), mat.NewVecDense(d, r))
	}
	trace := mat.Trace(scatter) / float64(d)
	for a := range d {
		for b := a; b < d; b++ {
			v := (1 - shrinkage) * scatter.At(a, b)
			if a == b {
				v += shrinkage*trace + 1e-9
			}
			scatter.SetSym(a, b, v)
		}
	}
	var factor mat.Cholesky
	if !factor.Factorize(scatter) {
		return errors.New("the features do not vary")
	}
	var lower, inverse mat.TriDense
	factor.LTo(&lower)
	if err := inverse.InverseTri(&lower); err != nil {
		return errors.New("the features hardly vary")
	}
	s.whiten = &inverse
	for c := range centers {
		s.centers = append(s.centers, s.white(centers[c]))
	}
	return nil
}

// white whitens components.
func (s *space) white(flat []float64) []float64 {
	out := mat.NewVecDense(len(flat), nil)
	out.MulVec(s.whiten, mat.NewVecDense(len(flat), flat))
	return out.RawVector().Data
}

// place is where a picture lies.
type place struct {
	white    []float64 // its components, whitened
	class    int       // whose centre is nearest
	off      []float64 // from the centre of the nearest class
	distance float64   // from it, squared, a component; and what the components leave over, as a multiple of the usual
}

// place finds where pooled features lie.
func (s *space) place(pooled []float32) place {
	row := make([]float64, len(pooled))
	s.standard(pooled, row)
	flat, rest := s.turn(row)
	p := place{white: s.white(flat)}
	nearest := math.Inf(1)
	for i, c := range s.centers {
		if d := squared(p.white, c); d < nearest {
			nearest, p.class = d, i
			p.off = difference(p.white, c)
		}
	}
	p.distance = nearest/float64(len(flat)) + rest/s.rest
	return p
}

func difference(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] - b[i]
	}
	return out
}

func squared(a, b []float64) (sum float64) {
	for i, v := range a {
		sum += (v - b[i]) * (v - b[i])
	}
	return sum
}

// middle is the median; 0 of nothing.
func middle(values []float64) float64 { return quantile(values, 0.5) }

// quantile interpolates between the sorted values; 0 of nothing.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	low := int(at)
	if low+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}
