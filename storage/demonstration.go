package storage

import (
	"context"
	"database/sql"
	"fmt"
)

// RemoveDemonstration removes all recipes that are demonstrations with their
// stations, frames, corrections, versions and jobs, and every picture and model
// that nothing else uses. The audit log keeps its entries.
func (db *DB) RemoveDemonstration(ctx context.Context, by string) error {
	err := db.change(ctx, func(tx *sql.Tx) error {
		recipes, err := list(ctx, tx, scanID, `SELECT id FROM recipes WHERE demo = 1`)
		if err != nil {
			return err
		}
		if len(recipes) == 0 {
			return fail(NotFound, "there is no demonstration to remove")
		}
		for _, id := range recipes {
			keys, err := removeRecipe(ctx, tx, id)
			if err != nil {
				return err
			}
			if err := scheduleBlobs(ctx, tx, keys, db.now()); err != nil {
				return err
			}
			if err := db.audit(tx, by, "demonstration.remove", recipeSubject(id), nil, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	db.emit(Event{Kind: RecipeChanged})
	db.emit(Event{Kind: StationChanged})
	_, err = db.DeleteBlobs(ctx, func(string, []int64) error { return nil })
	return err
}

func removeRecipe(ctx context.Context, tx *sql.Tx, id int64) (blobs []string, err error) {
	blobs, err = list(ctx, tx, scanKey, `SELECT blob_key FROM frames WHERE recipe_id = ?1 UNION SELECT head_key FROM versions WHERE recipe_id = ?1 AND head_key <> '' UNION SELECT model_key FROM versions WHERE recipe_id = ?1`, id)
	if err != nil {
		return nil, err
	}
	// Rows point at each other both ways (a correction follows another, a champion
	// belongs to its recipe): the references are checked when all is gone.
	if _, err := tx.ExecContext(ctx, `PRAGMA defer_foreign_keys = ON`); err != nil {
		return nil, err
	}
	for _, q := range []string{
		`UPDATE recipes SET champion_id = NULL WHERE id = ?`,
		`UPDATE frames SET label_id = NULL WHERE recipe_id = ?`,
		`DELETE FROM doubts WHERE recipe_id = ?`,
		`DELETE FROM drift_charts WHERE recipe_id = ?`,
		`DELETE FROM drift_alarms WHERE recipe_id = ?`,
		`DELETE FROM shadow_inspections WHERE shadow_id IN (SELECT id FROM shadows WHERE recipe_id = ?)`,
		`DELETE FROM shadows WHERE recipe_id = ?`,
		`DELETE FROM inspections WHERE recipe_id = ?`,
		`DELETE FROM verdict_counts WHERE recipe_id = ?`,
		`DELETE FROM version_counts WHERE version_id IN (SELECT id FROM versions WHERE recipe_id = ?)`,
		`DELETE FROM suspects WHERE recipe_id = ?`,
		`DELETE FROM markings WHERE recipe_id = ?`,
		`DELETE FROM corrections WHERE recipe_id = ?`,
		`DELETE FROM frames WHERE recipe_id = ?`,
		`DELETE FROM parts WHERE recipe_id = ?`,
		`DELETE FROM promotions WHERE recipe_id = ?`,
		`DELETE FROM versions WHERE recipe_id = ?`,
		`DELETE FROM datasets WHERE recipe_id = ?`,
		`DELETE FROM jobs WHERE recipe_id = ?`,
		`DELETE FROM stations WHERE recipe_id = ?`,
		`DELETE FROM classes WHERE recipe_id = ?`,
		`DELETE FROM recipes WHERE id = ?`,
	} {
		if _, err := tx.ExecContext(ctx, q, id); err != nil {
			return nil, fmt.Errorf("remove the demonstration: %w", err)
		}
	}
	return blobs, nil
}
