package commands

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"testing"
)

// drawPart draws a grey part of a kind: good, with a dark stain, or with a
// bright cut.
func drawPart(rng *rand.Rand, kind string) image.Image {
	img := image.NewGray(image.Rect(0, 0, 160, 120))
	x0, y0 := 20+rng.IntN(80), 20+rng.IntN(50)
	for y := range 120 {
		for x := range 160 {
			v := 120 + 10*rng.NormFloat64()
			dx, dy := x-x0, y-y0
			switch {
			case kind == "stain" && dx*dx+dy*dy < 400:
				v -= 70
			case kind == "cut" && dx >= 0 && dx < 50 && (dy-dx/2)*(dy-dx/2) < 16:
				v += 110
			}
			img.SetGray(x, y, color.Gray{Y: uint8(min(max(v, 0), 255))})
		}
	}
	return img
}

func encodePart(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func writePart(t testing.TB, path string, img image.Image) {
	t.Helper()
	if err := os.WriteFile(path, encodePart(t, img), 0o600); err != nil {
		t.Fatal(err)
	}
}
