package vision

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	_ "image/jpeg" // header of JPEG
	_ "image/png"  // header of PNG
	"time"

	"github.com/bep/imagemeta"
	_ "golang.org/x/image/bmp"  // header of BMP
	_ "golang.org/x/image/tiff" // header of TIFF
	_ "golang.org/x/image/webp" // header of WebP
)

// Gate is what every foreign picture passes before anything decodes it.
type Gate struct {
	MaxBytes  int64 // of the file
	MaxPixels int64 // width times height, as the header claims
}

// DefaultGate suits industrial cameras up to 64 megapixels.
var DefaultGate = Gate{MaxBytes: 64 << 20, MaxPixels: 64_000_000}

// Picture is what the header of a picture says.
type Picture struct {
	Format      string // "jpeg", "png", "bmp", "tiff" or "webp"
	MIME        string
	Width       int // of the upright picture, pixels
	Height      int
	Orientation int // EXIF, 1–8
}

// RefusalCode says why a picture was refused.
type RefusalCode string

const (
	NotAPicture   RefusalCode = "not_a_picture"
	TooManyBytes  RefusalCode = "too_many_bytes"
	TooManyPixels RefusalCode = "too_many_pixels"
	Truncated     RefusalCode = "truncated"
	Unsupported   RefusalCode = "unsupported"
)

// Refusal says why a picture does not pass the gate and what to do about it.
type Refusal struct {
	Code   RefusalCode
	Detail string
}

func (r *Refusal) Error() string { return r.Detail }

