package exchange_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"loupe/models/exchange"
	"loupe/storage"
	"loupe/vision"
)

// plant is a data folder of its own.
type plant struct {
	*testing.T
	db     *storage.DB
	recipe storage.Recipe
}

func newPlant(t *testing.T) *plant {
	t.Helper()
	tick := int64(0)
	db, err := storage.Open(t.Context(), storage.Settings{Folder: t.TempDir(), Now: func() time.Time { tick++; return time.Unix(1_800_000_000+tick, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &plant{T: t, db: db}
}

func (p *plant) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// draw draws a part like no other, 97 pixels wide and 61 high.
func draw(t testing.TB, n int) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 97, 61))
	for i := range img.Pix {
		img.Pix[i] = uint8(i*7 + n*13)
	}
	img.SetGray(0, 0, color.Gray{Y: uint8(n)})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (p *plant) frame(n int) storage.Frame {
	p.Helper()
	data := draw(p, n)
	key, err := p.db.Blobs.PutContent(p.Context(), "frames", data)
	p.must(err)
	return storage.Frame{BlobKey: key, Format: "png", Bytes: int64(len(data)), Width: 97, Height: 61, Orientation: 1}
}

// fill makes a recipe whose frames have everything that a frame can have.
func (p *plant) fill(regions bool) {
	p.Helper()
	ctx := p.Context()
	r, err := p.db.AddRecipe(ctx, "ada", storage.NewRecipe("Caps", []vision.Class{
		{Name: "scratch & dent", Color: "#c0392b", Key: "7"}, {Name: "good", Pass: true, Color: "#5b8c5a", Key: "1"}, {Name: "a/b: 凹坑", Color: "#8e44ad", Key: "3"}, {Name: "burr", Color: "#1f618d", Key: "4"},
	}))
	p.must(err)
	p.recipe = r
	s, _, err := p.db.AddStation(ctx, "ada", storage.Station{Name: "press 4", Line: "A", RecipeID: r.ID})
	p.must(err)
	for n := range 12 {
		f := p.frame(n)
		f.RecipeID, f.Serial, f.Lot, f.StationID = r.ID, fmt.Sprint("S-", n/2), "L7", s.ID
		f.TakenAt = time.Date(2026, 11, 1, 2, 3, n, 4e6, time.UTC)
		f.Readings = map[string]any{"press_kN": 118.25 + float64(n), "tool": "α <b>"}
		if n == 11 {
			f = p.frame(10) // the same picture once more, of no part
			f.RecipeID, f.StationID = r.ID, s.ID
		}
		f, _, err := p.db.AddFrame(ctx, f)
		p.must(err)
		_, _, err = p.db.Correct(ctx, storage.Correction{FrameID: f.ID, Class: r.Classes[n%4].Name, Person: "bea", Source: "page", Note: "by\nlamp, \"cold\""})
		p.must(err)
	}
	var all []storage.Import
	for n := 20; n < 32; n++ {
		f := p.frame(n)
		f.Source, f.Origin.Part = fmt.Sprintf("old/%d.png", n), fmt.Sprint("mould ", n/3)
		i := storage.Import{Frame: f, Class: r.Classes[n%4].Name, Share: []string{storage.TrainShare, storage.TestShare}[n/3%2]}
		if regions && i.Class != "good" {
			i.Marks = marks(r, n)
		}
		all = append(all, i)
	}
	twice := all[1]
	twice.Copy = 1
	done, err := p.db.Import(ctx, r.ID, append(all, twice))
	if err != nil || done.Added != 13 {
		p.Fatalf("%+v, %v", done, err)
	}
}

// marks are regions of every shape, at thirds of pixels.
func marks(r storage.Recipe, n int) []storage.Mark {
	third := float64(n) / 300
	return []storage.Mark{
		{Class: r.Classes[n%4].Name, Shape: storage.BoxShape, Box: [4]float64{3. / 97, 5. / 61, 10. / 97, 20. / 61}, Extra: map[string]json.RawMessage{"difficult": []byte(`"1"`), "tags": []byte(`{"deep":[1,2.50]}`)}},
		{Class: "burr", Shape: storage.BoxShape, Box: [4]float64{third, third / 2, 1. / 3, 2. / 7}},
		{Class: "burr", Shape: storage.PolygonShape, Box: [4]float64{0.1, 0.2, 0.3, 0.4}, Polygons: [][]float64{{0.1, 0.2, 0.4, 0.3, 1. / 3, 0.6}}},
		{Class: r.Classes[0].Name, Shape: storage.PolygonShape, Box: [4]float64{0.1, 0.1, 0.8, 0.8}, Polygons: [][]float64{{0.1, 0.1, 0.2, 0.1, 0.2, 0.2}, {0.8, 0.8, 0.9, 0.8, 0.9, 0.9}}},
		{Class: "burr", Shape: storage.MaskShape, Box: [4]float64{0, 0, 1. / 97, 10. / 61}, Mask: &storage.Mask{Size: [2]int{61, 97}, Counts: []int{0, 10, 61*97 - 10}}},
	}
}

// export writes the recipe into a new folder.
func (p *plant) export(format exchange.Format, d *storage.Dataset) (string, exchange.Summary) {
	p.Helper()
	folder := p.TempDir()
	frames, err := exchange.Gather(p.Context(), p.db, p.recipe.ID, d)
	p.must(err)
	root, err := os.OpenRoot(folder)
	p.must(err)
	defer root.Close()
	into := exchange.NewFolder(root)
	sum, err := exchange.Write(p.Context(), exchange.Plan{Recipe: p.recipe, Frames: frames, Dataset: d, Format: format, Blobs: p.db.Blobs}, into)
	p.must(err)
	p.must(into.Close())
	return folder, sum
}

// bring imports a folder into a new recipe.
func (p *plant) bring(files fs.FS, rule exchange.Rule) *exchange.Set {
	p.Helper()
	set, err := exchange.Read(files, "", "")
	p.must(err)
	if rule.Pass == nil {
		rule.Pass = func(name string) bool { return name == "good" }
	}
	p.must(set.Label(rule))
	classes := set.Recipe
	if classes == nil {
		for _, name := range set.Classes() {
			classes = append(classes, vision.Class{Name: name, Pass: name == "good", Color: "#123456"})
		}
	}
	p.recipe, err = p.db.AddRecipe(p.Context(), "import", storage.NewRecipe("Caps", classes))
	p.must(err)
	var all []storage.Import
	for _, one := range set.Pictures {
		data, err := set.Open(one, 1<<20)
		p.must(err)
		key, err := p.db.Blobs.PutContent(p.Context(), "frames", data)
		p.must(err)
		config, format, err := image.DecodeConfig(bytes.NewReader(data))
		p.must(err)
		p.must(one.Fit(config.Width, config.Height))
		if len(one.Notes) > 0 {
			p.Errorf("%s: %q", one.File, one.Notes)
		}
		all = append(all, storage.Import{Class: one.Class, Share: one.Share, Marks: one.Marks, Copy: one.Copy, Frame: storage.Frame{
			BlobKey: key, Format: format, Bytes: int64(len(data)), Width: config.Width, Height: config.Height, Orientation: 1,
			Serial: one.Serial, Lot: one.Lot, Source: one.Source, TakenAt: one.TakenAt, Readings: one.Readings, Origin: one.Origin,
		}})
	}
	_, err = p.db.Import(p.Context(), p.recipe.ID, all)
	p.must(err)
	return set
}

// contents are the files of a folder.
func contents(t testing.TB, files fs.FS) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(files, ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			var data []byte
			data, err = fs.ReadFile(files, name)
			all[name] = string(data)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestARoundTripLosesNothing(t *testing.T) {
	for _, regions := range []bool{true, false} {
		for _, format := range exchange.Formats {
			t.Run(fmt.Sprint(format, regions), func(t *testing.T) {
				first, second := newPlant(t), newPlant(t)
				first.fill(regions)
				folder, sum := first.export(format, nil)
				if sum.Pictures != 25 || len(sum.Missing) != 0 {
					t.Errorf("%+v", sum)
				}
				second.bring(os.DirFS(folder), exchange.Rule{})
				again, _ := second.export(format, nil)
				want, got := contents(t, os.DirFS(folder)), contents(t, os.DirFS(again))
				for name, text := range want {
					if got[name] != text {
						t.Errorf("%s was\n%.2000s\nand is\n%.2000s", name, text, got[name])
					}
				}
				if len(want) != len(got) || len(want) < 26 {
					t.Errorf("%d files became %d", len(want), len(got))
				}
				same(t, first, second)
			})
		}
	}
}

// same compares what two plants know of their frames.
func same(t *testing.T, a, b *plant) {
	t.Helper()
	said := func(p *plant) map[string]int {
		frames, err := exchange.Gather(p.Context(), p.db, p.recipe.ID, nil)
		p.must(err)
		all := map[string]int{}
		for _, f := range frames {
			marks, err := json.Marshal(f.Marks)
			p.must(err)
			all[fmt.Sprint(path.Base(f.BlobKey), f.Label, f.Share, f.Serial, f.Lot, f.Origin.Part, f.TakenAt, f.Readings, f.Source, f.Station, f.Labelled, string(marks))]++
		}
		return all
	}
	want, got := said(a), said(b)
	for one, n := range want {
		if got[one] != n {
			t.Errorf("%d frames, were %d: %s", got[one], n, one)
		}
	}
	if len(want) != len(got) {
		t.Errorf("%d kinds of frames became %d", len(want), len(got))
	}
}

func TestTheSameDataGiveTheSameZip(t *testing.T) {
	p := newPlant(t)
	p.fill(true)
	frames, err := exchange.Gather(t.Context(), p.db, p.recipe.ID, nil)
	p.must(err)
	var zips [2]bytes.Buffer
	for i := range zips {
		z := exchange.NewZip(&zips[i])
		_, err := exchange.Write(t.Context(), exchange.Plan{Recipe: p.recipe, Frames: frames, Format: exchange.YOLO, Blobs: p.db.Blobs}, z)
		p.must(err)
		p.must(z.Close())
	}
	if !bytes.Equal(zips[0].Bytes(), zips[1].Bytes()) || zips[0].Len() < 1000 {
		t.Errorf("%d and %d bytes", zips[0].Len(), zips[1].Len())
	}
}

func TestADataSetIsExportedAsItWas(t *testing.T) {
	p := newPlant(t)
	p.fill(true)
	ctx := t.Context()
	data, err := p.db.DataSet(ctx, p.recipe.ID)
	p.must(err)
	v, err := p.db.AddVersion(ctx, storage.Version{RecipeID: p.recipe.ID, Size: 224, Classes: p.recipe.ClassNames(), HeadKey: "heads/x", ModelKey: "models/x", ModelSHA: "00",
		Statement: []byte("{}"), Report: []byte("{}"), CreatedBy: "ada", Data: data}, nil)
	p.must(err)
	d, err := p.db.Dataset(ctx, v.DatasetID)
	p.must(err)
	was, _ := p.export(exchange.CSV, &d)
	for _, f := range data {
		_, _, err := p.db.Correct(ctx, storage.Correction{FrameID: f.FrameID, Class: "good", Person: "eve", Source: "page"})
		p.must(err)
	}
	_, err = p.db.Import(ctx, p.recipe.ID, []storage.Import{{Frame: p.frame(77), Class: "burr"}})
	p.must(err)
	again, _ := p.export(exchange.CSV, &d)
	for name, text := range contents(t, os.DirFS(was)) {
		if got, err := os.ReadFile(again + "/" + name); err != nil || string(got) != text {
			t.Errorf("%s has changed, %v", name, err)
		}
	}
	head, err := os.ReadFile(was + "/loupe.jsonl")
	if err != nil || !strings.Contains(string(head), `"dataset":{"number":1,"sha256":"`+d.Digest) {
		t.Errorf("%.300s, %v", head, err)
	}
}

func TestWhatIsNotThereIsListed(t *testing.T) {
	p := newPlant(t)
	p.fill(false)
	ctx := t.Context()
	f, err := p.db.Frame(ctx, 3)
	p.must(err)
	p.must(p.db.Blobs.Delete(ctx, f.BlobKey))
	folder, sum := p.export(exchange.COCO, nil)
	if sum.Lost() != 1 || sum.Pictures != 24 || sum.Unmarked == 0 {
		t.Errorf("%+v", sum)
	}
	list, err := os.ReadFile(folder + "/missing.csv")
	if err != nil || !strings.Contains(string(list), path.Base(f.BlobKey)) || strings.Count(string(list), "\n") != 2 {
		t.Errorf("%s, %v", list, err)
	}
}
