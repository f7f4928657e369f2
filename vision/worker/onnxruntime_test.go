package worker_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"loupe/models/onnx"
	"loupe/models/onnx/onnxtest"
	"loupe/vision"
	"loupe/vision/onnxruntime/onnxruntimetest"
	"loupe/vision/trial"
	"loupe/vision/wire"
)

// TestTrialsInONNXRuntime: it answers with errors where OpenCV ends the process.
func TestTrialsInONNXRuntime(t *testing.T) {
	b := benchIn(t, onnxruntimetest.Choice(t), 30*time.Second)
	model := func(change func(*onnx.ModelProto)) []byte {
		m := onnxtest.Classifier(224, twoClasses)
		change(m)
		return onnxtest.Bytes(m)
	}
	a, err := b.Try(t.Context(), model(func(*onnx.ModelProto) {}), 224, twoClasses)
	if err != nil || !strings.HasPrefix(a.Engine, "ONNX Runtime 1.") || !(a.ForwardMS > 0) {
		t.Errorf("a sound file: %+v, %v", a, err)
	}
	for name, c := range map[string]struct {
		file           []byte
		reason         trial.Reason
		operator, node string
		says           string
	}{
		"an unknown operator": {model(func(m *onnx.ModelProto) {
			onnxtest.Before(m, onnxtest.Node("Frobnicate", "/model/frob", "x", []string{"image"}))
		}), trial.Operator, "Frobnicate", "/model/frob", "opset 10"},
		"an output that nothing gives": {model(func(m *onnx.ModelProto) { m.Graph.Node = m.Graph.Node[:3] }), trial.Wrong, "", "", "output probabilities"},
		"garbage":                      {[]byte(strings.Repeat("garbage", 100)), trial.Crashes, "", "", "cannot load this file"},
		"endless memory":               {onnxtest.Bytes(onnxtest.Greedy(224, twoClasses)), trial.Memory, "", "", "2048 MB"},
		"other classes":                {onnxtest.Bytes(onnxtest.Classifier(224, []string{"a", "b", "c"})), trial.Wrong, "", "", "3 classes apart, not 2"},
	} {
		_, err := b.Try(t.Context(), c.file, 224, twoClasses)
		var f *trial.Failure
		if !errors.As(err, &f) || f.Reason != c.reason || f.Operator != c.operator || f.Node != c.node || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
}

// TestAWorkerWithONNXRuntimeChangesModelBetweenFrames loads one model after the
// other, more than it keeps, and goes on judging.
func TestAWorkerWithONNXRuntimeChangesModelBetweenFrames(t *testing.T) {
	b := startWith(t, onnxruntimetest.Choice(t))
	if beat := b.beat("with its engine", func(wire.Beat) bool { return true }); !strings.HasPrefix(beat.Engine, "ONNX Runtime 1.") {
		t.Errorf("the worker says that it has the engine %q", beat.Engine)
	}
	var all []vision.ModelRef
	for n := range 4 {
		classes := append([]string{"good", "stain"}, strings.Split("abcd"[:n], "")...)
		file := onnxtest.Bytes(onnxtest.Classifier(224, classes))
		key := "model" + "0123"[n:n+1]
		all = append(all, vision.ModelRef{Key: key, SHA256: b.put(key, file), Size: 224, Classes: classes})
	}
	for _, m := range append(all, all[0]) {
		var r wire.JudgeResult
		b.ask(wire.Judge(id), wire.JudgeRequest{FrameID: 1, BlobKey: "part.png", Model: m, Preparation: vision.Preparation{Size: 224}, Thresholds: vision.DefaultThresholds}, &r)
		if r.Trouble != nil || len(r.Judgement.Probabilities) != len(m.Classes) {
			t.Errorf("with %s: %+v, %v", m.Key, r.Judgement.Probabilities, r.Trouble)
		}
	}
}
