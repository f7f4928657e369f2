package onnx_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"loupe/models"
	"loupe/models/head"
	"loupe/models/onnx"
	"loupe/models/onnx/run"
	"loupe/vision"
	"loupe/vision/engine"
	"loupe/vision/opencv"
)

func backbone(t *testing.T) []byte {
	t.Helper()
	b, err := models.Backbone()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// drawnHead is a head with weights as large as training makes them. spread
// scales the local ones.
func drawnHead(seed uint64, classes, size int, spread float64) *head.Head {
	rng := rand.New(rand.NewPCG(seed, 1))
	values := func(n int, scale, shift float64) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(shift + scale*rng.NormFloat64())
		}
		return v
	}
	h := &head.Head{Size: size, Options: head.Defaults(), LocalBias: values(classes, 0.1, 0), PooledBias: values(classes, 0.1, 0)}
	for c := range classes {
		h.Classes = append(h.Classes, fmt.Sprintf("class %d «ß»", c))
	}
	for t, n := range head.Channels {
		h.Local[t], h.Mean[t], h.Std[t] = values(classes*n, spread, 0), values(n, 0.3, 0), values(n, 0.05, 1)
	}
	h.Pooled, h.PooledMean, h.PooledStd = values(classes*onnx.PooledLen, 0.01, 0), values(onnx.PooledLen, 0.3, 0), values(onnx.PooledLen, 0.05, 1)
	return h
}

