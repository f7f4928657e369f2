package head

import (
	"context"
	"math"

	"loupe/models/onnx"
)

// leastStd keeps a channel that never changes from being blown up.
const leastStd = 1e-3

// standardise measures mean and standard deviation of each channel and pooled
// feature over the training frames, and of nothing else. Those of the channels
// follow from the pooled features, which hold mean and deviation of each frame.
// It looks at the frames from all views in turn: what never changes in one view
// may change in another.
func standardise(ctx context.Context, source Source, h *Head) error {
	sum, square := make([]float64, onnx.PooledLen), make([]float64, onnx.PooledLen)
	f := NewFeatures(h.Size)
	for i := range source.Len() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := source.Read(i, i%source.Views(), &f); err != nil {
			return err
		}
		for j, v := range f.Pooled {
			x := float64(v)
			sum[j] += x
			square[j] += x * x
		}
	}
	n := float64(source.Len())
	h.PooledMean, h.PooledStd = make([]float32, onnx.PooledLen), make([]float32, onnx.PooledLen)
	for j := range sum {
		h.PooledMean[j], h.PooledStd[j] = MeanStd(sum[j]/n, square[j]/n)
	}
	first := 0 // of the tap: its means, then its maxima, then its deviations
	for t, channels := range Channels {
		h.Mean[t], h.Std[t] = make([]float32, channels), make([]float32, channels)
		for c := range channels {
			mean, std := first+c, first+2*channels+c
			h.Mean[t][c], h.Std[t][c] = MeanStd(sum[mean]/n, (square[mean]+square[std])/n)
		}
		first += 3 * channels
	}
	return nil
}

// MeanStd gives mean and standard deviation from the means of a value and of its
// square; the deviation is never so small that noise would look large.
func MeanStd(mean, square float64) (float32, float32) {
	return float32(mean), float32(math.Max(math.Sqrt(math.Max(square-mean*mean, 0)), leastStd))
}
