package models_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"loupe/storage"
	"loupe/vision/plates"
)

// clock is a clock that stands still until it is moved.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time       { return time.Unix(1_800_000_000, c.ns.Load()) }
func (c *clock) move(d time.Duration) { c.ns.Add(int64(d)) }

// correct lets a person say again what the n-th training frame is.
func (p *plant) correct(n int) {
	p.Helper()
	f := p.frames(storage.TrainShare)[n]
	c := storage.Correction{FrameID: f.FrameID, Class: f.Class, Person: "ann", Source: "page"}
	if _, _, err := p.db.Correct(p.Context(), c); err != nil {
		p.Fatal(err)
	}
}

// jobs counts the trainings of the taught recipe. Rules are looked at five times
// a second: what none of several looks started is not started.
func (p *plant) jobs(settle bool) []storage.Job {
	p.Helper()
	if settle {
		time.Sleep(500 * time.Millisecond)
	}
	return must(p.db.Jobs(p.Context(), p.plates().ID, 100))(p)
}

func TestRuleTrainsAfterEnoughCorrectionsAndQuiet(t *testing.T) {
	var c clock
	p := openAt(t, taught(t), 0, c.now)
	r := p.plates()
	r.Learn = storage.LearnRule{After: 3, QuietSeconds: 20}
	if err := p.db.ChangeRecipe(t.Context(), "qa", r); err != nil {
		t.Fatal(err)
	}
	p.learns()
	p.correct(0)
	p.correct(1)
	c.move(time.Hour)
	if n := len(p.jobs(true)); n != 1 {
		t.Fatalf("two corrections started a training: %d jobs", n)
	}
	p.correct(2)
	c.move(19 * time.Second)
	if n := len(p.jobs(true)); n != 1 {
		t.Fatalf("nobody was quiet for 20 s: %d jobs", n)
	}
	p.correct(3)
	c.move(19 * time.Second)
	if n := len(p.jobs(true)); n != 1 {
		t.Fatalf("the last correction was 19 s ago: %d jobs", n)
	}
	if n, at, err := p.learner.Waiting(t.Context(), r.ID); n != 4 || c.now().Sub(at) != 19*time.Second || err != nil {
		t.Errorf("%d corrections wait, the last of %s: %v", n, at, err)
	}
	c.move(time.Second)
	p.eventually("the rule started a training", func() bool { return len(p.jobs(false)) == 2 })
	j := p.ended(p.jobs(false)[0].ID)
	if j.CreatedBy != "rule" || j.State != storage.JobDone {
		t.Errorf("the job of %s is %s: %s", j.CreatedBy, j.State, j.Message)
	}
	c.move(time.Hour)
	if n := len(p.jobs(true)); n != 2 {
		t.Errorf("the same corrections started %d trainings", n-1)
	}
	if n, _, err := p.learner.Waiting(t.Context(), r.ID); n != 0 || err != nil {
		t.Errorf("%d corrections wait: %v", n, err)
	}
}

func TestRuleCountsTheCorrectionsOfATimeBefore(t *testing.T) {
	var c clock
	p := openAt(t, taught(t), 0, c.now)
	r := p.plates()
	for n := range 3 {
		p.correct(n)
	}
	c.move(time.Minute)
	p.learns()
	if n := len(p.jobs(true)); n != 1 {
		t.Fatalf("a rule that is off started a training: %d jobs", n)
	}
	r.Learn = storage.LearnRule{After: 3, QuietSeconds: 20}
	if err := p.db.ChangeRecipe(t.Context(), "qa", r); err != nil {
		t.Fatal(err)
	}
	p.eventually("the rule started a training", func() bool { return len(p.jobs(false)) == 2 })
	p.ended(p.jobs(false)[0].ID)
	for n := range 3 { // and those that come while no server runs
		p.correct(n)
	}
	p.stop()
	p.close()
	c.move(time.Minute)
	p = openAt(t, p.folder, 0, c.now)
	p.learns()
	p.eventually("the rule started a training", func() bool { return len(p.jobs(false)) == 3 })
}

