package models

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"loupe/models/evaluation"
	"loupe/models/head"
	"loupe/models/novelty"
	"loupe/storage"
	"loupe/vision"
)

// Statement says how a version was trained, or with Upload alone, where its file
// came from.
type Statement struct {
	Loss           string               `json:"loss"`
	Optimiser      string               `json:"optimiser"`
	Options        head.Options         `json:"options"`
	Views          int                  `json:"views"`            // of each training frame, mirrored
	Marked         int                  `json:"marked,omitempty"` // training frames that taught by what is marked in them too
	Backbone       string               `json:"backbone"`         // SHA-256
	Data           string               `json:"data"`             // SHA-256 of the data set
	Counts         []storage.ClassCount `json:"counts"`
	Lacking        []Lack               `json:"lacking,omitempty"`
	LastCorrection int64                `json:"last_correction"` // the newest that it learned from
	Corrections    int                  `json:"corrections"`     // since the training before
	Curve          []float64            `json:"curve"`           // mean loss of each pass
	Seconds        float64              `json:"seconds"`         // of fitting
	Calibration    *head.Calibration    `json:"calibration,omitempty"`
	Novelty        *novelty.Statement   `json:"novelty,omitempty"` // nil where the version does not know what it was trained on
	Upload         *Upload              `json:"upload,omitempty"`
}

// Report compares a version with the champion on the same frames of the test share.
type Report struct {
	Candidate  evaluation.Report      `json:"candidate"`
	Champion   *evaluation.Report     `json:"champion,omitempty"` // nil where there was none
	ChampionID int64                  `json:"champion_id,omitempty"`
	Comparison *evaluation.Comparison `json:"comparison,omitempty"`
	// Uncalibrated is the candidate's calibration without its temperature; nil
	// for an uploaded version, which has none.
	Uncalibrated *evaluation.Calibration `json:"uncalibrated,omitempty"`
}

// Training is the progress of a job, stored as its result while it runs.
type Training struct {
	Stage    string    `json:"stage"` // "features", "fit", "calibrate", "evaluate", "write"
	Curve    []float64 `json:"curve,omitempty"`
	Epochs   int       `json:"epochs,omitempty"`
	LeftS    float64   `json:"left_s"` // estimate of the time left, seconds
	Version  int64     `json:"version,omitempty"`
	Number   int       `json:"number,omitempty"`
	Promoted bool      `json:"promoted"`
	Decision string    `json:"decision,omitempty"`
}

// training is one run of a training job.
type training struct {
	*Learner
	job      storage.Job
	recipe   storage.Recipe
	prep     vision.Preparation
	classes  []string
	train    []storage.LabelledFrame
	test     []storage.LabelledFrame
	data     []storage.LabelledFrame // both, by frame ID
	goodOnly bool                    // the version learns from good parts alone
	state    Training
	progress progress
}

// train runs a training job and gives its result and a message.
func (l *Learner) train(ctx context.Context, j storage.Job) (Training, string, error) {
	t := &training{Learner: l, job: j, progress: progress{db: l.db, job: j.ID}}
	v, err := l.db.VersionByJob(ctx, j.ID)
	if storage.CodeOf(err) == storage.NotFound {
		v, err = t.make(ctx)
	} else if err == nil {
		t.recipe, err = l.db.Recipe(ctx, v.RecipeID) // a restart came between storing and deciding
	}
	if err != nil {
		return t.state, "", err
	}
	t.state.Version, t.state.Number = v.ID, v.Number
	message, err := t.decide(ctx, v)
	return t.state, message, err
}

// make trains, evaluates and stores a version.
func (t *training) make(ctx context.Context) (storage.Version, error) {
	var v storage.Version
	lacking, err := t.gather(ctx)
	if err != nil {
		return v, err
	}
	if err := t.extract(ctx); err != nil {
		return v, err
	}
	h, statement, err := t.learn(ctx)
	if err != nil {
		return v, err
	}
	statement.Lacking = lacking
	t.state.Stage = "evaluate"
	if err := t.report(ctx, 0.9, "evaluating", true); err != nil {
		return v, err
	}
	report, results, err := t.evaluate(ctx, h)
	if err != nil {
		return v, err
	}
	t.state.Stage = "write"
	if err := t.report(ctx, 0.95, "writing the model", true); err != nil {
		return v, err
	}
	return t.store(ctx, h, statement, report, results)
}

// learn makes the head, of one kind or the other.
func (t *training) learn(ctx context.Context) (*head.Head, Statement, error) {
	if t.goodOnly {
		return t.fitNormal(ctx)
	}
	h, s, err := t.fit(ctx)
	if err == nil {
		err = t.calibrate(ctx, h, &s)
	}
	if err == nil {
		err = t.know(ctx, h, &s)
	}
	return h, s, err
}

