package storage_test

import (
	"fmt"
	"slices"
	"testing"

	"loupe/storage"
	"loupe/vision"
)

// shadowed is a recipe with a champion and a challenger in shadow.
type shadowed struct {
	*folder
	r                    storage.Recipe
	s                    storage.Station
	champion, challenger storage.Version
	shadow               storage.Shadow
}

func inShadow(t *testing.T, rule storage.ShadowRule) *shadowed {
	f := open(t)
	p := &shadowed{folder: f, r: f.recipe("caps")}
	p.s, p.champion, p.challenger = f.station(p.r, "press"), f.champion(p.r), f.version(p.r)
	f.must(f.SetShadowRule(t.Context(), "ada", p.r.ID, rule))
	var err error
	p.shadow, err = f.StartShadow(t.Context(), "grace", p.challenger.ID)
	f.must(err)
	return p
}

// both have the champion and then the challenger judge a new frame.
func (p *shadowed) both(serial string, champion, challenger string, fail float64) (int64, error) {
	p.t.Helper()
	verdicts := map[string]vision.Verdict{"good": vision.OK, "scratch": vision.NG, "dent": vision.NG}
	fr := p.frame(p.s, serial)
	p.judge(fr, p.champion, verdicts[champion], champion)
	_, err := p.AddShadowInspection(p.t.Context(), p.said(fr.ID, champion, challenger, fail))
	return fr.ID, err
}

func (p *shadowed) said(frame int64, champion, challenger string, fail float64) storage.ShadowInspection {
	verdicts := map[string]vision.Verdict{"good": vision.OK, "scratch": vision.NG, "dent": vision.NG}
	return storage.ShadowInspection{
		ShadowID: p.shadow.ID, FrameID: frame, Worker: "w1",
		Champion:   storage.Opinion{VersionID: p.champion.ID, Verdict: verdicts[champion], Class: champion, Score: 0.9, Fail: 0.5},
		Challenger: storage.Opinion{Verdict: verdicts[challenger], Class: challenger, Score: 0.8, Fail: fail},
	}
}

func (p *shadowed) now() storage.Shadow {
	p.t.Helper()
	s, err := p.ShadowOf(p.t.Context(), p.challenger.ID)
	p.must(err)
	return s
}

var rule = storage.ShadowRule{Frames: 100, Days: 7, Settled: 5}

func TestChallengerInShadowJudgesEachFrameOnceAndNeverSpeaks(t *testing.T) {
	p := inShadow(t, rule)
	if s := p.states(p.r.ID); s != "1 champion, 2 challenger" {
		t.Error(s)
	}
	p.version(p.r) // a new candidate does not retire it
	var told []storage.EventKind
	p.Listen(func(e storage.Event) { told = append(told, e.Kind) })
	frame, err := p.both("a", "good", "dent", 0.9)
	p.must(err)
	if n := len(slices.DeleteFunc(told, func(k storage.EventKind) bool { return k != storage.InspectionMade })); n != 1 {
		t.Errorf("%d verdicts were told of one frame", n)
	}
	_, err = p.AddShadowInspection(t.Context(), p.said(frame, "good", "dent", 0.9))
	p.refused(err, storage.Conflict)
	left := p.frame(p.s, "b") // the champion alone
	p.judge(left, p.champion, vision.OK, "good")
	failed, err := p.ShadowFailed(t.Context(), p.shadow.ID)
	p.must(err)
	last := p.frame(p.s, "c")
	p.judge(last, p.champion, vision.OK, "good")
	p.reopen()
	if s := p.now(); s.Seen != 3 || s.Judged != 1 || s.Failed != 1 || failed != 1 || s.Dropped() != 1 || s.Differing != 1 {
		t.Errorf("%+v", s)
	}
	i, err := p.InspectionOfFrame(t.Context(), frame)
	p.must(err)
	all, err := p.Inspections(t.Context(), storage.InspectionFilter{RecipeID: p.r.ID}, 0, 100)
	if err != nil || len(all) != 3 || i.Verdict != vision.OK || i.VersionID != p.champion.ID {
		t.Errorf("%d inspections, %+v, %v", len(all), i, err)
	}
}

