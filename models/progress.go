package models

import (
	"context"
	"time"

	"loupe/storage"
)

// progress tells how far a job is.
type progress struct {
	db       *storage.DB
	job      int64
	reported time.Time
}

// report stores the progress of the job, at most a few times a second unless now.
// It gives context.Canceled where somebody has ended the job.
func (p *progress) report(ctx context.Context, done float64, message string, state any, now bool) error {
	if !now && time.Since(p.reported) < 150*time.Millisecond {
		return ctx.Err()
	}
	p.reported = time.Now()
	running, err := p.db.MoveJob(ctx, p.job, done, message, state)
	if err == nil && !running {
		return context.Canceled
	}
	return err
}
