package models

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"loupe/storage"
	"loupe/vision"
	"loupe/vision/pool"
	"loupe/vision/wire"
)

// Shadows have challengers judge what the champions have judged, on workers that
// are idle. A frame waits for one in memory alone: where they are busy, or the
// server ends, it is left out, and the shadow's row tells how many were.
type Shadows struct {
	db       *storage.DB
	crew     *pool.Pool
	registry *Registry
	log      *slog.Logger
	wake     chan struct{} // frames wait

	mu      sync.Mutex
	judging map[int64]storage.Shadow // by recipe
	stale   bool                     // judging is to be read again
	settled map[int64]bool           // recipes with new corrections
	queue   []shadowFrame            // oldest first
	deaths  map[int64]int            // by shadow, workers lost over it
}

// shadowFrame is a frame that the champion has judged.
type shadowFrame struct {
	inspection storage.Inspection
	shadow     int64 // that it is for: no other counts it as seen
	since      time.Time
}

const (
	shadowHands    = 4                     // frames of challengers under way at once, where so many workers are idle
	shadowQueue    = 32                    // frames that wait for an idle worker; the oldest is left out first
	shadowPatience = 10 * time.Second      // and for no longer
	shadowPause    = 25 * time.Millisecond // between looks for an idle worker
	shadowLook     = 250 * time.Millisecond
)

// NewShadows makes them; Run starts them.
func NewShadows(db *storage.DB, crew *pool.Pool, registry *Registry, log *slog.Logger) *Shadows {
	s := &Shadows{db: db, crew: crew, registry: registry, log: log, wake: make(chan struct{}, 1), judging: map[int64]storage.Shadow{}, stale: true, settled: map[int64]bool{}, deaths: map[int64]int{}}
	db.Listen(s.on)
	return s
}

func (s *Shadows) on(e storage.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Kind {
	case storage.VersionChanged, storage.RecipeChanged:
		s.stale = true
		s.settled[e.RecipeID] = true
	case storage.FrameCorrected:
		s.settled[e.RecipeID] = true
	case storage.InspectionMade:
		one, ok := s.judging[e.RecipeID]
		if !ok {
			return
		}
		if len(s.queue) >= shadowQueue {
			s.queue = s.queue[1:]
		}
		s.queue = append(s.queue, shadowFrame{*e.Inspection, one.ID, time.Now()})
		s.nudge()
	}
}

