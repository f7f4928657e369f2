package exchange

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"time"

	"loupe/storage"
	"loupe/vision"
)

// Plan is what to export.
type Plan struct {
	Recipe   storage.Recipe
	Frames   []storage.ExportFrame
	Dataset  *storage.Dataset // that the frames are; nil for the labels in force
	Format   Format
	Blobs    *storage.Blobs
	Progress func(done, all int) // may be nil
}

// Sink takes the files of an export one after the other: a file is complete when
// the next one is created.
type Sink interface {
	Create(name string) (io.Writer, error)
}

// Missing is a frame that an export names without its picture.
type Missing struct {
	Frame   storage.ExportFrame
	Removed bool // by the recipe's rule; else the picture store has lost it
}

// Summary is what an export wrote.
type Summary struct {
	Pictures int
	Missing  []Missing
	Unmarked int // pictures of failing classes without a region, in a format that tells classes by regions
}

// Lost counts the pictures that should be there and are not.
func (s Summary) Lost() (n int) {
	for _, m := range s.Missing {
		if !m.Removed {
			n++
		}
	}
	return n
}

// Gather reads what there is to export of a recipe: its labels in force, or a
// data set as it was.
func Gather(ctx context.Context, db *storage.DB, recipeID int64, d *storage.Dataset) ([]storage.ExportFrame, error) {
	var frames []storage.LabelledFrame
	var err error
	if d != nil {
		frames, err = db.DatasetFrames(ctx, d.ID)
	} else {
		frames, err = db.DataSetEver(ctx, recipeID)
	}
	if err != nil {
		return nil, err
	}
	return db.ExportFrames(ctx, frames)
}

// picture is a frame with its place in the export.
type picture struct {
	storage.ExportFrame
	digest string // hex SHA-256 of the file
	copy   int
	file   string // slash path
}

// exporter writes one export.
type exporter struct {
	Plan
	out        Sink
	classes    []vision.Class // the recipe's, then others that occur
	names      []string
	classified bool // YOLO without regions
	written    []picture
	sum        Summary
}

// Write exports frames: the pictures byte for byte, then what the format says of
// them, then loupe.jsonl with everything else. The same frames give the same
// files: pictures are named by their content and come in the order of their names.
func Write(ctx context.Context, p Plan, out Sink) (Summary, error) {
	e := &exporter{Plan: p, out: out}
	e.prepare()
	if err := e.pictures(ctx); err != nil {
		return e.sum, err
	}
	var err error
	switch {
	case p.Format == COCO:
		err = e.coco()
	case p.Format == VOC:
		err = e.voc()
	case p.Format == YOLO && !e.classified:
		err = e.yolo()
	case p.Format == CSV:
		err = e.csv()
	}
	if err == nil {
		err = e.side()
	}
	if err == nil {
		err = e.missing()
	}
	return e.sum, err
}

// prepare lists the classes and puts the frames in order.
func (e *exporter) prepare() {
	e.classes = slices.Clone(e.Recipe.Classes)
	e.classified = true
	have := e.Recipe.ClassNames()
	var others []string
	also := func(name string) {
		if !slices.Contains(have, name) {
			have, others = append(have, name), append(others, name)
		}
	}
	e.Frames = slices.Clone(e.Frames)
	for _, f := range e.Frames {
		also(f.Label)
		for _, m := range f.Marks {
			also(m.Class)
			e.classified = false
		}
	}
	slices.Sort(others)
	for _, name := range others {
		c := vision.Class{Name: name, Color: "#455a64"}
		if i := slices.IndexFunc(e.Recipe.Archived, func(c vision.Class) bool { return c.Name == name }); i >= 0 {
			c = e.Recipe.Archived[i]
		}
		e.classes = append(e.classes, c)
	}
	for _, c := range e.classes {
		e.names = append(e.names, c.Name)
	}
	slices.SortStableFunc(e.Frames, func(a, b storage.ExportFrame) int {
		return cmp.Or(cmp.Compare(path.Base(a.BlobKey), path.Base(b.BlobKey)), cmp.Compare(a.ID, b.ID))
	})
}

var endings = map[string]string{"jpeg": ".jpg"}

