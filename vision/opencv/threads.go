package opencv

/*
#cgo pkg-config: opencv4
#cgo CXXFLAGS: --std=c++11
#include "threads.h"
*/
import "C"

// SetThreads sets how many threads OpenCV uses in this process; 0 means one a
// core. gocv v0.31.0 has no binding for it.
func SetThreads(n int) { C.loupe_set_threads(C.int(n)) }
