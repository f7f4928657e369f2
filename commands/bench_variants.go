package commands

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"loupe/models"
	"loupe/models/evaluation"
	"loupe/models/features"
	"loupe/models/head"
	"loupe/models/onnx"
	"loupe/vision"
	"loupe/vision/engine"
	"loupe/vision/opencv"
)

// variantsResult compares variants of a version on the same test pictures.
type variantsResult struct {
	Train    int        `json:"train"`
	Test     int        `json:"test"`
	Variants []*variant `json:"variants"` // the first is the version as it is
}

// variant is one way to be smaller or faster.
type variant struct {
	Name      string              `json:"name"`
	Engine    string              `json:"engine"`
	Threads   int                 `json:"threads"`
	Size      int                 `json:"size"`
	Bytes     int                 `json:"bytes"` // of the file
	Accuracy  evaluation.Interval `json:"accuracy"`
	Balanced  evaluation.Interval `json:"balanced_accuracy"`
	JudgeMS   quantiles           `json:"judge_ms"` // prepared, judged and explained
	ForwardMS quantiles           `json:"forward_ms"`
	PrepareMS quantiles           `json:"prepare_ms"`
	Speed     float64             `json:"speed"`      // of the version as it is, over this one's time
	AsGood    bool                `json:"as_good"`    // its accuracy interval overlaps that of the version as it is
	Furthest  float64             `json:"furthest_p"` // largest difference to its probabilities

	judge                   *engine.Engine
	wholes, forwards, preps []float64
	samples                 []evaluation.Sample
}

// cut is a source of which a network of a shorter reach sees its part.
type cut struct {
	cached
	size  int
	reach onnx.Reach
}

func (c cut) Read(i, view int, f *head.Features) error {
	err := c.cached.Read(i, view, f)
	if err == nil {
		f.Cut(c.size, c.reach)
	}
	return err
}

// variants trains a head for each reach and judges the test half with all variants
// in turns, picture by picture.
func (b *Bench) variants(pictures []picture, classes []string) (*variantsResult, error) {
	train, test := choose(pictures, b.PerClass, b.Seed)
	r := &variantsResult{Train: len(train), Test: len(test)}
	defer func() {
		for _, v := range r.Variants {
			v.judge.Close()
		}
	}()
	sizes := []int{b.Size}
	if smaller := max(224, b.Size*2/3/32*32); smaller < b.Size {
		sizes = append(sizes, smaller)
	}
	for _, size := range sizes {
		one := *b
		one.Size = size
		if err := one.makeVariants(r, train, classes); err != nil {
			return nil, err
		}
	}
	if err := b.judgeInTurns(r, test, classes); err != nil {
		return nil, err
	}
	full := r.Variants[0]
	for _, v := range r.Variants {
		report := evaluation.Evaluate(classes, v.samples)
		v.Accuracy, v.Balanced = report.Accuracy, report.BalancedAccuracy
		v.JudgeMS, v.ForwardMS, v.PrepareMS = quantilesOf(v.wholes), quantilesOf(v.forwards), quantilesOf(v.preps)
		v.Speed = full.JudgeMS.P50 / v.JudgeMS.P50
		v.AsGood = v.Accuracy.High >= full.Accuracy.Low && full.Accuracy.High >= v.Accuracy.Low
	}
	return r, nil
}

