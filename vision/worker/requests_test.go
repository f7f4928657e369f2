package worker_test

import (
	"math"
	"strings"
	"testing"

	"loupe/vision"
	"loupe/vision/wire"
)

// sound fails unless the worker still judges.
func (b *bench) sound(m vision.ModelRef) {
	b.T.Helper()
	var r wire.JudgeResult
	if b.ask(wire.Judge(id), frame(m), &r); r.Trouble != nil || r.Judgement.Class != "good" {
		b.Errorf("a sound frame is %q, %v", r.Judgement.Class, r.Trouble)
	}
}

func TestGarbageIsAnsweredAndTheWorkerGoesOn(t *testing.T) {
	b := start(t)
	for _, subject := range []string{wire.Judge(id), wire.Load(id), wire.Extract, wire.Render} {
		for _, data := range []string{"", "{", "[]", "\x00\xff\xfe", `{"blob":7,"model":7}`, strings.Repeat("[", 20000)} {
			var r struct{ Trouble *wire.Trouble }
			if b.ask(subject, []byte(data), &r); r.Trouble == nil || r.Trouble.Fault != wire.FaultWorker || !strings.Contains(r.Trouble.Detail, "not understood") {
				t.Errorf("%s on %.20q: %+v", subject, data, r.Trouble)
			}
		}
	}
	b.sound(b.version("a.onnx", 0, "good", "scratch"))
}

// OpenCV would end the process over these.
func TestRequestThatMakesNoSenseIsAnsweredAndTheWorkerGoesOn(t *testing.T) {
	b := start(t)
	m := b.version("a.onnx", 0, "good", "scratch")
	b.sound(m)
	for _, side := range []int{0, -224, 1, 225, 1 << 30} {
		var judged wire.JudgeResult
		odd := m
		odd.Size = side
		q := frame(odd)
		q.Preparation.Size = side
		if b.ask(wire.Judge(id), q, &judged); judged.Trouble == nil {
			t.Errorf("judged with an input of %d", side)
		}
		var extracted wire.ExtractResult
		if b.ask(wire.Extract, wire.ExtractRequest{BlobKey: "part.png", Model: odd, Preparation: q.Preparation}, &extracted); extracted.Trouble == nil {
			t.Errorf("features of an input of %d", side)
		}
		var loaded wire.LoadResult
		if b.ask(wire.Load(id), wire.LoadRequest{Model: odd}, &loaded); loaded.Trouble == nil {
			t.Errorf("warm with an input of %d", side)
		}
	}
	b.sound(m)
}

func TestOddPreparationsAreJudgedOrAnsweredWithTrouble(t *testing.T) {
	b := start(t)
	m := b.version("a.onnx", 0, "good", "scratch")
	for name, prep := range map[string]vision.Preparation{
		"a view that there is not": {Size: 224, View: 9}, "a negative view": {Size: 224, View: -1}, "an orientation that there is not": {Size: 224, Orientation: 99},
		"a region far outside": {Size: 224, Region: vision.Region{X: 5, Y: -3, W: 1e300, H: math.SmallestNonzeroFloat64}}, "a region of one pixel": {Size: 224, Region: vision.Region{X: 0.999, Y: 0.999, W: 1e-9, H: 1e-9}},
		"a larger input": {Size: 320},
	} {
		q := frame(m)
		q.Preparation = prep
		var r wire.JudgeResult
		if b.ask(wire.Judge(id), q, &r); r.Trouble == nil && r.Judgement.Verdict == "" {
			t.Errorf("%s: neither a verdict nor trouble", name)
		}
	}
	for _, r := range []wire.RenderRequest{{MaxSide: 0, Quality: 0}, {MaxSide: -5, Quality: 900}, {MaxSide: 1 << 40, Quality: -1, Orientation: -7}} {
		r.BlobKey = "part.png"
		var out wire.RenderResult
		if b.ask(wire.Render, r, &out); out.Trouble == nil && (len(out.JPEG) == 0 || out.Width <= 0 || out.Height <= 0) {
			t.Errorf("%+v gives a copy of %d×%d", r, out.Width, out.Height)
		}
	}
	b.sound(m)
}

func TestNetworkIsNotTakenForAnother(t *testing.T) {
	b := start(t)
	m := b.version("a.onnx", 0, "good", "scratch")
	three := b.version("three.onnx", 0, "good", "scratch", "dent")
	three.Classes = three.Classes[:2]
	var judged wire.JudgeResult
	if b.ask(wire.Judge(id), frame(three), &judged); judged.Trouble == nil || judged.Trouble.Fault != wire.FaultModel || !strings.Contains(judged.Trouble.Detail, "3 classes") {
		t.Errorf("two names for three classes: %+v", judged.Trouble)
	}
	b.sound(m)
	var extracted wire.ExtractResult
	if b.ask(wire.Extract, wire.ExtractRequest{BlobKey: "part.png", Model: m, Preparation: vision.Preparation{Size: 224}}, &extracted); extracted.Trouble == nil || extracted.Trouble.Fault != wire.FaultModel {
		t.Errorf("features by a version: %+v", extracted.Trouble)
	}
	b.sound(m)
}
