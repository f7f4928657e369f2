package commands

import (
	"context"
	"errors"
	"fmt"
	"os"
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

// goodResult is what bench --good-only prints. Times are milliseconds unless
// named otherwise.
type goodResult struct {
	Train        int                `json:"train"` // good pictures; no other was looked at
	Test         int                `json:"test"`
	Size         int                `json:"size"`
	Views        int                `json:"views"`
	Novelty      novelty.Statement  `json:"novelty"`
	AUROC        float64            `json:"auroc"`
	PerClass     map[string]float64 `json:"auroc_per_class"` // against the good ones
	FalseAlarms  float64            `json:"false_alarms"`    // share of good test pictures that are not OK
	FalseNG      float64            `json:"false_ng"`        // and that are NG
	Caught       float64            `json:"caught"`          // share of bad test pictures that are not OK
	FeaturesMS   quantiles          `json:"features_ms"`
	InferMS      quantiles          `json:"infer_ms"`
	ForwardMS    quantiles          `json:"forward_ms"`     // of the version's network
	RawForwardMS quantiles          `json:"raw_forward_ms"` // of the bare one
	PooledMS     quantiles          `json:"pooled_ms"`      // of the bare one with the pooled features that each version has
	BankOverRaw  float64            `json:"bank_over_raw"`  // what the bank adds, as a share of the bare network
}

// goodOnly fits a bank of the good training pictures and judges the test half by
// the very file of the version.
func (b *Bench) goodOnly(pictures []picture) (*goodResult, error) {
	train, test := choose(pictures, b.PerClass, b.Seed)
	var good []picture
	name := ""
	for _, p := range train {
		if b.passes(p.class) {
			good, name = append(good, p), p.class
		}
	}
	if len(good) == 0 {
		return nil, usage("--good-only needs training pictures of a class that passes: name it with --pass")
	}
	folder, err := os.MkdirTemp("", "loupe-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	stores, err := b.openCaches(folder)
	defer closeAll(stores)
	if err != nil {
		return nil, err
	}
	r := &goodResult{Train: len(good), Test: len(test), Size: b.Size, Views: len(stores), PerClass: map[string]float64{}}
	if r.FeaturesMS, err = b.extract(stores, good, nil); err != nil {
		return nil, err
	}
	o := novelty.Defaults(b.FalseAlarms)
	o.Seed = b.Seed
	if b.Bank > 0 {
		o.Bank = b.Bank
	}
	bank, s, err := novelty.Fit(context.Background(), cached{stores, good, []string{name}}, b.Size, o)
	if err != nil {
		return nil, err
	}
	r.Novelty = s
	novelty.Odds(bank, s, vision.DefaultThresholds.OK, vision.DefaultThresholds.NG)
	return r, b.judgeGood(r, bank, name, test)
}

func closeAll(stores []*features.Store) {
	for _, s := range stores {
		s.Close()
	}
}

// judgeGood judges the test half, and in the same run times the bare network and
// the one with pooled features on the same inputs.
func (b *Bench) judgeGood(r *goodResult, bank *onnx.Bank, name string, test []picture) error {
	backbone, err := models.Backbone()
	if err != nil {
		return err
	}
	classes := []string{name, vision.Unseen}
	file, err := onnx.WriteNormal(backbone, b.Size, bank, classes)
	if err != nil {
		return err
	}
	extractor, err := onnx.WriteExtractor(backbone, b.Size)
	if err != nil {
		return err
	}
	version, err := b.runs.OpenVersion(file, classes)
	if err != nil {
		return err
	}
	defer version.Close()
	raw, err := b.runs.OpenBackbone(backbone)
	if err != nil {
		return err
	}
	defer raw.Close()
	pooled, err := b.runs.OpenExtractor(extractor)
	if err != nil {
		return err
	}
	defer pooled.Close()
	var infer []float64
	var forward [3][]float64
	var good []float64
	bad := map[string][]float64{}
	counts := map[bool][3]int{} // of good and bad: all, not OK, NG
	recipe := []vision.Class{{Name: name, Pass: true}}
	bar := newBar(len(test), "judging")
	for _, p := range test {
		data, header, err := readPicture(p.path)
		if err != nil {
			return err
		}
		prep := vision.Preparation{Size: b.Size, Orientation: header.Orientation}
		began := time.Now()
		picture, err := opencv.Decode(data, prep.Orientation)
		if err != nil {
			return fmt.Errorf("%s: %w", p.path, err)
		}
		j, err := version.Judge(picture, prep, recipe, vision.DefaultThresholds)
		infer = append(infer, since(began))
		for i, e := range []*engine.Engine{version, raw, pooled} {
			if err != nil {
				break
			}
			var took time.Duration
			took, err = e.Time(picture, prep)
			forward[i] = append(forward[i], float64(took.Microseconds())/1000)
		}
		picture.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", p.path, err)
		}
		passes := b.passes(p.class)
		if passes {
			good = append(good, j.Novelty)
		} else {
			bad[p.class] = append(bad[p.class], j.Novelty)
		}
		n := counts[passes]
		n[0]++
		if j.Verdict != vision.OK {
			n[1]++
		}
		if j.Verdict == vision.NG {
			n[2]++
		}
		counts[passes] = n
		_ = bar.Add(1)
	}
	r.InferMS, r.ForwardMS, r.RawForwardMS, r.PooledMS = quantilesOf(infer), quantilesOf(forward[0]), quantilesOf(forward[1]), quantilesOf(forward[2])
	if r.RawForwardMS.P50 > 0 {
		r.BankOverRaw = (r.ForwardMS.P50 - r.PooledMS.P50) / r.RawForwardMS.P50
	}
	share := func(n [3]int, i int) float64 { return float64(n[i]) / float64(max(1, n[0])) }
	r.FalseAlarms, r.FalseNG, r.Caught = share(counts[true], 1), share(counts[true], 2), share(counts[false], 1)
	var all []float64
	for class, v := range bad {
		r.PerClass[class] = above(good, v)
		all = append(all, v...)
	}
	r.AUROC = above(good, all)
	return nil
}

// above is how often a value of bad lies above one of good, see
// evaluation.AUROC; 0 where one of the two is missing.
func above(good, bad []float64) float64 {
	var all []evaluation.Sample
	for _, v := range good {
		all = append(all, evaluation.Sample{Fail: v, Pass: true})
	}
	for _, v := range bad {
		all = append(all, evaluation.Sample{Fail: v})
	}
	if area := evaluation.AUROC(all); area != nil {
		return *area
	}
	return 0
}

// know gives a head the bank of its training pictures.
func (b *Bench) know(h *head.Head, source head.Source) (*novelty.Statement, error) {
	o := novelty.Defaults(b.FalseAlarms)
	o.Seed = b.Seed
	if b.Bank > 0 {
		o.Bank = b.Bank
	}
	bank, s, err := novelty.Fit(context.Background(), source, b.Size, o)
	if errors.Is(err, novelty.ErrTooFew) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	h.Bank = bank
	return &s, nil
}

// noticed counts what a classifier with a bank says about test pictures of
// classes that it learned, and of one that it did not.
type noticed struct {
	Known       int     `json:"known"`
	FalseAlarms float64 `json:"false_alarms"` // share of the known that are taken for unlike anything seen
	Class       string  `json:"unseen,omitempty"`
	Unseen      int     `json:"unseen_pictures"`
	Noticed     float64 `json:"noticed"`   // share of the unseen that are unlike anything seen
	Unsure      float64 `json:"unsure"`    // share of the unseen that are Unsure for this reason or another
	Confident   float64 `json:"confident"` // share of the unseen that get OK or NG
	OK          float64 `json:"ok"`        // share of the unseen that get OK
}

func (n *noticed) count(class, unseen string, j vision.Judgement) {
	mean := func(share *float64, n int, hit bool) {
		one := 0.0
		if hit {
			one = 1
		}
		*share += (one - *share) / float64(n)
	}
	if class != unseen {
		n.Known++
		mean(&n.FalseAlarms, n.Known, j.Reason == vision.Unseen)
		return
	}
	n.Class = class
	n.Unseen++
	mean(&n.Noticed, n.Unseen, j.Reason == vision.Unseen)
	mean(&n.Unsure, n.Unseen, j.Verdict == vision.Unsure)
	mean(&n.Confident, n.Unseen, j.Verdict != vision.Unsure)
	mean(&n.OK, n.Unseen, j.Verdict == vision.OK)
}
