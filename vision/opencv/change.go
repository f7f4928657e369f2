package opencv

import (
	"fmt"
	"image"
	"image/color"

	"gocv.io/x/gocv"
)

// Change alters pictures as a line does that drifts: less light, a lens out of
// focus, a camera that was knocked. The zero value changes nothing.
type Change struct {
	Light  float64 // factor on each value; 0 for 1
	Blur   float64 // sigma of a Gaussian, as a share of the shorter side
	ShiftX float64 // to the right, as a share of the width; the edge is repeated
	ShiftY float64 // down
}

// Changed is an altered copy of the picture. Close it.
func (p *Picture) Changed(c Change) (*Picture, error) {
	w, h := p.Size()
	if c.Light < 0 || c.Light > 255 || c.Blur < 0 || c.Blur > 1 || c.ShiftX <= -1 || c.ShiftX >= 1 || c.ShiftY <= -1 || c.ShiftY >= 1 {
		return nil, fmt.Errorf("a picture cannot be changed by %+v", c)
	}
	m := p.mat.Clone()
	if c.Light > 0 {
		lit := gocv.NewMat()
		m.ConvertToWithParams(&lit, gocv.MatTypeCV8U, float32(c.Light), 0)
		m.Close()
		m = lit
	}
	if sigma := c.Blur * float64(min(w, h)); sigma > 0 {
		soft := gocv.NewMat()
		gocv.GaussianBlur(m, &soft, image.Point{}, sigma, sigma, gocv.BorderReplicate)
		m.Close()
		m = soft
	}
	if dx, dy := int(c.ShiftX*float64(w)), int(c.ShiftY*float64(h)); dx != 0 || dy != 0 {
		m = shifted(m, dx, dy)
	}
	return &Picture{m}, nil
}

// shifted moves a picture and closes m.
func shifted(m gocv.Mat, dx, dy int) gocv.Mat {
	defer m.Close()
	kept := m.Region(image.Rect(max(0, -dx), max(0, -dy), m.Cols()-max(0, dx), m.Rows()-max(0, dy)))
	defer kept.Close()
	out := gocv.NewMat()
	gocv.CopyMakeBorder(kept, &out, max(0, dy), max(0, -dy), max(0, dx), max(0, -dx), gocv.BorderReplicate, color.RGBA{})
	return out
}
