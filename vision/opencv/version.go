package opencv

import "gocv.io/x/gocv"

// LibraryVersion is the version of the OpenCV library that runs, such as "4.6.0".
func LibraryVersion() string { return gocv.OpenCVVersion() }
