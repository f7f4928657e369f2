package commands

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"loupe/storage"
	"loupe/vision"
)

// Import brings labelled pictures into a recipe.
type Import struct {
	Source string   `arg:"" help:"A folder with one folder for each class, or a CSV file with the columns path, class and optionally split." type:"path"`
	Recipe string   `help:"Name of the recipe; made when there is none of that name." required:"" placeholder:"NAME"`
	Pass   []string `help:"Classes that pass, in a new recipe; by default those named good, ok or pass."`
	Data   string   `help:"Data folder; made when missing." default:"data" env:"LOUPE_DATA" type:"path"`
	Blobs  string   `help:"gocloud.dev/blob URL of the picture store; in the data folder by default." env:"LOUPE_BLOBS" placeholder:"URL"`
}

// Help teaches the command.
func (Import) Help() string {
	return `Pictures that are no pictures are listed at the end with the reason, and the rest
goes on. Importing the same pictures again adds nothing. A split of train or test
in the CSV is kept: test pictures are never trained on.

Examples:

  loupe import parts/ --recipe "Bearing cap"       parts/good/1.jpg, parts/scratch/7.png, …
  loupe import parts.csv --recipe "Bearing cap"    path,class,split`
}

// importBatch is how many pictures share a transaction.
const importBatch = 200

// labelled is one picture to import.
type labelled struct {
	path, name, class, share string
}

// Run imports.
func (i *Import) Run() error {
	ctx, stop := interruptible()
	defer stop()
	all, err := readLabelled(i.Source)
	if err != nil {
		return err
	}
	db, err := openStorage(ctx, storage.Settings{Folder: i.Data, BlobsURL: i.Blobs, Beside: true})
	if err != nil {
		return err
	}
	defer db.Close()
	r, err := i.recipe(ctx, db, all)
	if err != nil {
		return err
	}
	return importAll(ctx, db, r, all)
}

func importAll(ctx context.Context, db *storage.DB, r storage.Recipe, all []labelled) error {
	bar := newBar(len(all), "importing")
	var refused []string
	added := 0
	for batch := range slices.Chunk(all, importBatch) {
		var ready []storage.Import
		var sources []labelled
		for _, one := range batch {
			if err := ctx.Err(); err != nil {
				return err
			}
			f, err := readFrame(ctx, db, one)
			var refusal *vision.Refusal
			switch {
			case errors.As(err, &refusal), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
				refused = append(refused, fmt.Sprintf("%s: %v", one.name, err))
			case err != nil:
				return err
			default:
				ready, sources = append(ready, storage.Import{Frame: f, Class: one.class, Share: one.share}), append(sources, one)
			}
			_ = bar.Add(1)
		}
		n, err := db.Import(ctx, r.ID, ready)
		if err != nil {
			return err
		}
		if err := storeAgain(ctx, db, ready, sources); err != nil {
			return err
		}
		added += n.Added
	}
	for _, line := range refused {
		fmt.Fprintln(os.Stderr, "refused", line)
	}
	fmt.Printf("%d pictures imported into %q, %d were there already, %d refused.\n", added, r.Name, len(all)-added-len(refused), len(refused))
	return nil
}

