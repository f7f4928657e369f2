package opencv

import "encoding/binary"

// separated reports whether a TIFF holds inks (CMYK): its first directory says
// PhotometricInterpretation 5. Bytes that are no sound TIFF give false.
func separated(data []byte) bool {
	if len(data) < 8 {
		return false
	}
	var order binary.ByteOrder = binary.LittleEndian
	if data[0] == 'M' {
		order = binary.BigEndian
	}
	at := uint64(order.Uint32(data[4:]))
	if at+2 > uint64(len(data)) {
		return false
	}
	n := uint64(order.Uint16(data[at:]))
	for i := range n {
		e := at + 2 + 12*i
		if e+12 > uint64(len(data)) {
			return false
		}
		if order.Uint16(data[e:]) == 262 {
			return order.Uint16(data[e+8:]) == 5
		}
	}
	return false
}
