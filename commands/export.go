package commands

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/google/renameio/v2"

	"loupe/models/exchange"
	"loupe/storage"
)

// Export writes a recipe's labelled pictures for other tools.
type Export struct {
	Folder  string `arg:"" help:"Folder to make; it must be empty or missing. A name that ends in .zip makes a zip file." type:"path"`
	Recipe  string `help:"Name of the recipe." required:"" placeholder:"NAME"`
	Format  string `help:"coco, voc, yolo, folders or csv." default:"coco"`
	Dataset int    `help:"Number of a data set: as it was, not the labels in force." placeholder:"N"`
	Data    string `help:"Data folder." default:"data" env:"LOUPE_DATA" type:"path"`
	Blobs   string `help:"gocloud.dev/blob URL of the picture store; in the data folder by default." env:"LOUPE_BLOBS" placeholder:"URL"`
}

// Help teaches the command.
func (Export) Help() string {
	return `Loupe may go on meanwhile. Pictures are copied byte for byte, and the same data
give the same files. What the format has no place for is in loupe.jsonl, with which
loupe import loses nothing. Pictures that were removed are listed in missing.csv.

Examples:

  loupe export caps/ --recipe "Bearing cap" --format coco
  loupe export caps.zip --recipe "Bearing cap" --format yolo
  loupe export caps-12/ --recipe "Bearing cap" --format csv --dataset 12   as version 12's data set was`
}

// Run exports.
func (e *Export) Run() error {
	ctx, stop := interruptible()
	defer stop()
	format, err := exchange.ParseFormat(e.Format)
	if err != nil {
		return usage("%v", err)
	}
	db, err := openData(ctx, e.Data, e.Blobs)
	if err != nil {
		return err
	}
	defer db.Close()
	plan, err := e.plan(ctx, db, format)
	if err != nil {
		return err
	}
	var sum exchange.Summary
	if strings.HasSuffix(strings.ToLower(e.Folder), ".zip") {
		sum, err = e.zip(ctx, plan)
	} else {
		sum, err = e.folder(ctx, plan)
	}
	if err != nil {
		return err
	}
	return e.tell(sum)
}

func (e *Export) plan(ctx context.Context, db *storage.DB, format exchange.Format) (exchange.Plan, error) {
	p := exchange.Plan{Format: format, Blobs: db.Blobs}
	var err error
	if p.Recipe, err = db.RecipeByName(ctx, e.Recipe); err != nil {
		return p, asUsage(err, "there is no recipe %q", e.Recipe)
	}
	if e.Dataset != 0 {
		d, err := db.DatasetByNumber(ctx, p.Recipe.ID, e.Dataset)
		if err != nil {
			return p, asUsage(err, "the recipe %q has no data set %d", e.Recipe, e.Dataset)
		}
		p.Dataset = &d
	}
	if p.Frames, err = exchange.Gather(ctx, db, p.Recipe.ID, p.Dataset); err != nil {
		return p, err
	}
	if len(p.Frames) == 0 {
		return p, usage("the recipe %q has no labelled pictures", e.Recipe)
	}
	bar := percentBar("exporting")
	p.Progress = func(done, all int) { bar(float64(done) / float64(all)) }
	return p, nil
}

// asUsage words that something is not there as bad input.
func asUsage(err error, format string, args ...any) error {
	if storage.CodeOf(err) == storage.NotFound {
		return usage(format, args...)
	}
	return err
}

// zip writes a zip file; one that is there already is replaced when it is whole.
func (e *Export) zip(ctx context.Context, plan exchange.Plan) (exchange.Summary, error) {
	f, err := renameio.NewPendingFile(e.Folder, renameio.WithPermissions(0o644))
	if err != nil {
		return exchange.Summary{}, usage("cannot write %s: %v", e.Folder, err)
	}
	defer f.Cleanup()
	z := exchange.NewZip(f)
	sum, err := exchange.Write(ctx, plan, z)
	if err != nil {
		return sum, err
	}
	return sum, errors.Join(z.Close(), f.CloseAtomicallyReplace())
}

func (e *Export) folder(ctx context.Context, plan exchange.Plan) (exchange.Summary, error) {
	var sum exchange.Summary
	if err := os.MkdirAll(e.Folder, 0o755); err != nil {
		return sum, usage("cannot make %s: %v", e.Folder, err)
	}
	if there, err := os.ReadDir(e.Folder); err != nil || len(there) > 0 {
		return sum, usage("%s is not empty: name a new folder", e.Folder)
	}
	root, err := os.OpenRoot(e.Folder)
	if err != nil {
		return sum, usage("cannot write into %s: %v", e.Folder, err)
	}
	defer root.Close()
	into := exchange.NewFolder(root)
	sum, err = exchange.Write(ctx, plan, into)
	return sum, errors.Join(err, into.Close())
}

// tell says what was written, and what was not.
func (e *Export) tell(sum exchange.Summary) error {
	fmt.Printf("%d pictures exported to %s.\n", sum.Pictures, e.Folder)
	if sum.Unmarked > 0 {
		fmt.Fprintf(os.Stderr, "%d pictures of failing classes have no region: other tools will take them for good ones. Their classes are in loupe.jsonl; the formats folders and csv tell them too.\n", sum.Unmarked)
	}
	if removed := len(sum.Missing) - sum.Lost(); removed > 0 {
		fmt.Fprintf(os.Stderr, "%d pictures were removed by the recipe's rule: they are listed in missing.csv.\n", removed)
	}
	if sum.Lost() > 0 {
		return fmt.Errorf("the picture store has lost %d pictures, listed in missing.csv; everything else is exported", sum.Lost())
	}
	return nil
}
