package picturetest

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"testing"

	"golang.org/x/image/tiff"
)

// SolidWebP is a whole lossless WebP of one colour (VP8L, as RFC 9649 says):
// each of its five prefix codes has a single symbol, so that no bits of pixels
// follow.
func SolidWebP(w, h int) []byte {
	var bits []byte
	at := 0
	put := func(v uint32, n int) {
		for i := range n {
			if at%8 == 0 {
				bits = append(bits, 0)
			}
			bits[at/8] |= byte(v>>i&1) << (at % 8)
			at++
		}
	}
	put(0x2f, 8)
	put(uint32(w-1), 14)
	put(uint32(h-1), 14)
	put(0, 1+3)                                            // no alpha, version 0
	put(0, 1+1+1)                                          // no transform, no colour cache, one group of codes
	for _, symbol := range []uint32{120, 90, 60, 255, 0} { // green, red, blue, alpha, distance
		put(1, 1) // simple code
		put(0, 1) // of one symbol
		put(1, 1) // in 8 bits
		put(symbol, 8)
	}
	if len(bits)%2 != 0 {
		bits = append(bits, 0)
	}
	return riff(chunk("VP8L", bits))
}

// AnimatedWebP announces two frames of a size.
func AnimatedWebP(w, h int) []byte {
	head := []byte{2, 0, 0, 0, byte(w - 1), byte((w - 1) >> 8), 0, byte(h - 1), byte((h - 1) >> 8), 0}
	frame := append([]byte{0, 0, 0, 0, 0, 0}, head[4:]...)
	frame = append(append(frame, 10, 0, 0, 0), SolidWebP(w, h)[12:]...)
	return riff(chunk("VP8X", head), chunk("ANIM", make([]byte, 6)), chunk("ANMF", frame), chunk("ANMF", frame))
}

func chunk(name string, body []byte) []byte {
	out := append([]byte(name), binary.LittleEndian.AppendUint32(nil, uint32(len(body)))...)
	out = append(out, body...)
	if len(body)%2 != 0 {
		out = append(out, 0)
	}
	return out
}

func riff(chunks ...[]byte) []byte {
	body := append([]byte("WEBP"), bytes.Join(chunks, nil)...)
	return append(append([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, uint32(len(body)))...), body...)
}

// WithPNGChunk puts a chunk behind the header of a PNG.
func WithPNGChunk(file []byte, name string, body []byte) []byte {
	c := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), name...)
	c = append(c, body...)
	c = binary.BigEndian.AppendUint32(c, crc32.ChecksumIEEE(c[4:]))
	const header = 8 + 25
	return append(append(bytes.Clone(file[:header]), c...), file[header:]...)
}

// WithPNGSize makes the header of a PNG claim a size, and its checksum right.
func WithPNGSize(file []byte, w, h uint32) []byte {
	out := bytes.Clone(file)
	binary.BigEndian.PutUint32(out[16:], w)
	binary.BigEndian.PutUint32(out[20:], h)
	binary.BigEndian.PutUint32(out[29:], crc32.ChecksumIEEE(out[12:29]))
	return out
}

// WithPNGSums makes the checksums of a damaged PNG right, so that a decoder
// believes the damage.
func WithPNGSums(file []byte) []byte {
	out := bytes.Clone(file)
	for at := 8; at+12 <= len(out); {
		end := at + 8 + int(binary.BigEndian.Uint32(out[at:]))
		if end < at || end+4 > len(out) {
			break
		}
		binary.BigEndian.PutUint32(out[end:], crc32.ChecksumIEEE(out[at+4:end]))
		at = end + 4
	}
	return out
}

// CircularEXIF gives a JPEG metadata whose directories point at each other.
func CircularEXIF(file []byte) []byte {
	exif := []byte("Exif\x00\x00MM\x00*\x00\x00\x00\x08")
	exif = append(exif, 0, 2)
	exif = append(exif, 0x87, 0x69, 0, 4, 0, 0, 0, 1, 0, 0, 0, 8) // the EXIF directory is this one
	exif = append(exif, 0x88, 0x25, 0, 4, 0, 0, 0, 1, 0, 0, 0, 8) // and so is that of GPS
	exif = append(exif, 0, 0, 0, 8)                               // and the next
	return withSegment(file, 0xe1, exif)
}

// HugeProfile gives a JPEG a colour profile of so many segments of 64 kB.
func HugeProfile(file []byte, segments int) []byte {
	for n := segments; n > 0; n-- {
		body := append([]byte("ICC_PROFILE\x00"), byte(n), byte(segments))
		file = withSegment(file, 0xe2, append(body, make([]byte, 65000)...))
	}
	return file
}

// Corpus holds whole pictures of every format with the oddities that cameras
// and vandals send, by name. Not all of them pass the gate.
func Corpus(t testing.TB) map[string][]byte {
	t.Helper()
	img := Quarters(60, 40)
	b := img.Bounds()
	grey, deep, deepGrey := image.NewGray(b), image.NewNRGBA64(b), image.NewGray16(b)
	few := image.NewPaletted(b, color.Palette{Red, Green, Blue, Light})
	for y := range b.Dy() {
		for x := range b.Dx() {
			c := img.At(x, y)
			grey.Set(x, y, c)
			deep.Set(x, y, c)
			deepGrey.Set(x, y, c)
			few.Set(x, y, c)
		}
	}
	var packed bytes.Buffer
	must(t, tiff.Encode(&packed, img, &tiff.Options{Compression: tiff.Deflate, Predictor: true}))
	all := map[string][]byte{
		"jpeg": JPEG(t, img), "grey jpeg": JPEG(t, grey), "ink jpeg": CMYK(t, img), "turned jpeg": Oriented(JPEG(t, img), 6),
		"circular exif": CircularEXIF(JPEG(t, img)), "huge profile": HugeProfile(JPEG(t, Quarters(8, 8)), 8),
		"png": PNG(t, img), "grey png": PNG(t, grey), "deep png": PNG(t, deep), "deep grey png": PNG(t, deepGrey), "palette png": PNG(t, few),
		"animated png": WithPNGChunk(PNG(t, img), "acTL", []byte{0, 0, 0, 2, 0, 0, 0, 0}), "profile png": WithPNGChunk(PNG(t, img), "iCCP", append([]byte("x\x00\x00"), make([]byte, 9000)...)),
		"png bomb": WithPNGSize(PNG(t, grey), 100_000, 100_000), "png bomb in bounds": WithPNGSize(PNG(t, grey), 4000, 4000), "png of no size": WithPNGSize(PNG(t, grey), 0, 0),
		"bmp": BMP(t, img), "grey bmp": BMP(t, grey), "palette bmp": BMP(t, few),
		"tiff": TIFF(t, img), "grey tiff": TIFF(t, grey), "deep tiff": TIFF(t, deepGrey), "palette tiff": TIFF(t, few), "packed tiff": packed.Bytes(),
		"webp": SolidWebP(60, 40), "webp of no pixels": WebPHeader(60, 40), "animated webp": AnimatedWebP(60, 40),
	}
	for name, size := range map[string][2]int{"point": {1, 1}, "line": {60_000, 1}, "column": {1, 60_000}} {
		i := Quarters(size[0], size[1])
		all[name+" jpeg"], all[name+" png"], all[name+" bmp"], all[name+" tiff"] = JPEG(t, i), PNG(t, i), BMP(t, i), TIFF(t, i)
		if size[0] <= 1<<14 && size[1] <= 1<<14 {
			all[name+" webp"] = SolidWebP(size[0], size[1])
		}
	}
	return all
}
