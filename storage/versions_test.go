package storage_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"loupe/storage"
	"loupe/vision"
)

// states lists the recipe's versions from first to last, such as "1 retired".
func (f *folder) states(recipe int64) string {
	f.t.Helper()
	all, err := f.Versions(f.t.Context(), recipe, 100)
	f.must(err)
	var s []string
	for i := len(all) - 1; i >= 0; i-- {
		s = append(s, fmt.Sprint(all[i].Number, " ", all[i].State))
	}
	return strings.Join(s, ", ")
}

func TestRollingBackWalksTheChampionsBackToTheFirst(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	_, err := f.Rollback(ctx, "ada", r.ID)
	f.refused(err, storage.Conflict)
	versions := []storage.Version{f.champion(r), f.champion(r), f.champion(r)}
	if s := f.states(r.ID); s != "1 retired, 2 retired, 3 champion" {
		t.Errorf("after three promotions: %s", s)
	}
	for _, want := range []int{2, 1} {
		before, err := f.PreviousChampion(ctx, r.ID)
		f.must(err)
		v, err := f.Rollback(ctx, "grace", r.ID)
		if err != nil || v.Number != want || before.Number != want || v.State != storage.Champion {
			t.Errorf("back at %d %s, announced %d, want %d, %v", v.Number, v.State, before.Number, want, err)
		}
		if now, err := f.Recipe(ctx, r.ID); err != nil || now.ChampionID != v.ID {
			t.Errorf("champion %d, want %d, %v", now.ChampionID, v.ID, err)
		}
		f.reopen()
	}
	_, err = f.Rollback(ctx, "ada", r.ID)
	f.refused(err, storage.Conflict)
	if s := f.states(r.ID); s != "1 champion, 2 retired, 3 retired" {
		t.Errorf("after all roll-backs: %s", s)
	}
	// Taking the roll-back back is a promotion, from which one can roll back again.
	_, err = f.Promote(ctx, "ada", versions[2].ID, "it was the lamp")
	f.must(err)
	if v, err := f.Rollback(ctx, "ada", r.ID); err != nil || v.Number != 1 {
		t.Errorf("back at %d, want what was champion before, 1, %v", v.Number, err)
	}
}

func TestPromotingLeavesOneChampionARecipeAndARecord(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	caps, lids := f.recipe("caps"), f.recipe("lids")
	other := f.champion(lids)
	first := f.champion(caps)
	old, fresh := f.version(caps), f.version(caps)
	if s := f.states(caps.ID); s != "1 champion, 2 retired, 3 candidate" {
		t.Errorf("two candidates wait: %s", s)
	}
	_, err := f.Promote(ctx, "grace", old.ID, "the newer one is worse on dents") // a person may choose an older one
	f.must(err)
	if s := f.states(caps.ID); s != "1 retired, 2 champion, 3 candidate" {
		t.Errorf("after promoting version 2: %s", s)
	}
	if s := f.states(lids.ID); s != "1 champion" || other.Number != 1 {
		t.Errorf("the other recipe has %s", s)
	}
	_, err = f.Promote(ctx, "grace", old.ID, "again")
	f.refused(err, storage.Conflict)
	_, err = f.Promote(ctx, "grace", 999, "")
	f.refused(err, storage.NotFound)
	now, err := f.Version(ctx, old.ID)
	f.must(err)
	if at, err := f.PromotedAt(ctx, old.ID); err != nil || !at.After(now.CreatedAt) || now.Decision != "the newer one is worse on dents" {
		t.Errorf("promoted at %v because %q, %v", at, now.Decision, err)
	}
	if at, err := f.PromotedAt(ctx, fresh.ID); err != nil || !at.IsZero() {
		t.Errorf("never promoted, but at %v, %v", at, err)
	}
	var rows string
	f.must(f.raw().QueryRow(`SELECT group_concat(version_id || ' after ' || ifnull(from_id, '-') || ' by ' || person) FROM (SELECT * FROM promotions WHERE recipe_id = ? ORDER BY id)`, caps.ID).Scan(&rows))
	if want := fmt.Sprintf("%d after - by ada,%d after %d by grace", first.ID, old.ID, first.ID); rows != want {
		t.Errorf("records %q, want %q", rows, want)
	}
}

func TestAVersionKeepsItsLineageAndResults(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	parent := f.champion(r)
	job, _, err := f.AddJob(ctx, storage.Job{Kind: "train", RecipeID: r.ID, CreatedBy: "ada"})
	f.must(err)
	results := []storage.Result{{FrameID: 7, Truth: "good", Predicted: "dent", Score: 0.75, Fail: 0.8, Verdict: vision.NG, Probabilities: []float64{0.2, 0.05, 0.75}}}
	v, err := f.AddVersion(ctx, storage.Version{RecipeID: r.ID, ParentID: parent.ID, JobID: job.ID, Size: 320, Region: vision.Region{X: 0.1, Y: 0.1, W: 0.5, H: 0.5},
		Classes: r.ClassNames(), HeadKey: "heads/a", ModelKey: "models/b", ModelSHA: "0c", Statement: []byte(`{"seed":1}`), Report: []byte(`{"accuracy":0.5}`), CreatedBy: "rule"}, results)
	f.must(err)
	f.must(f.Decide(ctx, v.ID, "worse than the champion on dents"))
	f.reopen()
	v.Decision = "worse than the champion on dents"
	for name, find := range map[string]func() (storage.Version, error){
		"by ID": func() (storage.Version, error) { return f.Version(ctx, v.ID) }, "by job": func() (storage.Version, error) { return f.VersionByJob(ctx, job.ID) },
	} {
		if found, err := find(); err != nil || !reflect.DeepEqual(found, v) {
			t.Errorf("%s: %v\n%+v, want\n%+v", name, err, found, v)
		}
	}
	if got, err := f.Results(ctx, v.ID); err != nil || !reflect.DeepEqual(got, results) {
		t.Errorf("results %+v, want %+v, %v", got, results, err)
	}
	if v.Number != 2 || v.State != storage.Candidate {
		t.Errorf("version %d is %s", v.Number, v.State)
	}
	_, err = f.VersionByJob(ctx, job.ID+1)
	f.refused(err, storage.NotFound)
}
