// Package onnxruntime runs model files by ONNX Runtime, which is faster than
// OpenCV's DNN module on ordinary processors. Its shared library is no part of
// the program: it is found when it is asked for, and absent is fine. This package
// is the only one that knows the binding.
package onnxruntime

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// Oldest is the oldest release that can be loaded: that of the binding's C API,
// which every later one still offers. A newer binding would refuse the library
// of Debian 13.
const Oldest = "1.20"

// ErrMissing says that there is no shared library, and where to get it.
var ErrMissing = errors.New("the shared library of ONNX Runtime is not here: " +
	"install it (Debian 13 has it as libonnxruntime1.21, PyPI in the wheel onnxruntime, its project as an archive), " +
	"and where it is in no usual place name its file by --onnxruntime or LOUPE_ONNXRUNTIME")

// places are folders in which the shared library may lie.
var places = []string{
	"/usr/local/lib", "/usr/local/lib64", "/usr/lib/*-linux-gnu", "/usr/lib64", "/usr/lib",
	"/opt/onnxruntime*/lib", "/usr/local/onnxruntime*/lib",
}

// loading guards the binding's one library a process.
var loading struct {
	sync.Mutex
	path string // of the loaded one
}

// Runtime is the loaded library.
type Runtime struct{ threads int }

// Load loads the shared library at path, a file or a folder that holds it; "" looks
// in the usual places. Networks then run on so many threads each; 0 means one a
// core. A process has one library: asked again, Load gives the same one.
func Load(path string, threads int) (*Runtime, error) {
	file, err := Find(path)
	if err != nil {
		return nil, err
	}
	loading.Lock()
	defer loading.Unlock()
	switch {
	case loading.path == file:
		return &Runtime{threads}, nil
	case loading.path != "":
		return nil, fmt.Errorf("this process runs the ONNX Runtime %s already", loading.path)
	}
	ort.SetSharedLibraryPath(file)
	if err := ort.InitializeEnvironment(); err != nil {
		return nil, fmt.Errorf("%s is not the shared library of an ONNX Runtime %s or later for this machine: %w", file, Oldest, err)
	}
	loading.path = file
	return &Runtime{threads}, nil
}

// Version is that of the library, such as "1.21.0".
func (r *Runtime) Version() string { return ort.GetVersion() }

// Find gives the file of the shared library, as Load takes it, without loading it.
func Find(path string) (string, error) {
	if path == "" {
		return newest(append(filepath.SplitList(os.Getenv("LD_LIBRARY_PATH")), places...))
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("there is no shared library of ONNX Runtime: %w", err)
	}
	if !info.IsDir() {
		return path, nil
	}
	file, err := newest([]string{path})
	if err != nil {
		return "", fmt.Errorf("%s holds no libonnxruntime.so", path)
	}
	return file, nil
}

// newest gives the newest library of the first folder that has one.
func newest(folders []string) (string, error) {
	for _, folder := range folders {
		if folder == "" {
			continue
		}
		files, err := filepath.Glob(filepath.Join(folder, "libonnxruntime.so*"))
		if err != nil || len(files) == 0 {
			continue
		}
		return slices.MaxFunc(files, func(a, b string) int {
			return cmp.Or(slices.Compare(release(a), release(b)), strings.Compare(b, a))
		}), nil
	}
	return "", ErrMissing
}

// release is the version in the name of a library's file, number by number.
func release(file string) (numbers []int) {
	_, version, _ := strings.Cut(filepath.Base(file), ".so.")
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return numbers
		}
		numbers = append(numbers, n)
	}
	return numbers
}
