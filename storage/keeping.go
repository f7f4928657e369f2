package storage

import (
	"context"
	"database/sql"
	"time"
)

// KeepRule says how long the pictures of a recipe are kept. Rows are for ever:
// only the picture and its heat map go. What a person ever labelled, and with it
// each training and test frame, is kept for ever unless LabelledMayGo.
type KeepRule struct {
	Days          int     `json:"days"`            // of pictures judged OK; 0 for ever
	Gigabytes     float64 `json:"gigabytes"`       // of all pictures, 2³⁰ bytes; 0 without limit
	ProtectDays   int     `json:"protect_days"`    // others stay so long at least, whatever their size; 0 for ever
	LabelledMayGo bool    `json:"labelled_may_go"` // then labelled ones too stay only ProtectDays
}

// DefaultKeep keeps everything.
var DefaultKeep = KeepRule{ProtectDays: 365}

func (k KeepRule) check() error {
	switch {
	case k.Days < 0 || k.Days > 36500 || k.ProtectDays < 0 || k.ProtectDays > 36500:
		return fail(Invalid, "pictures are kept 0 to 36500 days")
	case !(k.Gigabytes >= 0 && k.Gigabytes <= 1e6):
		return fail(Invalid, "pictures may take 0 to 1000000 gigabytes")
	case k.ProtectDays > 0 && k.ProtectDays < k.Days:
		return fail(Invalid, "NG and Unsure pictures cannot go before those judged OK: keep them %d days at least", k.Days)
	}
	return nil
}

// PictureKind is what decides how long a picture is kept.
type PictureKind string

const (
	OrdinaryPicture PictureKind = "ordinary" // judged OK or discarded, and nobody ever labelled it
	DoubtfulPicture PictureKind = "doubtful" // NG, Unsure or not judged, and nobody ever labelled it
	LabelledPicture PictureKind = "labelled" // somebody said what it is, now or before
)

// pictureKinds are in the order in which they go.
var pictureKinds = []PictureKind{OrdinaryPicture, DoubtfulPicture, LabelledPicture}

// kindTerms are the kinds as SQL. A frame that waits to be judged is of none.
var kindTerms = map[PictureKind]string{
	OrdinaryPicture: `label_id IS NULL AND (verdict = 'OK' OR state = 'discarded')`,
	DoubtfulPicture: `label_id IS NULL AND verdict IS NOT 'OK' AND state NOT IN ('pending', 'discarded')`,
	LabelledPicture: `label_id IS NOT NULL AND state <> 'pending'`,
}

// before is the time before which a kind's pictures may go: by age alone, and
// where the gigabytes are exceeded. The zero time means never.
func (k KeepRule) before(kind PictureKind, now time.Time) (byAge, bySize time.Time) {
	ago := func(days int) time.Time {
		if days == 0 {
			return time.Time{}
		}
		return now.Add(-time.Duration(days) * 24 * time.Hour)
	}
	switch {
	case kind == OrdinaryPicture:
		byAge, bySize = ago(k.Days), now
	case kind == DoubtfulPicture || k.LabelledMayGo:
		bySize = ago(k.ProtectDays)
		if k.Days > 0 {
			byAge = bySize
		}
	}
	if k.Gigabytes == 0 {
		bySize = time.Time{}
	}
	return byAge, bySize
}

// limit is the most bytes that pictures may take; negative for no limit.
func (k KeepRule) limit() int64 {
	if k.Gigabytes == 0 {
		return -1
	}
	return int64(k.Gigabytes * (1 << 30))
}

// PictureSum is how many pictures of a kind there are and what they take.
type PictureSum struct {
	Kind     PictureKind
	Pictures int
	Bytes    int64
	Oldest   time.Time
	Go       int   // of them go by the rule
	GoBytes  int64 // and free so much
}

