package head

import (
	"context"
	"math"

	"loupe/models/onnx"
)

// leastStd keeps a channel that never changes from being blown up.
const leastStd = 1e-3

// standardise measures mean and standard deviation of each channel and pooled
// feature over the training frames, and of nothing else.
func standardise(ctx context.Context, source Source, h *Head) error {
	var sum, square [4][]float64
	for t, n := range []int{Channels[0], Channels[1], Channels[2], onnx.PooledLen} {
		sum[t], square[t] = make([]float64, n), make([]float64, n)
	}
	f := NewFeatures(h.Size)
	for i := range source.Len() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := source.Read(i, &f); err != nil {
			return err
		}
		for t, tap := range [2][]float32{f.Stride8, f.Stride16} {
			area := len(tap) / Channels[t]
			for c := range Channels[t] {
				s, q := moments(tap[c*area : (c+1)*area])
				sum[t][c] += s
				square[t][c] += q
			}
		}
		places(f.Stride32, sum[2], square[2])
		places(f.Pooled, sum[3], square[3])
	}
	for t := range Channels {
		count := float64(source.Len()) * math.Pow(float64(h.Size/8>>t), 2)
		h.Mean[t], h.Std[t] = meanStd(sum[t], square[t], count)
	}
	h.PooledMean, h.PooledStd = meanStd(sum[3], square[3], float64(source.Len()))
	return nil
}

func moments(v []float32) (sum, square float64) {
	var s, q float32
	for _, x := range v {
		s += x
		q += x * x
	}
	return float64(s), float64(q)
}

// places adds values that lie place after place, len(sum) a place.
func places(v []float32, sum, square []float64) {
	n := len(sum)
	for p := 0; p < len(v); p += n {
		for c := range n {
			x := float64(v[p+c])
			sum[c] += x
			square[c] += x * x
		}
	}
}

func meanStd(sum, square []float64, count float64) (mean, std []float32) {
	mean, std = make([]float32, len(sum)), make([]float32, len(sum))
	for i := range sum {
		m := sum[i] / count
		mean[i] = float32(m)
		std[i] = float32(math.Max(math.Sqrt(math.Max(square[i]/count-m*m, 0)), leastStd))
	}
	return mean, std
}
