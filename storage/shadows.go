package storage

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// ShadowRule says how a recipe's challengers judge in shadow.
type ShadowRule struct {
	Frames  int  `json:"frames"`  // a challenger judges at most so many
	Days    int  `json:"days"`    // and at most so long
	Settled int  `json:"settled"` // frames that people must have said the truth about before the rule may promote it
	Auto    bool `json:"auto"`    // a version that waits begins by itself
}

func (r ShadowRule) check() error {
	switch {
	case r.Frames < 1 || r.Frames > 1_000_000:
		return fail(Invalid, "a challenger judges 1 to 1000000 frames")
	case r.Days < 1 || r.Days > 365:
		return fail(Invalid, "a challenger judges for 1 to 365 days")
	case r.Settled < 5 || r.Settled > 100_000:
		return fail(Invalid, "people must settle 5 to 100000 frames before a challenger is promoted by rule")
	}
	return nil
}

// ShadowRule gives that of a recipe.
func (db *DB) ShadowRule(ctx context.Context, recipeID int64) (ShadowRule, error) {
	return shadowRule(ctx, db.read, recipeID)
}

func shadowRule(ctx context.Context, q querier, recipeID int64) (ShadowRule, error) {
	return one(ctx, q, "recipe", func(s scanner) (ShadowRule, error) {
		var r ShadowRule
		return r, s.Scan(&r.Frames, &r.Days, &r.Settled, &r.Auto)
	}, `SELECT shadow_frames, shadow_days, shadow_settled, shadow_auto FROM recipes WHERE id = ?`, recipeID)
}

// SetShadowRule changes that of a recipe. A challenger in shadow keeps the
// bounds that it began with.
func (db *DB) SetShadowRule(ctx context.Context, by string, recipeID int64, r ShadowRule) error {
	if err := r.check(); err != nil {
		return err
	}
	err := db.change(ctx, func(tx *sql.Tx) error {
		old, err := shadowRule(ctx, tx, recipeID)
		if err != nil {
			return err
		}
		_, err = tx.Exec(`UPDATE recipes SET shadow_frames = ?, shadow_days = ?, shadow_settled = ?, shadow_auto = ? WHERE id = ?`, r.Frames, r.Days, r.Settled, r.Auto, recipeID)
		if err != nil {
			return err
		}
		return db.audit(tx, by, "recipe.shadow", recipeSubject(recipeID), old, r)
	})
	if err == nil {
		db.emit(Event{Kind: RecipeChanged, ID: recipeID, RecipeID: recipeID})
	}
	return err
}

// ShadowState says how far a challenger in shadow is.
type ShadowState string

const (
	ShadowJudging  ShadowState = "judging"  // it judges live frames
	ShadowSettling ShadowState = "settling" // it judges no more; people may still settle its disagreements
	ShadowClosed   ShadowState = "closed"   // it was promoted or given up
)

// Shadow is a challenger that judges live frames beside the champion without
// speaking: no verdict of it reaches a station, an output or a list.
type Shadow struct {
	ID         int64
	RecipeID   int64
	VersionID  int64
	State      ShadowState
	MostFrames int
	Until      time.Time
	Seen       int // frames that the champion judged meanwhile
	Judged     int // of them this one judged too
	Failed     int // or could not
	Differing  int // on so many it said another verdict or class
	StartedBy  string
	StartedAt  time.Time
	EndedAt    time.Time // of judging; zero while it judges
	Reason     string    // in words, why it ended
}

// Dropped counts the frames that it left out, for the workers had more urgent
// ones. While it judges, those that are about to be judged are among them.
func (s Shadow) Dropped() int { return s.Seen - s.Judged - s.Failed }

const shadowColumns = `id, recipe_id, version_id, state, most_frames, until, seen, judged, failed, differing, started_by, started_at, ended_at, reason`

func scanShadow(s scanner) (Shadow, error) {
	var h Shadow
	var until, started int64
	var ended sql.NullInt64
	err := s.Scan(&h.ID, &h.RecipeID, &h.VersionID, &h.State, &h.MostFrames, &until, &h.Seen, &h.Judged, &h.Failed, &h.Differing, &h.StartedBy, &started, &ended, &h.Reason)
	h.Until, h.StartedAt, h.EndedAt = fromMillis(until), fromMillis(started), fromNullMillis(ended)
	return h, err
}

