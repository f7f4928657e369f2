// Package vision holds the words of judging a picture: frames, regions,
// findings and verdicts, and the gate that every foreign picture passes. It
// knows neither a database nor HTTP; pixels are the business of vision/opencv.
package vision

import "fmt"

// Region is the part of an upright picture that is judged, as shares of its
// width and height: X, Y the top left corner, W, H the extent, all in [0, 1].
// The zero value means the whole picture.
type Region struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
	W float64 `json:"w"`
	H float64 `json:"h"`
}

// Whole reports whether the region is the whole picture.
func (r Region) Whole() bool {
	return r == Region{} || r == Region{W: 1, H: 1}
}

// Valid reports whether the region lies inside the picture and has an extent.
func (r Region) Valid() bool {
	return r.Whole() || r.X >= 0 && r.Y >= 0 && r.W > 0 && r.H > 0 && r.X+r.W <= 1.000001 && r.Y+r.H <= 1.000001
}

// Pixels gives the region in pixels of an upright picture of the given size:
// left, top, width, height. It never leaves the picture and is never empty
// for a picture that is not.
func (r Region) Pixels(width, height int) (x, y, w, h int) {
	if r.Whole() {
		return 0, 0, width, height
	}
	x = min(max(int(r.X*float64(width)+0.5), 0), max(width-1, 0))
	y = min(max(int(r.Y*float64(height)+0.5), 0), max(height-1, 0))
	w = min(max(int(r.W*float64(width)+0.5), 1), width-x)
	h = min(max(int(r.H*float64(height)+0.5), 1), height-y)
	return x, y, w, h
}

// Preparation is how a picture becomes a network's input.
type Preparation struct {
	Region      Region `json:"region"`
	Size        int    `json:"size"`           // side of the square input in pixels, a multiple of 32 from 224 to 896
	Orientation int    `json:"orientation"`    // EXIF orientation 1–8 as the gate read it; 0 counts as 1
	View        int    `json:"view,omitempty"` // how the region is mirrored, 0 to Views-1; only training looks at others than 0
}

// Check says what is wrong with a preparation that no network can take.
func (p Preparation) Check() error {
	switch {
	case !p.Region.Valid():
		return fmt.Errorf("the region %+v is not within the picture", p.Region)
	case p.View < 0 || p.View >= Views:
		return fmt.Errorf("there is no view %d", p.View)
	}
	return CheckSize(p.Size)
}

// CheckSize refuses an input size that the networks are not made for.
func CheckSize(size int) error {
	if size < 224 || size > 896 || size%32 != 0 {
		return fmt.Errorf("the input size must be a multiple of 32 from 224 to 896, not %d", size)
	}
	return nil
}

// Views is in how many ways a region can be mirrored: not at all, left to right,
// top to bottom, and both.
const Views = 4

// ModelRef names one ONNX file among the blobs.
type ModelRef struct {
	Key     string   `json:"key"`               // blob key
	SHA256  string   `json:"sha256"`            // hex digest of the file, checked before it is loaded
	Size    int      `json:"size"`              // side of its square input in pixels
	Classes []string `json:"classes,omitempty"` // in the order of a version's outputs; none for an extractor
}
