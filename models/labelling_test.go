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
	p := open(t, taught(t), 2)
	r := p.plates()
	p.label(r.ID, 20, 34)
	wrong := map[int64]string{}
	for i, f := range p.frames(storage.TrainShare) {
		if i%12 == 5 && f.Class != string(plates.Stain) {
			if _, _, err := p.db.Correct(t.Context(), storage.Correction{FrameID: f.FrameID, Class: string(plates.Stain), Person: "ada", Source: "page"}); err != nil {
				t.Fatal(err)
			}
			wrong[f.FrameID] = f.Class
		}
	}
	flips := len(wrong)
	// The search that an earlier process began starts again.
	j := must(p.learner.Start(t.Context(), "qa", models.SuspectJob, r.ID))(t)
	must(p.db.StartJob(t.Context()))(t)
	p.learns()
	found := p.suspects(j, r.ID)
	for i, s := range found[:min(2*flips, len(found))] {
		if _, ok := wrong[s.FrameID]; ok {
			delete(wrong, s.FrameID)
			if s.Label != string(plates.Stain) || s.Person != "ada" || s.Probability <= s.Own || i > 0 && found[i-1].Doubt < s.Doubt {
				t.Errorf("place %d: %+v", i, s)
			}
		}
	}
	if flips < 2 || 3*len(wrong) > flips || len(found) < 2 {
		t.Fatalf("%d of %d wrong labels are not among the first %d of %+v", len(wrong), flips, 2*flips, found)
	}
	if share := must(p.db.Frame(t.Context(), found[0].FrameID))(t).Share; share != storage.TrainShare {
		t.Errorf("a frame of the %s share is suspected", share)
	}
	kept := found[0]
	if _, err := p.db.Confirm(t.Context(), "lin", kept.FrameID, kept.LabelID); err != nil {
		t.Fatal(err)
	}
	again := p.suspects(must(p.learner.Start(t.Context(), "qa", models.SuspectJob, r.ID))(t), r.ID)
	if slices.ContainsFunc(again, func(s storage.Suspect) bool { return s.FrameID == kept.FrameID }) {
		t.Error("what was kept is suspected again")
	}
}

// waiting lets n plates of each kind arrive, each photographed twice, that nobody
// judges or labels. It gives for each frame the other one of its plate.
func (p *plant) waiting(recipeID int64, n int) map[int64]int64 {
	p.Helper()
	other := map[int64]int64{}
	for i := range n {
		for _, k := range kinds {
			a, b := p.send(recipeID, p.picture(k, 60+i)).ID, p.send(recipeID, p.again(k, 60+i)).ID
			other[a], other[b] = b, a
		}
	}
	return other
}

func TestFramesThatLookAlikeAreInOneGroup(t *testing.T) {
	p := open(t, t.TempDir(), 2)
	r := p.recipe("new product")
	const each = 2
	other := p.waiting(r.ID, each)
	next := must(p.similar.Next(t.Context(), r.ID, 5))(t)
	if len(next) != 5 || !next[0].Unseen {
		t.Errorf("before anybody looked at them: %+v", next)
	}
	p.learns()
	j := p.ended(must(p.learner.Start(t.Context(), "lin", models.GroupJob, r.ID))(t).ID)
	if j.State != storage.JobDone {
		t.Fatalf("grouping is %s: %s", j.State, j.Message)
	}
	g, _, err := p.learner.Groups(t.Context(), r.ID)
	if err != nil || g.Frames != len(other) || len(g.Groups) < 2 {
		t.Fatalf("%+v, %v", g, err)
	}
	group := map[int64]int{}
	for i, one := range g.Groups {
		for _, id := range one.Frames {
			group[id] = i + 1
		}
	}
	apart := 0
	for a, b := range other {
		if group[a] == 0 || group[a] != group[b] {
			apart++
		}
	}
	if len(group) != len(other) || apart > len(other)/3 { // by chance it would be most of them
		t.Errorf("%d frames in groups, %d of them without the other shot of their plate: %+v", len(group), apart, g)
	}
	p.labelGroup(r, g)
	p.checkNextAndAlike(r, other)
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

func (p *plant) checkNextAndAlike(r storage.Recipe, other map[int64]int64) {
	p.Helper()
	next := must(p.similar.Next(p.Context(), r.ID, 100))(p)
	seen := map[int64]bool{}
	for i, n := range next {
		if i < 3 && seen[other[n.FrameID]] {
			p.Errorf("place %d is the other shot of a plate that came before", i)
		}
		seen[n.FrameID] = true
		if n.Unseen || n.Between[0] != "" {
			p.Errorf("%+v without a model, but with features", n)
		}
	}
	if len(seen) != len(other) {
		p.Errorf("%d of %d frames in order", len(seen), len(other))
	}
	near, unknown, err := p.similar.Alike(p.Context(), next[0].FrameID, 4)
	if err != nil || unknown != 0 || len(near) != 4 || near[0].Similarity < near[3].Similarity || near[0].FrameID != other[next[0].FrameID] {
		p.Errorf("most like frame %d is not %d: %+v, %d unknown, %v", next[0].FrameID, other[next[0].FrameID], near, unknown, err)
	}
}
