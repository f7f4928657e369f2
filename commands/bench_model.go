package commands

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"loupe/models"
	"loupe/models/evaluation"
	"loupe/models/features"
	"loupe/models/head"
	"loupe/models/novelty"
	"loupe/models/onnx"
	"loupe/vision"
	"loupe/vision/engine"
	"loupe/vision/opencv"
)

// benchResult is what bench prints. Times are milliseconds unless named otherwise.
type benchResult struct {
	Images       int                      `json:"images"`
	Train        int                      `json:"train"`
	Test         int                      `json:"test"`
	Leaked       int                      `json:"leaked"` // test pictures that are, byte for byte, training pictures too
	Classes      []string                 `json:"classes"`
	Size         int                      `json:"size"`
	Views        int                      `json:"views"` // of each training picture
	Seed         uint64                   `json:"seed"`
	TrainS       float64                  `json:"train_s"` // of the fit; calibration.seconds come on top
	Calibration  benchCalibration         `json:"calibration"`
	Novelty      *novelty.Statement       `json:"novelty"` // null where too few pictures could be held back
	Noticed      noticed                  `json:"noticed"`
	Accuracy     float64                  `json:"accuracy"`
	Balanced     float64                  `json:"balanced_accuracy"`
	MacroF1      float64                  `json:"macro_f1"`
	AUROC        *float64                 `json:"auroc,omitempty"`
	PerClass     []evaluation.ClassReport `json:"per_class"`
	Confusion    [][]int                  `json:"confusion"`
	Hints        *benchHints              `json:"hints,omitempty"` // with --masks
	FeaturesMS   quantiles                `json:"features_ms"`
	InferMS      quantiles                `json:"infer_ms"`
	RawForwardMS quantiles                `json:"raw_forward_ms"`
	InferOverRaw float64                  `json:"infer_over_raw"`
}

// benchCalibration is how the probabilities were calibrated on training pictures,
// and what that does on the test pictures.
type benchCalibration struct {
	head.Calibration
	ECEBefore float64 `json:"ece_before"` // expected calibration error, see evaluation.Calibrate
	ECE       float64 `json:"ece"`
	ECEChance float64 `json:"ece_chance"` // what chance alone gives with so many pictures
}

type quantiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
}

func quantilesOf(ms []float64) quantiles {
	if len(ms) == 0 {
		return quantiles{}
	}
	slices.Sort(ms)
	return quantiles{ms[len(ms)/2], ms[len(ms)*95/100]}
}

// cached is a head.Source over a feature cache.
type cached struct {
	stores   []*features.Store // one a view
	pictures []picture
	classes  []string
}

func (c cached) Len() int          { return len(c.pictures) }
func (c cached) Class(i int) int   { return slices.Index(c.classes, c.pictures[i].class) }
func (c cached) Views() int        { return len(c.stores) }
func (c cached) Part(i int) string { return c.pictures[i].part }
func (c cached) Read(i, view int, f *head.Features) error {
	return c.stores[view].Read(int64(i), f)
}

// openCaches opens a cache for each view of the training pictures.
func (b *Bench) openCaches(folder string) (all []*features.Store, err error) {
	views := 1
	if b.Mirror {
		views = vision.Views
	}
	for view := range views {
		store, err := features.Open(filepath.Join(folder, strconv.Itoa(view)), b.Size)
		if err != nil {
			return all, err
		}
		all = append(all, store)
	}
	return all, nil
}