// KeepPlan is what a rule does to a recipe's pictures now.
type KeepPlan struct {
	Sums  []PictureSum // by kind, in the order in which they go
	Bytes int64        // of all pictures, those that wait to be judged too
	Over  int64        // bytes over the limit that the rule protects
}

// sumPictures adds up the pictures of a kind received before a time.
func sumPictures(ctx context.Context, q querier, recipeID int64, kind PictureKind, before time.Time) (n int, bytes int64, oldest time.Time, err error) {
	var first sql.NullInt64
	err = q.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(bytes), 0), min(received_at) FROM frames
		WHERE recipe_id = ? AND picture_removed_at IS NULL AND received_at < ? AND `+kindTerms[kind], recipeID, millis(before)).Scan(&n, &bytes, &first)
	return n, bytes, fromNullMillis(first), explain(err)
}

// pictureBytes is what all pictures of a recipe take.
func pictureBytes(ctx context.Context, q querier, recipeID int64) (n int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT coalesce(sum(bytes), 0) FROM frames WHERE recipe_id = ? AND picture_removed_at IS NULL`, recipeID).Scan(&n)
	return n, explain(err)
}

// PlanKeeping tells what a rule would remove of a recipe's pictures now.
func (db *DB) PlanKeeping(ctx context.Context, recipeID int64, k KeepRule) (KeepPlan, error) {
	var p KeepPlan
	if err := k.check(); err != nil {
		return p, err
	}
	now := db.now()
	for _, kind := range pictureKinds {
		s := PictureSum{Kind: kind}
		var err error
		if s.Pictures, s.Bytes, s.Oldest, err = sumPictures(ctx, db.read, recipeID, kind, now.Add(time.Hour)); err != nil {
			return p, err
		}
		if byAge, _ := k.before(kind, now); !byAge.IsZero() {
			if s.Go, s.GoBytes, _, err = sumPictures(ctx, db.read, recipeID, kind, byAge); err != nil {
				return p, err
			}
		}
		p.Sums = append(p.Sums, s)
	}
	var err error
	if p.Bytes, err = pictureBytes(ctx, db.read, recipeID); err != nil {
		return p, err
	}
	return p, db.planSize(ctx, recipeID, k, now, &p)
}

// planSize adds what goes because all pictures together take too much.
func (db *DB) planSize(ctx context.Context, recipeID int64, k KeepRule, now time.Time, p *KeepPlan) error {
	if k.limit() < 0 {
		return nil
	}
	p.Over = p.Bytes - k.limit()
	for _, s := range p.Sums {
		p.Over -= s.GoBytes
	}
	for i, kind := range pictureKinds {
		byAge, bySize := k.before(kind, now)
		if p.Over <= 0 || bySize.IsZero() || !bySize.After(byAge) {
			continue
		}
		n, bytes, err := db.oldestWorth(ctx, recipeID, kind, byAge, bySize, p.Over)
		if err != nil {
			return err
		}
		p.Sums[i].Go += n
		p.Sums[i].GoBytes += bytes
		p.Over -= bytes
	}
	p.Over = max(0, p.Over)
	return nil
}

// oldestWorth counts the oldest pictures of a kind that together take so many
// bytes.
func (db *DB) oldestWorth(ctx context.Context, recipeID int64, kind PictureKind, from, before time.Time, bytes int64) (n int, sum int64, err error) {
	rows, err := db.read.QueryContext(ctx, `SELECT bytes FROM frames WHERE recipe_id = ? AND picture_removed_at IS NULL AND received_at >= ? AND received_at < ?
		AND `+kindTerms[kind]+` ORDER BY received_at`, recipeID, millis(from), millis(before))
	if err != nil {
		return 0, 0, explain(err)
	}
	defer rows.Close()
	for sum < bytes && rows.Next() {
		var one int64
		if err := rows.Scan(&one); err != nil {
			return 0, 0, explain(err)
		}
		n++
		sum += one
	}
	return n, sum, explain(rows.Err())
}