// storeAgain stores what a server beside removed as no longer used between the
// reading of a picture and its row. From the row on it stays.
func storeAgain(ctx context.Context, db *storage.DB, rows []storage.Import, sources []labelled) error {
	for i, row := range rows {
		there, err := db.Blobs.Exists(ctx, row.Frame.BlobKey)
		if err == nil && !there {
			_, err = readFrame(ctx, db, sources[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func readFrame(ctx context.Context, db *storage.DB, one labelled) (storage.Frame, error) {
	data, err := os.ReadFile(one.path)
	if err != nil {
		return storage.Frame{}, err
	}
	p, err := vision.DefaultGate.Check(data)
	if err != nil {
		return storage.Frame{}, err
	}
	key, err := db.Blobs.PutContent(ctx, "frames", data)
	return storage.Frame{
		BlobKey: key, Format: p.Format, Bytes: int64(len(data)), Width: p.Width, Height: p.Height, Orientation: p.Orientation, Source: one.name,
	}, err
}

// recipe finds the recipe or makes it with the classes that occur.
func (i *Import) recipe(ctx context.Context, db *storage.DB, all []labelled) (storage.Recipe, error) {
	seen := map[string]bool{}
	for _, one := range all {
		seen[one.class] = true
	}
	names := make([]string, 0, len(seen))
	for name := range seen {
		names = append(names, name)
	}
	sort.Strings(names)
	r, err := db.RecipeByName(ctx, i.Recipe)
	if storage.CodeOf(err) == storage.NotFound {
		return db.AddRecipe(ctx, "import", storage.NewRecipe(i.Recipe, newClasses(names, i.Pass)))
	}
	if err != nil {
		return r, err
	}
	for _, name := range names {
		if _, ok := r.Class(name); !ok {
			return r, usage("the recipe %q has no class %q: add it under Set-up, or rename the folder", r.Name, name)
		}
	}
	return r, nil
}

var importPalette = []string{"#c0392b", "#8e44ad", "#b9770e", "#1f618d", "#117a65", "#ad1457", "#6d4c41", "#455a64"}

func newClasses(names, pass []string) []vision.Class {
	var classes []vision.Class
	failing := 0
	for n, name := range names {
		c := vision.Class{Name: name, Color: "#5b8c5a", Pass: slices.Contains(pass, name) || len(pass) == 0 && slices.Contains([]string{"good", "ok", "pass"}, strings.ToLower(name))}
		if !c.Pass {
			c.Color = importPalette[failing%len(importPalette)]
			failing++
		}
		switch {
		case n < 9:
			c.Key = strconv.Itoa(n + 1)
		case n < 9+26:
			c.Key = string(rune('a' + n - 9))
		}
		classes = append(classes, c)
	}
	return classes
}

// readLabelled lists the pictures of a folder of class folders, or of a CSV.
func readLabelled(source string) ([]labelled, error) {
	info, err := os.Stat(source)
	if err != nil {
		return nil, usage("%v", err)
	}
	var all []labelled
	if info.IsDir() {
		all, err = readClassFolders(source)
	} else {
		all, err = readImportCSV(source)
	}
	if err == nil && len(all) == 0 {
		err = usage("%s names no picture: it must hold one folder for each class, or be a CSV with path,class", source)
	}
	return all, err
}

func readClassFolders(folder string) ([]labelled, error) {
	var all []labelled
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		if class, _, ok := strings.Cut(filepath.ToSlash(name), "/"); ok {
			all = append(all, labelled{path: path, name: filepath.ToSlash(name), class: class})
		}
		return nil
	})
	if err != nil {
		return nil, usage("cannot read %s: %v", folder, err)
	}
	return all, nil
}

func readImportCSV(path string) ([]labelled, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, usage("%v", err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	header, err := r.Read()
	if err != nil {
		return nil, usage("%s: %v", path, err)
	}
	column := map[string]int{"split": -1}
	for i, name := range header {
		column[strings.TrimPrefix(name, "\ufeff")] = i
	}
	for _, name := range []string{"path", "class"} {
		if _, ok := column[name]; !ok {
			return nil, usage("%s: the first line must name the columns path and class", path)
		}
	}
	var all []labelled
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, usage("%s: %v", path, err)
		}
		one := labelled{name: row[column["path"]], class: row[column["class"]]}
		one.path = one.name
		if !filepath.IsAbs(one.path) {
			one.path = filepath.Join(filepath.Dir(path), one.name)
		}
		if at := column["split"]; at >= 0 && row[at] != "" {
			if one.share = row[at]; one.share != storage.TrainShare && one.share != storage.TestShare {
				return nil, usage("%s: the split of %s must be train or test, not %q", path, one.name, one.share)
			}
		}
		all = append(all, one)
	}
}
