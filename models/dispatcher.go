package models

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"loupe/storage"
	"loupe/vision"
	"loupe/vision/pool"
	"loupe/vision/wire"
)

// Dispatcher hands pending frames to the vision workers and stores their
// verdicts. The queue is the database: whatever is interrupted is pending again.
type Dispatcher struct {
	db       *storage.DB
	crew     *pool.Pool
	pictures *Pictures
	pooled   *PooledCache
	watch    *Watch // nil for none
	log      *slog.Logger

	looked atomic.Int64 // unix milliseconds of the last look at the queue
	wake   chan struct{}
	turns  map[int64]int64 // by station ID, when it had its last turn; of Run alone
	turn   int64

	mu        sync.Mutex
	inFlight  map[int64]bool
	recipes   map[int64]judging // by recipe ID; forgotten when a recipe or version changes
	changes   int               // how often that happened
	notBefore time.Time         // no new attempt earlier, after trouble that is not the frame's
}

// judging is what a recipe's frames are judged by.
type judging struct {
	recipe   storage.Recipe
	champion storage.Version
}

// perWorker is how many frames a worker holds at a time: one in the network,
// one read and decoded ahead of it.
const perWorker = 2

// troublePause keeps a missing worker or model from being asked for in a tight loop.
const troublePause = 300 * time.Millisecond

// NewDispatcher makes a dispatcher; Run starts it.
func NewDispatcher(db *storage.DB, crew *pool.Pool, pictures *Pictures, pooled *PooledCache, log *slog.Logger) *Dispatcher {
	d := &Dispatcher{
		db: db, crew: crew, pictures: pictures, pooled: pooled, log: log,
		wake: make(chan struct{}, 1), turns: map[int64]int64{}, inFlight: map[int64]bool{}, recipes: map[int64]judging{},
	}
	db.Listen(func(e storage.Event) {
		switch e.Kind {
		case storage.RecipeChanged, storage.VersionChanged:
			d.mu.Lock()
			clear(d.recipes)
			d.changes++
			d.mu.Unlock()
			d.nudge()
		case storage.FrameAdded:
			d.nudge()
		}
	})
	return d
}

// Watched has what is unusual of each frame stored with its verdict. Call it
// before Run.
func (d *Dispatcher) Watched(w *Watch) { d.watch = w }

// LastLook is when the dispatcher last looked at the queue; it does so each second.
func (d *Dispatcher) LastLook() time.Time { return time.UnixMilli(d.looked.Load()) }

// Nudge makes the dispatcher look for pending frames now, for instance because
// a worker joined.
func (d *Dispatcher) Nudge() { d.nudge() }

func (d *Dispatcher) nudge() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Run dispatches until ctx ends and the frames under way are done with.
func (d *Dispatcher) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	tick := time.NewTicker(time.Second) // catches what no event announced, such as an import by another process
	defer tick.Stop()
	for {
		d.looked.Store(time.Now().UnixMilli())
		wait := d.dispatch(ctx, &running)
		var again <-chan time.Time
		if wait > 0 {
			again = time.After(wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-again:
		case <-tick.C:
		}
	}
}

// dispatch starts as many frames as the workers can hold. It says how long to
// wait before trying again, 0 for until the next event.
func (d *Dispatcher) dispatch(ctx context.Context, running *sync.WaitGroup) time.Duration {
	d.mu.Lock()
	room := perWorker*len(d.crew.Workers()) - len(d.inFlight)
	pause := time.Until(d.notBefore)
	d.mu.Unlock()
	if room <= 0 {
		return 0
	}
	if pause > 0 {
		return pause
	}
	for room > 0 {
		started, err := d.startTurn(ctx, room, running)
		if err != nil {
			if ctx.Err() == nil {
				d.log.Error("cannot read the queue", "error", err)
			}
			return troublePause
		}
		if started == 0 {
			return 0
		}
		room -= started
	}
	return 0
}

