package models

import (
	"context"
	"encoding/json"
	"time"

	"loupe/storage"
)

// byRule stands for the person in what a rule did.
const byRule = "rule"

// rulePeriod is how often rules with new corrections are looked at.
const rulePeriod = 200 * time.Millisecond

// watchRules starts a training where a recipe's rule says so: after so many
// corrections since the last one was asked for, and none for so long.
func (l *Learner) watchRules(ctx context.Context) {
	tick := time.NewTicker(rulePeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		l.mu.Lock()
		var look []int64
		for id := range l.dirty {
			look = append(look, id)
		}
		clear(l.dirty) // a correction that comes while a rule is applied marks it again
		l.mu.Unlock()
		for _, id := range look {
			settled, err := l.applyRule(ctx, id)
			if err != nil && ctx.Err() == nil && storage.CodeOf(err) != storage.NotFound {
				l.log.Error("cannot apply a learning rule", "recipe", id, "error", err)
			}
			if !settled && err == nil {
				l.mu.Lock()
				l.dirty[id] = true
				l.mu.Unlock()
			}
		}
	}
}

// Waiting counts the corrections of a recipe since a training was last asked
// for, and gives the time of the newest.
func (l *Learner) Waiting(ctx context.Context, recipeID int64) (int, time.Time, error) {
	var last trainParams
	j, err := l.db.LastJob(ctx, recipeID, TrainJob)
	if err == nil {
		err = json.Unmarshal(j.Params, &last)
	}
	if err != nil && storage.CodeOf(err) != storage.NotFound {
		return 0, time.Time{}, err
	}
	n, _, at, err := l.db.CorrectionsSince(ctx, recipeID, last.UpTo)
	return n, at, err
}

// applyRule says whether nothing is left to wait for until the next correction.
func (l *Learner) applyRule(ctx context.Context, recipeID int64) (settled bool, err error) {
	r, err := l.db.Recipe(ctx, recipeID)
	if err != nil || r.Learn.After == 0 {
		return true, err
	}
	j, err := l.db.LastJob(ctx, recipeID, TrainJob)
	if err != nil && storage.CodeOf(err) != storage.NotFound {
		return false, err
	}
	if err == nil && !j.State.Ended() {
		return false, nil // let it end; what came after it counts then
	}
	n, at, err := l.Waiting(ctx, recipeID)
	if err != nil || n < r.Learn.After {
		return true, err
	}
	if l.db.Now().Sub(at) < time.Duration(r.Learn.QuietSeconds)*time.Second {
		return false, nil
	}
	ready, err := l.Readiness(ctx, recipeID)
	if err != nil || !ready.Ready {
		return true, err
	}
	_, err = l.Train(ctx, byRule, recipeID)
	return true, err
}
