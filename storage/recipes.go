package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"loupe/vision"
)

// LearnRule says when corrections start a training by themselves.
type LearnRule struct {
	After        int `json:"after"`         // corrections since the last training; 0 switches the rule off
	QuietSeconds int `json:"quiet_seconds"` // and none for so long
}

// PromoteRule says when a new version replaces the champion by itself.
type PromoteRule struct {
	Auto   bool    `json:"auto"`
	Metric string  `json:"metric"` // "balanced_accuracy", "accuracy" or "escapes"
	Margin float64 `json:"margin"` // how much worse the metric may be, as a share
}

// CostRule says what wrong verdicts cost and how much people can look at, so that
// thresholds can be suggested.
type CostRule struct {
	Escape      float64 `json:"escape"`       // of a bad part judged OK, in any unit
	FalseReject float64 `json:"false_reject"` // of a good part judged NG, in the same unit
	UnsureShare float64 `json:"unsure_share"` // largest share of parts that people can look at
	BadShare    float64 `json:"bad_share"`    // share of bad parts in production; 0 means as in the test frames
}

// DefaultCosts take an escape to be a hundred times as bad as a false reject.
var DefaultCosts = CostRule{Escape: 100, FalseReject: 1, UnsureShare: 0.05}

// mostCost bounds both costs, so that sums of them stay exact enough to compare.
const mostCost = 1e6

func (c CostRule) check() error {
	for _, cost := range []float64{c.Escape, c.FalseReject} {
		if !(cost >= 0 && cost <= mostCost) {
			return fail(Invalid, "a cost must be from 0 to 1000000: only how many times the other it is matters")
		}
	}
	switch {
	case c.Escape == 0 && c.FalseReject == 0:
		return fail(Invalid, "an escape or a false reject must cost something")
	case !(c.UnsureShare >= 0 && c.UnsureShare <= 1):
		return fail(Invalid, "the share of parts that people can look at must be from 0 to 100 %%")
	case !(c.BadShare >= 0 && c.BadShare < 1):
		return fail(Invalid, "the share of bad parts must be from 0 to less than 100 %%; 0 means as in the test frames")
	}
	return nil
}

// NormalityRule says what a recipe's versions make of parts that are unlike those
// they learned from.
type NormalityRule struct {
	GoodOnly    bool    `json:"good_only"`    // learn from good parts alone, whatever else is labelled
	FalseAlarms float64 `json:"false_alarms"` // share of known parts that may be taken for unlike them, from the next training on
}

// DefaultNormality takes one known part in a hundred for an unknown one.
var DefaultNormality = NormalityRule{FalseAlarms: 0.01}

func (n NormalityRule) check() error {
	if !(n.FalseAlarms >= 0.0001 && n.FalseAlarms <= 0.2) {
		return fail(Invalid, "the share of false alarms must be from 0.01 to 20 %%")
	}
	return nil
}

// Recipe is how one product is judged.
type Recipe struct {
	ID         int64
	Name       string
	Classes    []vision.Class // in use, in order
	Archived   []vision.Class // no longer used; frames may still carry them
	Region     vision.Region
	Size       int
	Mirror     bool // a mirrored part would be of the same class: training looks at each frame mirrored too
	Thresholds vision.Thresholds
	Costs      CostRule
	Normality  NormalityRule
	Learn      LearnRule
	Promote    PromoteRule
	Queue      QueueRule
	Keep       KeepRule
	OddUnsure  bool  // a part that looks like none of the training frames is Unsure rather than OK
	ChampionID int64 // 0 while there is none
	Demo       bool
	CreatedAt  time.Time
}

// Class finds a class in use by name.
func (r Recipe) Class(name string) (vision.Class, bool) {
	for _, c := range r.Classes {
		if c.Name == name {
			return c, true
		}
	}
	return vision.Class{}, false
}

// ClassNames lists the names of the classes in use, in order.
func (r Recipe) ClassNames() []string {
	names := make([]string, len(r.Classes))
	for i, c := range r.Classes {
		names[i] = c.Name
	}
	return names
}

// NewRecipe is a recipe with the defaults that suit most products.
func NewRecipe(name string, classes []vision.Class) Recipe {
	return Recipe{
		Name: name, Classes: classes, Size: 224, Mirror: true, Thresholds: vision.DefaultThresholds, Costs: DefaultCosts, Normality: DefaultNormality,
		Learn:     LearnRule{After: 10, QuietSeconds: 20},
		Promote:   PromoteRule{Auto: true, Metric: "balanced_accuracy", Margin: 0.01},
		Queue:     DefaultQueue,
		Keep:      DefaultKeep,
		OddUnsure: true,
	}
}

