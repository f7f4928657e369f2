package picturetest

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
)

// edges are numbers at which careless arithmetic breaks.
var edges = []uint32{0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff}

// Mutate damages a picture in one to three ways, as a bad line, a bad disk or a
// vandal would. other lends bytes for splicing. data is left as it is.
func Mutate(rng *rand.Rand, data, other []byte) []byte {
	out := bytes.Clone(data)
	for range 1 + rng.IntN(3) {
		out = damage(rng, out, other)
	}
	if bytes.HasPrefix(out, []byte("\x89PNG")) && rng.IntN(4) > 0 {
		out = WithPNGSums(out)
	}
	return out
}

func damage(rng *rand.Rand, data, other []byte) []byte {
	if len(data) < 16 {
		return append(data, byte(rng.Uint32()))
	}
	at := rng.IntN(len(data))
	if rng.IntN(2) == 0 {
		at = rng.IntN(min(len(data), 160)) // the headers are where it hurts
	}
	n := min(1+rng.IntN(64), len(data)-at)
	switch rng.IntN(8) {
	case 0: // cut off
		return data[:at]
	case 1, 2: // bits turn over
		for range 1 + rng.IntN(16) {
			data[rng.IntN(len(data))] ^= 1 << rng.IntN(8)
		}
	case 3: // one bit of the headers
		data[at] ^= 1 << rng.IntN(8)
	case 4: // a number at the edge
		v := edges[rng.IntN(len(edges))]
		field := data[min(at, len(data)-4):]
		switch rng.IntN(4) {
		case 0:
			binary.BigEndian.PutUint32(field, v)
		case 1:
			binary.LittleEndian.PutUint32(field, v)
		case 2:
			binary.BigEndian.PutUint16(field, uint16(v))
		default:
			field[0] = byte(v)
		}
	case 5: // a hole
		return append(data[:at:at], data[at+n:]...)
	case 6: // a stammer
		return append(append(data[:at:at], data[at:at+n]...), data[at:]...)
	default: // foreign bytes
		from := rng.IntN(len(other))
		return append(append(data[:at:at], other[from:min(from+n, len(other))]...), data[at+n:]...)
	}
	return data
}
