package exchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
)

// eachKey calls do for each key of the object that comes next; do must read the
// value.
func eachKey(d *json.Decoder, do func(key string, d *json.Decoder) error) error {
	if err := want(d, '{'); err != nil {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string)
		if err := do(name, d); err != nil {
			return err
		}
	}
	return want(d, '}')
}

// eachItem reads the array that comes next one item at a time.
func eachItem[T any](d *json.Decoder, do func(T) error) error {
	if err := want(d, '['); err != nil {
		return err
	}
	for d.More() {
		var item T
		if err := d.Decode(&item); err != nil {
			return err
		}
		if err := do(item); err != nil {
			return err
		}
	}
	return want(d, ']')
}

func want(d *json.Decoder, delim json.Delim) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != delim {
		return errors.New("this is not laid out as COCO: an object with lists of images, annotations and categories")
	}
	return nil
}

// skip passes over a value without keeping it.
func skip(d *json.Decoder) error {
	for depth := 0; ; {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

func compact(v json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if json.Compact(&b, v) != nil {
		return v
	}
	return b.Bytes()
}

// round writes a number with at most so many decimals, as short as can be.
func round(v float64, decimals int) string {
	unit := math.Pow10(decimals)
	r := math.Round(v*unit) / unit
	if math.IsInf(r, 0) || math.IsNaN(r) {
		r = v
	}
	return strconv.FormatFloat(r+0, 'f', -1, 64) // +0: no minus before a zero
}

// rounded are numbers that JSON writes rounded.
type rounded []float64

// pixelDecimals is how exactly pixels are written.
const pixelDecimals = 4

// MarshalJSON writes an array.
func (r rounded) MarshalJSON() ([]byte, error) {
	out := []byte{'['}
	for i, v := range r {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, round(v, pixelDecimals)...)
	}
	return append(out, ']'), nil
}

// pixel rounds a coordinate as it is written.
func pixel(v float64) float64 {
	unit := math.Pow10(pixelDecimals)
	return math.Round(v*unit) / unit
}
