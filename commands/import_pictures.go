package commands

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"loupe/models/exchange"
	"loupe/storage"
	"loupe/vision"
)

// importing is one import under way.
type importing struct {
	db      *storage.DB
	recipe  storage.Recipe
	set     *exchange.Set
	done    storage.Imported
	refused []string // pictures, each with the reason
	leftOut []string // what was not taken of pictures that were
}

// importAll stores the pictures of a set and tells what became of them.
func importAll(ctx context.Context, db *storage.DB, r storage.Recipe, set *exchange.Set) error {
	i := &importing{db: db, recipe: r, set: set, refused: slices.Clone(set.Refused)}
	bar := newBar(len(set.Pictures), "importing")
	for batch := range slices.Chunk(set.Pictures, importBatch) {
		if err := i.batch(ctx, batch, func() { _ = bar.Add(1) }); err != nil {
			return err
		}
	}
	for _, line := range i.refused {
		fmt.Fprintln(os.Stderr, "refused", line)
	}
	for _, line := range i.leftOut {
		fmt.Fprintln(os.Stderr, "left out of", line)
	}
	all := len(set.Pictures) + len(set.Refused)
	fmt.Printf("%d pictures imported into %q, %d were there already, %d refused.\n", i.done.Added, r.Name, all-i.done.Added-len(i.refused), len(i.refused))
	if i.done.Marked > 0 {
		fmt.Printf("%d of those that were there got the regions of this import.\n", i.done.Marked)
	}
	if i.done.OtherSide > 0 {
		fmt.Printf("%d pictures lie on the other side of the split than the import says: other pictures of the same part are there.\n", i.done.OtherSide)
	}
	return nil
}

// batch stores some pictures in one transaction.
func (i *importing) batch(ctx context.Context, batch []exchange.Picture, step func()) error {
	var ready []storage.Import
	var sources []exchange.Picture
	for _, p := range batch {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, reason, err := i.frame(ctx, &p)
		if err != nil {
			return err
		}
		for _, note := range p.Notes {
			i.leftOut = append(i.leftOut, p.File+": "+note)
		}
		if reason != nil {
			i.refused = append(i.refused, fmt.Sprintf("%s: %v", p.File, reason))
		} else {
			ready = append(ready, storage.Import{Frame: f, Class: p.Class, Share: p.Share, Marks: p.Marks, Copy: p.Copy})
			sources = append(sources, p)
		}
		step()
	}
	done, err := i.db.Import(ctx, i.recipe.ID, ready)
	if err != nil {
		return err
	}
	i.done.Added += done.Added
	i.done.Marked += done.Marked
	i.done.OtherSide += done.OtherSide
	return i.storeAgain(ctx, ready, sources)
}

// storeAgain stores what a server beside removed as no longer used between the
// reading of a picture and its row. From the row on it stays.
func (i *importing) storeAgain(ctx context.Context, rows []storage.Import, sources []exchange.Picture) error {
	for n, row := range rows {
		there, err := i.db.Blobs.Exists(ctx, row.Frame.BlobKey)
		if err == nil && !there {
			var reason error
			if _, reason, err = i.frame(ctx, &sources[n]); err == nil {
				err = reason
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// frame stores a picture; reason is why it is refused.
func (i *importing) frame(ctx context.Context, p *exchange.Picture) (f storage.Frame, reason, err error) {
	data, reason := i.set.Open(*p, vision.DefaultGate.MaxBytes)
	if reason != nil {
		return f, reason, nil
	}
	f, err = storePicture(ctx, i.db, data, p.Source)
	var refusal *vision.Refusal
	if errors.As(err, &refusal) {
		return f, refusal, nil
	}
	if err != nil {
		return f, nil, err
	}
	if reason := p.Fit(f.Width, f.Height); reason != nil {
		return f, reason, nil
	}
	f.Serial, f.Lot, f.TakenAt, f.Readings, f.Origin = p.Serial, p.Lot, p.TakenAt, p.Readings, p.Origin
	return f, nil, nil
}

// storePicture checks a picture, stores it and makes a frame of it. The error is
// a *vision.Refusal where the picture is at fault.
func storePicture(ctx context.Context, db *storage.DB, data []byte, source string) (storage.Frame, error) {
	p, err := vision.DefaultGate.Check(data)
	if err != nil {
		return storage.Frame{}, err
	}
	key, err := db.Blobs.PutContent(ctx, "frames", data)
	return storage.Frame{
		BlobKey: key, Format: p.Format, Bytes: int64(len(data)), Width: p.Width, Height: p.Height, Orientation: p.Orientation, Source: source,
	}, err
}