const openShadowQuery = `SELECT ` + shadowColumns + ` FROM shadows WHERE recipe_id = ? AND state <> 'closed'`

// OpenShadow is the challenger of a recipe that judges in shadow or whose
// disagreements are being settled; NotFound where there is none.
func (db *DB) OpenShadow(ctx context.Context, recipeID int64) (Shadow, error) {
	return one(ctx, db.read, "challenger in shadow", scanShadow, openShadowQuery, recipeID)
}

// JudgingShadows lists the challengers that judge in shadow, one a recipe at most.
func (db *DB) JudgingShadows(ctx context.Context) ([]Shadow, error) {
	return list(ctx, db.read, scanShadow, `SELECT `+shadowColumns+` FROM shadows WHERE state <> 'closed' AND state = 'judging'`)
}

// ShadowOf is the newest time that a version was in shadow; NotFound where it never was.
func (db *DB) ShadowOf(ctx context.Context, versionID int64) (Shadow, error) {
	return one(ctx, db.read, "challenger in shadow", scanShadow, `SELECT `+shadowColumns+` FROM shadows WHERE version_id = ? ORDER BY id DESC LIMIT 1`, versionID)
}

// StartShadow has a version judge live frames in shadow, by the recipe's rule.
// One that only waits for people to settle its disagreements makes room.
func (db *DB) StartShadow(ctx context.Context, by string, versionID int64) (Shadow, error) {
	var s Shadow
	err := db.change(ctx, func(tx *sql.Tx) error {
		v, err := readVersion(ctx, tx, versionID)
		if err != nil {
			return err
		}
		r, err := readRecipe(ctx, tx, v.RecipeID)
		if err != nil {
			return err
		}
		switch r.ChampionID {
		case 0:
			return fail(Conflict, "there is no champion beside which version %d could judge", v.Number)
		case v.ID:
			return fail(Conflict, "version %d is the champion: it judges already", v.Number)
		}
		rule, err := shadowRule(ctx, tx, r.ID)
		if err != nil {
			return err
		}
		if err := db.makeWay(ctx, tx, by, v); err != nil {
			return err
		}
		now := db.now()
		s = Shadow{RecipeID: r.ID, VersionID: v.ID, State: ShadowJudging, MostFrames: rule.Frames, Until: now.Add(time.Duration(rule.Days) * 24 * time.Hour), StartedBy: by, StartedAt: now}
		res, err := tx.Exec(`INSERT INTO shadows (recipe_id, version_id, state, was, most_frames, until, started_by, started_at) VALUES (?,?,?,?,?,?,?,?)`,
			s.RecipeID, s.VersionID, s.State, v.State, s.MostFrames, millis(s.Until), by, millis(now))
		if err == nil {
			s.ID, err = res.LastInsertId()
		}
		if err == nil {
			_, err = tx.Exec(`UPDATE versions SET state = 'challenger' WHERE id = ?`, v.ID)
		}
		if err != nil {
			return fmt.Errorf("start the shadow: %w", err)
		}
		return db.audit(tx, by, "shadow.start", versionSubject(v.ID), nil, map[string]any{"recipe": r.ID, "number": v.Number, "frames": s.MostFrames, "until": s.Until})
	})
	db.shadowMoved(err, s)
	return s, err
}

func (db *DB) shadowMoved(err error, s Shadow) {
	if err == nil {
		db.emit(Event{Kind: VersionChanged, ID: s.VersionID, RecipeID: s.RecipeID})
	}
}

// makeWay closes what is open before a version begins, or refuses.
func (db *DB) makeWay(ctx context.Context, tx *sql.Tx, by string, v Version) error {
	open, err := one(ctx, tx, "challenger in shadow", scanShadow, openShadowQuery, v.RecipeID)
	switch {
	case CodeOf(err) == NotFound:
		return nil
	case err != nil:
		return err
	case open.State == ShadowJudging && open.VersionID == v.ID:
		return fail(Conflict, "version %d judges in shadow already", v.Number)
	case open.State == ShadowJudging:
		return fail(Conflict, "another version of this recipe judges in shadow: stop it first")
	}
	return db.closeShadow(ctx, tx, by, open, fmt.Sprintf("version %d took its place", v.Number))
}