func (b *Bench) inProcess(pictures []picture, classes []string) (*benchResult, error) {
	train, test := choose(pictures, b.PerClass, b.Seed)
	if b.Unseen != "" {
		if !slices.Contains(classes, b.Unseen) {
			return nil, usage("no picture is of the class %s, which --unseen names", b.Unseen)
		}
		train = slices.DeleteFunc(train, func(p picture) bool { return p.class == b.Unseen })
		classes = slices.DeleteFunc(slices.Clone(classes), func(c string) bool { return c == b.Unseen })
	}
	r := &benchResult{Images: len(pictures), Train: len(train), Test: len(test), Classes: classes, Size: b.Size, Seed: b.Seed}
	folder, err := os.MkdirTemp("", "loupe-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	stores, err := b.openCaches(folder)
	defer func() {
		for _, s := range stores {
			s.Close()
		}
	}()
	if err != nil {
		return nil, err
	}
	r.Views = len(stores)
	trained := map[[sha256.Size]byte]bool{}
	if r.FeaturesMS, err = b.extract(stores, train, trained); err != nil {
		return nil, err
	}
	o := head.ForFrames(len(train))
	o.Seed = b.Seed
	var source head.Source = cached{stores, train, classes}
	if b.Masks != "" {
		h, marked, err := b.hints(cached{stores, train, classes})
		if err != nil {
			return nil, err
		}
		source, o, r.Hints = h, o.WithMarks(), &benchHints{Marked: marked}
	}
	bar := newBar(o.Epochs, "training")
	began := time.Now()
	h, err := head.Fit(context.Background(), source, classes, b.Size, o, func(p head.Progress) error { return bar.Set(p.Epoch) })
	if err != nil {
		return nil, err
	}
	r.TrainS = time.Since(began).Seconds()
	if r.Calibration.Calibration, err = head.Calibrate(context.Background(), h, source, func(head.Progress) error { return nil }); err != nil {
		return nil, err
	}
	if r.Novelty, err = b.know(h, source); err != nil {
		return nil, err
	}
	return r, b.judge(r, h, test, trained)
}

// extract fills the cache with the features of the pictures and says what one
// costs. It notes the digests of their files in trained, unless that is nil.
func (b *Bench) extract(stores []*features.Store, pictures []picture, trained map[[sha256.Size]byte]bool) (quantiles, error) {
	backbone, err := models.Backbone()
	if err != nil {
		return quantiles{}, err
	}
	file, err := onnx.WriteExtractor(backbone, b.Size)
	if err != nil {
		return quantiles{}, usage("%v", err)
	}
	extractor, err := b.runs.OpenExtractor(file)
	if err != nil {
		return quantiles{}, err
	}
	defer extractor.Close()
	bar := newBar(len(pictures), "features")
	var ms []float64
	for i, p := range pictures {
		data, header, err := readPicture(p.path)
		if err != nil {
			return quantiles{}, err
		}
		if trained != nil {
			trained[sha256.Sum256(data)] = true
		}
		for view, store := range stores {
			began := time.Now()
			f, err := extract(extractor, data, vision.Preparation{Size: b.Size, Orientation: header.Orientation, View: view})
			if err != nil {
				return quantiles{}, fmt.Errorf("%s: %w", p.path, err)
			}
			ms = append(ms, since(began))
			if err := store.Put(int64(i), f); err != nil {
				return quantiles{}, err
			}
		}
		_ = bar.Add(1)
	}
	return quantilesOf(ms), nil
}

func extract(e *engine.Engine, data []byte, prep vision.Preparation) (head.Features, error) {
	p, err := opencv.Decode(data, prep.Orientation)
	if err != nil {
		return head.Features{}, err
	}
	defer p.Close()
	f, err := e.Extract(p, prep)
	if err != nil {
		return head.Features{}, err
	}
	return head.FromTaps(f.Stride8, f.Stride16, f.Stride32, f.Pooled), nil
}

func readPicture(path string) ([]byte, vision.Picture, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, vision.Picture{}, usage("%v", err)
	}
	header, err := vision.DefaultGate.Check(data)
	if err != nil {
		return nil, header, usage("%s: %v", path, err)
	}
	return data, header, nil
}

func since(t time.Time) float64 { return float64(time.Since(t).Microseconds()) / 1000 }

