package opencv

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"

	"gocv.io/x/gocv"
	_ "golang.org/x/image/bmp"  // header of BMP
	_ "golang.org/x/image/tiff" // header of TIFF
	_ "golang.org/x/image/webp" // header of WebP
	_ "image/png"               // header of PNG
)

// ErrPicture says that bytes are not a picture that can be judged.
var ErrPicture = errors.New("the picture cannot be decoded")

// decode gives the upright picture, 8-bit BGR, as a person would see it:
// 16-bit scaled down, transparency on white, CMYK converted, turned by its EXIF
// orientation. The caller closes the Mat.
func decode(data []byte, orientation int) (gocv.Mat, error) {
	config, format, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return gocv.Mat{}, fmt.Errorf("%w: %v", ErrPicture, err)
	}
	if format == "jpeg" && config.ColorModel == color.CMYKModel {
		return decodeCMYK(data, orientation)
	}
	flags := gocv.IMReadUnchanged
	if format == "tiff" && separated(data) {
		flags = gocv.IMReadColor // libtiff converts CMYK to RGB
	}
	raw, err := gocv.IMDecode(data, flags)
	if err != nil {
		return gocv.Mat{}, fmt.Errorf("%w: %v", ErrPicture, err)
	}
	if raw.Empty() {
		raw.Close()
		return gocv.Mat{}, fmt.Errorf("%w: OpenCV does not read this %s", ErrPicture, format)
	}
	bgr := toBGR(raw, format != "bmp") // the fourth byte of a BMP is padding more often than alpha
	if format == "tiff" {
		return bgr, nil // OpenCV's TIFF reader turns the picture itself
	}
	return upright(bgr, orientation), nil
}

// toBGR converts any depth and number of channels to 8-bit BGR and closes raw.
func toBGR(raw gocv.Mat, alpha bool) gocv.Mat {
	eight := toEightBits(raw)
	bgr := gocv.NewMat()
	switch eight.Channels() {
	case 1:
		gocv.CvtColor(eight, &bgr, gocv.ColorGrayToBGR)
	case 4:
		if alpha {
			bgr.Close()
			bgr = onWhite(eight)
		} else {
			gocv.CvtColor(eight, &bgr, gocv.ColorBGRAToBGR)
		}
	default:
		bgr.Close()
		return eight
	}
	eight.Close()
	return bgr
}

// toEightBits scales deeper pictures down and closes raw where it makes a new one.
func toEightBits(raw gocv.Mat) gocv.Mat {
	scale, shift := float32(1), float32(0)
	switch raw.Type() & 7 {
	case gocv.MatTypeCV8U:
		return raw
	case gocv.MatTypeCV16U:
		scale = 1.0 / 257
	default: // signed and floating-point pictures have no agreed white: stretch what is there
		flat := raw.Reshape(1, 0)
		low, high, _, _ := gocv.MinMaxLoc(flat)
		flat.Close()
		if high > low {
			scale = 255 / (high - low)
			shift = -low * scale
		}
	}
	eight := gocv.NewMat()
	raw.ConvertToWithParams(&eight, gocv.MatTypeCV8U, scale, shift)
	raw.Close()
	return eight
}

// onWhite puts a BGRA picture on a white ground.
func onWhite(bgra gocv.Mat) gocv.Mat {
	pixels := bgra.ToBytes()
	out := make([]byte, len(pixels)/4*3)
	for i, o := 0, 0; i < len(pixels); i, o = i+4, o+3 {
		a := uint32(pixels[i+3])
		for c := range 3 {
			out[o+c] = uint8((uint32(pixels[i+c])*a + 255*(255-a) + 127) / 255)
		}
	}
	return fromBytes(bgra.Rows(), bgra.Cols(), out)
}

// fromBytes copies packed BGR bytes into a Mat of its own memory.
func fromBytes(rows, cols int, bgr []byte) gocv.Mat {
	view, err := gocv.NewMatFromBytes(rows, cols, gocv.MatTypeCV8UC3, bgr)
	if err != nil {
		panic(err) // the sizes are ours
	}
	defer view.Close()
	return view.Clone()
}

// decodeCMYK reads a CMYK or YCCK JPEG through Go, which follows Adobe's marker
// for inverted inks; OpenCV 4.6 takes every one as inverted.
func decodeCMYK(data []byte, orientation int) (gocv.Mat, error) {
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return gocv.Mat{}, fmt.Errorf("%w: %v", ErrPicture, err)
	}
	b := img.Bounds()
	rgba := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(rgba, rgba.Bounds(), img, b.Min, draw.Src)
	bgr := make([]byte, b.Dx()*b.Dy()*3)
	for i, o := 0, 0; o < len(bgr); i, o = i+4, o+3 {
		bgr[o], bgr[o+1], bgr[o+2] = rgba.Pix[i+2], rgba.Pix[i+1], rgba.Pix[i]
	}
	return upright(fromBytes(b.Dy(), b.Dx(), bgr), orientation), nil
}

// upright turns a picture by its EXIF orientation (1–8) and closes m where it
// makes a new one.
func upright(m gocv.Mat, orientation int) gocv.Mat {
	const mirror, turn = 1, 2
	steps := map[int][2]int{2: {mirror, -1}, 3: {turn, int(gocv.Rotate180Clockwise)}, 4: {mirror, int(gocv.Rotate180Clockwise)},
		5: {mirror, int(gocv.Rotate90CounterClockwise)}, 6: {turn, int(gocv.Rotate90Clockwise)},
		7: {mirror, int(gocv.Rotate90Clockwise)}, 8: {turn, int(gocv.Rotate90CounterClockwise)}}
	step, ok := steps[orientation]
	if !ok {
		return m
	}
	if step[0] == mirror {
		flipped := gocv.NewMat()
		gocv.Flip(m, &flipped, 1)
		m.Close()
		m = flipped
	}
	if step[1] >= 0 {
		turned := gocv.NewMat()
		gocv.Rotate(m, &turned, gocv.RotateFlag(step[1]))
		m.Close()
		m = turned
	}
	return m
}
