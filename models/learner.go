package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"loupe/storage"
)

// TrainJob is the kind of a training job.
const TrainJob = "train"

// trainParams are stored with a training job.
type trainParams struct {
	UpTo int64 `json:"up_to"` // the newest correction when it was asked for
}

// Learner turns corrections into versions: it runs the training jobs and the
// evaluations of uploads, one at a time, and starts trainings by the recipes' rules.
type Learner struct {
	db       *storage.DB
	registry *Registry
	features *Extractor
	log      *slog.Logger

	wake chan struct{} // a job was queued

	mu      sync.Mutex
	dirty   map[int64]bool // recipes with corrections that a rule may not have seen
	running int64          // the job under way, 0 for none
	cancel  context.CancelFunc
}

// NewLearner makes a learner; Run starts it.
func NewLearner(db *storage.DB, registry *Registry, features *Extractor, log *slog.Logger) *Learner {
	l := &Learner{db: db, registry: registry, features: features, log: log, wake: make(chan struct{}, 1), dirty: map[int64]bool{}}
	db.Listen(func(e storage.Event) {
		switch e.Kind {
		case storage.FrameCorrected:
			l.mu.Lock()
			l.dirty[e.RecipeID] = true
			l.mu.Unlock()
			if e.Correction.Source != "import" {
				l.features.Prefetch(e.Correction.FrameID)
			}
		case storage.RecipeChanged:
			if e.RecipeID != 0 {
				l.mu.Lock()
				l.dirty[e.RecipeID] = true
				l.mu.Unlock()
			}
		case storage.JobChanged:
			if e.Job.State == storage.JobQueued {
				l.nudge()
			}
			if e.Job.State == storage.JobCancelled {
				l.stop(e.Job.ID)
			}
		}
	})
	return l
}

// Start queues a job about a recipe's labels, a GroupJob or a SuspectJob, or gives
// the one that is queued already.
func (l *Learner) Start(ctx context.Context, by, kind string, recipeID int64) (storage.Job, error) {
	r, err := l.db.Recipe(ctx, recipeID)
	if err != nil {
		return storage.Job{}, err
	}
	j, _, err := l.db.AddJob(ctx, storage.Job{Kind: kind, RecipeID: r.ID, CreatedBy: by})
	return j, err
}

func (l *Learner) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// stop ends the job under way if it has that ID.
func (l *Learner) stop(id int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running == id && l.cancel != nil {
		l.cancel()
	}
}

// Run runs jobs and watches the rules until ctx ends. What an earlier process
// left running starts again first.
func (l *Learner) Run(ctx context.Context) error {
	if err := l.db.RequeueJobs(ctx); err != nil {
		return fmt.Errorf("take up interrupted jobs: %w", err)
	}
	recipes, err := l.db.Recipes(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	for _, r := range recipes {
		l.dirty[r.ID] = true
	}
	l.mu.Unlock()
	var rules sync.WaitGroup
	rules.Go(func() { l.watchRules(ctx) })
	defer rules.Wait()
	for {
		j, err := l.db.StartJob(ctx)
		if err == nil {
			l.run(ctx, j)
			continue
		}
		if storage.CodeOf(err) != storage.NotFound && ctx.Err() == nil {
			l.log.Error("cannot take a job", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-l.wake:
		case <-time.After(5 * time.Second):
		}
	}
}

func (l *Learner) run(ctx context.Context, j storage.Job) {
	job, cancel := context.WithCancel(ctx)
	defer cancel()
	l.mu.Lock()
	l.running, l.cancel = j.ID, cancel
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.running, l.cancel = 0, nil
		l.mu.Unlock()
	}()
	if now, err := l.db.Job(ctx, j.ID); err != nil || now.State != storage.JobRunning {
		return // cancelled between taking and starting it
	}
	result, message, err := l.work(job, j)
	switch {
	case ctx.Err() != nil:
		return // the job stays marked running and is taken up again at the next start
	case job.Err() != nil:
		return // cancelled: the row says so already
	case err != nil:
		message = err.Error()
		if !errors.As(err, new(*storage.Error)) && !errors.As(err, new(*TooLittleData)) {
			l.log.Error("a job failed", "kind", j.Kind, "job", j.ID, "error", err)
		}
		err = l.db.EndJob(ctx, j.ID, storage.JobFailed, message, result)
	default:
		err = l.db.EndJob(ctx, j.ID, storage.JobDone, message, result)
	}
	if err != nil {
		l.log.Error("cannot store how a job ended", "job", j.ID, "error", err)
	}
}

// work does what a job of its kind does.
func (l *Learner) work(ctx context.Context, j storage.Job) (result any, message string, err error) {
	switch j.Kind {
	case EvaluateJob:
		return l.assess(ctx, j)
	case GroupJob:
		return l.group(ctx, j)
	case SuspectJob:
		return l.suspect(ctx, j)
	}
	return l.train(ctx, j)
}

// Train queues a training of the recipe, or gives the one that is queued already.
func (l *Learner) Train(ctx context.Context, by string, recipeID int64) (storage.Job, error) {
	r, err := l.db.Recipe(ctx, recipeID)
	if err != nil {
		return storage.Job{}, err
	}
	upTo, err := l.db.LastCorrection(ctx, r.ID)
	if err != nil {
		return storage.Job{}, err
	}
	params, err := json.Marshal(trainParams{UpTo: upTo})
	if err != nil {
		return storage.Job{}, err
	}
	j, _, err := l.db.AddJob(ctx, storage.Job{Kind: TrainJob, RecipeID: r.ID, Params: params, CreatedBy: by})
	return j, err
}

// Cancel cancels a job that has not ended; a training under way stops between
// two batches and leaves nothing behind.
func (l *Learner) Cancel(ctx context.Context, by string, jobID int64) error {
	return l.db.CancelJob(ctx, by, jobID)
}

// TooLittleData says that a recipe cannot be trained yet, and of which classes
// it needs more.
type TooLittleData struct{ Lacking []Lack }

func (e *TooLittleData) Error() string {
	words := make([]string, 0, len(e.Lacking))
	for _, lack := range e.Lacking {
		if lack.Stops {
			words = append(words, lack.String())
		}
	}
	return "too little data: " + strings.Join(words, "; ") + ". Label more pictures of these classes, then train again."
}