const recipeColumns = `id, name, region_json, size, mirror, threshold_ok, threshold_ng, learn_after, learn_quiet_s,
	promote_auto, promote_metric, promote_margin, queue_limit, newest_first, keep_days, keep_gigabytes,
	protect_days, labelled_may_go, cost_escape, cost_false_reject, unsure_share, bad_share, odd_unsure, good_only, false_alarms, champion_id, demo, created_at`

func scanRecipe(s scanner) (Recipe, error) {
	var r Recipe
	var region string
	var champion sql.NullInt64
	var at int64
	err := s.Scan(&r.ID, &r.Name, &region, &r.Size, &r.Mirror, &r.Thresholds.OK, &r.Thresholds.NG, &r.Learn.After, &r.Learn.QuietSeconds,
		&r.Promote.Auto, &r.Promote.Metric, &r.Promote.Margin, &r.Queue.Limit, &r.Queue.NewestFirst,
		&r.Keep.Days, &r.Keep.Gigabytes, &r.Keep.ProtectDays, &r.Keep.LabelledMayGo,
		&r.Costs.Escape, &r.Costs.FalseReject, &r.Costs.UnsureShare, &r.Costs.BadShare, &r.OddUnsure, &r.Normality.GoodOnly, &r.Normality.FalseAlarms, &champion, &r.Demo, &at)
	if err != nil {
		return r, err
	}
	r.ChampionID, r.CreatedAt = champion.Int64, fromMillis(at)
	return r, json.Unmarshal([]byte(region), &r.Region)
}

