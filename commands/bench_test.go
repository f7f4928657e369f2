package commands

import (
	"encoding/xml"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// benchData draws pictures of two classes and their CSV, and gives its path.
func benchData(t *testing.T, train, test int) string {
	t.Helper()
	folder := t.TempDir()
	rows := []string{"path,class,split"}
	rng := rand.New(rand.NewPCG(4, 4))
	for i := range 2 * (train + test) {
		class, split := []string{"good", "stain"}[i%2], "train"
		if i >= 2*train {
			split = "test"
		}
		name := strings.Join([]string{class, split, string(rune('a' + i))}, "-") + ".png"
		writePart(t, filepath.Join(folder, name), drawPart(rng, class))
		rows = append(rows, strings.Join([]string{name, class, split}, ","))
	}
	return writeCSV(t, folder, rows...)
}

func writeCSV(t *testing.T, folder string, rows ...string) string {
	t.Helper()
	path := filepath.Join(folder, "parts.csv")
	if err := os.WriteFile(path, []byte(strings.Join(rows, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// chosen gives a bench the engine that it has without flags.
func chosen(t *testing.T, b *Bench) {
	t.Helper()
	var err error
	if b.runs, err = chooseEngine(b.choice(), b.Threads); err != nil {
		t.Fatal(err)
	}
}

func TestBenchMeasuresAModelOnPicturesItNeverSaw(t *testing.T) {
	b := Bench{Data: benchData(t, 6, 4), Size: 224, Seed: 1, FalseAlarms: 0.01}
	chosen(t, &b)
	pictures, classes, err := readPictures(b.Data)
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.inProcess(pictures, classes)
	if err != nil {
		t.Fatal(err)
	}
	if r.Images != 20 || r.Train != 12 || r.Test != 8 || r.Leaked != 0 || len(r.PerClass) != 2 {
		t.Errorf("counts: %+v", r)
	}
	if r.Accuracy < 0.75 || r.AUROC == nil || *r.AUROC < 0.75 {
		t.Errorf("stains are not told from good parts: %+v", r)
	}
	if c := r.Calibration; c.Frames != 12 || c.Folds != 2 || !c.Unsure || !(c.ECE >= 0 && c.ECE < 1 && c.ECEBefore >= 0 && c.ECEBefore < 1) || c.ECE == c.ECEBefore {
		t.Errorf("calibration: %+v", c)
	}
	if r.TrainS <= 0 || r.FeaturesMS.P50 <= 0 || r.InferMS.P95 < r.InferMS.P50 || r.RawForwardMS.P50 <= 0 || r.InferOverRaw <= 0 {
		t.Errorf("times: %+v", r)
	}
}

func TestBenchCountsPicturesThatAreInBothHalves(t *testing.T) {
	b := Bench{Data: benchData(t, 3, 1), Size: 224, Seed: 1, FalseAlarms: 0.01}
	chosen(t, &b)
	pictures, classes, err := readPictures(b.Data)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(pictures[0].path)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pictures {
		if p.test && p.class == pictures[0].class {
			if err := os.WriteFile(p.path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	r, err := b.inProcess(pictures, classes)
	if err != nil || r.Leaked != 1 {
		t.Errorf("%v: %d pictures count as leaked, not 1", err, r.Leaked)
	}
}

func TestBenchKnowsTheParts(t *testing.T) {
	all, _, err := readPictures(writeCSV(t, t.TempDir(), "path,class,split,part", "a.png,good,train,7", "b.png,good,train,7", "c.png,bad,train,", "d.png,bad,test,"))
	if err != nil {
		t.Fatal(err)
	}
	c := cached{pictures: all}
	if c.Part(0) != c.Part(1) || c.Part(1) == c.Part(2) || c.Part(2) == c.Part(3) {
		t.Errorf("parts %q, %q, %q, %q", c.Part(0), c.Part(1), c.Part(2), c.Part(3))
	}
}

func TestBenchRefusesBadData(t *testing.T) {
	for name, c := range map[string]struct{ rows, words string }{
		"no header":          {"a.png,good,train", "first line"},
		"another split":      {"path,class,split\na.png,good,learn", "train or test"},
		"in both halves":     {"path,class,split\na.png,good,train\nb.png,bad,train\na.png,good,test", "both halves"},
		"in both, disguised": {"path,class,split\na.png,good,train\nb.png,bad,train\n./a.png,good,test", "both halves"},
		"one class":          {"path,class,split\na.png,good,train", "two classes"},
		"a broken row":       {"path,class,split\na.png,good", "wrong number"},
		"nothing":            {"", "first line"},
	} {
		_, _, err := readPictures(writeCSV(t, t.TempDir(), c.rows))
		var bad *UsageError
		if !errors.As(err, &bad) || bad.ExitCode() != 2 || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
	missing := Bench{Data: writeCSV(t, t.TempDir(), "path,class,split", "a.png,good,train", "b.png,bad,train"), Size: 224}
	var bad *UsageError
	if err := missing.Run(); !errors.As(err, &bad) {
		t.Errorf("a missing picture: %v", err)
	}
}

func TestBenchTakesAsManyOfEachClassAsAsked(t *testing.T) {
	pictures, _, err := readPictures(benchData(t, 6, 2))
	if err != nil {
		t.Fatal(err)
	}
	train, test := choose(pictures, 4, 1)
	count := map[string]int{}
	for _, p := range train {
		count[p.class]++
		if p.test {
			t.Errorf("%s of the test half is among the training pictures", p.path)
		}
	}
	if count["good"] != 4 || count["stain"] != 4 || len(test) != 4 {
		t.Errorf("%v training pictures a class, %d to test", count, len(test))
	}
	if all, _ := choose(pictures, 0, 1); len(all) != 12 {
		t.Errorf("%d training pictures, not all 12", len(all))
	}
}

func TestQuantiles(t *testing.T) {
	var ms []float64
	for i := range 100 {
		ms = append(ms, float64(100-i))
	}
	if q := quantilesOf(ms); q.P50 != 51 || q.P95 != 96 {
		t.Errorf("%+v", q)
	}
	if quantilesOf(nil) != (quantiles{}) {
		t.Error("quantiles of nothing")
	}
}

func TestBenchFindsLabelsThatItFlipped(t *testing.T) {
	b := Bench{Data: benchData(t, 13, 1), Size: 224, Seed: 1, FalseAlarms: 0.01, Flip: 0.08}
	chosen(t, &b)
	pictures, classes, err := readPictures(b.Data)
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.flip(pictures, classes)
	if err != nil {
		t.Fatal(err)
	}
	if r.Train != 26 || r.Flipped != 2 || r.Looked != 2 || r.Found < 1 || r.Share != float64(r.Found)/2 {
		t.Errorf("%+v", r)
	}
	if err := (&Bench{Size: 224, Workers: 1, Flip: 0.9}).Validate(); err == nil {
		t.Error("more labels wrong than right are taken")
	}
}

func TestTheCurvesAreDrawnAsAnSVGDocument(t *testing.T) {
	r := &nextResult{Train: 100, Full: 0.95, Needed: nextPair{40, 20}, Curve: []nextPoint{{10, 0.5, 0.6}, {20, 0.7, 0.95}, {40, 0.95, 0.95}}}
	var document struct {
		Paths   []struct{} `xml:"path"`
		Circles []struct{} `xml:"circle"`
		Texts   []string   `xml:"text"`
	}
	if err := xml.Unmarshal([]byte(r.svg("<parts>")), &document); err != nil {
		t.Fatal(err)
	}
	if len(document.Circles) != 2 || len(document.Paths) < 4 || !strings.Contains(document.Texts[0], "<parts>") {
		t.Errorf("%+v", document)
	}
}