// makeVariants adds the variants of one input size; of a smaller one only the
// version as it is.
func (b *Bench) makeVariants(r *variantsResult, train []picture, classes []string) error {
	folder, err := os.MkdirTemp("", "loupe-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	stores, err := b.openCaches(filepath.Join(folder, strconv.Itoa(b.Size)))
	defer func() {
		for _, s := range stores {
			s.Close()
		}
	}()
	if err != nil {
		return err
	}
	if _, err := b.extract(stores, train, nil); err != nil {
		return err
	}
	if len(r.Variants) > 0 {
		return b.shortened(r, stores, train, classes, onnx.Whole, "smaller input")
	}
	for _, one := range []struct {
		reach onnx.Reach
		name  string
	}{{onnx.Whole, "full"}, {onnx.Stride32, "without the last convolution"}, {onnx.Stride16, "stop at stride 16"}} {
		if err := b.shortened(r, stores, train, classes, one.reach, one.name); err != nil {
			return err
		}
	}
	return nil
}

// shortened fits a head that sees as far as the reach, and adds its file; that of
// the whole reach also with two threads and in the other engine, there with halved
// weights too: OpenCV 4.6 reads no float16.
func (b *Bench) shortened(r *variantsResult, stores []*features.Store, train []picture, classes []string, reach onnx.Reach, name string) error {
	source := cut{cached{stores, train, classes}, b.Size, reach}
	o := head.ForFrames(len(train))
	o.Seed = b.Seed
	bar := newBar(o.Epochs, "training: "+name)
	h, err := head.Fit(context.Background(), source, classes, b.Size, o, func(p head.Progress) error { return bar.Set(p.Epoch) })
	if err != nil {
		return err
	}
	if _, err = head.Calibrate(context.Background(), h, source, func(head.Progress) error { return nil }); err != nil {
		return err
	}
	backbone, err := models.Backbone()
	if err != nil {
		return err
	}
	file, err := onnx.WriteShort(backbone, b.Size, h.Weights(), classes, reach)
	if err != nil {
		return err
	}
	first := len(r.Variants) == 0
	if err := b.add(r, name, engine.Choice{}, 1, file, classes); err != nil || !first {
		return err
	}
	half, err := onnx.Halve(file)
	if err == nil {
		err = b.add(r, "two threads", engine.Choice{}, 2, file, classes)
	}
	if err != nil {
		return err
	}
	other := b.choice()
	other.Name = engine.ONNXRuntime
	if _, missing := engine.Choose(other, 1); missing != nil {
		fmt.Fprintln(os.Stderr, "without ONNX Runtime:", missing)
		return nil
	}
	return errors.Join(b.add(r, "full", other, 1, file, classes), b.add(r, "float16 weights", other, 1, half, classes))
}

func (b *Bench) add(r *variantsResult, name string, c engine.Choice, threads int, file []byte, classes []string) error {
	runs, err := engine.Choose(c, threads)
	if err != nil {
		return err
	}
	e, err := runs.OpenVersion(file, classes)
	if err != nil {
		return fmt.Errorf("%s in %s: %w", name, runs.Label, err)
	}
	r.Variants = append(r.Variants, &variant{Name: name, Engine: runs.Label, Threads: threads, Size: b.Size, Bytes: len(file), judge: e})
	return e.Warm(b.Size)
}

// judgeInTurns has each variant judge each picture.
func (b *Bench) judgeInTurns(r *variantsResult, test []picture, names []string) error {
	classes := b.classes(names)
	bar := newBar(len(test), "judging")
	for _, one := range test {
		data, header, err := readPicture(one.path)
		if err != nil {
			return err
		}
		p, err := opencv.Decode(data, header.Orientation)
		if err != nil {
			return fmt.Errorf("%s: %w", one.path, err)
		}
		err = b.judgeByAll(r.Variants, one, p, classes)
		p.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", one.path, err)
		}
		_ = bar.Add(1)
	}
	return nil
}

func (b *Bench) judgeByAll(variants []*variant, one picture, p *opencv.Picture, classes []vision.Class) error {
	full := map[string]float64{}
	for i, v := range variants {
		opencv.SetThreads(v.Threads)
		j, err := v.judge.Judge(p, vision.Preparation{Size: v.Size}, classes, vision.DefaultThresholds)
		if err != nil {
			return err
		}
		for _, of := range j.Probabilities {
			if i == 0 {
				full[of.Class] = of.P
			}
			v.Furthest = max(v.Furthest, of.P-full[of.Class], full[of.Class]-of.P)
		}
		v.wholes = append(v.wholes, j.Timings.Prepare+j.Timings.Forward+j.Timings.Explain)
		v.forwards, v.preps = append(v.forwards, j.Timings.Forward), append(v.preps, j.Timings.Prepare)
		v.samples = append(v.samples, sample(one.class, b.passes(one.class), classes, j))
	}
	return nil
}
