package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"loupe/storage"
	"loupe/vision"
	"loupe/vision/pool"
	"loupe/vision/wire"
)

// EvaluateJob is the kind of a job that evaluates an uploaded version.
const EvaluateJob = "evaluate"

// untested is why an uploaded version waits that no frame speaks for.
const untested = "there is no test frame yet, so nothing says how good it is: label frames (one part in five is put aside for the test) and upload it again, or promote it by hand"

// assess has an uploaded version judge the test share, stores its report and
// decides about it as about one that was trained. What it stored stays when it
// is interrupted.
func (l *Learner) assess(ctx context.Context, j storage.Job) (Training, string, error) {
	t := &training{Learner: l, job: j, progress: progress{db: l.db, job: j.ID}}
	v, err := l.db.VersionByJob(ctx, j.ID)
	if err != nil {
		return t.state, "", err
	}
	t.state.Version, t.state.Number, t.state.Stage = v.ID, v.Number, "evaluate"
	if t.recipe, err = l.db.Recipe(ctx, v.RecipeID); err != nil {
		return t.state, "", err
	}
	if string(v.Report) == "{}" {
		if v, err = t.judgeUpload(ctx, v); err != nil {
			return t.state, "", err
		}
	}
	message, err := t.decide(ctx, v)
	return t.state, message, err
}

func (t *training) judgeUpload(ctx context.Context, v storage.Version) (storage.Version, error) {
	frames, err := t.db.DataSet(ctx, t.recipe.ID)
	if err != nil {
		return v, err
	}
	t.test = slices.DeleteFunc(frames, func(f storage.LabelledFrame) bool { return f.Share != storage.TestShare })
	results, err := t.judgeAll(ctx, v, 0, 0.9)
	if err != nil {
		return v, err
	}
	r, err := t.compare(ctx, v.ID, results)
	if err != nil {
		return v, err
	}
	if err := t.report(ctx, 0.95, "storing the report", true); err != nil {
		return v, err
	}
	data, err := json.Marshal(r)
	if err != nil {
		return v, err
	}
	return t.db.Evaluated(ctx, v.ID, data, results)
}

// judgeAtOnce is how many test frames are under way together: few, as live
// frames share the workers.
const judgeAtOnce = 2

// judgeAll has the workers judge the test share by a version, with the same
// decision as live. The job's progress goes from one share to the other.
func (t *training) judgeAll(ctx context.Context, v storage.Version, from, to float64) ([]storage.Result, error) {
	if _, err := t.registry.ModelFile(ctx, v.ID); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	results := make([]storage.Result, len(t.test))
	next, done := make(chan int), make(chan struct{})
	var all sync.WaitGroup
	for range judgeAtOnce {
		all.Go(func() {
			for i := range next {
				r, err := t.judgeOne(ctx, v, t.test[i])
				if err != nil {
					cancel(err)
					return
				}
				results[i] = r
				select {
				case done <- struct{}{}:
				case <-ctx.Done():
				}
			}
		})
	}
	go func() {
		defer close(next)
		for i := range t.test {
			select {
			case next <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	for n := 0; n < len(t.test) && ctx.Err() == nil; {
		select {
		case <-ctx.Done():
		case <-done:
			n++
			progress := from + (to-from)*float64(n)/float64(len(t.test))
			if err := t.report(ctx, progress, fmt.Sprintf("version %d judged %d of %d test pictures", v.Number, n, len(t.test)), false); err != nil {
				cancel(err)
			}
		}
	}
	cause := context.Cause(ctx)
	all.Wait()
	return results, cause
}

// judgeOne has a frame judged, and again where a worker died: then alone, so
// that no live frame is lost with it.
func (t *training) judgeOne(ctx context.Context, v storage.Version, f storage.LabelledFrame) (storage.Result, error) {
	q := wire.JudgeRequest{
		FrameID: f.FrameID, BlobKey: f.BlobKey, Model: v.Model(), Classes: t.recipe.Classes, Thresholds: t.recipe.Thresholds,
		Preparation: vision.Preparation{Region: v.Region, Size: v.Size, Orientation: f.Orientation},
	}
	for attempt := 1; ; attempt++ {
		answer, err := t.features.crew.Judge(ctx, q)
		if err == nil {
			return t.resultOf(v, f, answer.Judgement), nil
		}
		gone := errors.Is(err, pool.ErrNoWorkers)
		died := errors.Is(err, pool.ErrTimeout) || errors.Is(err, pool.ErrWorkerDied)
		if !gone && (!died || attempt >= storage.MaxDeaths) {
			return storage.Result{}, fmt.Errorf("version %d could not judge the test frame %d: %w", v.Number, f.FrameID, err)
		}
		q.Alone = died
		select {
		case <-ctx.Done():
			return storage.Result{}, context.Cause(ctx)
		case <-time.After(troublePause):
		}
	}
}

// resultOf is what a judgement says about a test frame, with the probabilities
// in the order of the version's classes.
func (t *training) resultOf(v storage.Version, f storage.LabelledFrame, j vision.Judgement) storage.Result {
	r := storage.Result{
		FrameID: f.FrameID, Truth: f.Class, Predicted: j.Class, Score: j.Score, Verdict: j.Verdict,
		Fail: failing(t.recipe, j.Probabilities), Probabilities: make([]float64, len(v.Classes)),
	}
	for _, p := range j.Probabilities {
		if i := slices.Index(v.Classes, p.Class); i >= 0 {
			r.Probabilities[i] = p.P
		}
	}
	return r
}
