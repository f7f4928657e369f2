package vision_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"strings"
	"testing"

	"loupe/vision"
	"loupe/vision/picturetest"
)

// files are whole pictures of 60×40 in each format.
func files(t testing.TB) map[string][]byte {
	img := picturetest.Quarters(60, 40)
	return map[string][]byte{
		"jpeg": picturetest.JPEG(t, img), "png": picturetest.PNG(t, img), "bmp": picturetest.BMP(t, img),
		"tiff": picturetest.TIFF(t, img), "webp": picturetest.WebPHeader(60, 40),
	}
}

func TestGateReadsEachFormatByItsContent(t *testing.T) {
	for format, data := range files(t) {
		p, err := vision.DefaultGate.Check(data)
		want := vision.Picture{Format: format, MIME: "image/" + format, Width: 60, Height: 40, Orientation: 1}
		if err != nil || p != want {
			t.Errorf("%s: %+v, %v", format, p, err)
		}
	}
	if p, err := vision.DefaultGate.Check(picturetest.CMYK(t, picturetest.Quarters(60, 40))); err != nil || p.Width != 60 {
		t.Errorf("CMYK: %+v, %v", p, err)
	}
}

func TestGateGivesTheUprightSize(t *testing.T) {
	file := picturetest.JPEG(t, picturetest.Quarters(60, 40))
	for o := 1; o <= 8; o++ {
		p, err := vision.DefaultGate.Check(picturetest.Oriented(file, o))
		w, h := 60, 40
		if o >= 5 {
			w, h = h, w
		}
		if err != nil || p.Orientation != o || p.Width != w || p.Height != h {
			t.Errorf("orientation %d: %+v, %v", o, p, err)
		}
	}
	for _, o := range []int{0, 9, 200} {
		if p, err := vision.DefaultGate.Check(picturetest.Oriented(file, o)); err != nil || p.Orientation != 1 {
			t.Errorf("orientation %d, which is none: %+v, %v", o, p, err)
		}
	}
}

func TestGateRefuses(t *testing.T) {
	all := files(t)
	small := vision.Gate{MaxBytes: 1 << 20, MaxPixels: 2000}
	for _, c := range []struct {
		name string
		gate vision.Gate
		data []byte
		code vision.RefusalCode
		says string
	}{
		{"nothing", vision.DefaultGate, nil, vision.NotAPicture, "empty"},
		{"text", vision.DefaultGate, []byte("GET / HTTP/1.1\r\n\r\n"), vision.NotAPicture, "not a picture"},
		{"gif", vision.DefaultGate, []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"), vision.NotAPicture, "JPEG"},
		{"zeros", vision.DefaultGate, make([]byte, 5000), vision.NotAPicture, "not a picture"},
		{"bytes", vision.Gate{MaxBytes: 100, MaxPixels: 1e6}, all["png"], vision.TooManyBytes, "limit is 100"},
		{"jpeg pixels", small, all["jpeg"], vision.TooManyPixels, "60×40"},
		{"png pixels", small, all["png"], vision.TooManyPixels, "60×40"},
		{"bmp pixels", small, all["bmp"], vision.TooManyPixels, "60×40"},
		{"tiff pixels", small, all["tiff"], vision.TooManyPixels, "60×40"},
		{"webp pixels", small, all["webp"], vision.TooManyPixels, "60×40"},
		{"a tiny PNG that claims 100000×100000", vision.DefaultGate, hugePNG(t), vision.TooManyPixels, "100000×100000"},
	} {
		_, err := c.gate.Check(c.data)
		var r *vision.Refusal
		if !errors.As(err, &r) || r.Code != c.code || !strings.Contains(r.Detail, c.says) {
			t.Errorf("%s: %v, want %s with %q", c.name, err, c.code, c.says)
		}
	}
}

// hugePNG is a small file whose header claims ten thousand million pixels.
func hugePNG(t *testing.T) []byte {
	data := picturetest.PNG(t, image.NewGray(image.Rect(0, 0, 1, 1)))
	binary.BigEndian.PutUint32(data[16:], 100000)
	binary.BigEndian.PutUint32(data[20:], 100000)
	binary.BigEndian.PutUint32(data[29:], crc32.ChecksumIEEE(data[12:29]))
	return data
}

func TestGateRefusesWhatWasCutOff(t *testing.T) {
	for format, data := range files(t) {
		for _, share := range []float64{0.05, 0.3, 0.6, 0.9, 0.99} {
			_, err := vision.DefaultGate.Check(data[:int(share*float64(len(data)))])
			var r *vision.Refusal
			if !errors.As(err, &r) || r.Code != vision.Truncated && (share > 0.1 || r.Code != vision.NotAPicture) {
				t.Errorf("%s cut to %.0f %%: %v", format, 100*share, err)
			}
		}
	}
}

func TestGateIsNotTakenInByTheEndOfAThumbnail(t *testing.T) {
	thumbnail := picturetest.JPEG(t, picturetest.Quarters(8, 8))
	file := picturetest.WithComment(picturetest.JPEG(t, picturetest.Quarters(60, 40)), thumbnail)
	if _, err := vision.DefaultGate.Check(file); err != nil {
		t.Errorf("whole: %v", err)
	}
	var r *vision.Refusal
	if _, err := vision.DefaultGate.Check(file[:len(file)-40]); !errors.As(err, &r) || r.Code != vision.Truncated {
		t.Errorf("cut off: %v", err)
	}
}

func FuzzGate(f *testing.F) {
	for _, data := range files(f) {
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Add(picturetest.Oriented(files(f)["jpeg"], 6))
	f.Add(picturetest.CMYK(f, picturetest.Quarters(16, 16)))
	gate := vision.Gate{MaxBytes: 1 << 20, MaxPixels: 1 << 20}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := gate.Check(data)
		var r *vision.Refusal
		switch {
		case err != nil && !errors.As(err, &r):
			t.Fatalf("%v is no refusal", err)
		case err == nil && (p.Width <= 0 || p.Height <= 0 || int64(p.Width)*int64(p.Height) > gate.MaxPixels || p.Orientation < 1 || p.Orientation > 8):
			t.Fatalf("accepted as %+v", p)
		}
	})
}