// gather reads the data set and leaves out the classes with no training picture.
func (t *training) gather(ctx context.Context) ([]Lack, error) {
	var err error
	if t.recipe, err = t.db.Recipe(ctx, t.job.RecipeID); err != nil {
		return nil, err
	}
	t.prep = vision.Preparation{Region: t.recipe.Region, Size: t.recipe.Size}
	ready, err := t.Readiness(ctx, t.recipe.ID)
	if err != nil {
		return nil, err
	}
	if !ready.Ready {
		return ready.Lacking, &TooLittleData{Lacking: ready.Lacking}
	}
	learned := map[string]bool{}
	for _, c := range ready.Counts {
		if c.Train > 0 {
			learned[c.Class] = true
			t.classes = append(t.classes, c.Class)
		}
	}
	frames, err := t.db.DataSet(ctx, t.recipe.ID)
	if err != nil {
		return nil, err
	}
	if t.goodOnly = ready.GoodOnly; t.goodOnly {
		t.classes = []string{ready.Good, vision.Unseen}
		for _, c := range t.recipe.Classes {
			learned[c.Name] = c.Pass
		}
	}
	for _, f := range frames {
		switch {
		case f.Share == storage.TestShare:
			t.test = append(t.test, f)
		case learned[f.Class]:
			t.train = append(t.train, f)
		default:
			continue
		}
		t.data = append(t.data, f)
	}
	return ready.Lacking, nil
}

// extract has the features computed that are not cached: test frames are looked
// at as they are judged, training frames from all sides.
func (t *training) extract(ctx context.Context) error {
	missing, err := t.features.missing(t.prep, views(t.recipe), t.train)
	if err != nil {
		return err
	}
	more, err := t.features.missing(t.prep, 1, t.test)
	if err != nil {
		return err
	}
	return t.features.computeAll(ctx, append(missing, more...), t.featureProgress)
}

func (t *training) featureProgress(ctx context.Context, done, all int, left time.Duration) error {
	t.state.Stage, t.state.LeftS = "features", left.Seconds()
	return t.report(ctx, 0.5*float64(done)/float64(max(all, 1)), fmt.Sprintf("features of %d of %d pictures", done, all), false)
}

// fit trains the head on the training share.
func (t *training) fit(ctx context.Context) (*head.Head, Statement, error) {
	s := Statement{Loss: head.Loss, Optimiser: head.Optimiser, Backbone: BackboneSHA256, Data: storage.DatasetDigest(t.data)}
	o := head.ForFrames(len(t.train))
	source, marked, err := t.source(ctx)
	if err != nil {
		return nil, s, err
	}
	if marked > 0 {
		o, s.Loss, s.Marked = o.WithMarks(), head.MarkedLoss, marked
	}
	began := time.Now()
	h, err := head.Fit(ctx, source, t.classes, t.prep.Size, o, func(p head.Progress) error {
		t.state.Stage, t.state.Epochs = "fit", p.Epochs
		if p.Loss > 0 && len(s.Curve) < p.Epoch {
			s.Curve = append(s.Curve, p.Loss)
			t.state.Curve = s.Curve
		}
		spent := time.Since(began).Seconds()
		t.state.LeftS = spent / max(p.Done, 1e-3) * (1 - p.Done)
		return t.report(ctx, 0.5+0.3*p.Done, fmt.Sprintf("pass %d of %d", p.Epoch, p.Epochs), false)
	})
	if err != nil {
		return nil, s, err
	}
	s.Options, s.Views, s.Seconds = o, source.Views(), time.Since(began).Seconds()
	return h, s, t.stateData(ctx, &s)
}

// calibrate gives the head its temperature, by the training share alone.
func (t *training) calibrate(ctx context.Context, h *head.Head, s *Statement) error {
	source, _, err := t.source(ctx)
	if err != nil {
		return err
	}
	const message = "calibrating the probabilities"
	t.state.Stage = "calibrate"
	if err := t.report(ctx, 0.8, message, true); err != nil {
		return err
	}
	began := time.Now()
	c, err := head.Calibrate(ctx, h, source, func(p head.Progress) error {
		t.state.LeftS = time.Since(began).Seconds() / max(p.Done, 1e-3) * (1 - p.Done)
		return t.report(ctx, 0.8+0.1*p.Done, message, false)
	})
	s.Calibration = &c
	return err
}

// report stores the progress of the job, at most a few times a second unless now.
func (t *training) report(ctx context.Context, done float64, message string, now bool) error {
	return t.progress.report(ctx, done, message, t.state, now)
}

// store writes the head and the model file and then the version's row.
func (t *training) store(ctx context.Context, h *head.Head, s Statement, r Report, results []storage.Result) (storage.Version, error) {
	var v storage.Version
	model, err := build(h, t.prep.Size)
	if err != nil {
		return v, fmt.Errorf("write the model: %w", err)
	}
	headData, err := h.Bytes()
	if err != nil {
		return v, fmt.Errorf("write the head: %w", err)
	}
	v = storage.Version{
		RecipeID: t.recipe.ID, ParentID: t.recipe.ChampionID, Size: t.prep.Size, Region: t.prep.Region, Classes: t.classes,
		ModelSHA: storage.Digest(model), JobID: t.job.ID, CreatedBy: t.job.CreatedBy, Data: t.data,
	}
	for _, f := range t.train { // by frame ID
		v.TrainedOn = append(v.TrainedOn, f.FrameID)
	}
	if v.HeadKey, err = t.db.Blobs.PutContent(ctx, "heads", headData); err != nil {
		return v, err
	}
	if v.ModelKey, err = t.db.Blobs.PutContent(ctx, "models", model); err != nil {
		return v, err
	}
	if v.Statement, err = json.Marshal(s); err != nil {
		return v, err
	}
	if v.Report, err = json.Marshal(r); err != nil {
		return v, err
	}
	return t.db.AddVersion(ctx, v, results)
}
