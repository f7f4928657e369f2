// Package opencv is the only one that knows gocv: bytes go in, plain structs
// come out, and no Mat leaves it. A C++ exception ends the process, so what is
// not trusted runs in a worker process.
package opencv

import (
	"fmt"
	"image"

	"gocv.io/x/gocv"

	"loupe/vision"
)

// Picture is a decoded upright picture. Close it.
type Picture struct{ mat gocv.Mat }

// Decode reads a picture as a person would see it. Errors wrap ErrPicture.
func Decode(data []byte, orientation int) (*Picture, error) {
	m, err := decode(data, orientation)
	if err != nil {
		return nil, err
	}
	return &Picture{m}, nil
}

// Size gives width and height in pixels.
func (p *Picture) Size() (width, height int) { return p.mat.Cols(), p.mat.Rows() }

// Close frees the picture.
func (p *Picture) Close() error { return p.mat.Close() }

// Input is a prepared network input. Close it.
type Input struct{ blob gocv.Mat }

// Tensor gives the input's numbers, 1×3×S×S, which are there until it is closed.
func (i *Input) Tensor() (vision.Tensor, error) {
	data, err := i.blob.DataPtrFloat32()
	return vision.Tensor{Shape: i.blob.Size(), Data: data}, err
}

// Close frees the input.
func (i *Input) Close() error { return i.blob.Close() }

// Prepare crops the region, resizes it to the square input (by area when
// shrinking, linear when growing), mirrors it as the view says, and makes RGB values (v − 127) / 128.
// It refuses what OpenCV would end the process over.
func (p *Picture) Prepare(prep vision.Preparation) (*Input, error) {
	if err := prep.Check(); err != nil {
		return nil, err
	}
	x, y, w, h := prep.Region.Pixels(p.Size())
	part := p.mat.Region(image.Rect(x, y, x+w, y+h))
	defer part.Close()
	how := gocv.InterpolationLinear
	if w > prep.Size && h > prep.Size {
		how = gocv.InterpolationArea
	}
	square := gocv.NewMat()
	defer square.Close()
	gocv.Resize(part, &square, image.Pt(prep.Size, prep.Size), 0, 0, how)
	if prep.View > 0 {
		gocv.Flip(square, &square, [vision.Views]int{1: 1, 2: 0, 3: -1}[prep.View])
	}
	blob := gocv.BlobFromImage(square, 1.0/128, image.Pt(prep.Size, prep.Size), gocv.NewScalar(127, 127, 127, 0), true, false)
	return &Input{blob}, nil
}

// JPEG gives a copy of the picture with at most side pixels on its longer side,
// of a quality from 1 to 100.
func (p *Picture) JPEG(side, quality int) (data []byte, width, height int, err error) {
	if side < 1 || quality < 1 || quality > 100 {
		return nil, 0, 0, fmt.Errorf("no copy has %d pixels and the quality %d", side, quality)
	}
	width, height = p.Size()
	m := p.mat
	if longer := max(width, height); longer > side {
		width, height = max(1, width*side/longer), max(1, height*side/longer)
		small := gocv.NewMat()
		defer small.Close()
		gocv.Resize(p.mat, &small, image.Pt(width, height), 0, 0, gocv.InterpolationArea)
		m = small
	}
	buf, err := gocv.IMEncodeWithParams(gocv.JPEGFileExt, m, []int{gocv.IMWriteJpegQuality, quality})
	if err != nil {
		return nil, 0, 0, fmt.Errorf("encode a JPEG: %w", err)
	}
	defer buf.Close()
	return append([]byte(nil), buf.GetBytes()...), width, height, nil
}
