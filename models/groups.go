package models

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"loupe/models/embedding"
	"loupe/models/onnx"
	"loupe/storage"
)

// GroupJob is the kind of a job that groups the frames without a label.
const GroupJob = "group"

// Groups is the result of a GroupJob.
type Groups struct {
	Frames int     `json:"frames"` // that were grouped
	Groups []Group `json:"groups,omitempty"`
}

// Group are frames that look alike.
type Group struct {
	Frames []int64 `json:"frames"` // the most typical (medoid) first
	Tight  float64 `json:"tight"`  // mean cosine to the middle of the group, 1 for equal pictures
}

// groupSize is how many frames a group has on average, once there are many: as
// many as a person sees at one glance.
const groupSize = 40

// mostGroups bounds how many groups a person goes through.
const mostGroups = 150

// groupsFor is how many groups so many frames of a recipe with so many classes
// make: more than classes, because a class looks in more than one way.
func groupsFor(frames, classes int) int {
	k := int(math.Round(float64(frames) / groupSize))
	return min(frames, max(k, min(2*classes, frames/3), 1), mostGroups)
}

// Groups gives the newest groups of a recipe whose job has ended well, without the
// frames that have a label by now, and that job. The groups are nil where there
// are none yet.
func (l *Learner) Groups(ctx context.Context, recipeID int64) (Groups, storage.Job, error) {
	var g Groups
	j, err := l.db.LastJobDone(ctx, recipeID, GroupJob)
	if storage.CodeOf(err) == storage.NotFound {
		return g, j, nil
	}
	if err != nil {
		return g, j, err
	}
	if err := json.Unmarshal(j.Result, &g); err != nil {
		return g, j, fmt.Errorf("the groups of job %d: %w", j.ID, err)
	}
	var ids []int64
	for _, one := range g.Groups {
		ids = append(ids, one.Frames...)
	}
	open, err := l.db.StillUnlabelled(ctx, recipeID, ids)
	if err != nil {
		return g, j, err
	}
	left := g.Groups[:0]
	for _, one := range g.Groups {
		frames := one.Frames[:0]
		for _, id := range one.Frames {
			if open[id] {
				frames = append(frames, id)
			}
		}
		if one.Frames = frames; len(frames) > 0 {
			left = append(left, one)
		}
	}
	g.Groups = left
	return g, j, nil
}

// group runs a grouping job.
func (l *Learner) group(ctx context.Context, j storage.Job) (Groups, string, error) {
	var g Groups
	r, err := l.db.Recipe(ctx, j.RecipeID)
	if err != nil {
		return g, "", err
	}
	waiting, err := l.db.Unlabelled(ctx, r.ID, WaitingMost)
	if err != nil {
		return g, "", err
	}
	frames := framesOf(waiting)
	cache := NewPooledCache(l.db, l.features, l.registry)
	seen, err := cache.look(ctx, r)
	if err != nil {
		return g, "", err
	}
	if err := l.lookAtAll(ctx, j, seen, frames); err != nil {
		return g, "", err
	}
	if seen, err = cache.look(ctx, r, frames); err != nil {
		return g, "", err
	}
	places, sketches := seen.sketches(frames)
	if err := ctx.Err(); err != nil {
		return g, "", err
	}
	g.Frames = len(places)
	for _, c := range embedding.Clusters(sketches, groupsFor(len(places), len(r.Classes)), 1) {
		one := Group{Tight: c.Tight}
		for _, i := range c.Members {
			one.Frames = append(one.Frames, frames[places[i]].FrameID)
		}
		g.Groups = append(g.Groups, one)
	}
	return g, fmt.Sprintf("%d frames in %d groups", g.Frames, len(g.Groups)), nil
}

// lookAtAll has the workers compute the pooled features that are missing.
func (l *Learner) lookAtAll(ctx context.Context, j storage.Job, seen looks, frames []storage.LabelledFrame) error {
	var missing []look
	x := make([]float32, onnx.PooledLen)
	for _, f := range frames {
		if seen.store.ReadPooled(f.FrameID, x) != nil {
			missing = append(missing, look{frame: f, prep: seen.prep, brief: true})
		}
	}
	p := progress{db: l.db, job: j.ID}
	return l.features.computeAll(ctx, missing, func(ctx context.Context, done, all int, _ time.Duration) error {
		return p.report(ctx, 0.95*float64(done)/float64(all), fmt.Sprintf("features of %d of %d pictures", done, all), Groups{}, false)
	})
}
