package models

import (
	"context"
	"errors"
	"time"

	"loupe/models/head"
	"loupe/models/novelty"
	"loupe/storage"
	"loupe/vision"
)

// fitNormal makes the head of a version of good parts only.
func (t *training) fitNormal(ctx context.Context) (*head.Head, Statement, error) {
	s := Statement{Loss: "none", Optimiser: "greedy coreset", Backbone: BackboneSHA256, Data: storage.DatasetDigest(t.data), Views: views(t.recipe)}
	h := &head.Head{Classes: t.classes, Size: t.prep.Size}
	began := time.Now()
	if err := t.know(ctx, h, &s); err != nil {
		return nil, s, err
	}
	if h.Bank == nil {
		return nil, s, &TooLittleData{Lacking: []Lack{{Class: t.classes[0], Have: len(t.train), Need: 2 * leastGood, Stops: true}}}
	}
	novelty.Odds(h.Bank, *s.Novelty, t.recipe.Thresholds.OK, t.recipe.Thresholds.NG)
	s.Seconds = time.Since(began).Seconds()
	return h, s, t.stateData(ctx, &s)
}

// stateData fills in what each statement says of the data.
func (t *training) stateData(ctx context.Context, s *Statement) (err error) {
	if s.Counts, err = t.db.ClassCounts(ctx, t.recipe.ID); err != nil {
		return err
	}
	for _, f := range t.train {
		s.LastCorrection = max(s.LastCorrection, f.LabelID)
	}
	return nil
}

// know gives a head the bank of the training share's places, so that the version
// notices what is like none of them. With too few frames to hold some back
// there is none, and the version does not know.
func (t *training) know(ctx context.Context, h *head.Head, s *Statement) error {
	source, err := t.features.source(t.prep, views(t.recipe), t.train, t.classes)
	if err != nil {
		return err
	}
	if err := t.report(ctx, 0.8, "learning what parts look like", true); err != nil {
		return err
	}
	bank, statement, err := novelty.Fit(ctx, source, t.prep.Size, novelty.Defaults(t.recipe.Normality.FalseAlarms))
	if errors.Is(err, novelty.ErrTooFew) {
		return nil
	}
	if err != nil {
		return err
	}
	h.Bank, s.Novelty = bank, &statement
	return nil
}

// predictor runs a head of either kind over frames, as its file would. It belongs
// to one goroutine.
type predictor struct {
	head    *head.Head
	classes *head.Predictor // nil for good parts only
	known   *novelty.Scorer // nil where the head has no bank
}

func newPredictor(h *head.Head) *predictor {
	p := &predictor{head: h}
	if !h.NormalOnly() {
		p.classes = head.NewPredictor(h)
	}
	if h.Bank != nil {
		p.known = novelty.NewScorer(h.Bank, h.Size)
	}
	return p
}

// predict gives the probabilities of a frame in the order of the head's classes,
// and whether it is like none of the training frames.
func (p *predictor) predict(f *head.Features) (probabilities []vision.Probability, unseen bool) {
	new := 0.0
	if p.known != nil {
		new = p.known.Novelty(f)
	}
	if p.classes == nil {
		good, unlike := novelty.Probabilities(p.head.Bank, new)
		return []vision.Probability{{Class: p.head.Classes[0], P: good}, {Class: p.head.Classes[1], P: unlike}}, false
	}
	for c, v := range p.classes.Predict(f) {
		probabilities = append(probabilities, vision.Probability{Class: p.head.Classes[c], P: float64(v)})
	}
	return probabilities, !vision.Known(new)
}

// goodOnly says whether a training learns from good parts alone: the recipe says
// so, or nothing but one passing class has training pictures. It gives the name
// that the passing class of the version bears and how many pictures it has.
func goodOnly(r storage.Recipe, counts []storage.ClassCount) (name string, have int, only bool) {
	bad, classes := 0, 0
	for _, c := range counts {
		class, known := r.Class(c.Class)
		switch {
		case c.Train == 0:
		case known && class.Pass:
			if have == 0 {
				name = c.Class
			}
			have, classes = have+c.Train, classes+1
		default:
			bad += c.Train
		}
	}
	if name == "" {
		for _, c := range r.Classes {
			if c.Pass {
				name = c.Name
				break
			}
		}
	}
	return name, have, name != "" && (r.Normality.GoodOnly || bad == 0 && classes == 1 && have >= leastGood)
}

// fairly takes a failing frame that is called unlike anything seen for told
// rightly: which defect it is, such a version cannot say.
func fairly(r storage.Result, passes bool) string {
	if r.Predicted == vision.Unseen && !passes {
		return r.Truth
	}
	return r.Predicted
}