// Recipes lists the recipes in use, by name.
func (db *DB) Recipes(ctx context.Context) ([]Recipe, error) {
	all, err := list(ctx, db.read, scanRecipe, `SELECT `+recipeColumns+` FROM recipes WHERE archived_at IS NULL ORDER BY name`)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if err := loadClasses(ctx, db.read, &all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Recipe finds a recipe in use by ID.
func (db *DB) Recipe(ctx context.Context, id int64) (Recipe, error) {
	return readRecipe(ctx, db.read, id)
}

// HasChampion reports whether a recipe's frames can be judged.
func (db *DB) HasChampion(ctx context.Context, id int64) (has bool, err error) {
	err = db.read.QueryRowContext(ctx, `SELECT champion_id IS NOT NULL FROM recipes WHERE id = ?`, id).Scan(&has)
	return has, explain(err)
}

// RecipeByName finds a recipe in use by name, in any case of letters.
func (db *DB) RecipeByName(ctx context.Context, name string) (Recipe, error) {
	r, err := one(ctx, db.read, "recipe", scanRecipe, `SELECT `+recipeColumns+` FROM recipes WHERE archived_at IS NULL AND name = ? COLLATE NOCASE`, name)
	if err != nil {
		return r, err
	}
	return r, loadClasses(ctx, db.read, &r)
}

func readRecipe(ctx context.Context, q querier, id int64) (Recipe, error) {
	r, err := one(ctx, q, "recipe", scanRecipe, `SELECT `+recipeColumns+` FROM recipes WHERE archived_at IS NULL AND id = ?`, id)
	if err != nil {
		return r, err
	}
	return r, loadClasses(ctx, q, &r)
}

func (r Recipe) check() error {
	switch {
	case strings.TrimSpace(r.Name) == "" || len(r.Name) > 100:
		return fail(Invalid, "give the recipe a name of 1 to 100 characters")
	case !r.Region.Valid():
		return fail(Invalid, "the region of interest must lie inside the picture")
	case vision.CheckSize(r.Size) != nil:
		return fail(Invalid, "%v", vision.CheckSize(r.Size))
	case !(r.Thresholds.OK > 0.5 && r.Thresholds.OK <= 1 && r.Thresholds.NG > 0.5 && r.Thresholds.NG <= 1):
		return fail(Invalid, "thresholds must be over 0.5 and at most 1")
	case r.Learn.After < 0 || r.Learn.After > 100000 || r.Learn.QuietSeconds < 0 || r.Learn.QuietSeconds > 86400:
		return fail(Invalid, "the learning rule takes 0 to 100000 corrections and 0 to 86400 seconds")
	case r.Promote.Metric != "balanced_accuracy" && r.Promote.Metric != "accuracy" && r.Promote.Metric != "escapes":
		return fail(Invalid, "promote by balanced_accuracy, accuracy or escapes")
	case !(r.Promote.Margin >= 0 && r.Promote.Margin <= 0.5):
		return fail(Invalid, "the margin must be from 0 to 0.5")
	case r.Queue.Limit < 1 || r.Queue.Limit > 100000:
		return fail(Invalid, "from 1 to 100000 frames of a station may wait")
	}
	if err := r.Costs.check(); err != nil {
		return err
	}
	if err := r.Normality.check(); err != nil {
		return err
	}
	return r.Keep.check()
}

// AddRecipe stores a new recipe with its classes.
func (db *DB) AddRecipe(ctx context.Context, by string, r Recipe) (Recipe, error) {
	r.Name = strings.TrimSpace(r.Name)
	if err := r.check(); err != nil {
		return r, err
	}
	if err := checkClasses(r.Classes); err != nil {
		return r, err
	}
	r.CreatedAt = db.now()
	err := db.change(ctx, func(tx *sql.Tx) error {
		res, err := tx.Exec(`INSERT INTO recipes (name, region_json, size, mirror, threshold_ok, threshold_ng, learn_after, learn_quiet_s,
			promote_auto, promote_metric, promote_margin, queue_limit, newest_first, keep_days, keep_gigabytes, protect_days, labelled_may_go,
			cost_escape, cost_false_reject, unsure_share, bad_share, odd_unsure, good_only, false_alarms, demo, created_at)
			VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
			r.Name, marshal(r.Region), r.Size, r.Mirror, r.Thresholds.OK, r.Thresholds.NG, r.Learn.After, r.Learn.QuietSeconds,
			r.Promote.Auto, r.Promote.Metric, r.Promote.Margin, r.Queue.Limit, r.Queue.NewestFirst,
			r.Keep.Days, r.Keep.Gigabytes, r.Keep.ProtectDays, r.Keep.LabelledMayGo,
			r.Costs.Escape, r.Costs.FalseReject, r.Costs.UnsureShare, r.Costs.BadShare, r.OddUnsure, r.Normality.GoodOnly, r.Normality.FalseAlarms, r.Demo, millis(r.CreatedAt))
		if unique(err) {
			return fail(Conflict, "there is a recipe named %q already", r.Name)
		}
		if err != nil {
			return err
		}
		r.ID, _ = res.LastInsertId()
		if err := storeClasses(tx, r.ID, r.Classes); err != nil {
			return err
		}
		return db.audit(tx, by, "recipe.add", recipeSubject(r.ID), nil, publicRecipe(r))
	})
	if err == nil {
		db.emit(Event{Kind: RecipeChanged, ID: r.ID, RecipeID: r.ID})
	}
	return r, err
}

// ChangeRecipe stores name, region, size, thresholds, costs and rules of the recipe
// with r.ID; classes have functions of their own.
func (db *DB) ChangeRecipe(ctx context.Context, by string, r Recipe) error {
	r.Name = strings.TrimSpace(r.Name)
	if err := r.check(); err != nil {
		return err
	}
	err := db.change(ctx, func(tx *sql.Tx) error {
		old, err := readRecipe(ctx, tx, r.ID)
		if err != nil {
			return err
		}
		_, err = tx.Exec(`UPDATE recipes SET name=?, region_json=?, size=?, mirror=?, threshold_ok=?, threshold_ng=?, learn_after=?, learn_quiet_s=?,
			promote_auto=?, promote_metric=?, promote_margin=?, queue_limit=?, newest_first=?, keep_days=?, keep_gigabytes=?, protect_days=?, labelled_may_go=?,
			cost_escape=?, cost_false_reject=?, unsure_share=?, bad_share=?, odd_unsure=?, good_only=?, false_alarms=? WHERE id=?`,
			r.Name, marshal(r.Region), r.Size, r.Mirror, r.Thresholds.OK, r.Thresholds.NG, r.Learn.After, r.Learn.QuietSeconds,
			r.Promote.Auto, r.Promote.Metric, r.Promote.Margin, r.Queue.Limit, r.Queue.NewestFirst,
			r.Keep.Days, r.Keep.Gigabytes, r.Keep.ProtectDays, r.Keep.LabelledMayGo,
			r.Costs.Escape, r.Costs.FalseReject, r.Costs.UnsureShare, r.Costs.BadShare, r.OddUnsure, r.Normality.GoodOnly, r.Normality.FalseAlarms, r.ID)
		if unique(err) {
			return fail(Conflict, "there is a recipe named %q already", r.Name)
		}
		if err != nil {
			return err
		}
		r.Classes = old.Classes
		return db.audit(tx, by, "recipe.change", recipeSubject(r.ID), publicRecipe(old), publicRecipe(r))
	})
	if err == nil {
		db.emit(Event{Kind: RecipeChanged, ID: r.ID, RecipeID: r.ID})
	}
	return err
}

func recipeSubject(id int64) string { return fmt.Sprintf("recipe %d", id) }

func publicRecipe(r Recipe) map[string]any {
	return map[string]any{"name": r.Name, "region": r.Region, "size": r.Size, "mirror": r.Mirror, "thresholds": r.Thresholds,
		"learn": r.Learn, "promote": r.Promote, "queue": r.Queue, "keep": r.Keep, "costs": r.Costs, "odd_unsure": r.OddUnsure, "normality": r.Normality, "classes": r.Classes}
}
