package head

import "loupe/models/onnx"

// upsampler enlarges a square map by 2 or 4, bilinearly, as the transposed
// convolution of the ONNX file does: rows first, then columns. Between two
// neighbours a and b lie factor places, the j-th of line[factor+j]·a +
// line[j]·b; outside the first and the last, half a factor of one alone.
type upsampler struct {
	side, factor int
	line         []float32
	rows         []float32 // side·factor × side
}

func newUpsampler(side, factor int) *upsampler {
	return &upsampler{side: side, factor: factor, line: onnx.Bilinear(factor), rows: make([]float32, side*factor*side)}
}

// each calls visit for every enlarged row with the rows it lies between and
// their weights; at the edges both are the same row and the second weight is 0.
func (u *upsampler) each(visit func(big, a, b int, wa, wb float32)) {
	half := u.factor / 2
	for j := range half {
		visit(j, 0, 0, u.line[half+j], 0)
	}
	for s := range u.side - 1 {
		for j := range u.factor {
			visit(s*u.factor+half+j, s, s+1, u.line[u.factor+j], u.line[j])
		}
	}
	last := u.side - 1
	for j := range half {
		visit(last*u.factor+half+j, last, last, u.line[u.factor+j], 0)
	}
}

// add adds the enlarged map to out.
func (u *upsampler) add(small, out []float32) {
	side, n := u.side, u.side*u.factor
	u.each(func(big, a, b int, wa, wb float32) {
		above, below, row := small[a*side:(a+1)*side], small[b*side:(b+1)*side], u.rows[big*side:(big+1)*side]
		blend(row, above, below, wa, wb)
	})
	for y := range n {
		row, to := u.rows[y*side:(y+1)*side], out[y*n:(y+1)*n]
		if u.factor == 2 {
			spread2(row, to)
		} else {
			spread4(row, to)
		}
	}
}

// blend and the others that work through numbers alone are out of the race
// detector's sight: watching each number makes a training several times as long,
// and which goroutine owns which slice is settled by their callers, which it sees.
//
//go:norace
func blend(row, above, below []float32, wa, wb float32) {
	for x := range row {
		row[x] = wa*above[x] + wb*below[x]
	}
}

//go:norace
func spread2(row, to []float32) {
	a := row[0]
	to[0] += 0.75 * a
	at := 1
	for _, b := range row[1:] {
		t := to[at : at+2 : at+2]
		t[0] += 0.75*a + 0.25*b
		t[1] += 0.25*a + 0.75*b
		a = b
		at += 2
	}
	to[at] += 0.75 * a
}

//go:norace
func spread4(row, to []float32) {
	a := row[0]
	to[0] += 0.625 * a
	to[1] += 0.875 * a
	at := 2
	for _, b := range row[1:] {
		t := to[at : at+4 : at+4]
		t[0] += 0.875*a + 0.125*b
		t[1] += 0.625*a + 0.375*b
		t[2] += 0.375*a + 0.625*b
		t[3] += 0.125*a + 0.875*b
		a = b
		at += 4
	}
	to[at] += 0.875 * a
	to[at+1] += 0.625 * a
}

// transpose sums a large derivative back onto the small map.
func (u *upsampler) transpose(big, small []float32) {
	side, n := u.side, u.side*u.factor
	for y := range n {
		row, from := u.rows[y*side:(y+1)*side], big[y*n:(y+1)*n]
		if u.factor == 2 {
			gather2(row, from)
		} else {
			gather4(row, from)
		}
	}
	clear(small)
	u.each(func(big, a, b int, wa, wb float32) {
		above, below, row := small[a*side:(a+1)*side], small[b*side:(b+1)*side], u.rows[big*side:(big+1)*side]
		unblend(row, above, below, wa, wb)
	})
}

//go:norace
func unblend(row, above, below []float32, wa, wb float32) {
	for x, v := range row {
		above[x] += wa * v
		below[x] += wb * v
	}
}

//go:norace
func gather2(row, from []float32) {
	carry := 0.75 * from[0]
	at := 1
	for s := range row[1:] {
		f := from[at : at+2 : at+2]
		row[s] = carry + 0.75*f[0] + 0.25*f[1]
		carry = 0.25*f[0] + 0.75*f[1]
		at += 2
	}
	row[len(row)-1] = carry + 0.75*from[at]
}

//go:norace
func gather4(row, from []float32) {
	carry := 0.625*from[0] + 0.875*from[1]
	at := 2
	for s := range row[1:] {
		f := from[at : at+4 : at+4]
		row[s] = carry + 0.875*f[0] + 0.625*f[1] + 0.375*f[2] + 0.125*f[3]
		carry = 0.125*f[0] + 0.375*f[1] + 0.625*f[2] + 0.875*f[3]
		at += 4
	}
	row[len(row)-1] = carry + 0.875*from[at] + 0.625*from[at+1]
}
