//go:build matprofile

package opencv

import (
	"io"

	"gocv.io/x/gocv"
)

// OpenMats counts the matrices that are not closed.
func OpenMats() int { return gocv.MatProfile.Count() }

// WriteOpenMats writes where the matrices that are not closed were made.
func WriteOpenMats(w io.Writer) error { return gocv.MatProfile.WriteTo(w, 1) }
