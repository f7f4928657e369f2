package head

import (
	"math"

	"gonum.org/v1/gonum/blas/blas32"

	"loupe/models/onnx"
)

// gradient is the sum over some frames of the loss's derivative by the weights
// for raw features; the standardisation is applied once for a batch.
type gradient struct {
	local      [3][]float32 // [block][channel][8]
	localSum   []float32    // K: by the local bias
	mapSum     [3][]float32 // K: sums of the derivatives by the maps, for the means
	pooled     []float32    // K×2696
	pooledSum  []float32    // K
	loss, mass float64      // of the frames, weighted; the weights
	// The same by the parameters, in their layout.
	params [][]float32
}

func newGradient(k int) *gradient {
	g := &gradient{localSum: make([]float32, k), pooled: make([]float32, k*onnx.PooledLen), pooledSum: make([]float32, k)}
	g.params = make([][]float32, 6)
	for t, n := range Channels {
		g.local[t], g.mapSum[t] = make([]float32, (k+block-1)/block*n*block), make([]float32, k)
		g.params[t] = make([]float32, k*n)
	}
	g.params[3], g.params[4], g.params[5] = g.localSum, g.pooled, g.pooledSum
	return g
}

func (g *gradient) parts() [][]float32 {
	return [][]float32{g.local[0], g.local[1], g.local[2], g.localSum, g.mapSum[0], g.mapSum[1], g.mapSum[2], g.pooled, g.pooledSum}
}

func (g *gradient) reset() {
	for _, p := range g.parts() {
		clear(p)
	}
	g.loss, g.mass = 0, 0
}

// add sums another gradient up.
func (g *gradient) add(o *gradient) {
	other := o.parts()
	for i, p := range g.parts() {
		blas32.Axpy(1, vector(other[i]), vector(p))
	}
	g.loss += o.loss
	g.mass += o.mass
}

// backward adds the derivative of one frame's weighted cross-entropy. forward
// must have run on s just before: gmaps[0] holds what each place gave. also may
// add to what the local maps are told.
func (m *model) backward(f *Features, class int, weight float32, s *scratch, g *gradient, also func()) {
	g.loss += float64(weight) * -math.Log(math.Max(float64(s.p[class]), 1e-12))
	g.mass += float64(weight)
	for c := range m.k {
		d := weight * s.p[c]
		if c == class {
			d -= weight
		}
		g.pooledSum[c] += d
		g.localSum[c] += d // the places' shares sum to one
		blas32.Axpy(d, vector(f.Pooled), vector(g.pooled[c*onnx.PooledLen:(c+1)*onnx.PooledLen]))
		g0 := s.class(s.gmaps[0], 0, c)
		blas32.Scal(d/s.sum[c], vector(g0))
		g.mapSum[0][c] += d
	}
	also()
	for c := range m.k {
		g0 := s.class(s.gmaps[0], 0, c)
		for t := 1; t < 3; t++ {
			small := s.class(s.gmaps[t], t, c)
			s.ups[t].transpose(g0, small)
			var sum float32
			for _, v := range small {
				sum += v
			}
			g.mapSum[t][c] += sum
		}
	}
	for t, n := range Channels {
		tap := f.tap(m.Size, t)
		for b := range m.blocks {
			classes := min(block, m.k-b*block)
			gradients(g.local[t][b*n*block:], s.gmaps[t][b*block*s.row[t]:], s.row[t], tap, n, classes)
		}
	}
}

// standardised turns the sum over a batch into the derivative of the mean loss
// by the parameters, which apply to standardised features.
//
//go:norace
func (m *model) standardised(g *gradient) [][]float32 {
	scale := float32(1 / math.Max(g.mass, 1e-12))
	for t, n := range Channels {
		for c := range m.k {
			sum, d := g.mapSum[t][c], g.params[t][c*n:(c+1)*n]
			for i := range d {
				d[i] = (g.local[t][at(c, i, n)] - sum*m.Mean[t][i]) / m.Std[t][i] * scale
			}
		}
	}
	const n = onnx.PooledLen
	for c := range m.k {
		sum, d := g.pooledSum[c], g.pooled[c*n:(c+1)*n]
		for i := range d {
			d[i] = (d[i] - sum*m.PooledMean[i]) / m.PooledStd[i] * scale
		}
		g.localSum[c] *= scale
		g.pooledSum[c] *= scale
	}
	return g.params
}
