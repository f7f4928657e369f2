//go:build !amd64

package head

func maps(out []float32, stride int, tap []uint16, row, channels int, w []float32) {
	mapsGo(out, stride, tap, row, channels, w)
}

func gradients(into, deltas []float32, row int, tap []uint16, channels, classes int) {
	gradientsGo(into, deltas, row, tap, channels, classes)
}

func exponentials(share, heat []float32, sharp float32) (top, sum float32) {
	return exponentialsGo(share, heat, sharp)
}