func (s *Shadows) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run judges until ctx ends.
func (s *Shadows) Run(ctx context.Context) error {
	var hands sync.WaitGroup
	defer hands.Wait()
	for range shadowHands {
		hands.Go(func() { s.work(ctx) })
	}
	tick := time.NewTicker(shadowLook)
	defer tick.Stop()
	for {
		if err := s.look(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("cannot look after the challengers in shadow", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look reads which challengers judge, ends those whose time is over, and applies
// the rule where people settled something.
func (s *Shadows) look(ctx context.Context) error {
	s.mu.Lock()
	stale, settled := s.stale, s.settled
	s.stale, s.settled = false, map[int64]bool{}
	s.mu.Unlock()
	if stale {
		all, err := s.db.JudgingShadows(ctx)
		s.mu.Lock()
		if err != nil {
			s.stale = true
		} else {
			clear(s.judging)
			for _, one := range all {
				s.judging[one.RecipeID] = one
			}
		}
		s.mu.Unlock()
		if err != nil {
			return err
		}
	}
	var errs error
	for _, one := range s.over() {
		errs = errors.Join(errs, s.end(ctx, one, "its time was over"))
	}
	for recipe := range settled {
		errs = errors.Join(errs, s.applyRule(ctx, recipe))
	}
	return errs
}

func (s *Shadows) over() (all []storage.Shadow) {
	now := s.db.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.judging {
		if !now.Before(one.Until) {
			all = append(all, one)
		}
	}
	return all
}

// end ends a challenger's judging; that it ended meanwhile is no trouble.
func (s *Shadows) end(ctx context.Context, one storage.Shadow, reason string) error {
	s.mu.Lock()
	delete(s.judging, one.RecipeID)
	s.mu.Unlock()
	err := s.db.EndShadow(ctx, byRule, one.ID, reason)
	if storage.CodeOf(err) == storage.Conflict {
		return nil
	}
	return err
}

// applyRule promotes a recipe's challenger where the recipe promotes by rule and
// enough settled frames say that it is not worse.
func (s *Shadows) applyRule(ctx context.Context, recipeID int64) error {
	open, err := s.db.OpenShadow(ctx, recipeID)
	if storage.CodeOf(err) == storage.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	r, err := s.db.Recipe(ctx, recipeID)
	if err != nil || !r.Promote.Auto {
		return err
	}
	st, err := StandingOf(ctx, s.db, open)
	if err != nil || !st.Enough || !st.NotWorse {
		return err
	}
	_, err = s.registry.Promote(ctx, byRule, open.VersionID, fmt.Sprintf("in shadow it proved itself on %d frames that people settled: %s", st.Comparison.N, st.Words))
	return err
}

// work has one frame after the other judged.
func (s *Shadows) work(ctx context.Context) {
	for {
		f, one, ok := s.next()
		if !ok {
			select {
			case <-ctx.Done():
				return
			case <-s.wake:
				continue
			}
		}
		s.nudge() // another hand may take the next
		if err := s.judge(ctx, f, one); err != nil && ctx.Err() == nil {
			s.log.Error("cannot store what a challenger in shadow said", "frame", f.inspection.FrameID, "error", err)
		}
	}
}

// next takes the oldest frame whose challenger still judges.
func (s *Shadows) next() (shadowFrame, storage.Shadow, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) > 0 {
		f := s.queue[0]
		s.queue = s.queue[1:]
		if one, ok := s.judging[f.inspection.RecipeID]; ok && one.ID == f.shadow {
			return f, one, true
		}
	}
	return shadowFrame{}, storage.Shadow{}, false
}

// judge waits for an idle worker, asks it, and stores what it says.
func (s *Shadows) judge(ctx context.Context, f shadowFrame, one storage.Shadow) error {
	v, err := s.db.Version(ctx, one.VersionID)
	if err != nil {
		return err
	}
	r, err := s.db.Recipe(ctx, one.RecipeID)
	if err != nil {
		return err
	}
	i := f.inspection
	q := wire.JudgeRequest{
		FrameID: i.FrameID, BlobKey: i.Frame.BlobKey, Model: v.Model(), Classes: r.Classes, Thresholds: r.Thresholds,
		Preparation: vision.Preparation{Region: v.Region, Size: v.Size, Orientation: i.Frame.Orientation},
	}
	for {
		answer, err := s.crew.JudgeSpare(ctx, q)
		switch {
		case err == nil:
			return s.keep(ctx, one, r, i, answer)
		case ctx.Err() != nil:
			return nil
		case !errors.Is(err, pool.ErrBusy):
			return s.trouble(ctx, one, err)
		case time.Since(f.since) > shadowPatience:
			return nil // left out
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(shadowPause):
		}
	}
}

func (s *Shadows) keep(ctx context.Context, one storage.Shadow, r storage.Recipe, i storage.Inspection, answer wire.JudgeResult) error {
	j := answer.Judgement
	_, err := s.db.AddShadowInspection(context.WithoutCancel(ctx), storage.ShadowInspection{
		ShadowID: one.ID, FrameID: i.FrameID, Probabilities: j.Probabilities, Findings: j.Findings, Worker: answer.Worker,
		Challenger: storage.Opinion{VersionID: one.VersionID, Verdict: j.Verdict, Class: j.Class, Score: j.Score, Fail: failing(r, j.Probabilities)},
		Champion:   storage.Opinion{VersionID: i.VersionID, Verdict: i.Verdict, Class: i.Class, Score: i.Score, Fail: failing(r, i.Probabilities)},
	})
	if storage.CodeOf(err) == storage.Conflict { // it was stopped meanwhile
		return nil
	}
	return err
}

// trouble counts a frame that the challenger could not judge, and ends one that
// cannot be run or over which too many workers were lost.
func (s *Shadows) trouble(ctx context.Context, one storage.Shadow, cause error) error {
	s.log.Warn("a challenger in shadow could not judge a frame", "version", one.VersionID, "error", cause)
	_, err := s.db.ShadowFailed(ctx, one.ID)
	var fault *wire.Trouble
	switch {
	case err != nil:
		return err
	case errors.As(cause, &fault) && fault.Fault == wire.FaultModel:
		return s.end(ctx, one, "it cannot be run: "+fault.Detail)
	case errors.Is(cause, pool.ErrWorkerDied), errors.Is(cause, pool.ErrTimeout):
		s.mu.Lock()
		s.deaths[one.ID]++
		lost := s.deaths[one.ID]
		s.mu.Unlock()
		if lost >= storage.MaxDeaths {
			return s.end(ctx, one, fmt.Sprintf("%d workers were lost over it", lost))
		}
	}
	return nil
}
