package models

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"loupe/models/evaluation"
	"loupe/models/head"
	"loupe/storage"
	"loupe/vision"
)

// evaluate judges the test share by the new head, and by the champion on the
// same frames.
func (t *training) evaluate(ctx context.Context, h *head.Head) (Report, []storage.Result, error) {
	results, err := t.predict(ctx, h, t.prep)
	if err != nil {
		return Report{}, nil, err
	}
	r, err := t.compare(ctx, 0, results)
	if !h.NormalOnly() {
		r.Uncalibrated = t.uncalibrated(h, results)
	}
	return r, results, err
}

// uncalibrated is how a head's probabilities would be calibrated without its
// temperature, which changes the score and not the class.
func (t *training) uncalibrated(h *head.Head, results []storage.Result) *evaluation.Calibration {
	samples := t.samples(results)
	for i, r := range results {
		samples[i].Score = slices.Max(h.Uncalibrated(r.Probabilities))
	}
	c := evaluation.Calibrate(samples)
	return &c
}

// compare reports on a version's results beside the champion's on the same
// frames. own is the version's ID, 0 for one that is not stored yet.
func (t *training) compare(ctx context.Context, own int64, results []storage.Result) (Report, error) {
	candidate := t.samples(results)
	names := t.reportClasses()
	r := Report{Candidate: evaluation.Evaluate(names, candidate)}
	if t.recipe.ChampionID == 0 || t.recipe.ChampionID == own {
		return r, nil
	}
	v, err := t.db.Version(ctx, t.recipe.ChampionID)
	if err != nil {
		return r, err
	}
	results, err = t.resultsOf(ctx, v)
	if err != nil {
		return r, err
	}
	champion := t.samples(results)
	report := evaluation.Evaluate(names, champion)
	comparison := evaluation.Compare(champion, candidate, costsOf(t.recipe))
	r.Champion, r.ChampionID, r.Comparison = &report, v.ID, &comparison
	return r, nil
}

// resultsOf judges the test share by a stored version: by its head where it has
// one, else by the workers.
func (t *training) resultsOf(ctx context.Context, v storage.Version) ([]storage.Result, error) {
	if v.Uploaded() {
		return t.judgeAll(ctx, v, 0.9, 0.95)
	}
	h, err := t.registry.head(ctx, v)
	if err != nil {
		return nil, err
	}
	prep := vision.Preparation{Region: v.Region, Size: v.Size}
	missing, err := t.features.missing(prep, 1, t.test)
	if err == nil {
		err = t.features.computeAll(ctx, missing, t.featureProgress)
	}
	if err != nil {
		return nil, err
	}
	return t.predict(ctx, h, prep)
}

// reportClasses are the recipe's classes and whatever an older champion may
// still say.
func (t *training) reportClasses() []string {
	names := t.recipe.ClassNames()
	for _, c := range t.recipe.Archived {
		names = append(names, c.Name)
	}
	return names
}

// predict runs a head over the test share, with the same decision as live.
func (t *training) predict(ctx context.Context, h *head.Head, prep vision.Preparation) ([]storage.Result, error) {
	source, err := t.features.source(prep, 1, t.test, nil)
	if err != nil {
		return nil, err
	}
	results := make([]storage.Result, 0, len(t.test))
	predictor := newPredictor(h)
	f := head.NewFeatures(prep.Size)
	for i, frame := range t.test {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := source.Read(i, 0, &f); err != nil {
			return nil, fmt.Errorf("evaluate frame %d: %w", frame.FrameID, err)
		}
		r := storage.Result{FrameID: frame.FrameID, Truth: frame.Class}
		probabilities, unseen := predictor.predict(&f)
		for _, p := range probabilities {
			r.Probabilities = append(r.Probabilities, p.P)
		}
		r.Verdict, r.Predicted, r.Score = vision.Decide(t.recipe.Classes, probabilities, t.recipe.Thresholds)
		if unseen {
			r.Verdict = vision.Unsure
		}
		r.Fail = failing(t.recipe, probabilities)
		results = append(results, r)
	}
	return results, nil
}

func failing(r storage.Recipe, probabilities []vision.Probability) float64 {
	var fail float64
	for _, p := range probabilities {
		if c, ok := r.Class(p.Class); !ok || !c.Pass {
			fail += p.P
		}
	}
	return fail
}

func (t *training) samples(results []storage.Result) []evaluation.Sample {
	parts := make(map[int64]string, len(t.test))
	for _, f := range t.test {
		parts[f.FrameID] = f.Part
	}
	return samplesOf(t.recipe, results, parts)
}

func costsOf(r storage.Recipe) evaluation.Costs {
	return evaluation.Costs{Escape: r.Costs.Escape, FalseReject: r.Costs.FalseReject, UnsureShare: r.Costs.UnsureShare, BadShare: r.Costs.BadShare}
}

func ruleOf(r storage.Recipe) evaluation.Rule {
	return evaluation.Rule{Metric: r.Promote.Metric, Margin: r.Promote.Margin}
}

// samplesOf are results with what the recipe says about the classes; parts names
// the part of each frame where that matters.
func samplesOf(recipe storage.Recipe, results []storage.Result, parts map[int64]string) []evaluation.Sample {
	samples := make([]evaluation.Sample, len(results))
	for i, r := range results {
		truth, _ := recipe.Class(r.Truth)
		top, _ := recipe.Class(r.Predicted)
		samples[i] = evaluation.Sample{
			Truth: r.Truth, Predicted: fairly(r, truth.Pass), Fail: r.Fail, Pass: truth.Pass, PassedOK: r.Verdict == vision.OK, Unsure: r.Verdict == vision.Unsure,
			Score: r.Score, TopPasses: top.Pass, Part: parts[r.FrameID], Frame: r.FrameID,
		}
	}
	return samples
}

// decide promotes a version where its recipe's rule says so, else stores why it waits.
func (t *training) decide(ctx context.Context, v storage.Version) (string, error) {
	if v.State == storage.Champion || v.Decision != "" {
		t.state.Promoted, t.state.Decision = v.State == storage.Champion, v.Decision
		return v.Decision, nil
	}
	var r Report
	if err := json.Unmarshal(v.Report, &r); err != nil {
		return "", fmt.Errorf("read the report of version %d: %w", v.Number, err)
	}
	ok, reason := true, "it is the first version"
	switch {
	case v.Uploaded() && r.Candidate.N == 0:
		ok, reason = false, untested
	case r.Champion != nil:
		ok, reason = ruleOf(t.recipe).NotWorse(*r.Champion, r.Candidate, r.Comparison)
	}
	if ok && !t.recipe.Promote.Auto && (r.Champion != nil || v.Uploaded()) {
		ok, reason = false, "the recipe leaves promoting to people; "+reason
	}
	t.state.Promoted, t.state.Decision = ok, reason
	if !ok {
		if err := t.registry.clear(ctx, v.RecipeID); err != nil {
			return "", err
		}
		if err := t.db.Decide(ctx, v.ID, reason); err != nil {
			return "", err
		}
		return fmt.Sprintf("version %d waits: %s", v.Number, reason), t.registry.shadowByRule(ctx, v)
	}
	if _, err := t.registry.Promote(ctx, byRule, v.ID, reason); err != nil {
		return "", err
	}
	return fmt.Sprintf("version %d judges now: %s", v.Number, reason), nil
}
