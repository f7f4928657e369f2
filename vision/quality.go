package vision

// Quality is what a worker measures of the judged region of a picture, beside
// decoding it: enough to tell whether the picture is like others of its station.
// All but the hash are comparable between pictures of different sizes.
type Quality struct {
	// Sharpness compares the differences between neighbouring pixels with those
	// that are left after a blur (Crete et al. 2007, "The blur effect"): the
	// natural logarithm of their ratio. Contrast and brightness cancel out, so
	// that it says little of what the picture shows and much of the focus.
	Sharpness  float64 `json:"sharpness"`
	Brightness float64 `json:"brightness"` // mean, 0 to 1
	Dark       float64 `json:"dark"`       // share of pixels that are all but black
	Bright     float64 `json:"bright"`     // share of pixels that are all but white
	// CenterX and CenterY are where the edges of the picture lie on average, as
	// shares of the region: a part that moves takes them along.
	CenterX float64 `json:"center_x"`
	CenterY float64 `json:"center_y"`
	// Hash tells near-duplicates: 64 signs of the lowest frequencies (the
	// perceptual hash of Zauner 2010). Two pictures of one thing differ in few.
	Hash uint64 `json:"hash,string"`
}
