package opencv

import (
	"image"
	"math"
	"slices"

	"gocv.io/x/gocv"

	"loupe/vision"
)

const (
	// qualitySide is the longest side on which quality is measured, pixels: a
	// blur that is not seen there does not reach the network either.
	qualitySide = 448
	blackBelow  = 6   // of 255
	whiteFrom   = 250 // of 255
	blurSigma   = 1.6 // pixels, of the blur that sharpness compares with
	hashSide    = 32  // pixels, before the cosine transform
	hashRow     = 8   // frequencies a side
)

// Quality measures the region of a picture. It takes about a hundredth of a
// forward pass.
func (p *Picture) Quality(region vision.Region) vision.Quality {
	grey := p.grey(region)
	defer grey.Close()
	var q vision.Quality
	pixels, err := grey.DataPtrUint8()
	if err != nil || len(pixels) == 0 {
		return q
	}
	var sum, dark, bright int
	for _, v := range pixels {
		sum += int(v)
		if v < blackBelow {
			dark++
		}
		if v >= whiteFrom {
			bright++
		}
	}
	n := float64(len(pixels))
	q.Brightness, q.Dark, q.Bright = float64(sum)/n/255, float64(dark)/n, float64(bright)/n
	soft := gocv.NewMat()
	defer soft.Close()
	gocv.GaussianBlur(grey, &soft, image.Point{}, blurSigma, blurSigma, gocv.BorderReflect101)
	blurred, err := soft.DataPtrUint8()
	if err != nil {
		return q
	}
	w, h := grey.Cols(), grey.Rows()
	q.Sharpness, q.CenterX, q.CenterY = edges(pixels, blurred, w, h)
	q.Hash = perceptual(grey)
	return q
}

// grey is a grey copy of the region, shrunk to qualitySide.
func (p *Picture) grey(region vision.Region) gocv.Mat {
	x, y, w, h := region.Pixels(p.Size())
	part := p.mat.Region(image.Rect(x, y, x+w, y+h))
	defer part.Close()
	grey := gocv.NewMat()
	if longer := max(w, h); longer > qualitySide {
		small := gocv.NewMat()
		defer small.Close()
		gocv.Resize(part, &small, image.Pt(max(1, w*qualitySide/longer), max(1, h*qualitySide/longer)), 0, 0, gocv.InterpolationArea)
		gocv.CvtColor(small, &grey, gocv.ColorBGRToGray)
		return grey
	}
	gocv.CvtColor(part, &grey, gocv.ColorBGRToGray)
	return grey
}

// edges gives the logarithm of how much the squared differences of neighbours
// shrink by the blur, and the mean place of the blurred picture's.
func edges(pixels, blurred []uint8, w, h int) (sharpness, cx, cy float64) {
	if w < 3 || h < 3 {
		return 0, 0.5, 0.5
	}
	var fine, soft, sumX, sumY float64
	columns := make([]int, w)
	for y := 0; y < h-1; y++ {
		row, fineRow, softRow := y*w, 0, 0
		for x := 0; x < w-1; x++ {
			i := row + x
			v, b := int(pixels[i]), int(blurred[i])
			dx, dy := int(pixels[i+1])-v, int(pixels[i+w])-v
			fineRow += dx*dx + dy*dy
			dx, dy = int(blurred[i+1])-b, int(blurred[i+w])-b
			e := dx*dx + dy*dy
			softRow += e
			columns[x] += e
		}
		fine, soft = fine+float64(fineRow), soft+float64(softRow)
		sumY += float64(softRow) * float64(y)
	}
	for x, e := range columns {
		sumX += float64(e) * float64(x)
	}
	n := float64((w - 1) * (h - 1)) // rounding to whole numbers leaves about so much of a flat picture
	sharpness = math.Log((fine + 0.1*n) / (soft + 0.1*n))
	if soft == 0 {
		return sharpness, 0.5, 0.5
	}
	return sharpness, sumX / soft / float64(w-2), sumY / soft / float64(h-2)
}

// perceptual is the hash of a grey picture: which of its 63 lowest frequencies
// are above their median.
func perceptual(grey gocv.Mat) uint64 {
	small := gocv.NewMat()
	defer small.Close()
	gocv.Resize(grey, &small, image.Pt(hashSide, hashSide), 0, 0, gocv.InterpolationArea)
	pixels, err := small.DataPtrUint8()
	if err != nil {
		return 0
	}
	var low [hashRow * hashRow]float64
	for u := range hashRow {
		for y := range hashSide {
			row := 0.0
			for x, c := range cosines[u] {
				row += float64(pixels[y*hashSide+x]) * c
			}
			for v := range hashRow {
				low[v*hashRow+u] += row * cosines[v][y]
			}
		}
	}
	sorted := slices.Sorted(slices.Values(low[1:])) // without the mean
	median := sorted[len(sorted)/2]
	var hash uint64
	for i, v := range low[1:] {
		if v > median {
			hash |= 1 << i
		}
	}
	return hash
}

// cosines are those of the discrete cosine transform, [frequency][place].
var cosines = func() (c [hashRow][hashSide]float64) {
	for u := range hashRow {
		for x := range hashSide {
			c[u][x] = math.Cos(math.Pi * float64(u) * (float64(x) + 0.5) / hashSide)
		}
	}
	return c
}()
