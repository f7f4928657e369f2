package head

import "golang.org/x/sys/cpu"

var fast = cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasF16C

func maps(out []float32, stride int, tap []uint16, row, channels int, w []float32) {
	if !fast {
		mapsGo(out, stride, tap, row, channels, w)
		return
	}
	_, _, _ = out[(block-1)*stride+row-1], tap[channels*row-1], w[channels*block-1] // the assembly does not check
	mapsAVX2(&out[0], stride, &tap[0], row, channels, &w[0])
}

func gradients(into, deltas []float32, row int, tap []uint16, channels, classes int) {
	if !fast {
		gradientsGo(into, deltas, row, tap, channels, classes)
		return
	}
	_, _, _ = into[channels*block-1], deltas[block*row-1], tap[channels*row-1]
	gradientsAVX2(&into[0], &deltas[0], row, &tap[0], channels)
}

func exponentials(share, heat []float32, sharp float32) (top, sum float32) {
	if !fast || len(heat)%8 != 0 {
		return exponentialsGo(share, heat, sharp)
	}
	_ = share[len(heat)-1]
	return exponentialsAVX2(&share[0], &heat[0], len(heat), sharp)
}

//go:noescape
func mapsAVX2(out *float32, stride int, tap *uint16, row, channels int, w *float32)

//go:noescape
func gradientsAVX2(into, deltas *float32, row int, tap *uint16, channels int)

//go:noescape
func exponentialsAVX2(share, heat *float32, n int, sharp float32) (top, sum float32)
