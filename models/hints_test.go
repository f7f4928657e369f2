package models_test

import (
	"testing"

	"loupe/models/head"
	"loupe/storage"
	"loupe/vision/plates"
)

// mark draws a box where plates have their stains on the frames of one kind.
func (p *plant) mark(frames []storage.LabelledFrame, kind plates.Kind) int {
	p.Helper()
	n := 0
	for _, f := range frames {
		if f.Class != string(kind) {
			continue
		}
		n++
		m := storage.Mark{Class: f.Class, Shape: storage.BoxShape, Box: [4]float64{0.3, 0.3, 0.2, 0.2}}
		must(p.db.SetMarks(p.Context(), storage.Marking{FrameID: f.FrameID, Marks: []storage.Mark{m}, Person: "wu", Source: "page"}))(p)
	}
	return n
}

func TestTrainingLearnsFromMarksInTrainingFramesAlone(t *testing.T) {
	p := open(t, taught(t), 0)
	first := p.champion()
	p.learns()
	kind := kinds[len(kinds)-1]
	if p.mark(p.frames(storage.TestShare), kind) == 0 {
		t.Fatal("no test frame was marked")
	}
	second := p.train(first.RecipeID)
	if s, _ := parse(t, second); s.Marked != 0 || s.Loss != head.Loss || second.HeadKey != first.HeadKey {
		t.Errorf("marks in test frames changed the training: %d marked frames, %s", s.Marked, s.Loss)
	}
	n := p.mark(p.frames(storage.TrainShare), kind)
	third := p.train(first.RecipeID)
	s, r := parse(t, third)
	if want := head.ForFrames(3 * 8).WithMarks(); s.Marked != n || s.Loss != head.MarkedLoss || s.Options != want || third.HeadKey == first.HeadKey {
		t.Errorf("%d marked frames, want %d; loss %s, options %+v", s.Marked, n, s.Loss, s.Options)
	}
	if r.Candidate.Accuracy.Value < 5.0/6 {
		t.Errorf("with marks the accuracy is %g", r.Candidate.Accuracy.Value)
	}
	d, err := p.db.Dataset(t.Context(), third.DatasetID)
	if err != nil || d.ID == second.DatasetID {
		t.Errorf("other marks are another data set: %+v, %v", d, err)
	}
}
