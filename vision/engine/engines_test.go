package engine_test

import (
	"math"
	"strings"
	"testing"

	"loupe/models"
	"loupe/vision"
	"loupe/vision/onnxruntime/onnxruntimetest"
	"loupe/vision/opencv"
	"loupe/vision/picturetest"
)

// TestBothEnginesSayTheSame has one file judge the same pictures in OpenCV, the
// reference, and in ONNX Runtime.
func TestBothEnginesSayTheSame(t *testing.T) {
	other := onnxruntimetest.Runtime(t)
	if !strings.HasPrefix(other.Label, "ONNX Runtime 1.") {
		t.Errorf("the label is %q", other.Label)
	}
	for _, size := range []int{224, 320} {
		reference, extractor := openEngines(t, size)
		version, features := openEnginesIn(t, other, size)
		p := decodePicture(t, picturetest.JPEG(t, picturetest.Quarters(300, 200)))
		prep := vision.Preparation{Size: size, Region: vision.Region{X: 0.1, Y: 0.1, W: 0.8, H: 0.7}, View: 1}
		want, got := judge(t, reference, p, prep), judge(t, version, p, prep)
		for i, one := range want.Probabilities {
			if got.Probabilities[i].Class != one.Class || math.Abs(got.Probabilities[i].P-one.P) > 1e-3 {
				t.Fatalf("at %d pixels OpenCV says %v, ONNX Runtime %v", size, want.Probabilities, got.Probabilities)
			}
		}
		if got.Verdict != want.Verdict || got.Heat.W != want.Heat.W || len(got.Findings) != len(want.Findings) {
			t.Errorf("at %d pixels OpenCV says %+v, ONNX Runtime %+v", size, want.Findings, got.Findings)
		}
		a, err := extractor.Extract(p, prep)
		if err != nil {
			t.Fatal(err)
		}
		b, err := features.Extract(p, prep)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "stride8", a.Stride8, b.Stride8)
		near(t, "stride32", a.Stride32, b.Stride32)
		near(t, "pooled", a.Pooled, b.Pooled)
	}
}

func near(t *testing.T, what string, want, got []float32) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%s has %d numbers in OpenCV, %d in ONNX Runtime", what, len(want), len(got))
	}
	for i, v := range want {
		if math.Abs(float64(v-got[i])) > 1e-3*(1+math.Abs(float64(v))) {
			t.Fatalf("%s %d is %v in OpenCV, %v in ONNX Runtime", what, i, v, got[i])
		}
	}
}

// What ends the process in OpenCV is an error in ONNX Runtime.
func TestONNXRuntimeLivesOverBadFiles(t *testing.T) {
	other := onnxruntimetest.Runtime(t)
	for name, file := range map[string][]byte{"empty": nil, "garbage": []byte(strings.Repeat("garbage", 100))} {
		if _, err := other.OpenVersion(file, []string{"a", "b"}); err == nil {
			t.Errorf("a file that is %s opens", name)
		}
	}
	backbone, err := models.Backbone()
	if err != nil {
		t.Fatal(err)
	}
	e, err := other.OpenBackbone(backbone)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	p, err := opencv.Decode(picturetest.PNG(t, picturetest.Quarters(64, 64)), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := e.Judge(p, vision.Preparation{Size: 224}, classes, vision.DefaultThresholds); err == nil {
		t.Error("a backbone judges")
	}
}
