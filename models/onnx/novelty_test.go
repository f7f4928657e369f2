package onnx_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"loupe/models/head"
	"loupe/models/novelty"
	"loupe/models/onnx"
	"loupe/models/onnx/run"
	"loupe/vision"
)

// drawnBank is a bank with the statistics of real taps in size.
func drawnBank(seed uint64, places int) *onnx.Bank {
	rng := rand.New(rand.NewPCG(seed, 3))
	b := &onnx.Bank{Threshold: 20, Steepness: 9, Offset: -0.8, Usual: 0.6}
	for range onnx.PatchLen {
		b.Mean, b.Std = append(b.Mean, float32(rng.NormFloat64())), append(b.Std, 0.3+rng.Float32())
	}
	for range places * onnx.PatchLen {
		b.Patches = append(b.Patches, float32(rng.NormFloat64()))
	}
	return b
}

// A version with a bank says the same in OpenCV as by the specification of its
// operators, and so does the training's own search.
func TestNoveltyAgreesWithSpecificationAndOpenCV(t *testing.T) {
	const size = 224
	b := drawnBank(2, 21)
	h := drawnHead(1, 3, size, 0.05)
	h.Bank = b
	normal := &head.Head{Classes: []string{"good", vision.Unseen}, Size: size, Bank: b}
	file, err := onnx.WriteNormal(backbone(t), size, b, normal.Classes)
	if err != nil {
		t.Fatal(err)
	}
	drawn := picture(t, 7, size)
	taps := evaluate(t, extractor(t, size), drawn)
	features := head.FromTaps(narrow(taps["stride8"]), narrow(taps["stride16"]), narrow(taps["stride32"]), narrow(taps[onnx.Pooled]))
	for name, c := range map[string]struct {
		file    []byte
		classes []string
	}{"beside a head": {version(t, h), h.Classes}, "good parts only": {file, normal.Classes}} {
		t.Run(name, func(t *testing.T) {
			want := evaluate(t, c.file, drawn)
			engine, err := byOpenCV.OpenVersion(c.file, c.classes)
			if err != nil {
				t.Fatal(err)
			}
			defer engine.Close()
			got := forward(t, engine, drawn)
			if !got.Knows || !(got.Novelty > 0) {
				t.Fatalf("the network does not know: %+v", got.Novelty)
			}
			furthest(t, "novelty in OpenCV", []float32{float32(got.Novelty)}, want[onnx.Novelty].Data, 1e-3)
			furthest(t, "novelty map in OpenCV", got.NoveltyMap.Data, want[onnx.NoveltyMap].Data, 1e-3)
			furthest(t, "probabilities in OpenCV", got.Probabilities, want[onnx.Probabilities].Data, 1e-3)
			scored := novelty.NewScorer(b, size).Novelty(&features)
			furthest(t, "novelty of the search", []float32{float32(scored)}, want[onnx.Novelty].Data, 1e-3)
		})
	}
	good, unlike := novelty.Probabilities(b, novelty.NewScorer(b, size).Novelty(&features))
	furthest(t, "probabilities of the search", []float32{float32(good), float32(unlike)}, evaluate(t, file, drawn)[onnx.Probabilities].Data, 1e-3)
}

// The distance is that to the nearest place of the bank, computed apart from the graph.
func TestNoveltyIsTheDistanceToTheNearestPlace(t *testing.T) {
	const size = 224
	b := drawnBank(5, 3)
	drawn := picture(t, 3, size)
	taps := evaluate(t, extractor(t, size), drawn)
	file, err := onnx.WriteNormal(backbone(t), size, b, []string{"good", vision.Unseen})
	if err != nil {
		t.Fatal(err)
	}
	got := evaluate(t, file, drawn)[onnx.NoveltyMap]
	const x, y = 5, 8 // away from the edges
	var place []float64
	for c := range 40 {
		var sum float64
		for _, at := range []int{2*y*28 + 2*x, 2*y*28 + 2*x + 1, (2*y+1)*28 + 2*x, (2*y+1)*28 + 2*x + 1} {
			sum += taps["stride8"].Data[c*28*28+at]
		}
		place = append(place, sum/4)
	}
	for c := range 112 {
		place = append(place, taps["stride16"].Data[c*14*14+y*14+x])
	}
	for c := range 320 { // place 5 of 14 lies a quarter beyond place 2 of 7, place 8 a quarter before place 4
		at := func(yy, xx int) float64 { return taps["stride32"].Data[c*49+yy*7+xx] }
		place = append(place, 0.75*(0.75*at(4, 2)+0.25*at(4, 3))+0.25*(0.75*at(3, 2)+0.25*at(3, 3)))
	}
	nearest := math.Inf(1)
	for p := range b.Len() {
		var sum float64
		for i, v := range place {
			d := (v-float64(b.Mean[i]))/float64(b.Std[i]) - float64(b.Patches[p*onnx.PatchLen+i])
			sum += d * d
		}
		nearest = min(nearest, math.Sqrt(sum))
	}
	if want := nearest / float64(b.Threshold); math.Abs(got.Data[y*14+x]-want) > 1e-4*want {
		t.Errorf("the place has the novelty %v, not %v", got.Data[y*14+x], want)
	}
}

func TestNoveltyUsesKnownOperatorsOnly(t *testing.T) {
	b := drawnBank(2, 3)
	file, err := onnx.WriteNormal(backbone(t), 224, b, []string{"good", vision.Unseen})
	if err != nil {
		t.Fatal(err)
	}
	m, err := run.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := m.Operators(); n["ReduceMax"] != 1 || n["AveragePool"] != 1 || n["Resize"] != 0 {
		t.Errorf("operators: %v", n)
	}
	again, _ := onnx.WriteNormal(backbone(t), 224, b, []string{"good", vision.Unseen})
	if string(again) != string(file) {
		t.Error("the same bank gives other bytes")
	}
	b.Std[7] = 0
	if _, err := onnx.WriteNormal(backbone(t), 224, b, []string{"good", vision.Unseen}); err == nil {
		t.Error("a bank with a deviation of 0 is written")
	}
}