func refuse(code RefusalCode, format string, args ...any) (Picture, error) {
	return Picture{}, &Refusal{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Check reads the header of a picture: its format by content, its size, its
// orientation, and whether its end is there. It decodes no pixel. An error is
// always a *Refusal.
func (g Gate) Check(data []byte) (Picture, error) {
	if int64(len(data)) > g.MaxBytes {
		return refuse(TooManyBytes, "the picture has %d bytes, the limit is %d: send a smaller one or raise the limit", len(data), g.MaxBytes)
	}
	if len(data) == 0 {
		return refuse(NotAPicture, "the picture is empty: send a JPEG, PNG, BMP, TIFF or WebP file")
	}
	format := sniff(data)
	if format == "" {
		return refuse(NotAPicture, "this is not a picture: send a JPEG, PNG, BMP, TIFF or WebP file")
	}
	if format == "webp" && animated(data) {
		return refuse(Unsupported, "this WebP is animated: send single pictures")
	}
	config, err := config(data)
	if err != nil {
		if short(data, format) {
			return refuse(Truncated, "the picture ends too early: it was cut off on its way, send it again")
		}
		return refuse(Unsupported, "the header of this %s cannot be read (%v): save it as a plain %s or PNG", format, err, format)
	}
	if config.Width <= 0 || config.Height <= 0 {
		return refuse(NotAPicture, "the picture has no pixels")
	}
	if pixels := int64(config.Width) * int64(config.Height); pixels > g.MaxPixels {
		return refuse(TooManyPixels, "the picture has %d×%d pixels, the limit is %d: send a smaller one or raise the limit", config.Width, config.Height, g.MaxPixels)
	}
	if short(data, format) {
		return refuse(Truncated, "the picture ends too early: it was cut off on its way, send it again")
	}
	p := Picture{Format: format, MIME: "image/" + format, Width: config.Width, Height: config.Height, Orientation: orientation(data, format)}
	if p.Orientation >= 5 {
		p.Width, p.Height = p.Height, p.Width
	}
	return p, nil
}

// config reads a header; a panic of a decoder over bad bytes is an error.
func config(data []byte) (c image.Config, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	c, _, err = image.DecodeConfig(bytes.NewReader(data))
	return c, err
}

func sniff(data []byte) string {
	has := func(at int, magic string) bool {
		return len(data) >= at+len(magic) && string(data[at:at+len(magic)]) == magic
	}
	switch {
	case has(0, "\xff\xd8\xff"):
		return "jpeg"
	case has(0, "\x89PNG\r\n\x1a\n"):
		return "png"
	case has(0, "BM"):
		return "bmp"
	case has(0, "II*\x00"), has(0, "MM\x00*"):
		return "tiff"
	case has(0, "RIFF") && has(8, "WEBP"):
		return "webp"
	}
	return ""
}

// animated reports whether a WebP announces animation in its extended header.
func animated(data []byte) bool {
	return len(data) > 20 && string(data[12:16]) == "VP8X" && data[20]&2 != 0
}

// short reports whether the file's own structure says that its end is missing.
// TIFF has no end mark; its decoder finds what is missing.
func short(data []byte, format string) bool {
	size := uint64(len(data))
	switch format {
	case "jpeg":
		return shortJPEG(data)
	case "png":
		end := bytes.LastIndex(data, []byte("IEND"))
		return end < 0 || end+8 > len(data)
	case "webp":
		return size < 12 || uint64(binary.LittleEndian.Uint32(data[4:]))+8 > size
	case "bmp":
		return shortBMP(data)
	case "tiff":
		return shortTIFF(data)
	}
	return false
}

// shortJPEG looks for the end mark behind the start of the scan: a thumbnail in
// the header has an end mark too.
func shortJPEG(data []byte) bool {
	for at := 2; at+4 <= len(data) && data[at] == 0xff; {
		switch data[at+1] {
		case 0xff: // padding
			at++
		case 0xda:
			return !bytes.Contains(data[max(at, len(data)-4096):], []byte{0xff, 0xd9})
		default:
			at += 2 + int(binary.BigEndian.Uint16(data[at+2:]))
		}
	}
	return true
}

func shortBMP(data []byte) bool {
	if len(data) < 34 {
		return true
	}
	offset := uint64(binary.LittleEndian.Uint32(data[10:]))
	width, height := int64(int32(binary.LittleEndian.Uint32(data[18:]))), int64(int32(binary.LittleEndian.Uint32(data[22:])))
	if binary.LittleEndian.Uint32(data[30:]) != 0 || width <= 0 { // compressed: its decoder finds what is missing
		return false
	}
	if height < 0 {
		height = -height
	}
	stride := (uint64(width)*uint64(binary.LittleEndian.Uint16(data[28:])) + 31) / 32 * 4
	return offset+stride*uint64(height) > uint64(len(data))
}

// shortTIFF looks whether each strip or tile of the first directory lies inside the file.
func shortTIFF(data []byte) bool {
	var order binary.ByteOrder = binary.LittleEndian
	if data[0] == 'M' {
		order = binary.BigEndian
	}
	size := uint64(len(data))
	if size < 8 {
		return true
	}
	at := uint64(order.Uint32(data[4:]))
	if at+2 > size {
		return true
	}
	n := uint64(order.Uint16(data[at:]))
	if at+2+12*n > size {
		return true
	}
	var offsets, counts []uint64
	for i := range n {
		e := data[at+2+12*i:]
		switch order.Uint16(e) {
		case 273, 324: // strip, tile offsets
			offsets = tiffValues(data, e, order)
		case 279, 325: // their byte counts
			counts = tiffValues(data, e, order)
		}
	}
	if len(offsets) == 0 || len(offsets) != len(counts) {
		return true
	}
	for i := range offsets {
		if offsets[i]+counts[i] > size {
			return true
		}
	}
	return false
}

// tiffValues reads the short or long values of a directory entry; nil when they
// lie outside the file.
func tiffValues(data, entry []byte, order binary.ByteOrder) []uint64 {
	width := map[uint16]uint64{3: 2, 4: 4}[order.Uint16(entry[2:])]
	n := uint64(order.Uint32(entry[4:]))
	if width == 0 || n > uint64(len(data)) {
		return nil
	}
	from := entry[8:12]
	if n*width > 4 {
		at := uint64(order.Uint32(entry[8:]))
		if at+n*width > uint64(len(data)) {
			return nil
		}
		from = data[at:]
	}
	values := make([]uint64, n)
	for i := range values {
		if width == 2 {
			values[i] = uint64(order.Uint16(from[2*i:]))
		} else {
			values[i] = uint64(order.Uint32(from[4*i:]))
		}
	}
	return values
}

// metadataTime bounds what foreign metadata may cost.
const metadataTime = 500 * time.Millisecond

// orientation reads the EXIF orientation; 1 where there is none or it is broken.
func orientation(data []byte, format string) (o int) {
	o = 1
	formats := map[string]imagemeta.ImageFormat{"jpeg": imagemeta.JPEG, "png": imagemeta.PNG, "tiff": imagemeta.TIFF, "webp": imagemeta.WebP}
	kind, ok := formats[format]
	if !ok {
		return o
	}
	defer func() {
		if recover() != nil {
			o = 1
		}
	}()
	found := 1
	_, err := imagemeta.Decode(imagemeta.Options{
		R: bytes.NewReader(data), ImageFormat: kind, Sources: imagemeta.EXIF, Timeout: metadataTime, LimitNumTags: 500,
		ShouldHandleTag: func(tag imagemeta.TagInfo) bool { return tag.Tag == "Orientation" && tag.Namespace == "IFD0" },
		HandleTag: func(tag imagemeta.TagInfo) error {
			switch v := tag.Value.(type) {
			case uint16:
				found = int(v)
			case uint32:
				found = int(v)
			}
			return imagemeta.ErrStopWalking
		},
		Warnf: func(string, ...any) {},
	})
	if err != nil || found < 1 || found > 8 {
		return 1
	}
	return found
}