// judge judges the test half by the version's file, and in the same
// run times the bare backbone on the same inputs.
func (b *Bench) judge(r *benchResult, h *head.Head, test []picture, trained map[[sha256.Size]byte]bool) error {
	backbone, err := models.Backbone()
	if err != nil {
		return err
	}
	file, err := onnx.WriteVersion(backbone, b.Size, h.Weights(), r.Classes)
	if err != nil {
		return err
	}
	version, err := b.runs.OpenVersion(file, r.Classes)
	if err != nil {
		return err
	}
	defer version.Close()
	raw, err := b.runs.OpenBackbone(backbone)
	if err != nil {
		return err
	}
	defer raw.Close()
	if err := errors.Join(version.Warm(b.Size), raw.Warm(b.Size)); err != nil {
		return err
	}
	classes := b.classes(r.Classes)
	bar := newBar(len(test), "judging")
	var infer, forward []float64
	var samples, before []evaluation.Sample
	for _, p := range test {
		data, header, err := readPicture(p.path)
		if err != nil {
			return err
		}
		if trained[sha256.Sum256(data)] {
			r.Leaked++
		}
		prep := vision.Preparation{Size: b.Size, Orientation: header.Orientation}
		began := time.Now()
		picture, err := opencv.Decode(data, prep.Orientation)
		if err != nil {
			return fmt.Errorf("%s: %w", p.path, err)
		}
		j, err := version.Judge(picture, prep, classes, vision.DefaultThresholds)
		infer = append(infer, since(began))
		if err == nil {
			var took time.Duration
			took, err = raw.Time(picture, prep)
			forward = append(forward, float64(took.Microseconds())/1000)
		}
		picture.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", p.path, err)
		}
		r.Noticed.count(p.class, b.Unseen, j)
		if p.class == b.Unseen {
			_ = bar.Add(1)
			continue // which no figure of the known classes counts
		}
		if r.Hints != nil {
			m, err := b.maskOf(p)
			if err != nil {
				return err
			}
			if m != nil {
				r.Hints.peak(m, j)
			}
		}
		samples = append(samples, sample(p.class, b.passes(p.class), classes, j))
		before = append(before, uncalibrated(h, samples[len(samples)-1], j))
		_ = bar.Add(1)
	}
	r.InferMS, r.RawForwardMS = quantilesOf(infer), quantilesOf(forward)
	if r.RawForwardMS.P50 > 0 {
		r.InferOverRaw = r.InferMS.P50 / r.RawForwardMS.P50
	}
	r.report(samples, before)
	return nil
}

func (b *Bench) classes(names []string) []vision.Class {
	classes := make([]vision.Class, len(names))
	for i, name := range names {
		classes[i] = vision.Class{Name: name, Pass: b.passes(name)}
	}
	return classes
}

// report fills in what the samples say; before are the same without temperature.
func (r *benchResult) report(samples, before []evaluation.Sample) {
	report := evaluation.Evaluate(r.Classes, samples)
	r.Accuracy, r.Balanced, r.MacroF1, r.AUROC = report.Accuracy.Value, report.BalancedAccuracy.Value, report.MacroF1, report.AUROC
	r.PerClass, r.Confusion = report.PerClass, report.Confusion
	r.Calibration.ECE, r.Calibration.ECEChance, r.Calibration.ECEBefore = report.Calibration.ECE, report.Calibration.Chance, evaluation.Calibrate(before).ECE
}

func sample(truth string, pass bool, classes []vision.Class, j vision.Judgement) evaluation.Sample {
	s := evaluation.Sample{Truth: truth, Predicted: j.Class, Pass: pass, PassedOK: j.Verdict == vision.OK, Unsure: j.Verdict == vision.Unsure, Score: j.Score}
	for _, p := range j.Probabilities {
		for _, c := range classes {
			if c.Name == p.Class && !c.Pass {
				s.Fail += p.P
			}
		}
	}
	return s
}

// uncalibrated is a sample with the score that its head gives without temperature.
func uncalibrated(h *head.Head, s evaluation.Sample, j vision.Judgement) evaluation.Sample {
	p := make([]float64, len(j.Probabilities))
	for i, one := range j.Probabilities {
		p[i] = one.P
	}
	s.Score = slices.Max(h.Uncalibrated(p))
	return s
}
