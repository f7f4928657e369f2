package ui

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
)

// plateW and plateH are the size of the drawn parts in pixels.
const plateW, plateH = 960, 720

// drawPlate draws a brushed plate with four holes and, for kinds 1 to 3, a
// scratch, a dent or a stain at scratchBox.
func drawPlate(seed int64, kind, side int) []byte {
	r := rand.New(rand.NewPCG(uint64(seed), 7))
	w, h := side, side*plateH/plateW
	scale := float64(side) / plateW
	m := image.NewGray(image.Rect(0, 0, w, h))
	grain := make([]float64, h)
	for y := range grain {
		grain[y] = r.Float64()*22 - 11
	}
	light := r.Float64()*60 + 110
	for y := range h {
		for x := range w {
			v := light + grain[y] + 40*math.Sin(float64(x)/float64(w)*3+float64(seed)) + r.Float64()*6
			fx, fy := float64(x)/scale, float64(y)/scale
			for i := range 4 {
				cx, cy := 180+600*float64(i%2), 160+400*float64(i/2)
				if d := math.Hypot(fx-cx, fy-cy); d < 62 {
					v = 22
				} else if d < 68 {
					v += 50
				}
			}
			m.SetGray(x, y, color.Gray{Y: uint8(min(max(v+defect(kind, fx, fy), 0), 255))})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 82}); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// scratchBox is where defects are drawn.
var scratchBox = [4]int{330, 240, 250, 190}

func defect(kind int, x, y float64) float64 {
	cx, cy := float64(scratchBox[0]+scratchBox[2]/2), float64(scratchBox[1]+scratchBox[3]/2)
	switch kind {
	case 1:
		if x > 340 && x < 570 && math.Abs(y-(250+(x-340)*.74+6*math.Sin(x/9))) < 3.5 {
			return 120
		}
	case 2:
		if d := math.Hypot(x-cx, y-cy); d < 80 {
			return (x - cx) * 1.1
		}
	case 3:
		if d := math.Hypot((x-cx)/1.3, y-cy) + 14*math.Sin(math.Atan2(y-cy, x-cx)*5); d < 85 {
			return -55
		}
	}
	return 0
}

// drawHeat is hot in the middle of scratchBox and transparent elsewhere.
func drawHeat() []byte {
	m := image.NewNRGBA(image.Rect(0, 0, plateW/4, plateH/4))
	cx, cy := float64(scratchBox[0]+scratchBox[2]/2)/4, float64(scratchBox[1]+scratchBox[3]/2)/4
	for y := range plateH / 4 {
		for x := range plateW / 4 {
			v := math.Exp(-math.Pow(math.Hypot(float64(x)-cx, float64(y)-cy)/28, 2))
			m.SetNRGBA(x, y, color.NRGBA{R: 255, G: uint8(200 * v), B: 20, A: uint8(230 * v)})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}
