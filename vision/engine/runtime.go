package engine

import (
	"fmt"

	"loupe/vision"
	"loupe/vision/onnxruntime"
	"loupe/vision/opencv"
)

// Names of the runtimes that networks can run in.
const (
	OpenCV      = "opencv" // the default and the reference
	ONNXRuntime = "onnxruntime"
)

// Choice says which runtime runs the networks.
type Choice struct {
	Name    string // OpenCV or ONNXRuntime; "" means OpenCV
	Library string // shared library of ONNX Runtime; "" looks in the usual places
}

// Runtime runs networks. Pictures are decoded and prepared by OpenCV in each.
type Runtime struct {
	Label string // for people, with the version: "OpenCV 4.6.0"
	Open  vision.Opener
}

// UnavailableError says in a line why a runtime is not there.
type UnavailableError struct{ error }

func (e *UnavailableError) Unwrap() error { return e.error }

// Choose gets a runtime ready whose networks use so many threads each, 0 for one a
// core. OpenCV, which decodes and prepares, uses as many. The error is an *UnavailableError.
func Choose(c Choice, threads int) (Runtime, error) {
	opencv.SetThreads(threads)
	switch c.Name {
	case "", OpenCV:
		return Runtime{"OpenCV " + opencv.LibraryVersion(), opencv.Open}, nil
	case ONNXRuntime:
		r, err := onnxruntime.Load(c.Library, threads)
		if err != nil {
			return Runtime{}, &UnavailableError{err}
		}
		return Runtime{"ONNX Runtime " + r.Version(), r.Open}, nil
	}
	return Runtime{}, &UnavailableError{fmt.Errorf("there is no engine %q: choose %s or %s", c.Name, OpenCV, ONNXRuntime)}
}
