package models_test

import (
	"testing"

	"loupe/models"
	"loupe/storage"
)

func TestThresholdsAreSuggestedByTheTestShareOfTheChampion(t *testing.T) {
	p := open(t, taught(t), 0)
	r := p.plates()
	r.Costs = storage.CostRule{Escape: 10, FalseReject: 1, UnsureShare: 1, BadShare: 0.1}
	s, known, err := models.Suggest(t.Context(), p.db, r)
	if err != nil || !known {
		t.Fatal(known, err)
	}
	// Six plates, two of each kind; with all parts for people nothing goes wrong.
	if s.Best.Escapes.N != 4 || s.Best.FalseRejects.N != 2 || s.Best.Cost != 0 || s.Now.Thresholds != r.Thresholds || s.Costs.BadShare != 0.1 || !s.HasHeld {
		t.Errorf("%+v", s)
	}
	if _, known, err := models.Suggest(t.Context(), p.db, p.recipe("untaught")); known || err != nil {
		t.Errorf("a recipe without a champion has a suggestion: %v", err)
	}
}
