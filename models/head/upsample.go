package head

import "loupe/models/onnx"

// upsampler enlarges a square map by 2 or 4, bilinearly, as the transposed
// convolution of the ONNX file does: rows first, then columns.
type upsampler struct {
	side, factor int
	// Each enlarged index takes from up to two small ones.
	from   [][2]int
	weight [][2]float32
	rows   []float32 // side·factor × side
}

func newUpsampler(side, factor int) *upsampler {
	u := &upsampler{side: side, factor: factor, rows: make([]float32, side*factor*side)}
	line := onnx.Bilinear(factor)
	pad := factor / 2
	u.from, u.weight = make([][2]int, side*factor), make([][2]float32, side*factor)
	for big := range u.from {
		n := 0
		for small := range side {
			if tapAt := big + pad - small*factor; tapAt >= 0 && tapAt < len(line) {
				u.from[big][n], u.weight[big][n] = small, line[tapAt]
				n++
			}
		}
	}
	return u
}

// add adds the enlarged map to out.
func (u *upsampler) add(small, out []float32) {
	n, side := u.side*u.factor, u.side
	for y := range n {
		f, w := u.from[y], u.weight[y]
		a, b, row := small[f[0]*side:f[0]*side+side], small[f[1]*side:f[1]*side+side], u.rows[y*side:(y+1)*side]
		for x := range row {
			row[x] = w[0]*a[x] + w[1]*b[x]
		}
	}
	for y := range n {
		row, to := u.rows[y*side:(y+1)*side], out[y*n:(y+1)*n]
		for x := range to {
			f, w := u.from[x], u.weight[x]
			to[x] += w[0]*row[f[0]] + w[1]*row[f[1]]
		}
	}
}

// transpose sums a large derivative back onto the small map.
func (u *upsampler) transpose(big, small []float32) {
	n, side := u.side*u.factor, u.side
	clear(u.rows)
	for y := range n {
		row, from := u.rows[y*side:(y+1)*side], big[y*n:(y+1)*n]
		for x, v := range from {
			f, w := u.from[x], u.weight[x]
			row[f[0]] += w[0] * v
			row[f[1]] += w[1] * v
		}
	}
	clear(small)
	for y := range n {
		f, w := u.from[y], u.weight[y]
		a, b, row := small[f[0]*side:f[0]*side+side], small[f[1]*side:f[1]*side+side], u.rows[y*side:(y+1)*side]
		for x, v := range row {
			a[x] += w[0] * v
			b[x] += w[1] * v
		}
	}
}
