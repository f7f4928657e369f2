package onnx

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Names of the outputs that a version with a Bank has too. Both count the
// threshold as 1: what is at least that is unlike the training frames.
const (
	Novelty    = "novelty"     // 1×1, the largest value of the map
	NoveltyMap = "novelty_map" // 1×1×S/16×S/16, distance of each place to the nearest of the bank
)

// PatchLen is how many numbers describe a place of the picture: the channels of
// stride8 (mean of four places), stride16 and stride32 (enlarged).
const PatchLen = 40 + 112 + 320

// Bank are the places of training frames that others are compared with
// (PatchCore, Roth et al. 2022). A place is its three taps at stride 16, each
// channel standardised.
type Bank struct {
	Mean, Std []float32 // PatchLen each
	Patches   []float32 // N×PatchLen, standardised, row-major
	Threshold float32   // the distance that counts as 1
	// What makes probabilities of a novelty v where a version has no head: the
	// odds of not being good are exp(Steepness·(v−1) + Offset).
	Steepness, Offset float32
	Usual             float32 // novelty of a usual place: the heat map begins there
}

// Len is how many places the bank has.
func (b *Bank) Len() int { return len(b.Patches) / PatchLen }

// Check says what is wrong with a bank that no file can hold.
func (b *Bank) Check() error {
	if len(b.Mean) != PatchLen || len(b.Std) != PatchLen || b.Len() < 1 || len(b.Patches)%PatchLen != 0 || !(b.Threshold > 0) {
		return errors.New("the bank of known places is damaged: its parts do not fit together")
	}
	for _, s := range b.Std {
		if !(s > 0) {
			return errors.New("the bank of known places is damaged: a deviation is not positive")
		}
	}
	return nil
}

// WriteNormal writes a version that knows good parts only: the backbone with a
// bank, and the probabilities of two classes, good and not, that follow from it.
func WriteNormal(backbone []byte, size int, b *Bank, classes []string) ([]byte, error) {
	if err := b.Check(); err != nil {
		return nil, err
	}
	if len(classes) != 2 || !(b.Steepness > 0) {
		return nil, fmt.Errorf("a version of good parts only has 2 classes, not %d, and a steepness", len(classes))
	}
	m, g, err := load(backbone, size)
	if err != nil {
		return nil, err
	}
	names, err := json.Marshal(classes)
	if err != nil {
		return nil, err
	}
	g.pooled(Whole)
	g.novelty(b, int64(size))
	half, rest := b.Steepness/2, (b.Offset-b.Steepness)/2
	g.node("Gemm", "logits", []string{Novelty, g.constant("odds_weight", []float32{-half, half}, 2, 1), g.constant("odds_bias", []float32{-rest, rest}, 2)},
		float("alpha", 1), float("beta", 1), integer("transB", 1))
	g.node("Softmax", Probabilities, []string{"logits"}, integer("axis", 1))
	g.conv(Heat, NoveltyMap, 2, 1, []float32{-1, 1}, []float32{b.Usual, -b.Usual})
	g.output(Probabilities, 1, 2)
	g.output(Heat, 1, 2, int64(size)/16, int64(size)/16)
	g.output(Pooled, 1, PooledLen)
	g.noveltyOutputs(int64(size))
	return finish(m, map[string]string{classesKey: string(names), sizeKey: strconv.Itoa(size)}, classesKey, sizeKey)
}

func (g graph) noveltyOutputs(size int64) {
	g.output(Novelty, 1, 1)
	g.output(NoveltyMap, 1, 1, size/16, size/16)
}

// novelty adds the distance of each place to the nearest of the bank. The square
// of the distance is |z|² − 2·max(z·b − |b|²/2) for a standardised place z; the
// standardisation is folded into the weights, and what |z|² has in common for
// all of the bank goes into its products.
func (g graph) novelty(b *Bank, size int64) {
	mean := g.node("AveragePool", "novelty_stride8", []string{taps[0].name}, ints("kernel_shape", 2, 2), ints("pads", 0, 0, 0, 0), ints("strides", 2, 2))
	up := g.upsample(taps[2].name, "novelty_stride32", taps[2].channels, 2)
	place := g.node("Concat", "novelty_place", []string{mean, taps[1].name, up}, integer("axis", 1))

	n := b.Len()
	weight, bias := make([]float32, len(b.Patches)), make([]float32, n)
	square, constant := make([]float32, PatchLen), 0.0
	for i := range PatchLen {
		s := float64(b.Std[i])
		square[i] = float32(1 / (s * s))
		constant += float64(b.Mean[i]) * float64(b.Mean[i]) / (s * s)
	}
	for p := range n {
		var off float64
		for i, v := range b.Patches[p*PatchLen : (p+1)*PatchLen] {
			m, s, v := float64(b.Mean[i]), float64(b.Std[i]), float64(v)
			weight[p*PatchLen+i] = float32(v/s + m/(s*s))
			off += v*m/s + v*v/2
		}
		bias[p] = float32(-off)
	}
	g.conv("novelty_products", place, int64(n), PatchLen, weight, bias)
	nearest := g.node("ReduceMax", "novelty_nearest", []string{"novelty_products"}, ints("axes", 1), integer("keepdims", 1))
	twice := g.node("Mul", "novelty_twice", []string{nearest, g.constant("novelty_two", []float32{2})})
	length := g.conv("novelty_length", g.node("Mul", "novelty_square", []string{place, place}), 1, PatchLen, square, []float32{float32(constant)})
	positive := g.node("Relu", "novelty_positive", []string{g.node("Sub", "novelty_difference", []string{length, twice})})
	distance := g.node("Sqrt", "novelty_distance", []string{positive})
	g.node("Mul", NoveltyMap, []string{distance, g.constant("novelty_scale", []float32{1 / b.Threshold})})
	g.node("Flatten", Novelty, []string{g.node("GlobalMaxPool", "novelty_top", []string{NoveltyMap})}, integer("axis", 1))
}

// conv adds a 1×1 convolution with bias.
func (g graph) conv(output, input string, to, from int64, weight, bias []float32) string {
	return g.node("Conv", output, []string{input, g.constant(output+"_weight", weight, to, from, 1, 1), g.constant(output+"_bias", bias, to)},
		ints("dilations", 1, 1), integer("group", 1), ints("kernel_shape", 1, 1), ints("pads", 0, 0, 0, 0), ints("strides", 1, 1))
}
