package engine_test

import (
	"image"
	"math"
	"math/rand/v2"
	"testing"

	"loupe/models"
	"loupe/models/head"
	"loupe/models/onnx"
	"loupe/vision"
	"loupe/vision/engine"
	"loupe/vision/opencv"
	"loupe/vision/picturetest"
)

// byOpenCV is the reference.
var byOpenCV = engine.Runtime{Label: "OpenCV", Open: opencv.Open}

var classes = []vision.Class{{Name: "good", Pass: true}, {Name: "scratch"}, {Name: "dent"}}

// drawnHead is a head with weights drawn at random.
func drawnHead(names []string, size int) *head.Head {
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func(n int, scale, shift float64) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(shift + scale*rng.NormFloat64())
		}
		return v
	}
	k := len(names)
	h := &head.Head{Classes: names, Size: size, Options: head.Defaults(), LocalBias: draw(k, 0.1, 0), PooledBias: draw(k, 0.1, 0)}
	for t, n := range head.Channels {
		h.Local[t], h.Mean[t], h.Std[t] = draw(k*n, 0.05, 0), draw(n, 0.3, 0), draw(n, 0.05, 1)
	}
	h.Pooled, h.PooledMean, h.PooledStd = draw(k*onnx.PooledLen, 0.01, 0), draw(onnx.PooledLen, 0.3, 0), draw(onnx.PooledLen, 0.05, 1)
	return h
}

// openEngines opens a version with weights drawn at random, and the extractor.
func openEngines(t *testing.T, size int) (version, extractor *engine.Engine) {
	t.Helper()
	return openEnginesIn(t, byOpenCV, size)
}

func openEnginesIn(t *testing.T, r engine.Runtime, size int) (version, extractor *engine.Engine) {
	t.Helper()
	backbone, err := models.Backbone()
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"good", "scratch", "dent"}
	h := drawnHead(names, size)
	file, err := onnx.WriteVersion(backbone, size, h.Weights(), names)
	if err != nil {
		t.Fatal(err)
	}
	if version, err = r.OpenVersion(file, names); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { version.Close() })
	if file, err = onnx.WriteExtractor(backbone, size); err != nil {
		t.Fatal(err)
	}
	if extractor, err = r.OpenExtractor(file); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { extractor.Close() })
	return version, extractor
}

func decodePicture(t *testing.T, data []byte) *opencv.Picture {
	t.Helper()
	p, err := opencv.Decode(data, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func judge(t *testing.T, e *engine.Engine, p *opencv.Picture, prep vision.Preparation) vision.Judgement {
	t.Helper()
	j, err := e.Judge(p, prep, classes, vision.DefaultThresholds)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestJudgementsAreWholeAndRepeatable(t *testing.T) {
	version, extractor := openEngines(t, 224)
	p := decodePicture(t, picturetest.JPEG(t, picturetest.Quarters(300, 200)))
	prep := vision.Preparation{Size: 224}
	a, b := judge(t, version, p, prep), judge(t, version, p, prep)
	var sum float64
	for i, one := range a.Probabilities {
		sum += one.P
		if b.Probabilities[i] != one {
			t.Errorf("the same picture is judged %v and %v", a.Probabilities, b.Probabilities)
		}
	}
	if math.Abs(sum-1) > 1e-5 || a.Width != 300 || a.Height != 200 || a.Heat.W != 28 || a.Heat.H != 28 || len(a.Heat.Data) != 3*28*28 {
		t.Errorf("sum %v, %d×%d, heat %d×%d of %d", sum, a.Width, a.Height, a.Heat.W, a.Heat.H, len(a.Heat.Data))
	}
	f, err := extractor.Extract(p, prep)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range f.Pooled {
		if math.Abs(float64(v-a.Pooled[i])) > 1e-4*(1+math.Abs(float64(v))) {
			t.Fatalf("pooled feature %d: the extractor says %v, the version %v", i, v, a.Pooled[i])
		}
	}
}

func TestARegionIsJudgedAsThePictureCutToIt(t *testing.T) {
	version, _ := openEngines(t, 224)
	img := picturetest.Quarters(400, 300)
	cut := image.NewNRGBA(image.Rect(0, 0, 200, 150))
	for y := range 150 {
		for x := range 200 {
			cut.SetNRGBA(x, y, img.NRGBAAt(x+100, y+60))
		}
	}
	region := vision.Region{X: 0.25, Y: 0.2, W: 0.5, H: 0.5}
	a := judge(t, version, decodePicture(t, picturetest.PNG(t, img)), vision.Preparation{Size: 224, Region: region})
	b := judge(t, version, decodePicture(t, picturetest.PNG(t, cut)), vision.Preparation{Size: 224})
	for i := range a.Probabilities {
		if a.Probabilities[i].Class != b.Probabilities[i].Class || math.Abs(a.Probabilities[i].P-b.Probabilities[i].P) > 1e-6 {
			t.Fatalf("the region is judged %v, its cut %v", a.Probabilities, b.Probabilities)
		}
	}
	for i, f := range a.Findings {
		x, y := f.Box[0], f.Box[1]
		if x < 100 || y < 60 || x+f.Box[2] > 300 || y+f.Box[3] > 210 {
			t.Errorf("finding %d at %v lies outside the region", i, f.Box)
		}
	}
}

func TestALargerInputIsFinerHeat(t *testing.T) {
	version, _ := openEngines(t, 320)
	j := judge(t, version, decodePicture(t, picturetest.PNG(t, picturetest.Quarters(64, 64))), vision.Preparation{Size: 320})
	if j.Heat.W != 40 || j.Heat.H != 40 {
		t.Errorf("heat %d×%d", j.Heat.W, j.Heat.H)
	}
}

func TestAFileThatIsNoVersionIsAnError(t *testing.T) {
	_, extractor := openEngines(t, 224)
	p := decodePicture(t, picturetest.PNG(t, picturetest.Quarters(64, 64)))
	if _, err := extractor.Judge(p, vision.Preparation{Size: 224}, classes, vision.DefaultThresholds); err == nil {
		t.Error("an extractor judges")
	}
	if _, err := byOpenCV.OpenVersion(nil, []string{"a"}); err == nil {
		t.Error("an empty file is a version")
	}
	if _, err := byOpenCV.OpenVersion([]byte("x"), nil); err == nil {
		t.Error("a version without classes opens")
	}
}
