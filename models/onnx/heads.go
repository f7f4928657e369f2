package onnx

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Weights are a trained head with the standardisation folded in, so that it
// applies to raw taps and raw pooled features. K is the number of classes.
type Weights struct {
	Local      [3][]float32 // for stride8, stride16, stride32: K×40, K×112, K×320, row-major
	LocalBias  []float32    // K
	Pooled     []float32    // K×2696, row-major
	PooledBias []float32    // K
	Sharpness  float32      // of the log-sum-exp pooling
	// Temperature divides the logits before Softmax; 0 leaves them as they are.
	// The heat map is that of the undivided ones.
	Temperature float32
	Bank        *Bank // adds the outputs Novelty and NoveltyMap; nil for none
}

// WriteExtractor writes the backbone with the taps and the pooled features as outputs.
func WriteExtractor(backbone []byte, size int) ([]byte, error) {
	m, g, err := load(backbone, size)
	if err != nil {
		return nil, err
	}
	g.pooled(Whole)
	for _, t := range taps {
		side := int64(size) / t.stride
		g.output(t.name, 1, t.channels, side, side)
	}
	g.output(Pooled, 1, PooledLen)
	return finish(m, map[string]string{sizeKey: strconv.Itoa(size)}, sizeKey)
}

// WriteVersion writes the backbone with a head: probabilities, heat and pooled
// features of the named classes.
func WriteVersion(backbone []byte, size int, w Weights, classes []string) ([]byte, error) {
	return WriteShort(backbone, size, w, classes, Whole)
}

// WriteShort writes a version whose network ends where its reach does: the weights
// for what lies beyond are left out, and so is the backbone behind it.
func WriteShort(backbone []byte, size int, w Weights, classes []string, reach Reach) ([]byte, error) {
	k := int64(len(classes))
	if err := w.check(int(k)); err != nil {
		return nil, err
	}
	m, g, err := load(backbone, size)
	if err != nil {
		return nil, err
	}
	names, err := json.Marshal(classes)
	if err != nil {
		return nil, err
	}
	n := g.pooled(reach)
	g.local(w, k, reach)
	local := g.logMeanExp(w.Sharpness, k, int64(size)/8)
	pooled := g.node("Gemm", "pooled_logits", []string{Pooled, g.constant("pooled_weight", columns(w.Pooled, int(n)), k, n), g.constant("pooled_bias", w.PooledBias, k)},
		float("alpha", 1), float("beta", 1), integer("transB", 1))
	logits := g.node("Add", "logits", []string{local, pooled})
	if w.Temperature > 0 {
		logits = g.node("Mul", "calibrated_logits", []string{logits, g.constant("coldness", []float32{1 / w.Temperature})})
	}
	g.node("Softmax", Probabilities, []string{logits}, integer("axis", 1))
	g.output(Probabilities, 1, k)
	g.output(Heat, 1, k, int64(size)/8, int64(size)/8)
	g.output(Pooled, 1, n)
	if w.Bank != nil && reach.taps() == len(taps) {
		g.novelty(w.Bank, int64(size))
		g.noveltyOutputs(int64(size))
	}
	g.prune()
	return finish(m, map[string]string{classesKey: string(names), sizeKey: strconv.Itoa(size)}, classesKey, sizeKey)
}

func (w Weights) check(k int) error {
	for i, t := range taps {
		if len(w.Local[i]) != k*int(t.channels) {
			return fmt.Errorf("the head has %d weights for %s and %d classes, not %d", len(w.Local[i]), t.name, k, k*int(t.channels))
		}
	}
	if k < 2 || len(w.LocalBias) != k || len(w.PooledBias) != k || len(w.Pooled) != k*PooledLen || !(w.Sharpness > 0) {
		return fmt.Errorf("the head does not fit %d classes", k)
	}
	if w.Bank != nil {
		return w.Bank.Check()
	}
	return nil
}

