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

// indexes gives the candidates that Next chooses.
func indexes(labelled [][]float32, candidates []Candidate, n int) []int {
	var all []int
	for _, p := range Next(labelled, candidates, n) {
		all = append(all, p.Index)
	}
	return all
}

func TestTheUncertainGoFirstAmongTheEquallyNew(t *testing.T) {
	got := indexes([][]float32{at(0)}, []Candidate{
		{at(90), []float64{0.9, 0.1}}, {at(-90), []float64{0.5, 0.5}}, {at(90), []float64{0.7, 0.3}},
	}, 1)
	if !slices.Equal(got, []int{1}) {
		t.Errorf("%v", got)
	}
}

func TestTheNewGoFirstAmongTheEquallyUncertain(t *testing.T) {
	half := []float64{0.5, 0.5}
	got := indexes([][]float32{at(0)}, []Candidate{{at(10), half}, {at(170), half}, {at(60), half}}, 3)
	if !slices.Equal(got, []int{1, 2, 0}) {
		t.Errorf("%v", got)
	}
}

// Two equal frames are not both asked for while another kind is left.
func TestTwinsAreNotAskedForTogether(t *testing.T) {
	half := []float64{0.5, 0.5}
	got := indexes([][]float32{at(0)}, []Candidate{{at(180), half}, {at(180), half}, {at(60), []float64{0.8, 0.2}}}, 2)
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
	got := indexes(nil, all, 3)
	kinds := map[int]bool{}
	for _, i := range got {
		kinds[max(0, i/20-2)] = true
	}
	if len(got) != 3 || got[0] >= 60 || len(kinds) != 3 {
		t.Errorf("%v are of the kinds %v", got, kinds)
	}
}

func TestThereIsNoMoreThanThereIs(t *testing.T) {
	if got := indexes(nil, nil, 5); len(got) != 0 {
		t.Errorf("%v of nothing", got)
	}
	got := indexes([][]float32{at(3)}, []Candidate{{at(1), nil}, {at(2), nil}}, 5)
	slices.Sort(got)
	if !slices.Equal(got, []int{0, 1}) {
		t.Errorf("%v", got)
	}
}

// What is unlike all labelled frames is called new, and the reasons are told.
func TestPicksSayWhy(t *testing.T) {
	var all []Candidate
	for range 20 {
		all = append(all, Candidate{at(5), []float64{0.95, 0.05}})
	}
	all = append(all, Candidate{at(150), []float64{0.55, 0.45}})
	got := Next([][]float32{at(0)}, all, 2)
	if p := got[0]; p.Index != 20 || !p.New || math.Abs(p.Uncertainty-0.9) > 1e-6 || p.Distance < 1.5 {
		t.Errorf("%+v", p)
	}
	if p := got[1]; p.New || p.Distance > 0.1 {
		t.Errorf("%+v", p)
	}
}
