package opencv

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"testing"

	"gocv.io/x/gocv"

	"loupe/vision"
	"loupe/vision/picturetest"
)

// corner names a quarter's colour: r, g, b, or w for light, ? for any other.
func corner(v gocv.Vecb) byte {
	near := func(c color.NRGBA) bool {
		for i, want := range []uint8{c.B, c.G, c.R} {
			if d := int(v[i]) - int(want); d < -12 || d > 12 {
				return false
			}
		}
		return true
	}
	for name, c := range map[byte]color.NRGBA{'r': picturetest.Red, 'g': picturetest.Green, 'b': picturetest.Blue, 'w': picturetest.Light} {
		if near(c) {
			return name
		}
	}
	return '?'
}

// seen decodes a picture and names the colours of its quarters, row by row.
func seen(t *testing.T, data []byte, orientation int) string {
	t.Helper()
	p, err := Decode(data, orientation)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer p.Close()
	w, h := p.Size()
	var s []byte
	for _, y := range []int{h / 4, 3 * h / 4} {
		for _, x := range []int{w / 4, 3 * w / 4} {
			s = append(s, corner(p.mat.GetVecbAt(y, x)))
		}
	}
	return string(s)
}

// deep gives a picture 16 bits a channel.
func deep(img image.Image) image.Image {
	out := image.NewNRGBA64(img.Bounds())
	draw.Draw(out, out.Bounds(), img, image.Point{}, draw.Src)
	return out
}

func webp(t *testing.T, img image.Image) []byte {
	t.Helper()
	m, err := gocv.ImageToMatRGB(img)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	buf, err := gocv.IMEncodeWithParams(".webp", m, []int{gocv.IMWriteWebpQuality, 101})
	if err != nil {
		t.Fatal(err)
	}
	defer buf.Close()
	return bytes.Clone(buf.GetBytes())
}

func TestPicturesAreDecodedAsAPersonSeesThem(t *testing.T) {
	img := picturetest.Quarters(64, 48)
	for name, data := range map[string][]byte{
		"jpeg": picturetest.JPEG(t, img), "png": picturetest.PNG(t, img), "bmp": picturetest.BMP(t, img), "tiff": picturetest.TIFF(t, img), "webp": webp(t, img),
		"16-bit png": picturetest.PNG(t, deep(img)), "16-bit tiff": picturetest.TIFF(t, deep(img)), "cmyk jpeg": picturetest.CMYK(t, img),
	} {
		header, err := vision.DefaultGate.Check(data)
		if err != nil || header.Width != 64 || header.Height != 48 {
			t.Errorf("%s: the gate says %+v, %v", name, header, err)
		}
		if got := seen(t, data, header.Orientation); got != "rgbw" {
			t.Errorf("%s: quarters %q, want rgbw", name, got)
		}
	}
}

func TestPicturesAreTurnedUpright(t *testing.T) {
	file := picturetest.JPEG(t, picturetest.Quarters(64, 48))
	for o, want := range map[int]string{1: "rgbw", 2: "grwb", 3: "wbgr", 4: "bwrg", 5: "rbgw", 6: "brwg", 7: "wgbr", 8: "gwrb"} {
		data := picturetest.Oriented(file, o)
		header, err := vision.DefaultGate.Check(data)
		if err != nil {
			t.Fatal(err)
		}
		if got := seen(t, data, header.Orientation); got != want {
			t.Errorf("orientation %d: quarters %q, want %q", o, got, want)
		}
		p, err := Decode(data, header.Orientation)
		if err != nil {
			t.Fatal(err)
		}
		if w, h := p.Size(); w != header.Width || h != header.Height {
			t.Errorf("orientation %d: %d×%d, the gate says %d×%d", o, w, h, header.Width, header.Height)
		}
		p.Close()
	}
}

func TestGreyAndTransparentPictures(t *testing.T) {
	grey := image.NewGray(image.Rect(0, 0, 32, 32))
	grey16 := image.NewGray16(grey.Bounds())
	clear := image.NewNRGBA(grey.Bounds())
	for i := range 32 * 32 {
		grey.Pix[i] = 90
		grey16.SetGray16(i%32, i/32, color.Gray16{Y: 90 * 257})
		clear.SetNRGBA(i%32, i/32, color.NRGBA{0, 0, 0, 64}) // a quarter of black on white
	}
	for name, c := range map[string]struct {
		data []byte
		want uint8
	}{
		"grey png": {picturetest.PNG(t, grey), 90}, "grey 16-bit png": {picturetest.PNG(t, grey16), 90}, "grey 16-bit tiff": {picturetest.TIFF(t, grey16), 90},
		"grey jpeg": {picturetest.JPEG(t, grey), 90}, "grey bmp": {picturetest.BMP(t, grey), 90}, "transparent png": {picturetest.PNG(t, clear), 191},
	} {
		p, err := Decode(c.data, 1)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if v := p.mat.GetVecbAt(16, 16); len(v) != 3 || v[0] < c.want-2 || v[0] > c.want+2 || v[1] != v[0] || v[2] != v[0] {
			t.Errorf("%s: %v, want three times %d", name, v, c.want)
		}
		p.Close()
	}
}

func TestWhatIsNoPictureIsAnError(t *testing.T) {
	file := picturetest.PNG(t, picturetest.Quarters(64, 48))
	for name, data := range map[string][]byte{"nothing": nil, "text": []byte("hello"), "half a png": file[:60]} {
		if p, err := Decode(data, 1); !errors.Is(err, ErrPicture) {
			t.Errorf("%s: %v", name, err)
			if err == nil {
				p.Close()
			}
		}
	}
}

// FuzzDecode holds the gate and the decoder against each other: what passes the
// one never ends the process in the other.
func FuzzDecode(f *testing.F) {
	img := picturetest.Quarters(16, 12)
	for _, data := range [][]byte{picturetest.JPEG(f, img), picturetest.PNG(f, img), picturetest.BMP(f, img), picturetest.TIFF(f, img), picturetest.CMYK(f, img), picturetest.WebPHeader(16, 12)} {
		f.Add(data)
	}
	gate := vision.Gate{MaxBytes: 1 << 16, MaxPixels: 1 << 16}
	f.Fuzz(func(t *testing.T, data []byte) {
		header, err := gate.Check(data)
		if err != nil {
			return
		}
		p, err := Decode(data, header.Orientation)
		if err != nil {
			return
		}
		defer p.Close()
		if w, h := p.Size(); w <= 0 || h <= 0 {
			t.Fatalf("an empty picture of %d×%d", w, h)
		}
	})
}
