// Package onnxruntimetest finds the shared library for the tests that need it.
package onnxruntimetest

import (
	"os"
	"testing"

	"loupe/vision/engine"
	"loupe/vision/onnxruntime"
)

// Choice is the engine ONNX Runtime; the test is skipped where its shared library
// is not installed.
func Choice(t testing.TB) engine.Choice {
	t.Helper()
	library, err := onnxruntime.Find(os.Getenv("LOUPE_ONNXRUNTIME"))
	if err != nil {
		t.Skipf("nothing is tested in ONNX Runtime: %v", err)
	}
	return engine.Choice{Name: engine.ONNXRuntime, Library: library}
}

// Runtime is ONNX Runtime on one thread.
func Runtime(t testing.TB) engine.Runtime {
	t.Helper()
	r, err := engine.Choose(Choice(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
