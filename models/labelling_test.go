package models_test

import (
	"slices"
	"testing"

	"loupe/models"
	"loupe/storage"
	"loupe/vision/plates"
)

// suspects runs a search to its end and lists what it found.
func (p *plant) suspects(j storage.Job, recipeID int64) []storage.Suspect {
	p.Helper()
	if j = p.ended(j.ID); j.State != storage.JobDone {
		p.Fatalf("the search is %s: %s", j.State, j.Message)
	}
	return must(p.db.Suspects(p.Context(), recipeID, 100))(p)
}

func TestFlippedLabelsAreSuspectedUntilSomebodyKeepsThem(t *testing.T) {
	p := open(t, taught(t), 0) // all features are there
	r := p.plates()
	wrong := map[int64]string{}
	for _, f := range p.frames(storage.TrainShare) {
		if len(wrong) < 2 && (f.Class == string(plates.Good) || f.Class == string(plates.MissingHole)) {
			if _, _, err := p.db.Correct(t.Context(), storage.Correction{FrameID: f.FrameID, Class: string(plates.Stain), Person: "ada", Source: "page"}); err != nil {
				t.Fatal(err)
			}
			wrong[f.FrameID] = f.Class
		}
	}
	// The search that an earlier process began starts again.
	j := must(p.learner.FindSuspects(t.Context(), "qa", r.ID))(t)
	must(p.db.StartJob(t.Context()))(t)
	p.learns()
	found := p.suspects(j, r.ID)
	for i, s := range found[:min(3, len(found))] {
		if class, ok := wrong[s.FrameID]; ok {
			delete(wrong, s.FrameID)
			if s.Said != class || s.Label != string(plates.Stain) || s.Person != "ada" || s.Probability <= s.Own || i > 0 && found[i-1].Doubt < s.Doubt {
				t.Errorf("place %d: %+v", i, s)
			}
		}
	}
	if len(wrong) > 0 {
		t.Fatalf("%d wrong labels are not among the first three of %+v", len(wrong), found)
	}
	if share := must(p.db.Frame(t.Context(), found[0].FrameID))(t).Share; share != storage.TrainShare {
		t.Errorf("a frame of the %s share is suspected", share)
	}
	kept := found[0]
	if _, err := p.db.Confirm(t.Context(), "lin", kept.FrameID, kept.LabelID); err != nil {
		t.Fatal(err)
	}
	again := p.suspects(must(p.learner.FindSuspects(t.Context(), "qa", r.ID))(t), r.ID)
	if slices.ContainsFunc(again, func(s storage.Suspect) bool { return s.FrameID == kept.FrameID }) {
		t.Error("what was kept is suspected again")
	}
	if !slices.ContainsFunc(again, func(s storage.Suspect) bool { return s.FrameID == found[1].FrameID }) {
		t.Error("the other suspect is gone")
	}
}

// waiting lets n plates of each kind arrive that nobody judges or labels, and
// gives the kind of each frame.
func (p *plant) waiting(recipeID int64, n int) map[int64]plates.Kind {
	p.Helper()
	kind := map[int64]plates.Kind{}
	for i := range n {
		for _, k := range kinds {
			kind[p.send(recipeID, p.picture(k, 60+i)).ID] = k
		}
	}
	return kind
}

func TestFramesWithoutALabelAreGroupedByKind(t *testing.T) {
	p := open(t, t.TempDir(), 2)
	r := p.recipe("new product")
	const each = 6
	kind := p.waiting(r.ID, each)
	next := must(p.similar.Next(t.Context(), r.ID, 5))(t)
	if len(next) != 5 || !next[0].Unseen {
		t.Errorf("before anybody looked at them: %+v", next)
	}
	p.learns()
	j := p.ended(must(p.learner.GroupFrames(t.Context(), "lin", r.ID))(t).ID)
	if j.State != storage.JobDone {
		t.Fatalf("grouping is %s: %s", j.State, j.Message)
	}
	g, _, err := p.learner.Groups(t.Context(), r.ID)
	if err != nil || g.Frames != 3*each || len(g.Groups) < 2 {
		t.Fatalf("%+v, %v", g, err)
	}
	alone := 0 // frames of another kind than the one that stands for their group
	seen := map[int64]bool{}
	for _, one := range g.Groups {
		for _, id := range one.Frames {
			seen[id] = true
			if kind[id] != kind[one.Frames[0]] {
				alone++
			}
		}
	}
	if len(seen) != 3*each || alone > each/2 {
		t.Errorf("%d frames in groups, %d of them among another kind: %+v", len(seen), alone, g)
	}
	p.labelGroup(r, g)
	p.checkNextAndAlike(r, kind)
}

// labelGroup labels one group at once and back again.
func (p *plant) labelGroup(r storage.Recipe, g models.Groups) {
	p.Helper()
	var all []storage.Correction
	for _, id := range g.Groups[0].Frames {
		all = append(all, storage.Correction{FrameID: id, Class: string(plates.Good), Person: "lin", Source: "page"})
	}
	stored := must(p.db.CorrectMany(p.Context(), r.ID, all))(p)
	left, _, err := p.learner.Groups(p.Context(), r.ID)
	if err != nil || len(left.Groups) != len(g.Groups)-1 || left.Groups[0].Frames[0] != g.Groups[1].Frames[0] {
		p.Errorf("after labelling a group: %+v, %v", left, err)
	}
	var ids []int64
	for _, s := range stored {
		ids = append(ids, s.ID)
	}
	if _, _, err := p.db.Undo(p.Context(), "lin", ids); err != nil {
		p.Fatal(err)
	}
	if left, _, err = p.learner.Groups(p.Context(), r.ID); err != nil || len(left.Groups) != len(g.Groups) {
		p.Errorf("after the undo: %+v, %v", left, err)
	}
}

func (p *plant) checkNextAndAlike(r storage.Recipe, kind map[int64]plates.Kind) {
	p.Helper()
	next := must(p.similar.Next(p.Context(), r.ID, 100))(p)
	distinct := map[int64]bool{}
	first := map[plates.Kind]bool{}
	for i, n := range next {
		distinct[n.FrameID] = true
		if i < 5 {
			first[kind[n.FrameID]] = true
		}
		if n.Unseen || n.Between[0] != "" {
			p.Errorf("%+v without a model, but with features", n)
		}
	}
	if len(distinct) != len(kind) || len(first) < 2 {
		p.Errorf("%d of %d frames in order, the first of %d kinds", len(distinct), len(kind), len(first))
	}
	near, unknown, err := p.similar.Alike(p.Context(), next[0].FrameID, 4)
	if err != nil || unknown != 0 || len(near) != 4 || near[0].Similarity < near[3].Similarity {
		p.Fatalf("%+v, %d unknown, %v", near, unknown, err)
	}
	if kind[near[0].FrameID] != kind[next[0].FrameID] || near[0].FrameID == next[0].FrameID {
		p.Errorf("most like a %s is a %s", kind[next[0].FrameID], kind[near[0].FrameID])
	}
}
