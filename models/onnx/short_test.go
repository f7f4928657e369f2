package onnx_test

import (
	"testing"

	"loupe/models/onnx"
	"loupe/vision/onnxruntime/onnxruntimetest"
)

// TestAShortNetworkSaysWhatAWholeOneSaysWithoutTheRest has heads without weights
// beyond a reach judge by the whole file and by the one that ends there.
func TestAShortNetworkSaysWhatAWholeOneSaysWithoutTheRest(t *testing.T) {
	drawn := picture(t, 7, 224)
	length := 1 << 30
	for _, reach := range []onnx.Reach{onnx.Whole, onnx.Stride32, onnx.Stride16} {
		h := drawnHead(1, 3, 224, 0.05)
		w := h.Weights()
		for c := range 3 {
			clear(w.Pooled[c*onnx.PooledLen+reach.PooledLen() : (c+1)*onnx.PooledLen])
		}
		if reach == onnx.Stride16 {
			clear(w.Local[2])
		}
		file, err := onnx.WriteShort(backbone(t), 224, w, h.Classes, reach)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := onnx.WriteVersion(backbone(t), 224, w, h.Classes)
		if err != nil {
			t.Fatal(err)
		}
		if reach != onnx.Whole && len(file) >= length {
			t.Errorf("a network of reach %d is not smaller: %d bytes", reach, len(file))
		}
		length = len(file)
		short, err := byOpenCV.OpenVersion(file, h.Classes)
		if err != nil {
			t.Fatal(err)
		}
		defer short.Close()
		full, err := byOpenCV.OpenVersion(whole, h.Classes)
		if err != nil {
			t.Fatal(err)
		}
		defer full.Close()
		want, got := forward(t, full, drawn), forward(t, short, drawn)
		for i, p := range want.Probabilities {
			if d := p - got.Probabilities[i]; d > 1e-5 || d < -1e-5 {
				t.Errorf("reach %d: class %d has %v, not %v", reach, i, got.Probabilities[i], p)
			}
		}
		if len(got.Pooled) != reach.PooledLen() {
			t.Errorf("reach %d: %d pooled features", reach, len(got.Pooled))
		}
	}
}

func TestHalvedWeightsAreReadByONNXRuntime(t *testing.T) {
	other := onnxruntimetest.Runtime(t)
	drawn := picture(t, 7, 224)
	h := drawnHead(1, 3, 224, 0.05)
	file := version(t, h)
	half, err := onnx.Halve(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(half) > len(file)*52/100 {
		t.Errorf("%d bytes become %d", len(file), len(half))
	}
	full, err := byOpenCV.OpenVersion(file, h.Classes)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	halved, err := other.OpenVersion(half, h.Classes)
	if err != nil {
		t.Fatal(err)
	}
	defer halved.Close()
	want, got := forward(t, full, drawn), forward(t, halved, drawn)
	for i, p := range want.Probabilities {
		if d := p - got.Probabilities[i]; d > 0.1 || d < -0.1 {
			t.Errorf("class %d has %v, not %v", i, got.Probabilities[i], p)
		}
	}
}
