package acquisition

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// at is a unit vector at an angle in degrees.
func at(degrees float64) []float32 {
	s, c := math.Sincos(degrees * math.Pi / 180)
	return []float32{float32(c), float32(s)}
}

func TestTheUncertainGoFirstAmongTheEquallyNew(t *testing.T) {
	got := Next([][]float32{at(0)}, []Candidate{
		{at(90), []float64{0.9, 0.1}}, {at(-90), []float64{0.5, 0.5}}, {at(90), []float64{0.7, 0.3}},
	}, 1)
	if !slices.Equal(got, []int{1}) {
		t.Errorf("%v", got)
	}
}

func TestTheNewGoFirstAmongTheEquallyUncertain(t *testing.T) {
	half := []float64{0.5, 0.5}
	got := Next([][]float32{at(0)}, []Candidate{{at(10), half}, {at(170), half}, {at(60), half}}, 3)
	if !slices.Equal(got, []int{1, 2, 0}) {
		t.Errorf("%v", got)
	}
}

// Two equal frames are not both asked for while another kind is left.
func TestTwinsAreNotAskedForTogether(t *testing.T) {
	half := []float64{0.5, 0.5}
	got := Next([][]float32{at(0)}, []Candidate{{at(180), half}, {at(180), half}, {at(60), []float64{0.8, 0.2}}}, 2)
	if !slices.Equal(got, []int{0, 2}) {
		t.Errorf("%v", got)
	}
}

// Without any label the first is the most typical, and then each kind has its turn.
func TestTheFirstLabelsCoverTheKinds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var all []Candidate
	for _, centre := range []float64{0, 0, 0, 120, 240} { // one kind is three times as frequent
		for range 20 {
			all = append(all, Candidate{Embedding: at(centre + 4*rng.NormFloat64())})
		}
	}
	got := Next(nil, all, 3)
	kinds := map[int]bool{}
	for _, i := range got {
		kinds[max(0, i/20-2)] = true
	}
	if len(got) != 3 || got[0] >= 60 || len(kinds) != 3 {
		t.Errorf("%v are of the kinds %v", got, kinds)
	}
}

func TestThereIsNoMoreThanThereIs(t *testing.T) {
	if got := Next(nil, nil, 5); len(got) != 0 {
		t.Errorf("%v of nothing", got)
	}
	got := Next([][]float32{at(3)}, []Candidate{{at(1), nil}, {at(2), nil}}, 5)
	slices.Sort(got)
	if !slices.Equal(got, []int{0, 1}) {
		t.Errorf("%v", got)
	}
}

func TestEmbeddingsHaveLengthOneAndForgetScale(t *testing.T) {
	e := Embed([][]float32{{1, 1000, 7}, {2, 3000, 7}, {3, 2000, 7}})
	for i, one := range e {
		if i != 1 && math.Abs(dot(one, one)-1) > 1e-5 {
			t.Errorf("%v has the length %v", one, dot(one, one))
		}
		if math.Abs(float64(one[2])) > 1e-3 {
			t.Errorf("what never changes counts: %v", one)
		}
	}
	if Embed(nil) != nil {
		t.Error("embeddings of nothing")
	}
}
