package models

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"loupe/storage"
)

const (
	keepEvery   = time.Hour
	keepPause   = 200 * time.Millisecond // between two steps, so that frames go first
	clockLeap   = time.Hour              // a clock that moved more is not believed
	clockDoubt  = 24 * time.Hour         // for so long
	firstKeepIn = time.Minute
)

// Keeper removes the pictures that the recipes' rules no longer keep, with all
// that was made of them.
type Keeper struct {
	db       *storage.DB
	features *Extractor
	pictures *Pictures
	log      *slog.Logger
	changed  chan struct{}
	clock    steadyClock
}

// NewKeeper keeps a data folder.
func NewKeeper(db *storage.DB, features *Extractor, pictures *Pictures, log *slog.Logger) *Keeper {
	k := &Keeper{db: db, features: features, pictures: pictures, log: log, changed: make(chan struct{}, 1), clock: steadyClock{wall: time.Now().Round(0), start: time.Now()}}
	db.Listen(func(e storage.Event) {
		if e.Kind == storage.RecipeChanged {
			select {
			case k.changed <- struct{}{}:
			default:
			}
		}
	})
	return k
}

// Run keeps now and then, and when a recipe changed, until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	next := time.NewTimer(firstKeepIn)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
		case <-k.changed:
		}
		if leap, doubted := k.clock.doubt(time.Now()); doubted {
			k.log.Warn("the clock leapt: no picture is removed for a day", "by", leap.Round(time.Second))
		} else if err := k.Keep(ctx); err != nil && ctx.Err() == nil {
			k.log.Warn("cannot remove the pictures that are no longer kept", "error", err)
		}
		next.Reset(keepEvery)
	}
}

// Keep applies each recipe's rule, and then deletes the blobs whose time has come.
func (k *Keeper) Keep(ctx context.Context) error {
	recipes, err := k.db.Recipes(ctx)
	if err != nil {
		return err
	}
	var all error
	for _, r := range recipes {
		if err := k.keep(ctx, r); err != nil {
			all = errors.Join(all, fmt.Errorf("recipe %q: %w", r.Name, err))
		}
	}
	caches, err := k.features.caches(ctx)
	if err != nil {
		return errors.Join(all, err)
	}
	deleted, err := k.db.DeleteBlobs(ctx, func(key string, frames []int64) error {
		err := k.pictures.forget(key)
		for _, s := range caches {
			for _, id := range frames {
				err = errors.Join(err, s.Forget(id))
			}
		}
		return err
	})
	if deleted > 0 {
		k.log.Info("blobs that nothing uses were deleted", "blobs", deleted)
	}
	return errors.Join(all, err)
}

func (k *Keeper) keep(ctx context.Context, r storage.Recipe) error {
	if r.Keep.Days == 0 && r.Keep.Gigabytes == 0 {
		return nil
	}
	for {
		done, err := k.db.RemovePictures(ctx, r.ID)
		if err != nil || done.Pictures == 0 {
			return err
		}
		k.log.Info("pictures were removed by the recipe's rule", "recipe", r.Name, "kind", done.Kind, "pictures", done.Pictures, "bytes", done.Bytes, "newest", done.Newest)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(keepPause):
		}
	}
}

// steadyClock notices that the machine's clock was set: by the running time
// since the start, which no setting changes. A clock set years ahead must not
// make every picture old.
type steadyClock struct {
	wall, start time.Time // one moment, without and with the running time
	leapt       time.Time // when a leap was noticed, by the running time
	leap        time.Duration
}

// doubt reports by how much the clock leapt within the last day.
func (c *steadyClock) doubt(now time.Time) (leap time.Duration, doubted bool) {
	ran := now.Sub(c.start)
	leap = now.Round(0).Sub(c.wall) - ran
	if leap > clockLeap || leap < -clockLeap {
		c.wall, c.start, c.leapt, c.leap = now.Round(0), now, now, leap
	}
	if c.leapt.IsZero() || now.Sub(c.leapt) >= clockDoubt {
		return 0, false
	}
	return c.leap, true
}
