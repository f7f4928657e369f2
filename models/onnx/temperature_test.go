package onnx_test

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"loupe/vision/engine"
)

// A temperature changes the probabilities and nothing else; a head without one,
// as older Loupes wrote them, gives the same file as before.
func TestTemperatureIsInTheFile(t *testing.T) {
	h, drawn := drawnHead(1, 3, 224, 0.05), picture(t, 7, 224)
	judge := func(file []byte) engine.Output {
		e, err := byOpenCV.OpenVersion(file, h.Classes)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		return forward(t, e, drawn)
	}
	plain := version(t, h)
	before := judge(plain)
	h.Temperature = 0.4
	after := judge(version(t, h))
	var want [3]float64
	var sum float64
	for i, p := range before.Probabilities {
		want[i] = math.Pow(float64(p), 1/h.Temperature)
		sum += want[i]
	}
	for i, p := range after.Probabilities {
		if math.Abs(float64(p)-want[i]/sum) > 1e-4 {
			t.Errorf("class %d has %v, not %v", i, p, want[i]/sum)
		}
	}
	if !slices.Equal(before.Heat.Data, after.Heat.Data) || !slices.Equal(before.Pooled, after.Pooled) {
		t.Error("the temperature changed the heat map or the pooled features")
	}
	if bytes.Contains(plain, []byte("coldness")) {
		t.Error("a head without temperature has one in its file")
	}
}