// place is where a format has a picture.
func (e *exporter) place(f storage.ExportFrame, name string) string {
	switch e.Format {
	case COCO:
		return f.Share + "/" + name
	case VOC:
		return "JPEGImages/" + name
	case YOLO:
		if e.classified {
			return f.Share + "/" + folderName(f.Label) + "/" + name
		}
		return "images/" + f.Share + "/" + name
	case CSV:
		return "pictures/" + name
	}
	return folderName(f.Label) + "/" + name
}

// pictures writes the pictures, and notes those that are not there.
func (e *exporter) pictures(ctx context.Context) error {
	names := map[string]int{}
	copies := map[[4]string]int{}
	for i, f := range e.Frames {
		if err := ctx.Err(); err != nil {
			return err
		}
		if e.Progress != nil {
			e.Progress(i, len(e.Frames))
		}
		there := f.PictureRemovedAt.IsZero()
		if there {
			var err error
			if there, err = e.Blobs.Exists(ctx, f.BlobKey); err != nil {
				return err
			}
		}
		if !there {
			e.sum.Missing = append(e.sum.Missing, Missing{Frame: f, Removed: !f.PictureRemovedAt.IsZero()})
			continue
		}
		p := picture{ExportFrame: f, digest: path.Base(f.BlobKey)}
		name := p.digest[:min(20, len(p.digest))]
		if names[name]++; names[name] > 1 {
			name += fmt.Sprintf("~%04d", names[name]) // sorts after the name alone
		}
		ending, ok := endings[f.Format]
		if !ok {
			ending = "." + f.Format
		}
		p.file = e.place(f, name+ending)
		same := [4]string{p.digest, f.Serial, f.Origin.Part, f.Label}
		p.copy = copies[same]
		copies[same]++
		if err := e.copyPicture(ctx, p); err != nil {
			return err
		}
		e.written = append(e.written, p)
		e.sum.Pictures++
	}
	return nil
}

func (e *exporter) copyPicture(ctx context.Context, p picture) error {
	r, err := e.Blobs.Open(ctx, p.BlobKey)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := e.out.Create(p.file)
	if err != nil {
		return err
	}
	if _, err = io.Copy(w, r); err != nil {
		return fmt.Errorf("copy the picture of frame %d: %w", p.ID, err)
	}
	return nil
}

// write writes a small file.
func (e *exporter) write(name string, data []byte) error {
	w, err := e.out.Create(name)
	if err == nil {
		_, err = w.Write(data)
	}
	return err
}

// side writes what the format has no place for.
func (e *exporter) side() error {
	w, err := e.out.Create(sideName)
	if err != nil {
		return err
	}
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	h := header{Loupe: sideVersion, Format: e.Format, Recipe: e.Recipe.Name, Classes: e.classes}
	if d := e.Dataset; d != nil {
		h.Dataset = &datasetName{Number: d.Number, SHA256: d.Digest}
	}
	if err := lines.Encode(h); err != nil {
		return err
	}
	for _, p := range e.written {
		one := entry{
			File: p.file, SHA256: p.digest, Class: p.Label, Split: p.Share, Serial: p.Serial, Lot: p.Lot, Group: p.Origin.Part, Source: p.Source, Station: p.Station,
			TakenAt: p.TakenAt, Readings: p.Readings, LabelledBy: p.Labelled.By, Note: p.Labelled.Note, Copy: p.copy, Regions: p.Marks,
		}
		if !p.Labelled.At.IsZero() {
			one.LabelledAt = &p.Labelled.At
		}
		if err := lines.Encode(one); err != nil {
			return err
		}
	}
	return nil
}

// missing lists the frames without a picture, where there are some.
func (e *exporter) missing() error {
	if len(e.sum.Missing) == 0 {
		return nil
	}
	rows := [][]string{{"sha256", "class", "split", "serial", "lot", "source", "taken_at", "reason"}}
	for _, m := range e.sum.Missing {
		f, reason := m.Frame, "the picture store has lost the picture"
		if m.Removed {
			reason = "the picture was removed by the recipe's rule at " + f.PictureRemovedAt.Format(time.RFC3339)
		}
		rows = append(rows, []string{path.Base(f.BlobKey), f.Label, f.Share, f.Serial, f.Lot, f.Source, f.TakenAt.Format(time.RFC3339Nano), reason})
	}
	return e.rows(missingName, rows)
}

func (e *exporter) rows(name string, rows [][]string) error {
	w, err := e.out.Create(name)
	if err != nil {
		return err
	}
	c := csv.NewWriter(w)
	return errors.Join(c.WriteAll(rows), c.Error())
}
