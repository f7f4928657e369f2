package onnx

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

func (r *reader) graph(b []byte, depth int) error {
	if depth > deepest {
		return fmt.Errorf("%w: its graphs lie more than %d deep in each other", ErrNotONNX, deepest)
	}
	return walk(b, func(f field) error {
		switch {
		case f.message(1):
			return r.node(f.bytes, depth)
		case f.message(5):
			name, err := r.tensor(f.bytes)
			if depth == 0 {
				r.weights[name] = true
			}
			return err
		case f.message(11) && depth == 0:
			return readValue(&r.file.Inputs, f.bytes)
		case f.message(12) && depth == 0:
			return readValue(&r.file.Outputs, f.bytes)
		case f.message(15): // a sparse tensor: OpenCV leaves it out in silence
			return fmt.Errorf("%w: they are sparse, which OpenCV does not read: export them dense", ErrTensor)
		}
		return nil
	})
}

// count refuses more parts than any sound file has.
func (r *reader) count() error {
	if r.parts++; r.parts > mostParts {
		return fmt.Errorf("%w: it has more than %d nodes and weights", ErrNotONNX, mostParts)
	}
	return nil
}

func (r *reader) node(b []byte, depth int) error {
	if err := r.count(); err != nil {
		return err
	}
	return walk(b, func(f field) error {
		switch {
		case f.message(4):
			r.file.Operators[f.text()]++
		case f.message(5):
			return r.attribute(f.bytes, depth)
		}
		return nil
	})
}

// attribute checks the tensors and graphs that an attribute holds.
func (r *reader) attribute(b []byte, depth int) error {
	var tensor, graph bool
	return walk(b, func(f field) error {
		switch {
		case f.message(5), f.message(10):
			if f.number == 5 {
				if err := once(&tensor); err != nil {
					return err
				}
			}
			_, err := r.tensor(f.bytes)
			return err
		case f.message(6), f.message(11):
			if f.number == 6 {
				if err := once(&graph); err != nil {
					return err
				}
			}
			return r.graph(f.bytes, depth+1)
		}
		return nil
	})
}

// elementBytes are the sizes of the element types that a tensor may have here,
// by the format's number.
var elementBytes = map[uint64]int64{1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}

// listOf is the field that lists the elements of a type where they are not raw.
func listOf(kind uint64) protowire.Number {
	switch kind {
	case 1:
		return 4 // float_data
	case 7:
		return 7 // int64_data
	case 11:
		return 10 // double_data
	case 12, 13:
		return 11 // uint64_data
	}
	return 5 // int32_data
}

// contents is what a tensor says of itself and what it holds.
type contents struct {
	name     string
	kind     uint64
	elements int64 // by its shape
	dims     int
	raw      int64                      // bytes
	listed   map[protowire.Number]int64 // elements by field
}

// tensor checks that a tensor holds as many elements as its shape says.
func (r *reader) tensor(b []byte) (string, error) {
	if err := r.count(); err != nil {
		return "", err
	}
	t := contents{elements: 1, listed: map[protowire.Number]int64{}}
	if err := walk(b, func(f field) error { return r.tensorField(&t, f) }); err != nil {
		return t.name, err
	}
	size, known := elementBytes[t.kind]
	if !known {
		return t.name, fmt.Errorf("%w: %q has elements of the type %d, which OpenCV does not read", ErrTensor, t.name, t.kind)
	}
	listed := t.listed[listOf(t.kind)]
	if t.raw != 0 && t.raw != t.elements*size || listed != 0 && listed != t.elements || t.raw == 0 && listed == 0 && t.elements != 0 {
		return t.name, fmt.Errorf("%w: %q does not hold the %d elements that its shape says", ErrTensor, t.name, t.elements)
	}
	return t.name, nil
}

func (r *reader) tensorField(t *contents, f field) error {
	switch {
	case f.integer(1):
		return r.dim(t, f.value)
	case f.message(1): // packed
		for b := f.bytes; len(b) > 0; {
			v, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return fmt.Errorf("%w: it is cut off or damaged", ErrNotONNX)
			}
			if err := r.dim(t, v); err != nil {
				return err
			}
			b = b[n:]
		}
	case f.integer(2):
		t.kind = f.value
	case f.message(8):
		t.name = f.text()
	case f.message(9):
		t.raw = int64(len(f.bytes))
	case f.integer(14) && f.value != 0, f.message(13):
		return fmt.Errorf("%w: %q names one", ErrExternal, t.name)
	case f.number == 4 || f.number == 5 || f.number == 7 || f.number == 10 || f.number == 11:
		t.listed[f.number] += elements(f)
	}
	return nil
}

func (r *reader) dim(t *contents, value uint64) error {
	n := int64(value)
	if t.dims++; t.dims > mostDims || n < 0 || n > r.room || t.elements*n > r.room {
		return fmt.Errorf("%w: the shape of %q is larger than the file", ErrTensor, t.name)
	}
	t.elements *= n
	return nil
}

// elements counts the elements in a field of a list, packed or not.
func elements(f field) int64 {
	if f.kind != protowire.BytesType {
		return 1
	}
	switch f.number {
	case 4:
		return int64(len(f.bytes) / 4)
	case 10:
		return int64(len(f.bytes) / 8)
	}
	var n int64
	for _, b := range f.bytes {
		if b < 0x80 { // the last byte of a number
			n++
		}
	}
	return n
}

// readValue reads an input or output.
func readValue(all *[]Value, b []byte) error {
	if len(*all) >= mostValues {
		return fmt.Errorf("%w: it has more than %d inputs or outputs", ErrNotONNX, mostValues)
	}
	var v Value
	typed := false
	err := walk(b, func(f field) error {
		switch {
		case f.message(1):
			v.Name = f.text()
		case f.message(2):
			if err := once(&typed); err != nil {
				return err
			}
			return walk(f.bytes, func(f field) error {
				if f.message(1) {
					return v.tensorType(f.bytes)
				}
				return nil
			})
		}
		return nil
	})
	*all = append(*all, v)
	return err
}

// tensorType reads element type and shape.
func (v *Value) tensorType(b []byte) error {
	return walk(b, func(f field) error {
		switch {
		case f.integer(1):
			v.Float = f.value == 1
		case f.message(2):
			v.Dims = nil
			return walk(f.bytes, func(f field) error {
				if !f.message(1) {
					return nil
				}
				if len(v.Dims) >= mostDims {
					return fmt.Errorf("%w: %q has more than %d dimensions", ErrNotONNX, v.Name, mostDims)
				}
				dim := int64(-1)
				err := walk(f.bytes, func(f field) error {
					if f.integer(1) && int64(f.value) > 0 {
						dim = int64(f.value)
					}
					return nil
				})
				v.Dims = append(v.Dims, dim)
				return err
			})
		}
		return nil
	})
}
