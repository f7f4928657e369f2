// Package picturetest draws and encodes pictures whose every corner is known,
// in the formats and with the oddities that cameras send, for tests.
package picturetest

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// The colours of the quarters of Quarters: upper left, upper right, lower left,
// lower right.
var (
	Red   = color.NRGBA{200, 30, 30, 255}
	Green = color.NRGBA{30, 180, 40, 255}
	Blue  = color.NRGBA{30, 50, 200, 255}
	Light = color.NRGBA{230, 230, 230, 255}
)

// Quarters draws a picture of four coloured quarters.
func Quarters(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := [2][2]color.NRGBA{{Red, Green}, {Blue, Light}}[2*y/h][2*x/w]
			img.SetNRGBA(x, y, c)
		}
	}
	return img
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// JPEG encodes at quality 95.
func JPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}))
	return b.Bytes()
}

// PNG encodes as PNG, with the depth and the transparency that img has.
func PNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, png.Encode(&b, img))
	return b.Bytes()
}

// BMP encodes as an uncompressed BMP.
func BMP(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, bmp.Encode(&b, img))
	return b.Bytes()
}

// TIFF encodes as an uncompressed TIFF.
func TIFF(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, tiff.Encode(&b, img, nil))
	return b.Bytes()
}

// WebPHeader is the beginning of a lossless WebP of a size: its header is whole,
// its pixels are not.
func WebPHeader(w, h int) []byte {
	body := append([]byte("VP8L"), 0, 0, 0, 0)
	body = append(body, 0x2f)
	body = binary.LittleEndian.AppendUint32(body, uint32(w-1)|uint32(h-1)<<14)
	body = append(body, make([]byte, 15)...)
	binary.LittleEndian.PutUint32(body[4:], uint32(len(body)-8))
	out := append([]byte("RIFF"), 0, 0, 0, 0)
	out = append(append(out, "WEBP"...), body...)
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out
}

// Oriented gives a JPEG an EXIF orientation.
func Oriented(file []byte, orientation int) []byte {
	exif := []byte("Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00")
	exif[6+8+2+9] = byte(orientation)
	return withSegment(file, 0xe1, exif)
}

// WithComment puts foreign bytes into the header of a JPEG.
func WithComment(file, comment []byte) []byte { return withSegment(file, 0xfe, comment) }

// withSegment puts a marker segment behind the start of a JPEG.
func withSegment(file []byte, marker byte, body []byte) []byte {
	out := append([]byte{0xff, 0xd8, 0xff, marker}, binary.BigEndian.AppendUint16(nil, uint16(len(body)+2))...)
	return append(append(out, body...), file[2:]...)
}

// CMYK encodes as a JPEG of four inks, as Adobe's programs do: the inks are
// inverted and a marker says so.
func CMYK(t testing.TB, img image.Image) []byte {
	t.Helper()
	b := img.Bounds()
	var planes [4]*image.Gray
	for i := range planes {
		planes[i] = image.NewGray(b)
	}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := color.CMYKModel.Convert(img.At(x, y)).(color.CMYK)
			for i, ink := range []uint8{c.C, c.M, c.Y, c.K} {
				planes[i].SetGray(x, y, color.Gray{Y: 255 - ink})
			}
		}
	}
	adobe := append([]byte("Adobe"), 0, 100, 0, 0, 0, 0, 0)
	return withSegment(fourPlanes(t, planes), 0xee, adobe)
}

// fourPlanes makes one JPEG of four grey ones, a scan for each: they share their
// tables.
func fourPlanes(t testing.TB, planes [4]*image.Gray) []byte {
	t.Helper()
	out := []byte{0xff, 0xd8}
	for i, plane := range planes {
		for _, s := range segments(JPEG(t, plane)) {
			switch {
			case s[1] == 0xda: // start of scan: this one's component, then its data
				out = append(out, 0xff, 0xda, 0, 8, 1, byte(i+1), 0, 0, 63, 0)
				out = append(out, s[10:]...)
			case i > 0: // the tables are there already
			case s[1] == 0xc0:
				frame := append([]byte{0xff, 0xc0, 0, 8 + 3*4}, s[4:9]...)
				frame = append(frame, 4)
				for c := range byte(4) {
					frame = append(frame, c+1, 0x11, 0)
				}
				out = append(out, frame...)
			default:
				out = append(out, s...)
			}
		}
	}
	return append(out, 0xff, 0xd9)
}

// segments cuts a JPEG into its marker segments; the last one holds the scan's
// data too. Start and end are left out.
func segments(file []byte) [][]byte {
	var all [][]byte
	for at := 2; at < len(file); {
		if file[at+1] == 0xda {
			return append(all, file[at:len(file)-2])
		}
		n := 2 + int(binary.BigEndian.Uint16(file[at+2:]))
		all = append(all, file[at:at+n])
		at += n
	}
	return all
}