// EndShadow ends the judging of a challenger; its disagreements can still be
// settled. It is a Conflict when it has ended.
func (db *DB) EndShadow(ctx context.Context, by string, shadowID int64, reason string) error {
	var s Shadow
	err := db.change(ctx, func(tx *sql.Tx) error {
		var err error
		if s, err = readShadow(ctx, tx, shadowID); err != nil {
			return err
		}
		if s.State != ShadowJudging {
			return fail(Conflict, "it judges no more")
		}
		if _, err := tx.Exec(`UPDATE shadows SET state = 'settling', ended_at = ?, reason = ? WHERE id = ?`, millis(db.now()), reason, s.ID); err != nil {
			return err
		}
		return db.audit(tx, by, "shadow.end", versionSubject(s.VersionID), nil, shadowSums(s, reason))
	})
	db.shadowMoved(err, s)
	return err
}

func readShadow(ctx context.Context, q querier, id int64) (Shadow, error) {
	return one(ctx, q, "challenger in shadow", scanShadow, `SELECT `+shadowColumns+` FROM shadows WHERE id = ?`, id)
}

func shadowSums(s Shadow, reason string) map[string]any {
	return map[string]any{"seen": s.Seen, "judged": s.Judged, "failed": s.Failed, "differing": s.Differing, "reason": reason}
}

// CloseShadow gives a challenger up: it judges no more and waits for a decision
// again, or is retired where another version waits. What it said stays.
func (db *DB) CloseShadow(ctx context.Context, by string, versionID int64, reason string) (Shadow, error) {
	var s Shadow
	err := db.change(ctx, func(tx *sql.Tx) error {
		v, err := readVersion(ctx, tx, versionID)
		if err != nil {
			return err
		}
		s, err = one(ctx, tx, "challenger in shadow", scanShadow, openShadowQuery+` AND version_id = ?`, v.RecipeID, v.ID)
		if CodeOf(err) == NotFound {
			return fail(Conflict, "version %d is not in shadow", v.Number)
		}
		if err == nil {
			err = db.closeShadow(ctx, tx, by, s, reason)
		}
		if err == nil {
			s, err = readShadow(ctx, tx, s.ID)
		}
		return err
	})
	db.shadowMoved(err, s)
	return s, err
}

func (db *DB) closeShadow(ctx context.Context, tx *sql.Tx, by string, s Shadow, reason string) error {
	for _, q := range []struct {
		text string
		args []any
	}{
		{`UPDATE shadows SET state = 'closed', ended_at = coalesce(ended_at, ?), reason = ? WHERE id = ?`, []any{millis(db.now()), reason, s.ID}},
		{`UPDATE versions SET state = CASE WHEN (SELECT was FROM shadows WHERE id = ?) = 'candidate'
			AND NOT EXISTS (SELECT 1 FROM versions o WHERE o.recipe_id = versions.recipe_id AND o.state = 'candidate') THEN 'candidate' ELSE 'retired' END
			WHERE id = ? AND state = 'challenger'`, []any{s.ID, s.VersionID}},
	} {
		if _, err := tx.ExecContext(ctx, q.text, q.args...); err != nil {
			return fmt.Errorf("close the shadow: %w", err)
		}
	}
	return db.audit(tx, by, "shadow.close", versionSubject(s.VersionID), nil, shadowSums(s, reason))
}

// closePromoted closes the shadow of a version that becomes champion.
func (db *DB) closePromoted(ctx context.Context, tx *sql.Tx, by string, v Version, reason string) error {
	s, err := one(ctx, tx, "challenger in shadow", scanShadow, openShadowQuery+` AND version_id = ?`, v.RecipeID, v.ID)
	if CodeOf(err) == NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return db.closeShadow(ctx, tx, by, s, "promoted: "+reason)
}