func TestVersionThatIsNotWorseIsPromoted(t *testing.T) {
	p := open(t, taught(t), 0)
	r := p.plates()
	r.Promote.Auto = true
	if err := p.db.ChangeRecipe(t.Context(), "qa", r); err != nil {
		t.Fatal(err)
	}
	first := p.champion()
	p.learns()
	p.correct(0)
	v := p.train(r.ID)
	_, report := parse(t, v)
	if report.ChampionID != first.ID || report.Champion == nil || report.Champion.N != 6 || report.Comparison == nil || report.Comparison.N != 6 {
		t.Errorf("the report compares with %d on %v", report.ChampionID, report.Comparison)
	}
	if v.State != storage.Champion || p.plates().ChampionID != v.ID || v.ParentID != first.ID || !strings.Contains(v.Decision, "is not worse than the champion's") {
		t.Errorf("version %d is %s: %s", v.Number, v.State, v.Decision)
	}
	if first = must(p.db.Version(t.Context(), first.ID))(t); first.State != storage.Retired {
		t.Errorf("the champion before is %s", first.State)
	}
}

func TestVersionThatIsWorseWaits(t *testing.T) {
	p := open(t, taught(t), 0)
	r := p.plates()
	r.Promote.Auto = true
	if err := p.db.ChangeRecipe(t.Context(), "qa", r); err != nil {
		t.Fatal(err)
	}
	first := p.champion()
	p.learns()
	v := p.swapped()
	j := must(p.db.Job(t.Context(), v.JobID))(t)
	if v.State != storage.Candidate || p.plates().ChampionID != first.ID || !strings.Contains(v.Decision, "is worse than the champion's") || !strings.Contains(j.Message, v.Decision) {
		t.Errorf("version %d is %s: %s; the job says %s", v.Number, v.State, v.Decision, j.Message)
	}
	// A person may still promote it, and take that back.
	p.close()
	p = open(t, p.folder, 1)
	p.judges()
	if got := must(p.registry.Promote(t.Context(), "ann", v.ID, "stains are holes here"))(t); got.State != storage.Champion || got.Decision != "stains are holes here" {
		t.Errorf("promoted it is %s: %s", got.State, got.Decision)
	}
	p.send(r.ID, p.picture(plates.Good, 50))
	if got := p.judged(r.ID, 1)[0].VersionID; got != v.ID {
		t.Errorf("version %d judges, want %d", got, v.ID)
	}
	back := must(p.registry.Rollback(t.Context(), "ann", r.ID))(t)
	if back.ID != first.ID || back.Decision != "rolled back" || back.State != storage.Champion || p.plates().ChampionID != first.ID {
		t.Errorf("rolled back to version %d, %s", back.Number, back.State)
	}
	p.send(r.ID, p.picture(plates.Good, 50))
	if got := p.judged(r.ID, 2)[1].VersionID; got != first.ID {
		t.Errorf("version %d judges, want %d", got, first.ID)
	}
	if _, err := p.registry.Rollback(t.Context(), "ann", r.ID); storage.CodeOf(err) != storage.Conflict {
		t.Errorf("behind the first version: %v", err)
	}
}

func TestPeopleDecideWhereTheRecipeSaysSo(t *testing.T) {
	p := open(t, taught(t), 0)
	first := p.champion()
	p.learns()
	v := p.train(first.RecipeID)
	if v.State != storage.Candidate || p.plates().ChampionID != first.ID || !strings.HasPrefix(v.Decision, "the recipe leaves promoting to people; ") {
		t.Errorf("version %d is %s: %s", v.Number, v.State, v.Decision)
	}
	// The next candidate takes its place.
	p.train(first.RecipeID)
	if v = must(p.db.Version(t.Context(), v.ID))(t); v.State != storage.Retired {
		t.Errorf("the candidate before is %s", v.State)
	}
}
