package views

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"loupe/models"
	"loupe/models/evaluation"
	"loupe/storage"
	"loupe/vision"
	"loupe/web/ui"
)

const versionsShown = 40

func statementOf(v storage.Version) (s models.Statement) {
	_ = json.Unmarshal(v.Statement, &s) // what an older Loupe did not state stays empty
	return s
}

func reportOf(v storage.Version) (r models.Report) {
	_ = json.Unmarshal(v.Report, &r)
	return r
}

// Model is the page of a recipe's versions; version 0 shows the newest one that
// waits, else the champion.
func (s *Source) Model(ctx context.Context, recipe, version int64) (ui.ModelView, error) {
	recipes, all, err := s.recipes(ctx)
	v := ui.ModelView{Recipes: namedAll(all), UploadMB: models.MostModelBytes >> 20, Formats: formats(), Now: s.Now()}
	if err != nil {
		return v, err
	}
	r, ok := recipes[recipe]
	if !ok {
		return v, &storage.Error{Code: storage.NotFound, Message: "there is no such recipe"}
	}
	v.Recipe, v.Rules = named(r), rules(r)
	versions, err := s.DB.Versions(ctx, recipe, versionsShown)
	if err != nil {
		return v, err
	}
	for _, one := range versions {
		v.Versions = append(v.Versions, s.versionRow(r, one))
		waits := one.State == storage.Candidate && version == 0
		if one.ID == version || waits && v.Shown == nil {
			v.Shown, err = s.version(ctx, r, one)
		}
		if err == nil && one.ID == r.ChampionID {
			v.Champion, err = s.version(ctx, r, one)
		}
		if err != nil {
			return v, err
		}
	}
	if err := s.beside(ctx, r, version, &v); err != nil {
		return v, err
	}
	if v.Shown != nil {
		if v.Shadow, err = s.Shadow(ctx, v.Shown.ID); err != nil {
			return v, err
		}
	}
	if v.Training, err = s.Training(ctx, recipe); err != nil {
		return v, err
	}
	if v.Data, err = s.Data(ctx, r); err != nil {
		return v, err
	}
	if previous, err := s.DB.PreviousChampion(ctx, recipe); err == nil {
		v.CanRoll = previous.Number
	}
	return v, nil
}

// beside settles which version is shown, and which champion stands beside it:
// with the figures of the same frames where the shown version was compared with it.
func (s *Source) beside(ctx context.Context, r storage.Recipe, version int64, v *ui.ModelView) error {
	if v.Shown == nil && version != 0 {
		one, err := s.DB.Version(ctx, version)
		if err != nil {
			return err
		}
		if v.Shown, err = s.version(ctx, r, one); err != nil {
			return err
		}
	}
	if v.Shown == nil || v.Champion != nil && v.Shown.ID == v.Champion.ID {
		v.Shown, v.Champion = v.Champion, nil
		return nil
	}
	shown, err := s.DB.Version(ctx, v.Shown.ID)
	if err != nil {
		return err
	}
	if report := reportOf(shown); v.Champion != nil && report.Champion != nil && report.ChampionID == v.Champion.ID {
		fillReport(v.Champion, r, *report.Champion)
	}
	return nil
}

func (s *Source) versionRow(r storage.Recipe, v storage.Version) ui.VersionRow {
	report := reportOf(v).Candidate
	headline := metric(report.BalancedAccuracy)
	switch r.Promote.Metric {
	case "accuracy":
		headline = metric(report.Accuracy)
	case "escapes":
		headline = metric(report.Escapes)
	}
	return ui.VersionRow{ID: v.ID, Number: v.Number, ParentID: v.ParentID, State: string(v.State), CreatedAt: v.CreatedAt.In(s.location()), CreatedBy: v.CreatedBy, Headline: headline}
}

func metric(i evaluation.Interval) ui.Metric {
	return ui.Metric{Value: i.Value, Low: i.Low, High: i.High, Known: i.N > 0}
}

