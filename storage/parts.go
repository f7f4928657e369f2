package storage

import (
	"context"
	"database/sql"
)

// The shares of the split. A test frame is never trained on.
const (
	TrainShare = "train"
	TestShare  = "test"
)

// partKey names the physical part in a frame: what an import calls it, its
// serial, or the picture itself where there is neither, so that the same picture
// posted twice stays on one side of the split.
func partKey(f Frame) string {
	if f.Origin.Part != "" {
		return "part:" + f.Origin.Part
	}
	if f.Serial != "" {
		return "serial:" + f.Serial
	}
	return "blob:" + f.BlobKey
}

// testEvery puts one part in five on the test side, the fourth of each class
// first, so that a class can be learned from its first corrections.
const testEvery = 5

// assignShare gives the side of the split on which a frame's part lies. It is
// decided once for a part: wanted where the caller names one, else by counting
// the parts of the class so far, never by what the picture shows.
func assignShare(ctx context.Context, tx *sql.Tx, recipeID int64, key, class, wanted string) (string, error) {
	var share string
	err := tx.QueryRowContext(ctx, `SELECT share FROM parts WHERE recipe_id = ? AND key = ?`, recipeID, key).Scan(&share)
	if err == nil {
		return share, nil
	}
	if err != sql.ErrNoRows {
		return "", err
	}
	share = wanted
	if share == "" {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM parts WHERE recipe_id = ? AND class = ?`, recipeID, class).Scan(&n); err != nil {
			return "", err
		}
		share = TrainShare
		if n%testEvery == 3 {
			share = TestShare
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO parts (recipe_id, key, class, share) VALUES (?,?,?,?)`, recipeID, key, class, share)
	return share, err
}