func TestOneChallengerARecipeIsInShadow(t *testing.T) {
	p := inShadow(t, rule)
	ctx := t.Context()
	other := p.version(p.r)
	_, err := p.StartShadow(ctx, "ada", p.challenger.ID)
	p.refused(err, storage.Conflict)
	_, err = p.StartShadow(ctx, "ada", other.ID)
	p.refused(err, storage.Conflict)
	_, err = p.StartShadow(ctx, "ada", p.champion.ID)
	p.refused(err, storage.Conflict)
	_, err = p.StartShadow(ctx, "ada", 99)
	p.refused(err, storage.NotFound)
	_, err = p.CloseShadow(ctx, "ada", other.ID, "")
	p.refused(err, storage.Conflict)
	p.refused(p.SetShadowRule(ctx, "ada", p.r.ID, storage.ShadowRule{Frames: 0, Days: 1, Settled: 5}), storage.Invalid)
	p.must(p.EndShadow(ctx, "rule", p.shadow.ID, "fourteen days"))
	p.refused(p.EndShadow(ctx, "rule", p.shadow.ID, "again"), storage.Conflict)
	_, err = p.both("late", "good", "dent", 0.9)
	p.refused(err, storage.Conflict)
	second, err := p.StartShadow(ctx, "ada", other.ID) // the first only waits for people, and is older
	p.must(err)
	if s := p.states(p.r.ID); s != "1 champion, 2 retired, 3 challenger" {
		t.Error(s)
	}
	_, err = p.Promote(ctx, "grace", other.ID, "better on dents")
	p.must(err)
	if s, err := p.ShadowOf(ctx, other.ID); err != nil || s.State != storage.ShadowClosed || s.ID != second.ID || s.Reason != "promoted: better on dents" {
		t.Errorf("%+v, %v", s, err)
	}
	if s := p.states(p.r.ID); s != "1 retired, 2 retired, 3 champion" {
		t.Error(s)
	}
	if s := p.now(); s.State != storage.ShadowClosed || s.Seen != 0 {
		t.Errorf("%+v", s)
	}
	audit, err := p.Audit(ctx, fmt.Sprint("version ", other.ID), 0, 10)
	p.must(err)
	var did []string
	for _, e := range audit {
		did = append(did, e.Action)
	}
	if got := fmt.Sprint(did); got != "[shadow.close shadow.start version.add]" {
		t.Error(got)
	}
}

func TestDisagreementsComeBiggestFirstAndLeaveWhenSettled(t *testing.T) {
	p := inShadow(t, storage.ShadowRule{Frames: 7, Days: 7, Settled: 5})
	ctx := t.Context()
	var frames []int64
	for k, fail := range []float64{0.6, 0.95, 0.1, 0.8, 0.95} {
		f, err := p.both(fmt.Sprint("d", k), "good", "dent", fail)
		p.must(err)
		frames = append(frames, f)
	}
	same, err := p.both("same", "good", "good", 0.1)
	p.must(err)
	list := func(settled bool, after int64, limit int) (found []int64, last int64) {
		all, err := p.Disagreements(ctx, storage.Disagreements{ShadowID: p.shadow.ID, Settled: settled, After: after, Limit: limit})
		p.must(err)
		for _, i := range all {
			found, last = append(found, i.FrameID), i.ID
		}
		return found, last
	}
	first, last := list(false, 0, 3)
	rest, _ := list(false, last, 3)
	if got, want := fmt.Sprint(first, rest), fmt.Sprint([]int64{frames[4], frames[1], frames[2]}, []int64{frames[3], frames[0]}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	p.label(frames[1], "dent", "ada")
	p.label(same, "good", "ada")
	c := p.label(frames[4], "good", "ada")
	if open, _ := list(false, 0, 9); len(open) != 3 {
		t.Errorf("open %v", open)
	}
	_, _, err = p.Undo(ctx, "ada", []int64{c.ID})
	p.must(err)
	if done, _ := list(true, 0, 9); fmt.Sprint(done) != fmt.Sprint(frames[1:2]) {
		t.Errorf("settled %v", done)
	}
	known, err := p.SettledShadow(ctx, p.shadow.ID, p.champion.ID)
	if err != nil || len(known) != 2 || known[0].Label != "dent" || known[0].Challenger.VersionID != p.challenger.ID || known[1].FrameID != same {
		t.Errorf("%+v, %v", known, err)
	}
	if n, err := p.SettledDisagreements(ctx, p.shadow.ID); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
	fr := p.frame(p.s, "last")
	p.judge(fr, p.champion, vision.OK, "good")
	ended, err := p.AddShadowInspection(ctx, p.said(fr.ID, "good", "good", 0.1))
	if s := p.now(); err != nil || !ended || s.State != storage.ShadowSettling || s.Judged != 7 || s.EndedAt.IsZero() {
		t.Errorf("after the seventh of seven: %v, %+v, %v", ended, s, err)
	}
}
