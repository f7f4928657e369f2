package head

import (
	"math"

	"gonum.org/v1/gonum/blas/blas32"

	"loupe/models/onnx"
)

// model is a head while it is fitted: the parameters that Adam moves, and what
// they amount to on raw features.
type model struct {
	*Head
	k      int
	raw    onnx.Weights
	params [][]float32 // Local[0..2], LocalBias, Pooled, PooledBias
}

func newModel(h *Head) *model {
	return &model{Head: h, k: len(h.Classes), params: [][]float32{h.Local[0], h.Local[1], h.Local[2], h.LocalBias, h.Pooled, h.PooledBias}}
}

// fold brings the raw weights up to date with the parameters.
func (m *model) fold() { m.raw = m.Weights() }

// scratch is what one goroutine needs for one frame.
type scratch struct {
	side              [3]int // of the taps, places
	maps              [3][]float32
	heat, place       []float32 // K×side², local logits and share of each place
	half              []float32 // rows enlarged, columns not yet
	logits, p, dlogit []float32
	gmaps             [3][]float32
	ups               [3]*upsampler
	local             []float32
}

func newScratch(k, size int) *scratch {
	s := &scratch{logits: make([]float32, k), p: make([]float32, k), dlogit: make([]float32, k), local: make([]float32, k)}
	for t := range s.maps {
		s.side[t] = size / 8 >> t
		s.maps[t] = make([]float32, k*s.side[t]*s.side[t])
		s.gmaps[t] = make([]float32, k*s.side[t]*s.side[t])
		if t > 0 {
			s.ups[t] = newUpsampler(s.side[t], 1<<t)
		}
	}
	s.heat = s.maps[0]
	s.place = make([]float32, len(s.heat))
	return s
}

func vector(v []float32) blas32.Vector { return blas32.Vector{N: len(v), Inc: 1, Data: v} }

// forward fills s with what the head says about a frame.
func (m *model) forward(f *Features, s *scratch) {
	m.localMaps(f, s)
	area := s.side[0] * s.side[0]
	for t := 1; t < 3; t++ {
		small := s.side[t] * s.side[t]
		for c := range m.k {
			s.ups[t].add(s.maps[t][c*small:(c+1)*small], s.heat[c*area:(c+1)*area])
		}
	}
	sharp := float32(m.Options.Sharpness)
	for c := range m.k {
		heat, place := s.heat[c*area:(c+1)*area], s.place[c*area:(c+1)*area]
		// Log-sum-exp over the places, from the largest down.
		top := heat[0]
		for _, v := range heat {
			top = max(top, v)
		}
		var sum float32
		for i, v := range heat {
			e := exp32(sharp * (v - top))
			place[i] = e
			sum += e
		}
		for i := range place {
			place[i] /= sum
		}
		s.local[c] = top + float32(math.Log(float64(sum)/float64(area)))/sharp
	}
	for c := range m.k {
		w := m.raw.Pooled[c*onnx.PooledLen : (c+1)*onnx.PooledLen]
		s.logits[c] = s.local[c] + m.raw.PooledBias[c] + blas32.Dot(vector(w), vector(f.Pooled))
	}
	softmax(s.logits, s.p)
}

// localMaps applies the 1×1 convolutions of the three taps.
func (m *model) localMaps(f *Features, s *scratch) {
	for t, tap := range [2][]float32{f.Stride8, f.Stride16} {
		area := s.side[t] * s.side[t]
		for c := range m.k {
			out := s.maps[t][c*area : (c+1)*area]
			var bias float32
			if t == 0 {
				bias = m.raw.LocalBias[c]
			}
			for i := range out {
				out[i] = bias
			}
			w := m.raw.Local[t][c*Channels[t] : (c+1)*Channels[t]]
			for ch, v := range w {
				blas32.Axpy(v, vector(tap[ch*area:(ch+1)*area]), vector(out))
			}
		}
	}
	n := Channels[2]
	area := s.side[2] * s.side[2]
	for p := range area {
		x := vector(f.Stride32[p*n : (p+1)*n])
		for c := range m.k {
			s.maps[2][c*area+p] = blas32.Dot(vector(m.raw.Local[2][c*n:(c+1)*n]), x)
		}
	}
}

