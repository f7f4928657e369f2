package models_test

import (
	"testing"

	"loupe/models/onnx"
	"loupe/storage"
	"loupe/vision"
	"loupe/vision/plates"
)

// Twenty good pictures and no defect make a version whose file judges: good parts
// pass, and a defect that nobody ever named does not.
func TestGoodPartsAloneMakeAVersion(t *testing.T) {
	p := open(t, t.TempDir(), 1)
	p.learns()
	r := p.recipe("good only")
	var good []storage.Import
	for n := range 20 {
		good = append(good, storage.Import{Frame: p.picture(plates.Good, n), Class: string(plates.Good)})
	}
	must(p.db.Import(t.Context(), r.ID, good))(t)
	v := p.train(r.ID)
	s, report := parse(t, v)
	if len(v.Classes) != 2 || v.Classes[1] != vision.Unseen || s.Novelty == nil || s.Novelty.Rate != r.Normality.FalseAlarms || s.Novelty.Held < 3 {
		t.Fatalf("classes %v, stated %+v", v.Classes, s.Novelty)
	}
	if v.State != storage.Champion || report.Uncalibrated != nil {
		t.Errorf("the version is %s", v.State)
	}
	file := must(p.registry.ModelFile(t.Context(), v.ID))(t)
	if f := must(onnx.Read(file))(t); len(f.Classes) != 2 {
		t.Errorf("the file names %v", f.Classes)
	}
	p.judges()
	for kind, want := range map[plates.Kind]vision.Verdict{plates.Good: vision.OK, plates.MissingHole: vision.NG} {
		f := p.send(r.ID, p.picture(kind, 50))
		var i storage.Inspection
		p.eventually("the part is judged", func() (ok bool) {
			var err error
			i, err = p.db.InspectionOfFrame(t.Context(), f.ID)
			return err == nil
		})
		if i.Verdict != want || (want == vision.OK) != (i.Novelty < 1) || (want == vision.NG) != (i.Reason == vision.Unseen && len(i.Findings) > 0) {
			t.Errorf("%s is %s with the novelty %v for the reason %q, found %v", kind, i.Verdict, i.Novelty, i.Reason, i.Findings)
		}
	}
	if ready := must(p.learner.Readiness(t.Context(), r.ID))(t); !ready.GoodOnly || !ready.Ready || ready.Good != "good" {
		t.Errorf("ready: %+v", ready)
	}
}
