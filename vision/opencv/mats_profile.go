//go:build matprofile

package opencv

import "gocv.io/x/gocv"

// OpenMats counts the matrices that are not closed.
func OpenMats() int { return gocv.MatProfile.Count() }