func version(t *testing.T, h *head.Head) []byte {
	t.Helper()
	file, err := onnx.WriteVersion(backbone(t), h.Size, h.Weights(), h.Classes)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// drawing is a drawn picture of the very size of a network's input.
type drawing struct {
	png   []byte
	input []float32 // 3×S×S
	size  int
}

// picture draws waves, an edge and noise; square is where a bright square of 40
// pixels begins, or nothing.
func picture(t *testing.T, seed uint64, size int, square ...int) drawing {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 2))
	img := image.NewRGBA(image.Rect(0, 0, size, size))
	d := drawing{input: make([]float32, 3*size*size), size: size}
	for c := range 3 {
		fx, fy := rng.Float64()*0.3, rng.Float64()*0.3
		for y := range size {
			for x := range size {
				w := math.Sin(fx*float64(x)+fy*float64(y))*60 + 20*rng.NormFloat64() + 128
				if x > size/3 && y > size/2 {
					w -= 50
				}
				if len(square) == 2 && x >= square[0] && x < square[0]+40 && y >= square[1] && y < square[1]+40 {
					w = 255
				}
				v := uint8(min(max(w, 0), 255))
				img.Pix[y*img.Stride+4*x+c], img.Pix[y*img.Stride+4*x+3] = v, 255
				d.input[(c*size+y)*size+x] = (float32(v) - 127) / 128
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	d.png = b.Bytes()
	return d
}

// byOpenCV is the reference.
var byOpenCV = engine.Runtime{Label: "OpenCV", Open: opencv.Open}

// forward runs a version in OpenCV on a drawing.
func forward(t *testing.T, e *engine.Engine, d drawing) engine.Output {
	t.Helper()
	p, err := opencv.Decode(d.png, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	in, err := p.Prepare(vision.Preparation{Size: d.size})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := e.Forward(in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// extract runs an extractor in OpenCV on a drawing.
func extract(t *testing.T, e *engine.Engine, d drawing) head.Features {
	t.Helper()
	p, err := opencv.Decode(d.png, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	f, err := e.Extract(p, vision.Preparation{Size: d.size})
	if err != nil {
		t.Fatal(err)
	}
	return head.FromTaps(f.Stride8, f.Stride16, f.Stride32, f.Pooled)
}

func evaluate(t *testing.T, file []byte, d drawing) map[string]run.Tensor {
	t.Helper()
	m, err := run.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	x := run.New(1, 3, d.size, d.size)
	for i, v := range d.input {
		x.Data[i] = float64(v)
	}
	out, err := m.Run(x)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func furthest(t *testing.T, what string, a []float32, b []float64, allowed float64) {
	t.Helper()
	if len(a) != len(b) {
		t.Fatalf("%s: %d values, not %d", what, len(a), len(b))
	}
	var worst float64
	for i := range a {
		if d := math.Abs(float64(a[i]) - b[i]); !(d <= worst) {
			worst = d
		}
	}
	t.Logf("%s: largest difference %.1e", what, worst)
	if !(worst <= allowed) {
		t.Errorf("%s: differs by %v, more than %v", what, worst, allowed)
	}
}

// The written file says the same in OpenCV as by the specification of its
// operators, and the training's own head agrees with both.
func TestVersionAgreesWithSpecificationAndOpenCV(t *testing.T) {
	for name, c := range map[string]struct {
		classes, size int
		spread        float64
		temperature   float64
	}{
		"two classes":                      {2, 224, 0.05, 0},
		"nine classes, larger input":       {9, 256, 0.05, 0},
		"evidence far beyond any training": {3, 224, 40, 0},
		"made less sure":                   {4, 224, 0.05, 2.5},
	} {
		t.Run(name, func(t *testing.T) {
			h := drawnHead(1, c.classes, c.size, c.spread)
			h.Temperature = c.temperature
			file := version(t, h)
			drawn := picture(t, 7, c.size)
			want := evaluate(t, file, drawn)
			e, err := byOpenCV.OpenVersion(file, h.Classes)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			got := forward(t, e, drawn)
			top := 1.0
			for _, v := range want[onnx.Heat].Data {
				top = max(top, math.Abs(v))
			}
			furthest(t, "probabilities in OpenCV", got.Probabilities, want[onnx.Probabilities].Data, 1e-3)
			furthest(t, "heat in OpenCV", got.Heat.Data, want[onnx.Heat].Data, 1e-3*top)
			furthest(t, "pooled in OpenCV", got.Pooled, want[onnx.Pooled].Data, 1e-3)
			extracted := evaluate(t, extractor(t, c.size), drawn)
			p, heat := h.Forward(head.FromTaps(narrow(extracted["stride8"]), narrow(extracted["stride16"]), narrow(extracted["stride32"]), narrow(extracted[onnx.Pooled])))
			furthest(t, "probabilities of the head", p, want[onnx.Probabilities].Data, 1e-3)
			furthest(t, "heat of the head", heat, want[onnx.Heat].Data, 1e-3*top)
		})
	}
}

func extractor(t *testing.T, size int) []byte {
	t.Helper()
	file, err := onnx.WriteExtractor(backbone(t), size)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func narrow(t run.Tensor) []float32 {
	v := make([]float32, len(t.Data))
	for i, x := range t.Data {
		v[i] = float32(x)
	}
	return v
}

// The pooled features are what their names say, computed apart from the graph.
func TestPooledFeaturesAreMeanMaximumAndDeviation(t *testing.T) {
	out := evaluate(t, extractor(t, 224), picture(t, 3, 224))
	first := 0
	for _, tap := range []string{"stride8", "stride16", "stride32"} {
		x := out[tap]
		n := x.Dims[2] * x.Dims[3]
		for c := range x.Dims[1] {
			v := x.Data[c*n : (c+1)*n]
			var sum, square float64
			for _, y := range v {
				sum += y
			}
			for _, y := range v {
				square += (y - sum/float64(n)) * (y - sum/float64(n))
			}
			for i, want := range []float64{sum / float64(n), slices.Max(v), math.Sqrt(square / float64(n))} {
				if got := out[onnx.Pooled].Data[first+i*x.Dims[1]+c]; math.Abs(got-want) > 1e-6 {
					t.Fatalf("%s channel %d statistic %d is %v, not %v", tap, c, i, got, want)
				}
			}
		}
		first += 3 * x.Dims[1]
	}
	if first+1280 != onnx.PooledLen || len(out[onnx.Pooled].Data) != onnx.PooledLen {
		t.Errorf("%d pooled features, not %d", len(out[onnx.Pooled].Data), onnx.PooledLen)
	}
}

// Anything else is not sure to be read by OpenCV 4.6.
func TestOnlyKnownOperatorsOfOpset10(t *testing.T) {
	h := drawnHead(1, 3, 224, 0.05)
	h.Temperature = 2
	file := version(t, h)
	known := []string{"Conv", "ConvTranspose", "Add", "Mul", "Sub", "Exp", "Log", "Sqrt", "Relu", "GlobalAveragePool", "GlobalMaxPool", "Concat", "Flatten", "Gemm", "Softmax", "Clip"}
	m, err := run.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	for op := range m.Operators() {
		if !slices.Contains(known, op) {
			t.Errorf("the file uses %s", op)
		}
	}
	var p onnx.ModelProto
	if err := proto.Unmarshal(file, &p); err != nil {
		t.Fatal(err)
	}
	if p.OpsetImport[0].GetVersion() != 10 {
		t.Errorf("opset %d", p.OpsetImport[0].GetVersion())
	}
	seen := map[string]bool{}
	for _, i := range p.Graph.Initializer {
		if seen[i.GetName()] {
			t.Errorf("two constants are named %s", i.GetName())
		}
		seen[i.GetName()] = true
	}
}

func TestTheSameHeadGivesTheSameFile(t *testing.T) {
	h := drawnHead(1, 3, 224, 0.05)
	file := version(t, h)
	data, err := h.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	again, err := head.Read(data)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, version(t, again)) {
		t.Error("a head read back gives another file")
	}
	if bytes.Equal(file, version(t, drawnHead(2, 3, 224, 0.05))) {
		t.Error("another head gives the same file")
	}
}

func TestWhatCannotBeWrittenIsRefused(t *testing.T) {
	for _, size := range []int{0, 192, 225, 928, -224} {
		if _, err := onnx.WriteExtractor(backbone(t), size); err == nil {
			t.Errorf("an input of %d pixels was taken", size)
		}
	}
	h := drawnHead(1, 3, 224, 0.05)
	if _, err := onnx.WriteVersion(backbone(t), 224, h.Weights(), h.Classes[:2]); err == nil {
		t.Error("a head of three classes was written for two")
	}
	if _, err := onnx.WriteVersion([]byte("no model"), 224, h.Weights(), h.Classes); err == nil {
		t.Error("something else was taken for the backbone")
	}
}

// A fit on extracted features ends in a file that tells the same pictures apart.
func TestFromFitToFile(t *testing.T) {
	e, err := byOpenCV.OpenExtractor(extractor(t, 224))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	s := &pictures{}
	for i := range 12 {
		d := picture(t, uint64(i), 224)
		if i%2 == 1 {
			d = picture(t, uint64(i), 224, 30+10*i, 60+5*i)
		}
		s.drawings, s.features = append(s.drawings, d), append(s.features, extract(t, e, d))
	}
	o := head.Defaults()
	o.Batch = 4
	h, err := head.Fit(context.Background(), s, []string{"bright", "plain"}, 224, o, func(head.Progress) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	judge, err := byOpenCV.OpenVersion(version(t, h), h.Classes)
	if err != nil {
		t.Fatal(err)
	}
	defer judge.Close()
	for i, d := range s.drawings {
		out := forward(t, judge, d)
		own, _ := h.Forward(s.features[i])
		if c := s.Class(i); out.Probabilities[c] < 0.5 || math.Abs(float64(out.Probabilities[c]-own[c])) > 1e-3 {
			t.Errorf("picture %d of class %d: the file says %v, the head %v", i, c, out.Probabilities, own)
		}
	}
}

type pictures struct {
	drawings []drawing
	features []head.Features
}

func (p *pictures) Len() int        { return len(p.features) }
func (p *pictures) Class(i int) int { return (i + 1) % 2 }
func (p *pictures) Views() int      { return 1 }
func (p *pictures) Read(i, _ int, f *head.Features) error {
	*f = p.features[i]
	return nil
}