// startTurn starts at most one frame of each waiting station, first those of
// the stations that waited longest for a turn: a station that posts more than
// others gets no more turns. It says how many it started.
func (d *Dispatcher) startTurn(ctx context.Context, room int, running *sync.WaitGroup) (int, error) {
	d.mu.Lock()
	flying := slices.Collect(maps.Keys(d.inFlight))
	d.mu.Unlock()
	next, err := d.db.NextFrames(ctx, flying)
	if err != nil {
		return 0, err
	}
	slices.SortStableFunc(next, func(a, b storage.Next) int {
		return cmp.Or(compareBool(a.Backlog, b.Backlog), cmp.Compare(d.turns[a.StationID], d.turns[b.StationID]), cmp.Compare(a.FrameID, b.FrameID))
	})
	started := 0
	for _, n := range next[:min(room, len(next))] {
		f, err := d.db.Frame(ctx, n.FrameID)
		if storage.CodeOf(err) == storage.NotFound { // removed with its demonstration
			continue
		}
		if err != nil {
			return started, err
		}
		d.turn++
		d.turns[n.StationID] = d.turn
		started++
		d.start(ctx, f, running)
	}
	return started, nil
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func (d *Dispatcher) start(ctx context.Context, f storage.Frame, running *sync.WaitGroup) {
	d.mu.Lock()
	d.inFlight[f.ID] = true
	d.mu.Unlock()
	running.Go(func() {
		d.judge(ctx, f)
		d.mu.Lock()
		delete(d.inFlight, f.ID)
		d.mu.Unlock()
		d.nudge()
	})
}

func (d *Dispatcher) judging(ctx context.Context, recipeID int64) (judging, error) {
	d.mu.Lock()
	j, ok := d.recipes[recipeID]
	changes := d.changes
	d.mu.Unlock()
	if ok {
		return j, nil
	}
	var err error
	if j.recipe, err = d.db.Recipe(ctx, recipeID); err != nil {
		return j, err
	}
	if j.champion, err = d.db.Version(ctx, j.recipe.ChampionID); err != nil {
		return j, err
	}
	d.mu.Lock()
	if d.changes == changes { // else what was read may be out of date already
		d.recipes[recipeID] = j
	}
	d.mu.Unlock()
	return j, nil
}

// judge has one frame judged and stores what came of it.
func (d *Dispatcher) judge(ctx context.Context, f storage.Frame) {
	j, err := d.judging(ctx, f.RecipeID)
	if err != nil {
		d.trouble(ctx, f, err)
		return
	}
	sent := time.Now()
	result, err := d.crew.Judge(ctx, wire.JudgeRequest{
		FrameID: f.ID, BlobKey: f.BlobKey, Model: j.champion.Model(),
		Preparation: vision.Preparation{Region: j.champion.Region, Size: j.champion.Size, Orientation: f.Orientation},
		Classes:     j.recipe.Classes, Thresholds: j.recipe.Thresholds, Alone: f.Deaths > 0,
	})
	if err != nil {
		d.trouble(ctx, f, err)
		return
	}
	queued := sent.Sub(f.ReceivedAt)
	result.Judgement.Timings.Queue = float64(queued.Microseconds()) / 1000
	// Storing must not be cut short by a shutdown: the verdict is there.
	save := context.WithoutCancel(ctx)
	d.pictures.Keep(f.BlobKey, thumbSide, result.Thumb)
	reasons := d.doubt(save, f, j, &result.Judgement)
	_, err = d.db.SaveInspection(save, storage.Inspection{FrameID: f.ID, VersionID: j.champion.ID, Judgement: result.Judgement, Reasons: reasons, Worker: result.Worker})
	if err != nil && storage.CodeOf(err) != storage.Conflict {
		d.log.Error("cannot store a verdict", "frame", f.ID, "error", err)
		d.hold()
		return
	}
	if err := d.pooled.Keep(f.ID, j.champion, result.Judgement.Pooled); err != nil {
		d.log.Warn("cannot cache the features of a frame", "frame", f.ID, "error", err)
	}
}

// doubt says what speaks against training on a frame. A part that looks like
// none that the model learned from is Unsure rather than OK where the recipe
// says so: the model's word about it rests on nothing.
func (d *Dispatcher) doubt(ctx context.Context, f storage.Frame, by judging, j *vision.Judgement) []storage.Reason {
	if d.watch == nil {
		return nil
	}
	reasons, err := d.watch.Check(ctx, f, by.champion, *j)
	if err != nil {
		d.log.Warn("cannot say whether a frame is usual", "frame", f.ID, "error", err)
	}
	if by.recipe.OddUnsure && j.Verdict == vision.OK && slices.ContainsFunc(reasons, storage.Reason.Odd) {
		j.Verdict = vision.Unsure
	}
	return reasons
}

// hold pauses new attempts for a moment.
func (d *Dispatcher) hold() {
	d.mu.Lock()
	d.notBefore = time.Now().Add(troublePause)
	d.mu.Unlock()
}

// trouble decides what becomes of a frame that got no verdict: only the frame's
// own fault counts against it.
func (d *Dispatcher) trouble(ctx context.Context, f storage.Frame, err error) {
	var picture *pool.PictureError
	save := context.WithoutCancel(ctx)
	switch {
	case ctx.Err() != nil: // shutting down: the frame stays pending
		return
	case errors.As(err, &picture):
		err = d.db.Quarantine(save, f.ID, fmt.Sprintf("the picture cannot be judged: %s", picture.Detail))
	case errors.Is(err, pool.ErrWorkerDied), errors.Is(err, pool.ErrTimeout):
		d.log.Warn("a worker was lost over a frame", "frame", f.ID, "error", err)
		_, err = d.db.RecordDeath(save, f.ID, err.Error())
	case errors.Is(err, pool.ErrNoWorkers):
		d.hold()
		return
	default:
		d.log.Error("a frame could not be judged and will be tried again", "frame", f.ID, "error", err)
		d.hold()
		return
	}
	if err != nil && storage.CodeOf(err) != storage.Conflict && storage.CodeOf(err) != storage.NotFound {
		d.log.Error("cannot store what became of a frame", "frame", f.ID, "error", err)
		d.hold()
	}
}