func (s *Source) version(ctx context.Context, r storage.Recipe, v storage.Version) (*ui.VersionView, error) {
	out := &ui.VersionView{VersionRow: s.versionRow(r, v), Size: v.Size, ModelSHA: v.ModelSHA, Decision: v.Decision, Waits: v.State == storage.Candidate}
	report, st := reportOf(v), statementOf(v)
	if report.Champion != nil {
		better, _ := evaluation.Rule{Metric: r.Promote.Metric, Margin: r.Promote.Margin}.NotWorse(*report.Champion, report.Candidate, report.Comparison)
		out.Better = &better
	}
	fillReport(out, r, report.Candidate)
	if report.Comparison != nil {
		out.Paired = report.Comparison
		if old, err := s.DB.Version(ctx, report.ChampionID); err == nil {
			out.PairedWith = old.Number
		}
	}
	o := st.Options
	out.Statement = ui.Statement{
		Loss: st.Loss, Optimiser: fmt.Sprintf("%s, %g local, %g pooled, decay %g", st.Optimiser, o.LocalRate, o.PooledRate, o.Decay),
		Seed: int64(o.Seed), Passes: o.Epochs, Backbone: "EfficientNet-Lite0 " + st.Backbone[:min(12, len(st.Backbone))], Seconds: st.Seconds, Losses: st.Curve, Calibration: st.Calibration,
		Novelty: st.Novelty, GoodOnly: slices.Contains(v.Classes, vision.Unseen),
	}
	out.Uncalibrated = report.Uncalibrated
	if n := len(st.Curve); n > 0 {
		out.Statement.FinalLoss = st.Curve[n-1]
	}
	if u := st.Upload; u != nil {
		out.Upload = &ui.UploadView{Note: u.Note, Producer: u.Producer, Engine: cmp.Or(u.Engine, "OpenCV "+u.OpenCV), ForwardMS: u.ForwardMS, Missing: u.Missing}
	}
	for _, c := range st.Counts {
		out.Statement.Train += c.Train
		out.Statement.Test += c.Test
		out.Statement.PerClass = append(out.Statement.PerClass, ui.ClassCount{Class: c.Class, Train: c.Train, Test: c.Test})
	}
	if v.DatasetID != 0 {
		d, err := s.DB.Dataset(ctx, v.DatasetID)
		if err != nil {
			return out, err
		}
		row := s.datasetRow(d)
		out.Dataset = &row
	}
	gone, err := s.DB.TrainingGone(ctx, v.ID)
	if err != nil {
		return out, err
	}
	out.Gone = ui.TrainingGone{Removed: gone.Removed, All: gone.All, Last: gone.Last.In(s.location())}
	out.JudgedLive, err = s.DB.JudgedBy(ctx, v.ID)
	return out, err
}

func fillReport(out *ui.VersionView, r storage.Recipe, report evaluation.Report) {
	out.Accuracy, out.Balanced, out.Escapes = metric(report.Accuracy), metric(report.BalancedAccuracy), metric(report.Escapes)
	out.FalseAlarms = metric(report.FalseRejects)
	out.UnsureShare = metric(evaluation.Wilson(int(report.UnsureShare*float64(report.N)+0.5), report.N))
	out.TestFrames, out.AUROC, out.Classes = report.N, 0, nil
	if report.AUROC != nil {
		out.AUROC = *report.AUROC
	}
	out.Calibration = report.Calibration
	for _, c := range report.PerClass {
		out.Classes = append(out.Classes, ui.ClassReport{Class: mark(r, c.Class), Precision: metric(c.Precision), Recall: metric(c.Recall), F1: metric(c.F1), Frames: c.Recall.N})
	}
	out.Confusion = ui.Confusion{Classes: report.Classes, Counts: report.Confusion}
}

// Training is the newest training of a recipe, or the newest evaluation of an
// upload where that is newer.
func (s *Source) Training(ctx context.Context, recipe int64) (ui.TrainingView, error) {
	v := ui.TrainingView{Recipe: recipe}
	ready, err := s.Learner.Readiness(ctx, recipe)
	if err != nil {
		return v, err
	}
	v.MayTrain = ready.Ready
	var j storage.Job // the newest
	for _, kind := range []string{models.TrainJob, models.EvaluateJob} {
		last, err := s.DB.LastJob(ctx, recipe, kind)
		if err != nil && storage.CodeOf(err) != storage.NotFound {
			return v, err
		}
		if err == nil && last.ID > j.ID {
			j = last
		}
	}
	if j.ID == 0 {
		return v, nil
	}
	v.Evaluation = j.Kind == models.EvaluateJob
	v.Job, v.State, v.Progress, v.Message = j.ID, string(j.State), j.Progress, j.Message
	var t models.Training
	if json.Unmarshal(j.Result, &t) == nil {
		v.Losses, v.Pass, v.Passes = t.Curve, len(t.Curve), t.Epochs
		v.Left, v.LeftKnown = time.Duration(t.LeftS*float64(time.Second)), t.LeftS > 0
	}
	return v, nil
}

// Data says what there is to learn from.
func (s *Source) Data(ctx context.Context, r storage.Recipe) (ui.DataView, error) {
	var v ui.DataView
	ready, err := s.Learner.Readiness(ctx, r.ID)
	if err != nil {
		return v, err
	}
	for _, c := range ready.Counts {
		d := ui.ClassData{Class: mark(r, c.Class), Train: c.Train, Test: c.Test}
		for _, lack := range ready.Lacking {
			switch {
			case lack.Class != c.Class:
			case lack.Stops:
				d.Missing = lack.Need - lack.Have
			default:
				d.Advised = lack.Need - lack.Have
			}
		}
		v.Train, v.Test = v.Train+c.Train, v.Test+c.Test
		v.Classes = append(v.Classes, d)
	}
	v.New, _, err = s.Learner.Waiting(ctx, r.ID)
	return v, err
}

func rules(r storage.Recipe) ui.RulesView {
	return ui.RulesView{Recipe: r.ID, After: r.Learn.After, QuietSeconds: r.Learn.QuietSeconds, Auto: r.Promote.Auto, Metric: r.Promote.Metric, MarginPercent: r.Promote.Margin * 100}
}
