package models_test

import (
	"cmp"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"loupe/models"
	"loupe/storage"
	"loupe/vision/plates"
)

// shadow starts the challengers' work.
func (p *plant) shadow() {
	s := models.NewShadows(p.db, p.crew, p.registry, slog.New(slog.DiscardHandler))
	p.all.Go(func() { _ = s.Run(p.run) })
}

// copyOf adds a version that does as another, but takes its outputs to be of
// these classes. Its file has a doc_string, so that it is another file.
func (p *plant) copyOf(v storage.Version, classes []string) storage.Version {
	p.Helper()
	file := append(must(p.registry.ModelFile(p.Context(), v.ID))(p), 0x32, 1, byte('0'+len(classes)))
	return must(p.db.AddVersion(p.Context(), storage.Version{
		RecipeID: v.RecipeID, Size: v.Size, Region: v.Region, Classes: classes, HeadKey: v.HeadKey, CreatedBy: "qa",
		ModelKey: must(p.db.Blobs.PutContent(p.Context(), "models", file))(p), ModelSHA: storage.Digest(file),
		Statement: []byte("{}"), Report: []byte("{}"),
	}, nil))(p)
}

// inShadow has a version judge in shadow.
func (p *plant) inShadow(v storage.Version) storage.Shadow {
	p.Helper()
	return must(p.registry.StartShadow(p.Context(), "qa", v.ID))(p)
}

func TestChallengerInShadowJudgesBesideTheChampionAndIsPromotedWhenPeopleSayItIsRight(t *testing.T) {
	p := open(t, taught(t), 2)
	ctx := t.Context()
	champion, r := p.champion(), p.plates()
	r.Promote.Auto = true
	if err := p.db.ChangeRecipe(ctx, "qa", r); err != nil {
		t.Fatal(err)
	}
	if err := p.db.SetShadowRule(ctx, "qa", r.ID, storage.ShadowRule{Frames: 6, Days: 1, Settled: 5}); err != nil {
		t.Fatal(err)
	}
	other := map[string]string{string(plates.Stain): string(plates.MissingHole), string(plates.MissingHole): string(plates.Stain)}
	var swapped []string
	for _, c := range champion.Classes {
		swapped = append(swapped, cmp.Or(other[c], c))
	}
	wrong := p.copyOf(champion, swapped) // wrong about stains and holes
	must(p.db.Promote(ctx, "qa", wrong.ID, "to have something to be better than"))(t)
	s := p.inShadow(champion)
	p.judges()
	p.shadow()
	kinds := []plates.Kind{plates.Stain, plates.MissingHole}
	judged := func() storage.Shadow { return must(p.db.ShadowOf(ctx, champion.ID))(t) }
	var sent []storage.Frame
	for n := range 7 { // one after the other, as from a line
		sent = append(sent, p.send(r.ID, p.picture(kinds[n%2], 60+n)))
		p.judged(r.ID, n+1)
		p.eventually("the challenger judged it too", func() bool { return judged().Judged >= min(n+1, 6) })
	}
	now := judged()
	if now.Judged != 6 || now.Seen < 6 || now.State != storage.ShadowSettling || now.Failed != 0 {
		t.Errorf("%+v", now)
	}
	for _, i := range p.judged(r.ID, 7) {
		if i.VersionID != wrong.ID {
			t.Errorf("frame %d has the verdict of version %d", i.FrameID, i.VersionID)
		}
	}
	open := must(p.db.Disagreements(ctx, storage.Disagreements{ShadowID: s.ID, Limit: 10}))(t)
	if len(open) < 5 || now.Differing != len(open) {
		t.Fatalf("they differ on %d of 6", len(open))
	}
	for n, i := range open {
		if n == 5 {
			break
		}
		st := must(models.StandingOf(ctx, p.db, now))(t)
		if st.Comparison.N != n || st.Enough || !strings.Contains(st.Words, "of the 5 frames that the rule asks for") {
			t.Errorf("after %d: %+v", n, st)
		}
		f := sent[slices.IndexFunc(sent, func(f storage.Frame) bool { return f.ID == i.FrameID })]
		truth := i.Challenger.Class
		if _, _, err := p.db.Correct(ctx, storage.Correction{FrameID: f.ID, Class: truth, Person: "ada", Source: "page"}); err != nil {
			t.Fatal(err)
		}
	}
	p.eventually("the rule promotes it", func() bool { return p.champion().ID == champion.ID })
	if v := p.champion(); !strings.HasPrefix(v.Decision, "in shadow it proved itself on 5 frames") || judged().State != storage.ShadowClosed {
		t.Errorf("%q, %+v", v.Decision, judged())
	}
}

func TestChallengerGivesWayWhereWorkersAreBusyAndEndsWhenItCannotBeRun(t *testing.T) {
	p := open(t, taught(t), 1)
	ctx := t.Context()
	r := p.plates()
	v := p.copyOf(p.champion(), p.champion().Classes)
	s := p.inShadow(v)
	p.shadow()
	const n = 16
	for k := range n { // all wait before the first is judged: the only worker is never idle
		p.send(r.ID, p.picture(plates.Stain, 70+k%2))
	}
	p.judges()
	p.judged(r.ID, n)
	now := func() storage.Shadow { return must(p.db.ShadowOf(ctx, v.ID))(t) }
	if at := now(); at.Judged > 2 || at.Seen != n {
		t.Errorf("while %d frames waited, it judged %+v", n, at)
	}
	p.eventually("it takes what is left when the worker is idle", func() bool { return now().Judged >= 3 })
	if at := now(); at.Judged+at.Failed+at.Dropped() != n || at.State != storage.ShadowJudging || at.ID != s.ID {
		t.Errorf("%+v", at)
	}
	must(p.db.CloseShadow(ctx, "qa", v.ID, "enough"))(t)
	known := p.champion().Classes
	v = p.copyOf(p.champion(), known[:len(known)-1]) // with fewer classes than outputs
	must(p.db.StartShadow(ctx, "qa", v.ID))(t)
	time.Sleep(time.Second) // until it is known; else the frame is left out
	p.send(r.ID, p.picture(plates.Stain, 73))
	p.eventually("it ends", func() bool { return now().State == storage.ShadowSettling })
	if at := now(); at.Failed != 1 || !strings.Contains(at.Reason, "cannot be run") {
		t.Errorf("%+v", at)
	}
}
