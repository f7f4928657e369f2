package ui

import "loupe/vision"

// regionOf names the whole picture where no region is set.
func regionOf(r vision.Region) vision.Region {
	if r.Whole() {
		return vision.Region{W: 1, H: 1}
	}
	return r
}

func tallest(bins []HistogramBin) int {
	most := 1
	for _, b := range bins {
		most = max(most, b.Good, b.Bad)
	}
	return most
}

// barHeight keeps even a single frame visible.
func barHeight(n, most int) float64 { return max(3, 80*float64(n)/float64(most)) }
