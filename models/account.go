package models

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"loupe/models/evaluation"
	"loupe/storage"
	"loupe/vision"
)

// Account is everything that a version's report tells, on paper or as JSON.
type Account struct {
	Version    storage.Version
	Recipe     storage.Recipe
	Statement  Statement
	Report     Report
	Champion   *storage.Version // that the report compares with; nil for none
	Results    []storage.Result
	Dataset    *storage.Dataset // nil where it is not known
	Promotions []storage.Promotion
	Mistakes   []storage.Result // wrong class, the surest first
	Wrong      int              // how many there are in all
	// Expected is what the present thresholds do to 10,000 parts by the version's
	// results, at the recipe's present costs; nil without good and bad test frames.
	Expected *evaluation.Point
	Costs    evaluation.Costs // with the share of bad parts filled in
}

// mostMistakes bounds the mistakes that an account names.
const mostMistakes = 12

// AccountOf gathers what is known of a version.
func AccountOf(ctx context.Context, db *storage.DB, versionID int64) (Account, error) {
	var a Account
	var err error
	if a.Version, err = db.Version(ctx, versionID); err != nil {
		return a, err
	}
	if a.Recipe, err = db.Recipe(ctx, a.Version.RecipeID); err != nil {
		return a, err
	}
	for what, to := range map[*json.RawMessage]any{&a.Version.Statement: &a.Statement, &a.Version.Report: &a.Report} {
		if err := json.Unmarshal(*what, to); err != nil {
			return a, fmt.Errorf("read the report of version %d: %w", a.Version.Number, err)
		}
	}
	if a.Report.ChampionID != 0 {
		champion, err := db.Version(ctx, a.Report.ChampionID)
		if err != nil {
			return a, err
		}
		a.Champion = &champion
	}
	if a.Version.DatasetID != 0 {
		d, err := db.Dataset(ctx, a.Version.DatasetID)
		if err != nil {
			return a, err
		}
		a.Dataset = &d
	}
	if a.Promotions, err = db.Promotions(ctx, a.Recipe.ID, versionID); err != nil {
		return a, err
	}
	if a.Results, err = db.Results(ctx, versionID); err != nil {
		return a, err
	}
	a.mistakes()
	return a, a.expect(ctx, db)
}

// mistakes picks the worst: bad parts that would be called OK, then whatever was
// the surest.
func (a *Account) mistakes() {
	for _, r := range a.Results {
		if r.Predicted != r.Truth {
			a.Mistakes = append(a.Mistakes, r)
		}
	}
	a.Wrong = len(a.Mistakes)
	escaped := func(r storage.Result) int {
		if c, ok := a.Recipe.Class(r.Truth); (!ok || !c.Pass) && r.Verdict == vision.OK {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(a.Mistakes, func(x, y storage.Result) int {
		return cmp.Or(cmp.Compare(escaped(x), escaped(y)), cmp.Compare(y.Score, x.Score), cmp.Compare(x.FrameID, y.FrameID))
	})
	a.Mistakes = a.Mistakes[:min(mostMistakes, len(a.Mistakes))]
}

func (a *Account) expect(ctx context.Context, db *storage.DB) error {
	a.Costs = costsOf(a.Recipe)
	frames, err := db.DataSet(ctx, a.Recipe.ID)
	if err != nil {
		return err
	}
	parts := make(map[int64]string, len(frames))
	for _, f := range frames {
		parts[f.FrameID] = f.Part
	}
	if p, costs, ok := evaluation.Expect(samplesOf(a.Recipe, a.Results, parts), a.Costs, a.Recipe.Thresholds); ok {
		a.Expected, a.Costs = &p, costs
	}
	return nil
}