// gradient is the sum over some frames of the loss's derivative by the raw
// inputs' weights; the standardisation is applied once for a batch.
type gradient struct {
	local      [3][]float32
	localSum   []float32 // K: by the local bias
	pooled     []float32
	pooledSum  []float32
	mapSum     [3][]float32 // K: sums of the maps' derivatives, for the means
	loss, mass float64
}

func newGradient(k int) *gradient {
	g := &gradient{localSum: make([]float32, k), pooled: make([]float32, k*onnx.PooledLen), pooledSum: make([]float32, k)}
	for t, c := range Channels {
		g.local[t], g.mapSum[t] = make([]float32, k*c), make([]float32, k)
	}
	return g
}

func (g *gradient) parts() [][]float32 {
	return [][]float32{g.local[0], g.local[1], g.local[2], g.localSum, g.pooled, g.pooledSum, g.mapSum[0], g.mapSum[1], g.mapSum[2]}
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
// must have run on s just before.
func (m *model) backward(f *Features, class int, weight float32, s *scratch, g *gradient) {
	g.loss += float64(weight) * -math.Log(math.Max(float64(s.p[class]), 1e-12))
	g.mass += float64(weight)
	area := s.side[0] * s.side[0]
	for c := range m.k {
		d := weight * s.p[c]
		if c == class {
			d -= weight
		}
		s.dlogit[c] = d
		g.pooledSum[c] += d
		g.localSum[c] += d // the places' shares sum to one
		blas32.Axpy(d, vector(f.Pooled), vector(g.pooled[c*onnx.PooledLen:(c+1)*onnx.PooledLen]))
		gmap := s.gmaps[0][c*area : (c+1)*area]
		place := s.place[c*area : (c+1)*area]
		for i, v := range place {
			gmap[i] = d * v
		}
	}
	for t := range s.gmaps {
		m.backwardTap(t, f, s, g)
	}
}

func (m *model) backwardTap(t int, f *Features, s *scratch, g *gradient) {
	area := s.side[t] * s.side[t]
	n := Channels[t]
	for c := range m.k {
		gmap := s.gmaps[t][c*area : (c+1)*area]
		if t > 0 {
			full := s.side[0] * s.side[0]
			s.ups[t].transpose(s.gmaps[0][c*full:(c+1)*full], gmap)
		}
		var sum float32
		for _, v := range gmap {
			sum += v
		}
		g.mapSum[t][c] += sum
		into := g.local[t][c*n : (c+1)*n]
		if t == 2 {
			for p, v := range gmap {
				blas32.Axpy(v, vector(f.Stride32[p*n:(p+1)*n]), vector(into))
			}
			continue
		}
		tap := f.Stride8
		if t == 1 {
			tap = f.Stride16
		}
		for ch := range into {
			into[ch] += blas32.Dot(vector(gmap), vector(tap[ch*area:(ch+1)*area]))
		}
	}
}

// standardised turns the sum over a batch into the derivative by the
// parameters: of the mean loss, for standardised features.
func (m *model) standardised(g *gradient) [][]float32 {
	scale := float32(1 / math.Max(g.mass, 1e-12))
	for t, n := range Channels {
		unfold(g.local[t], m.Mean[t], m.Std[t], g.mapSum[t], n, scale)
	}
	unfold(g.pooled, m.PooledMean, m.PooledStd, g.pooledSum, onnx.PooledLen, scale)
	for c := range m.k {
		g.localSum[c] *= scale
		g.pooledSum[c] *= scale
	}
	return [][]float32{g.local[0], g.local[1], g.local[2], g.localSum, g.pooled, g.pooledSum}
}

func unfold(d, mean, std, sum []float32, n int, scale float32) {
	for c := range sum {
		for i := range n {
			d[c*n+i] = (d[c*n+i] - sum[c]*mean[i]) / std[i] * scale
		}
	}
}

// exp32 is e^x for x ≤ 0, with a relative error under 3e-7; below -87 it is 0.
func exp32(x float32) float32 {
	if x < -87 {
		return 0
	}
	n := float32(math.Floor(float64(x*1.44269504 + 0.5)))
	r := x - n*0.693359375 - n*-2.12194440e-4
	p := ((((((1.9875691500e-4*r+1.3981999507e-3)*r+8.3334519073e-3)*r+4.1665795894e-2)*r+1.6666665459e-1)*r+5.0000001201e-1)*r*r + r + 1)
	return p * math.Float32frombits(uint32(int32(n)+127)<<23)
}
