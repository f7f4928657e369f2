package head

import "math"

// adam keeps the moments of Adam (Kingma & Ba 2015).
type adam struct {
	m, v [][]float32
	t    int
}

func newAdam(params [][]float32) *adam {
	a := &adam{}
	for _, p := range params {
		a.m = append(a.m, make([]float32, len(p)))
		a.v = append(a.v, make([]float32, len(p)))
	}
	return a
}

// step moves the parameters against their gradients, each group at its rate.
//
//go:norace
func (a *adam) step(params, grads [][]float32, rates []float64, decay float64) {
	const b1, b2, eps = 0.9, 0.999, 1e-8
	a.t++
	c1, c2 := 1-math.Pow(b1, float64(a.t)), 1-math.Pow(b2, float64(a.t))
	for g, p := range params {
		rate := float32(rates[g] / c1)
		root := float32(1 / math.Sqrt(c2))
		m, v, d := a.m[g], a.v[g], grads[g]
		for i := range p {
			x := d[i] + float32(decay)*p[i]
			m[i] = b1*m[i] + (1-b1)*x
			v[i] = b2*v[i] + (1-b2)*x*x
			p[i] -= rate * m[i] / (float32(math.Sqrt(float64(v[i])))*root + eps)
		}
	}
}

// mean averages the parameters over the last passes, which is steadier than any
// one of them (Izmailov et al. 2018, stochastic weight averaging).
type mean struct {
	sums [][]float64
	n    float64
}

func newMean(params [][]float32) *mean {
	m := &mean{}
	for _, p := range params {
		m.sums = append(m.sums, make([]float64, len(p)))
	}
	return m
}

//go:norace
func (m *mean) add(params [][]float32) {
	m.n++
	for g, p := range params {
		for i, v := range p {
			m.sums[g][i] += float64(v)
		}
	}
}

// store puts the mean into the parameters; without any it leaves them.
func (m *mean) store(params [][]float32) {
	if m.n == 0 {
		return
	}
	for g, p := range params {
		for i := range p {
			p[i] = float32(m.sums[g][i] / m.n)
		}
	}
}
