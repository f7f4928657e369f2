package onnxruntime_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"loupe/vision/engine"
	"loupe/vision/onnxruntime"
)

func TestTheNewestLibraryOfAFolderIsFound(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("LD_LIBRARY_PATH", folder)
	for _, name := range []string{"libonnxruntime.so.1.9.0", "libonnxruntime.so.1.21.0", "libonnxruntime.so", "libonnxruntime_providers_shared.so"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("no library"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, asked := range []string{"", folder} {
		if file, err := onnxruntime.Find(asked); err != nil || filepath.Base(file) != "libonnxruntime.so.1.21.0" {
			t.Errorf("asked for %q: %s, %v", asked, file, err)
		}
	}
	if _, err := onnxruntime.Find(t.TempDir()); err == nil {
		t.Error("an empty folder has a library")
	}
}

// What cannot be had is told in a line; nothing runs in another engine instead.
func TestAnEngineThatIsNotThereSaysSo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "libonnxruntime.so")
	if err := os.WriteFile(file, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []engine.Choice{{Name: "tensorrt"}, {Name: engine.ONNXRuntime, Library: file}, {Name: engine.ONNXRuntime, Library: file + ".1"}} {
		_, err := engine.Choose(c, 1)
		var unavailable *engine.UnavailableError
		if !errors.As(err, &unavailable) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
