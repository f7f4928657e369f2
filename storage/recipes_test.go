package storage_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"loupe/storage"
	"loupe/vision"
)

func TestARecipeComesBackAsItWasStored(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	r.Name, r.Size, r.Mirror, r.Region = " Caps 2 ", 320, false, vision.Region{X: 0.1, Y: 0.2, W: 0.5, H: 0.25}
	r.Thresholds = vision.Thresholds{OK: 0.95, NG: 0.6}
	r.Learn = storage.LearnRule{After: 3, QuietSeconds: 7}
	r.Promote = storage.PromoteRule{Metric: "escapes", Margin: 0.25}
	r.Costs = storage.CostRule{Escape: 250.5, FalseReject: 3, UnsureShare: 0.02, BadShare: 0.004}
	f.must(f.ChangeRecipe(ctx, "ada", r))
	f.reopen()
	r.Name = "Caps 2"
	for name, find := range map[string]func() (storage.Recipe, error){
		"by ID":   func() (storage.Recipe, error) { return f.Recipe(ctx, r.ID) },
		"by name": func() (storage.Recipe, error) { return f.RecipeByName(ctx, "CAPS 2") },
		"in the list": func() (storage.Recipe, error) {
			all, err := f.Recipes(ctx)
			return all[0], err
		},
	} {
		if found, err := find(); err != nil || !reflect.DeepEqual(found, r) {
			t.Errorf("%s: %v\n%+v, want\n%+v", name, err, found, r)
		}
	}
	_, err := f.Recipe(ctx, 999)
	f.refused(err, storage.NotFound)
}

func TestThresholdsAndCostsLeaveARecordOfWhoAndWhen(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	was := r.Thresholds
	r.Thresholds = vision.Thresholds{OK: 0.91, NG: 0.52}
	r.Costs.Escape = 400
	f.must(f.ChangeRecipe(ctx, "grace", r))
	log, err := f.Audit(ctx, fmt.Sprint("recipe ", r.ID), 0, 1)
	f.must(err)
	var before, after struct {
		Thresholds vision.Thresholds
		Costs      storage.CostRule
	}
	f.must(json.Unmarshal([]byte(log[0].Before), &before))
	f.must(json.Unmarshal([]byte(log[0].After), &after))
	if before.Costs != storage.DefaultCosts || after.Costs != r.Costs {
		t.Errorf("costs from %+v to %+v", before.Costs, after.Costs)
	}
	if log[0].Person != "grace" || !log[0].At.After(r.CreatedAt) || before.Thresholds != was || after.Thresholds != r.Thresholds {
		t.Errorf("%s at %v: from %v to %v, want from %v to %v", log[0].Person, log[0].At, before.Thresholds, after.Thresholds, was, r.Thresholds)
	}
}

func TestRecipesThatCannotBeAreRefused(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	good := f.recipe("lids")
	taken := f.recipe("caps")
	for name, c := range map[string]struct {
		change func(r *storage.Recipe)
		code   storage.Code
	}{
		"no name":               {func(r *storage.Recipe) { r.Name = "  " }, storage.Invalid},
		"a long name":           {func(r *storage.Recipe) { r.Name = strings.Repeat("x", 101) }, storage.Invalid},
		"a name in use":         {func(r *storage.Recipe) { r.Name = "CAPS" }, storage.Conflict},
		"a region outside":      {func(r *storage.Recipe) { r.Region = vision.Region{X: 0.6, W: 0.5, H: 1} }, storage.Invalid},
		"a size too small":      {func(r *storage.Recipe) { r.Size = 192 }, storage.Invalid},
		"a size too large":      {func(r *storage.Recipe) { r.Size = 928 }, storage.Invalid},
		"a size in between":     {func(r *storage.Recipe) { r.Size = 250 }, storage.Invalid},
		"half a threshold":      {func(r *storage.Recipe) { r.Thresholds.OK = 0.5 }, storage.Invalid},
		"a threshold over 1":    {func(r *storage.Recipe) { r.Thresholds.NG = 1.01 }, storage.Invalid},
		"no number":             {func(r *storage.Recipe) { r.Thresholds.OK = math.NaN() }, storage.Invalid},
		"a negative count":      {func(r *storage.Recipe) { r.Learn.After = -1 }, storage.Invalid},
		"two days of quiet":     {func(r *storage.Recipe) { r.Learn.QuietSeconds = 2 * 86400 }, storage.Invalid},
		"an unknown metric":     {func(r *storage.Recipe) { r.Promote.Metric = "beauty" }, storage.Invalid},
		"a cost below nothing":  {func(r *storage.Recipe) { r.Costs.Escape = -1 }, storage.Invalid},
		"a cost of no number":   {func(r *storage.Recipe) { r.Costs.FalseReject = math.NaN() }, storage.Invalid},
		"a cost beyond reason":  {func(r *storage.Recipe) { r.Costs.Escape = 1e7 }, storage.Invalid},
		"no cost at all":        {func(r *storage.Recipe) { r.Costs.Escape, r.Costs.FalseReject = 0, 0 }, storage.Invalid},
		"more than all Unsure":  {func(r *storage.Recipe) { r.Costs.UnsureShare = 1.5 }, storage.Invalid},
		"all parts bad":         {func(r *storage.Recipe) { r.Costs.BadShare = 1 }, storage.Invalid},
		"a margin of no number": {func(r *storage.Recipe) { r.Promote.Margin = math.NaN() }, storage.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			bad := good
			c.change(&bad)
			_, err := f.AddRecipe(ctx, "ada", bad)
			f.refused(err, c.code)
			f.refused(f.ChangeRecipe(ctx, "ada", bad), c.code)
			if now, err := f.Recipe(ctx, good.ID); err != nil || now.Name != good.Name || now.Thresholds != good.Thresholds {
				t.Errorf("a refused change is in force: %+v, %v", now, err)
			}
		})
	}
	taken.ID = 999
	taken.Name = "none"
	f.refused(f.ChangeRecipe(ctx, "ada", taken), storage.NotFound)
}
