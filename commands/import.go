package commands

import (
	"archive/zip"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"loupe/models/exchange"
	"loupe/storage"
	"loupe/vision"
)

// Import brings labelled pictures into a recipe.
type Import struct {
	Source     string   `arg:"" help:"A folder, a zip file, a CSV, a COCO JSON file or a YOLO data.yaml." type:"path"`
	Recipe     string   `help:"Name of the recipe; made when there is none of that name." required:"" placeholder:"NAME"`
	Format     string   `help:"coco, voc, yolo, folders or csv; found out by default." placeholder:"FORMAT"`
	LabelBy    string   `help:"Which region names the class of a picture with several: largest or first. Regions of failing classes go before those of passing ones." default:"largest" enum:"largest,first"`
	Background string   `help:"Class of the pictures without a region; the only passing class by default." placeholder:"CLASS"`
	Pass       []string `help:"Classes that pass, in a new recipe; by default those named good, ok or pass."`
	Data       string   `help:"Data folder; made when missing." default:"data" env:"LOUPE_DATA" type:"path"`
	Blobs      string   `help:"gocloud.dev/blob URL of the picture store; in the data folder by default." env:"LOUPE_BLOBS" placeholder:"URL"`
}

// Help teaches the command.
func (Import) Help() string {
	return `Pictures that cannot be taken are listed at the end with the reason, and the rest
goes on. Importing the same pictures again adds nothing. Training pictures are
trained on; those of val and test are never. Boxes, outlines and masks are kept.
All pictures must lie inside the folder, or beside or below the file.

Examples:

  loupe import parts/ --recipe "Bearing cap"       parts/good/1.jpg, parts/scratch/7.png, …
  loupe import parts.csv --recipe "Bearing cap"    path,class and split, serial, lot, group, …
  loupe import coco/ --recipe "Bearing cap" --background good
  loupe import yolo/data.yaml --recipe "Bearing cap" --label-by first --background good
  loupe import loupe-export.zip --recipe "Bearing cap"`
}

// importBatch is how many pictures share a transaction.
const importBatch = 200

// Run imports.
func (i *Import) Run() error {
	ctx, stop := interruptible()
	defer stop()
	set, source, err := i.read()
	if err != nil {
		return err
	}
	defer source.Close()
	db, err := openStorage(ctx, storage.Settings{Folder: i.Data, BlobsURL: i.Blobs, Beside: true})
	if err != nil {
		return err
	}
	defer db.Close()
	r, err := i.recipe(ctx, db, set)
	if err != nil {
		return err
	}
	return importAll(ctx, db, r, set)
}

// read lists what the source has; closing it ends the reading of pictures.
func (i *Import) read() (*exchange.Set, io.Closer, error) {
	var format exchange.Format
	var err error
	if i.Format != "" {
		if format, err = exchange.ParseFormat(i.Format); err != nil {
			return nil, nil, usage("%v", err)
		}
	}
	files, list, source, err := openSource(i.Source)
	if err != nil {
		return nil, nil, usage("cannot read %s: %v", i.Source, err)
	}
	set, err := exchange.Read(files, list, format)
	if err != nil {
		source.Close()
		return nil, nil, usage("%s: %v", i.Source, err)
	}
	return set, source, nil
}

// openSource opens a folder or a zip file, or the folder of the file that is
// named in it. Nothing outside can be reached through it.
func openSource(path string) (files fs.FS, list string, source io.Closer, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", nil, err
	}
	if !info.IsDir() && strings.EqualFold(filepath.Ext(path), ".zip") {
		z, err := zip.OpenReader(path)
		if err != nil {
			return nil, "", nil, err
		}
		return z, "", z, nil
	}
	folder := path
	if !info.IsDir() {
		folder, list = filepath.Dir(path), filepath.Base(path)
		if filepath.Ext(path) == ".json" && filepath.Base(folder) == "annotations" {
			folder, list = filepath.Dir(folder), "annotations/"+list
		}
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, "", nil, err
	}
	return root.FS(), list, root, nil
}

// recipe finds the recipe or makes it with the classes that occur, and gives each
// picture its class.
func (i *Import) recipe(ctx context.Context, db *storage.DB, set *exchange.Set) (storage.Recipe, error) {
	r, err := db.RecipeByName(ctx, i.Recipe)
	isNew := storage.CodeOf(err) == storage.NotFound
	if err != nil && !isNew {
		return r, err
	}
	if isNew {
		r = storage.NewRecipe(i.Recipe, i.classes(set, set.Classes()))
	}
	if err := set.Label(i.rule(r)); err != nil {
		return r, usage("%s: %v", i.Source, err)
	}
	names := set.Classes()
	if isNew {
		r.Classes = i.classes(set, names)
		return db.AddRecipe(ctx, "import", r)
	}
	for _, name := range names {
		if _, ok := r.Class(name); !ok {
			return r, usage("the recipe %q has no class %q: add it under Set-up, or rename it in %s", r.Name, name, i.Source)
		}
	}
	return r, nil
}

// classes are those of a new recipe: as the Loupe that exported it had them, and
// those that occur.
func (i *Import) classes(set *exchange.Set, names []string) []vision.Class {
	if set.Format == exchange.Folders || set.Format == exchange.CSV {
		names = slices.Clone(names)
		sort.Strings(names)
	}
	classes := newClasses(names, i.Pass)
	if len(set.Recipe) == 0 {
		return classes
	}
	known := slices.Clone(set.Recipe)
	for _, c := range classes {
		if !slices.ContainsFunc(known, func(k vision.Class) bool { return k.Name == c.Name }) {
			c.Key = ""
			known = append(known, c)
		}
	}
	return known
}

// rule says how pictures get their class from their regions.
func (i *Import) rule(r storage.Recipe) exchange.Rule {
	rule := exchange.Rule{By: i.LabelBy, Background: i.Background, Pass: func(name string) bool {
		c, ok := r.Class(name)
		return ok && c.Pass
	}}
	var passing []string
	for _, c := range r.Classes {
		if c.Pass {
			passing = append(passing, c.Name)
		}
	}
	for _, name := range i.Pass {
		if !slices.Contains(r.ClassNames(), name) {
			passing = append(passing, name)
		}
	}
	if rule.Background == "" && len(passing) == 1 {
		rule.Background = passing[0]
	}
	return rule
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
