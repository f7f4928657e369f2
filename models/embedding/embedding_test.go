package embedding

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestEmbeddingsHaveLengthOneAndForgetScale(t *testing.T) {
	e := All([][]float32{{1, 1000, 7}, {2, 3000, 7}, {3, 2000, 7}})
	for i, one := range e {
		if i != 1 && math.Abs(Cosine(one, one)-1) > 1e-5 {
			t.Errorf("%v has the length %v", one, Cosine(one, one))
		}
		if math.Abs(float64(one[2])) > 1e-3 {
			t.Errorf("what never changes counts: %v", one)
		}
	}
	if len(All(nil)) != 0 {
		t.Error("embeddings of nothing")
	}
}

// blobs are points of length one around some directions, one kind after the other.
func blobs(kinds, each, width int) (all [][]float32) {
	rng := rand.New(rand.NewPCG(2, 3))
	for range kinds {
		centre := make([]float64, width)
		for j := range centre {
			centre[j] = rng.NormFloat64()
		}
		for range each {
			x := make([]float32, width)
			for j := range x {
				x[j] = float32(centre[j] + 0.6*rng.NormFloat64())
			}
			unit(x)
			all = append(all, x)
		}
	}
	return all
}

func TestSketchesKeepTheCosines(t *testing.T) {
	points := blobs(3, 10, 2696)
	s := NewSketcher(2696)
	var worst float64
	for _, a := range points {
		for _, b := range points {
			worst = max(worst, math.Abs(Cosine(a, b)-Cosine(s.Sketch(a), s.Sketch(b))))
		}
	}
	if worst > 5/math.Sqrt(SketchLen) {
		t.Errorf("a cosine is off by %.3f", worst)
	}
}

func TestClustersAreTheKinds(t *testing.T) {
	const kinds, each = 5, 20
	points := blobs(kinds, each, 64)
	all := Clusters(points, kinds, 1)
	seen := 0
	for _, c := range all {
		for _, i := range c.Members {
			if i/each != c.Members[0]/each {
				t.Errorf("%d and %d are in one cluster", i, c.Members[0])
			}
		}
		seen += len(c.Members)
		if !(c.Tight > 0.5 && c.Tight <= 1.0001) {
			t.Errorf("tight by %v", c.Tight)
		}
	}
	if len(all) != kinds || seen != kinds*each {
		t.Errorf("%d clusters of %d points", len(all), seen)
	}
}

func TestClustersOfFewOrEqualPoints(t *testing.T) {
	if got := Clusters(nil, 3, 1); got != nil {
		t.Errorf("%v of nothing", got)
	}
	same := [][]float32{{1, 0}, {1, 0}, {1, 0}}
	if got := Clusters(same, 2, 1); len(got) != 1 || len(got[0].Members) != 3 {
		t.Errorf("%v of three equal points", got)
	}
	if got := Clusters(same[:1], 9, 1); len(got) != 1 {
		t.Errorf("%v of one point", got)
	}
}
