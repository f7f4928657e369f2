package models

import (
	"context"
	"fmt"
	"slices"
	"time"

	"loupe/models/head"
	"loupe/models/mislabels"
	"loupe/storage"
)

// SuspectJob is the kind of a job that looks for labels that are probably wrong.
const SuspectJob = "suspect"

// SuspectFolds is into how many folds the parts are dealt, SuspectsMost how many
// suspects are kept.
const (
	SuspectFolds = 4
	SuspectsMost = 1000
)

// Suspecting is the progress and result of a SuspectJob.
type Suspecting struct {
	Frames   int `json:"frames"`   // whose labels were looked at
	Suspects int `json:"suspects"` // where the model says another class
}

// suspect runs such a job. It looks at the training share alone: heads are fitted
// on some of its parts and say what they see on the others.
func (l *Learner) suspect(ctx context.Context, j storage.Job) (Suspecting, string, error) {
	var found Suspecting
	t := &training{Learner: l, job: j, progress: progress{db: l.db, job: j.ID}}
	if _, err := t.gather(ctx); err != nil {
		return found, "", err
	}
	missing, err := t.features.missing(t.prep, views(t.recipe), t.train)
	if err != nil {
		return found, "", err
	}
	if err := t.features.computeAll(ctx, missing, t.featureProgress); err != nil {
		return found, "", err
	}
	source, err := t.features.source(t.prep, views(t.recipe), t.train, t.classes)
	if err != nil {
		return found, "", err
	}
	began := time.Now()
	t.state.Stage = "suspect"
	said, err := head.HeldOut(ctx, source, t.classes, t.prep.Size, SuspectFolds, head.ForFolds(len(t.train)), func(p head.Progress) error {
		t.state.LeftS = time.Since(began).Seconds() / max(p.Done, 1e-3) * (1 - p.Done)
		return t.report(ctx, 0.5+0.5*p.Done, "asking models that never saw the frame", false)
	})
	if err != nil {
		return found, "", err
	}
	suspects, err := t.doubted(ctx, source.classes, said)
	if err != nil {
		return found, "", err
	}
	if err := l.db.SetSuspects(ctx, t.recipe.ID, suspects); err != nil {
		return found, "", err
	}
	found = Suspecting{Frames: len(t.train), Suspects: len(suspects)}
	return found, fmt.Sprintf("%d of %d labels look wrong", found.Suspects, found.Frames), nil
}

// doubted are the frames of which the models say another class than the label,
// without those that a person has confirmed.
func (t *training) doubted(ctx context.Context, labels []int, said [][]float64) ([]storage.Suspect, error) {
	confirmed, err := t.db.Confirmed(ctx, t.recipe.ID)
	if err != nil {
		return nil, err
	}
	var all []storage.Suspect
	for _, s := range mislabels.Rank(labels, said) {
		if s.Doubt <= 0 || len(all) == SuspectsMost {
			break
		}
		f := t.train[s.Frame]
		if !slices.Contains(confirmed, f.FrameID) {
			all = append(all, storage.Suspect{FrameID: f.FrameID, Label: f.Class, Said: t.classes[s.Said], Probability: s.Probability, Own: s.Own, Doubt: s.Doubt})
		}
	}
	return all, nil
}
