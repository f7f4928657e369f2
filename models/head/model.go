package head

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/blas/blas32"

	"loupe/models/onnx"
)

// model is a head while it is fitted: the parameters that Adam moves, and what
// they amount to on raw features, in the layout of the kernels.
type model struct {
	*Head
	k, blocks  int          // classes, and blocks of eight that hold them
	params     [][]float32  // Local[0..2], LocalBias, Pooled, PooledBias
	local      [3][]float32 // [block][channel][8], for raw taps
	localBias  []float32
	pooled     []float32 // K×2696, for raw pooled features
	pooledBias []float32
	cold       float64 // one over the temperature
}

func newModel(h *Head) *model {
	k := len(h.Classes)
	m := &model{
		Head: h, k: k, blocks: (k + block - 1) / block,
		params: [][]float32{h.Local[0], h.Local[1], h.Local[2], h.LocalBias, h.Pooled, h.PooledBias},
		cold:   h.coldness(), localBias: make([]float32, k), pooled: make([]float32, len(h.Pooled)), pooledBias: make([]float32, k),
	}
	for t, n := range Channels {
		m.local[t] = make([]float32, m.blocks*n*block)
	}
	m.fold()
	return m
}

// at is where the kernels keep the weight of class c and channel i of n.
func at(c, i, n int) int { return (c/block*n+i)*block + c%block }

// fold brings what applies to raw features up to date with the parameters.
//
//go:norace
func (m *model) fold() {
	copy(m.localBias, m.LocalBias)
	for t, n := range Channels {
		for c := range m.k {
			var off float64
			for i, w := range m.Local[t][c*n : (c+1)*n] {
				w /= m.Std[t][i]
				m.local[t][at(c, i, n)] = w
				off += float64(w) * float64(m.Mean[t][i])
			}
			m.localBias[c] -= float32(off)
		}
	}
	const n = onnx.PooledLen
	for c := range m.k {
		var off float64
		raw := m.pooled[c*n : (c+1)*n]
		for i, w := range m.Pooled[c*n : (c+1)*n] {
			raw[i] = w / m.PooledStd[i]
			off += float64(raw[i]) * float64(m.PooledMean[i])
		}
		m.pooledBias[c] = m.PooledBias[c] - float32(off)
	}
}

// Weights gives the weights for raw features, for the ONNX file.
func (h *Head) Weights() onnx.Weights {
	m := newModel(h)
	w := onnx.Weights{LocalBias: m.localBias, Pooled: m.pooled, PooledBias: m.pooledBias, Sharpness: float32(h.Options.Sharpness), Temperature: float32(h.Temperature), Bank: h.Bank}
	for t, n := range Channels {
		w.Local[t] = make([]float32, m.k*n)
		for c := range m.k {
			for i := range n {
				w.Local[t][c*n+i] = m.local[t][at(c, i, n)]
			}
		}
	}
	return w
}

// scratch is what one goroutine needs for one frame. Maps hold a row of places
// for each class, padded as taps are, and for the classes that pad a block.
type scratch struct {
	area, row  [3]int
	maps       [3][]float32
	gmaps      [3][]float32 // derivatives by the maps; what pads is zero
	heat       []float32    // maps[0] with the other taps on top
	local, sum []float32    // pooled heat, and the sum behind it
	logits, p  []float32
	ups        [3]*upsampler
}

func newScratch(k, size int) *scratch {
	s := &scratch{logits: make([]float32, k), p: make([]float32, k), local: make([]float32, k), sum: make([]float32, k)}
	classes := (k + block - 1) / block * block
	for t := range s.maps {
		s.area[t], s.row[t] = area(size, t), row(size, t)
		s.maps[t] = make([]float32, classes*s.row[t])
		s.gmaps[t] = make([]float32, classes*s.row[t])
		if t > 0 {
			s.ups[t] = newUpsampler(size/8>>t, 1<<t)
		}
	}
	s.heat = s.maps[0]
	return s
}

func vector(v []float32) blas32.Vector { return blas32.Vector{N: len(v), Inc: 1, Data: v} }

// class gives the row of class c in a map of tap t, without what pads it.
func (s *scratch) class(m []float32, t, c int) []float32 { return m[c*s.row[t] : c*s.row[t]+s.area[t]] }

// forward fills s with what the head says about a frame.
func (m *model) forward(f *Features, s *scratch) {
	m.convolve(f, s)
	sharp := float32(m.Options.Sharpness)
	for c := range m.k {
		heat := s.class(s.heat, 0, c)
		for t := 1; t < 3; t++ {
			s.ups[t].add(s.class(s.maps[t], t, c), heat)
		}
		s.local[c], s.sum[c] = logMeanExp(heat, sharp, s.class(s.gmaps[0], 0, c))
		w := m.pooled[c*onnx.PooledLen : (c+1)*onnx.PooledLen]
		s.logits[c] = s.local[c] + m.localBias[c] + m.pooledBias[c] + blas32.Dot(vector(w), vector(f.Pooled))
	}
	softmax(s.logits, m.cold, s.p)
}

// convolve applies the 1×1 convolutions of the three taps, without their bias.
func (m *model) convolve(f *Features, s *scratch) {
	for t, n := range Channels {
		tap := f.tap(m.Size, t)
		for b := range m.blocks {
			maps(s.maps[t][b*block*s.row[t]:], s.row[t], tap, s.row[t], n, m.local[t][b*n*block:])
		}
	}
}

// logMeanExp is log(mean(exp(sharp·heat)))/sharp, from the largest down so that
// nothing overflows. It leaves in share what each place gives to the sum, and
// returns the sum too.
func logMeanExp(heat []float32, sharp float32, share []float32) (pooled, sum float32) {
	top, sum := exponentials(share, heat, sharp)
	return top + float32(math.Log(float64(sum)/float64(len(heat))))/sharp, sum
}

// softmax gives the probabilities of logits times a factor.
func softmax(logits []float32, factor float64, p []float32) {
	top := slices.Max(logits)
	var sum float64
	for i, v := range logits {
		e := math.Exp(factor * float64(v-top))
		p[i] = float32(e)
		sum += e
	}
	for i := range p {
		p[i] = float32(float64(p[i]) / sum)
	}
}
