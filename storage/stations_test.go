package storage_test

import (
	"strings"
	"testing"

	"loupe/storage"
)

func TestTokensAreStoredAsHashesOnly(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	s, token, err := f.AddStation(ctx, "ada", storage.Station{Name: "press", RecipeID: r.ID})
	f.must(err)
	if found, err := f.StationByToken(ctx, token); err != nil || found.ID != s.ID {
		t.Errorf("%+v, %v", found, err)
	}
	for _, row := range f.dump() {
		if strings.Contains(row, token) || strings.Contains(row, strings.TrimPrefix(token, "loupe_")) {
			t.Errorf("the token is in %q", row)
		}
	}
	fresh, err := f.RotateToken(ctx, "ada", s.ID)
	f.must(err)
	_, err = f.StationByToken(ctx, token)
	f.refused(err, storage.NotFound)
	_, err = f.StationByToken(ctx, fresh)
	f.must(err)
	f.must(f.RevokeStation(ctx, "ada", s.ID))
	if found, err := f.StationByToken(ctx, fresh); err == nil && !found.Revoked {
		t.Error("a revoked station's token is good")
	}
}
