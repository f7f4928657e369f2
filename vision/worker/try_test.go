package worker_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"loupe/models/onnx"
	"loupe/models/onnx/onnxtest"
	"loupe/vision/engine"
	"loupe/vision/trial"
	"loupe/vision/worker"
)

// TestMain lets the test's own binary be the process of a trial.
func TestMain(m *testing.M) {
	if os.Getenv("LOUPE_TEST_TRY") != "" {
		if err := worker.Try(engine.Choice{Name: os.Getenv("LOUPE_TEST_ENGINE"), Library: os.Getenv("LOUPE_TEST_LIBRARY")}, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func benchOf(t *testing.T, limit time.Duration) *trial.Bench {
	t.Helper()
	return benchIn(t, engine.Choice{}, limit)
}

func benchIn(t *testing.T, c engine.Choice, limit time.Duration) *trial.Bench {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return trial.New(trial.Settings{Limit: limit, Command: func() *exec.Cmd {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), "LOUPE_TEST_TRY=1", "LOUPE_TEST_ENGINE="+c.Name, "LOUPE_TEST_LIBRARY="+c.Library, "OPENCV_LOG_LEVEL=ERROR", "GOTRACEBACK=none")
		return cmd
	}})
}

var twoClasses = []string{"good", "stain"}

func TestSoundFilesPassTheirTrial(t *testing.T) {
	b := benchOf(t, 0)
	for _, size := range []int{224, 896} {
		a, err := b.Try(t.Context(), onnxtest.Bytes(onnxtest.Classifier(size, twoClasses)), size, twoClasses)
		if err != nil || !strings.HasPrefix(a.Engine, "OpenCV 4.") || !(a.ForwardMS > 0) {
			t.Errorf("a small file of %d pixels: %+v, %v", size, a, err)
		}
		file := writeVersion(t, size, 0, twoClasses)
		if a, err := b.Try(t.Context(), file, size, twoClasses); err != nil {
			t.Errorf("Loupe's own of %d pixels: %+v, %v", size, a, err)
		}
	}
}

func TestEachWayToFailATrialSaysWhatToDo(t *testing.T) {
	model := func(change func(*onnx.ModelProto)) []byte {
		m := onnxtest.Classifier(224, twoClasses)
		change(m)
		return onnxtest.Bytes(m)
	}
	node := func(n *onnx.NodeProto) []byte { return model(func(m *onnx.ModelProto) { onnxtest.Before(m, n) }) }
	for name, c := range map[string]struct {
		file               []byte
		reason             trial.Reason
		operator, nodeName string
		says               []string
	}{
		"an operator that OpenCV lacks": {node(onnxtest.Node("NonMaxSuppression", "/model/nms", "x", []string{"image", "image"})), trial.Operator, "NonMaxSuppression", "/model/nms",
			[]string{"OpenCV 4.", "cannot read the operator NonMaxSuppression (node /model/nms).", "opset 10", "replace"}},
		"a node without a name": {node(onnxtest.Node("Einsum", "", "summed", []string{"image", "image"})), trial.Operator, "Einsum", "summed", nil},
		"an operator of a later opset": {model(func(m *onnx.ModelProto) {
			m.Graph.Initializer = append(m.Graph.Initializer, onnxtest.Floats("low", []float32{0}), onnxtest.Floats("high", []float32{6}))
			onnxtest.Before(m, onnxtest.Node("Clip", "/clip", "x", []string{"image", "low", "high"}))
		}), trial.Operator, "Clip", "/clip", []string{"opset 10"}},
		"weights that do not fit": {model(func(m *onnx.ModelProto) {
			m.Graph.Initializer[0] = onnxtest.Floats("weight", make([]float32, 2*5*64), 2, 5, 8, 8)
		}), trial.Operator, "Conv", "/look",
			[]string{"as it is used there: Number of input channels should be multiple of 5 but got 3"}},
		"an output that nothing gives": {model(func(m *onnx.ModelProto) { m.Graph.Node = m.Graph.Node[:3] }), trial.Wrong, "", "", []string{"output probabilities"}},
		"a signal":                     {model(func(m *onnx.ModelProto) { m.Graph.Initializer[0].RawData = nil }), trial.Crashes, "", "", []string{"by the signal SIGFPE", "onnx.checker"}},
		"garbage":                      {[]byte(strings.Repeat("garbage", 100)), trial.Crashes, "", "", []string{"OpenCV"}},
		"half a file":                  {model(func(*onnx.ModelProto) {})[:900], trial.Crashes, "", "", nil},
		"a forward pass without end":   {onnxtest.Bytes(onnxtest.Slow(224, twoClasses)), trial.Hangs, "", "", []string{"within 4s", "smaller"}},
		"endless memory":               {onnxtest.Bytes(onnxtest.Greedy(224, twoClasses)), trial.Memory, "", "", []string{"2048 MB", "smaller"}},
		"logits in place of probabilities": {model(func(m *onnx.ModelProto) {
			m.Graph.Node[3] = onnxtest.Node("Relu", "/relu", "probabilities", []string{"pooled"})
		}), trial.Wrong, "", "",
			[]string{"Softmax"}},
		"a number that is none": {model(func(m *onnx.ModelProto) {
			onnxtest.Before(m, onnxtest.Node("Log", "/log", "x", []string{"image"}))
		}), trial.Wrong, "", "", []string{"drawn picture"}},
		"other classes": {onnxtest.Bytes(onnxtest.Classifier(224, []string{"a", "b", "c"})), trial.Wrong, "", "", []string{"3 classes apart, not 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			limit := 30 * time.Second
			if c.reason == trial.Hangs {
				limit = 4 * time.Second
			}
			began := time.Now()
			_, err := benchOf(t, limit).Try(t.Context(), c.file, 224, twoClasses)
			t.Logf("%v after %s", err, time.Since(began))
			var f *trial.Failure
			if !errors.As(err, &f) || f.Reason != c.reason || f.Operator != c.operator || f.Node != c.nodeName {
				t.Fatalf("%+v, %v", f, err)
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestATrialEndsWithWhoeverAskedForIt(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	began := time.Now()
	_, err := benchOf(t, time.Minute).Try(ctx, onnxtest.Bytes(onnxtest.Slow(224, twoClasses)), 224, twoClasses)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 20*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

// The process of a server that was killed must not go on.
func TestATrialEndsWhenItsInputEnds(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := onnxtest.Bytes(onnxtest.Slow(224, twoClasses))
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "LOUPE_TEST_TRY=1")
	cmd.Stdin = strings.NewReader(fmt.Sprintf(`{"bytes":%d,"size":224,"classes":["good","stain"]}`, len(file)) + "\n" + string(file))
	began := time.Now()
	if err := cmd.Run(); err == nil || time.Since(began) > 20*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}