// pooled adds the pooled features: mean, maximum and standard deviation of each
// tap, and the mean of the last convolution, as far as they are within reach. It
// says how many they are.
func (g graph) pooled(reach Reach) (n int64) {
	var parts []string
	for _, t := range taps[:reach.taps()] {
		n += 3 * t.channels
		mean := g.node("GlobalAveragePool", t.name+"_mean", []string{t.name})
		maximum := g.node("GlobalMaxPool", t.name+"_max", []string{t.name})
		square := g.node("GlobalAveragePool", t.name+"_meansquare", []string{g.node("Mul", t.name+"_square", []string{t.name, t.name})})
		variance := g.node("Sub", t.name+"_variance", []string{square, g.node("Mul", t.name+"_squaremean", []string{mean, mean})})
		parts = append(parts, mean, maximum, g.node("Sqrt", t.name+"_std", []string{g.node("Relu", t.name+"_positive", []string{variance})}))
	}
	if reach == Whole {
		parts = append(parts, g.node("GlobalAveragePool", "head_mean", []string{headTap}))
		n += headChannels
	}
	g.node("Flatten", Pooled, []string{g.node("Concat", "pooled_parts", parts, integer("axis", 1))}, integer("axis", 1))
	return n
}

// local adds the local logits: a 1×1 convolution on each tap, brought to stride
// 8 by fixed bilinear kernels and summed.
func (g graph) local(w Weights, k int64, reach Reach) {
	var maps []string
	for i, t := range taps[:reach.taps()] {
		inputs := []string{t.name, g.constant(t.name+"_local_weight", w.Local[i], k, t.channels, 1, 1)}
		if i == 0 {
			inputs = append(inputs, g.constant("local_bias", w.LocalBias, k))
		}
		m := g.node("Conv", t.name+"_local", inputs, ints("dilations", 1, 1), integer("group", 1), ints("kernel_shape", 1, 1), ints("pads", 0, 0, 0, 0), ints("strides", 1, 1))
		if factor := t.stride / 8; factor > 1 {
			m = g.upsample(m, t.name, k, factor)
		}
		maps = append(maps, m)
	}
	sum := maps[0]
	for i, m := range maps[1:] {
		name := "local_sum"
		if i == len(maps)-2 {
			name = Heat
		}
		sum = g.node("Add", name, []string{sum, m})
	}
}

// logMeanExp adds the log-sum-exp pooling of the heat map: log(mean(exp(s·x)))/s,
// from the largest down, so that no picture overflows float32. A transposed
// convolution with ones lays the largest under every place, as OpenCV 4.6 does
// not broadcast one input onto another.
func (g graph) logMeanExp(sharpness float32, k, side int64) string {
	ones := make([]float32, k*side*side)
	for i := range ones {
		ones[i] = 1
	}
	top := g.node("GlobalMaxPool", "local_top", []string{Heat})
	ground := g.node("ConvTranspose", "local_ground", []string{top, g.constant("local_ones", ones, k, 1, side, side)},
		ints("dilations", 1, 1), integer("group", k), ints("kernel_shape", side, side), ints("pads", 0, 0, 0, 0), ints("strides", 1, 1))
	below := g.node("Sub", "local_below", []string{Heat, ground})
	sharp := g.node("Mul", "local_sharp", []string{below, g.constant("sharpness", []float32{sharpness})})
	mean := g.node("GlobalAveragePool", "local_mean", []string{g.node("Exp", "local_exp", []string{sharp})})
	blunt := g.node("Mul", "local_blunt", []string{g.node("Log", "local_log", []string{mean}), g.constant("bluntness", []float32{1 / sharpness})})
	return g.node("Flatten", "local_logits", []string{g.node("Add", "local_pooled", []string{top, blunt})}, integer("axis", 1))
}

// upsample adds a transposed convolution of one fixed bilinear kernel a channel.
func (g graph) upsample(input, tap string, k, factor int64) string {
	side := 2 * factor
	line := Bilinear(int(factor))
	kernel := make([]float32, 0, k*side*side)
	for range k {
		for _, a := range line {
			for _, b := range line {
				kernel = append(kernel, a*b)
			}
		}
	}
	pad := factor / 2
	return g.node("ConvTranspose", tap+"_up", []string{input, g.constant(tap+"_up_weight", kernel, k, 1, side, side)},
		ints("dilations", 1, 1), integer("group", k), ints("kernel_shape", side, side), ints("pads", pad, pad, pad, pad), ints("strides", factor, factor))
}

// Bilinear is one side of the kernel that enlarges by a factor of 2 or 4: 2·factor weights.
func Bilinear(factor int) []float32 {
	line := make([]float32, 2*factor)
	centre := float32(factor) - 0.5
	for i := range line {
		d := (float32(i) - centre) / float32(factor)
		if d < 0 {
			d = -d
		}
		line[i] = 1 - d
	}
	return line
}
