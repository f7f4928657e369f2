package onnx

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// What may be wrong with a file that Read refuses.
var (
	ErrNotONNX  = errors.New("this is not an ONNX file")
	ErrExternal = errors.New("its weights lie in another file")
	ErrTensor   = errors.New("its weights are damaged")
	ErrMetadata = errors.New("its metadata are damaged")
)

// File is what a model file says about itself, as far as Loupe asks.
type File struct {
	Metadata
	Producer  string         // of the program that wrote it
	Opset     int64          // of the standard operators, 0 where it is not said
	Operators map[string]int // how often each is used
	Inputs    []Value        // without weights
	Outputs   []Value
}

// Value is an input or output of a model.
type Value struct {
	Name  string
	Float bool    // its elements are float32
	Dims  []int64 // -1 for one that is not fixed
}

// Metadata is what a version's file says about itself.
type Metadata struct {
	Classes []string // in the order of the outputs; none where the file does not say
	Size    int      // input side in pixels, 0 where the file does not say
}

const (
	classesKey = "loupe.classes"
	sizeKey    = "loupe.size"
)

// What a sound file stays far below. The file itself is bounded by who takes it.
const (
	mostParts    = 20_000 // nodes and weights
	mostValues   = 1_000  // inputs or outputs
	mostDims     = 16
	mostClasses  = 200
	longestName  = 1_000     // bytes
	longestEntry = 64 * 1024 // bytes of a metadata value
	deepest      = 4         // graphs within graphs
)

// Input finds an input by name.
func (f File) Input(name string) (Value, bool) { return find(f.Inputs, name) }

// Output finds an output by name.
func (f File) Output(name string) (Value, bool) { return find(f.Outputs, name) }

func find(all []Value, name string) (Value, bool) {
	i := slices.IndexFunc(all, func(v Value) bool { return v.Name == name })
	if i < 0 {
		return Value{}, false
	}
	return all[i], true
}

// Read reads foreign bytes as a model file without building it in memory, and
// checks that each tensor holds what its shape says: OpenCV believes it. The
// error wraps one of those above.
func Read(model []byte) (File, error) {
	r := reader{file: File{Operators: map[string]int{}}, weights: map[string]bool{}, room: int64(len(model))}
	if len(model) == 0 {
		return r.file, fmt.Errorf("%w: it is empty", ErrNotONNX)
	}
	if err := r.model(model); err != nil {
		return File{}, err
	}
	r.file.Inputs = slices.DeleteFunc(r.file.Inputs, func(v Value) bool { return r.weights[v.Name] })
	return r.file, nil
}

// reader walks over a file and notes what it finds.
type reader struct {
	file    File
	weights map[string]bool // names of the initializers: old files list them as inputs too
	parts   int             // nodes and weights so far
	room    int64           // no tensor has more elements than the file has bytes
	seen    map[string]bool
}

// field is one field of a message: its bytes or its number, by its type.
type field struct {
	number protowire.Number
	kind   protowire.Type
	bytes  []byte
	value  uint64
}

// message gives the bytes of a field that has some.
func (f field) message(number protowire.Number) bool {
	return f.number == number && f.kind == protowire.BytesType
}

func (f field) integer(number protowire.Number) bool {
	return f.number == number && f.kind == protowire.VarintType
}

// text is a short text; a longer one is cut.
func (f field) text() string { return string(f.bytes[:min(len(f.bytes), longestName)]) }

// walk calls each for every field of a message.
func walk(b []byte, each func(field) error) error {
	for len(b) > 0 {
		var f field
		var n int
		if f.number, f.kind, n = protowire.ConsumeTag(b); n < 0 {
			return fmt.Errorf("%w: it is cut off or damaged", ErrNotONNX)
		}
		b = b[n:]
		switch f.kind {
		case protowire.VarintType:
			f.value, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
		case protowire.Fixed32Type, protowire.Fixed64Type:
			n = protowire.ConsumeFieldValue(f.number, f.kind, b)
		default: // ONNX has no groups
			n = -1
		}
		if n < 0 {
			return fmt.Errorf("%w: it is cut off or damaged", ErrNotONNX)
		}
		b = b[n:]
		if err := each(f); err != nil {
			return err
		}
	}
	return nil
}

// once refuses a second message where the format has one: readers would merge them.
func once(seen *bool) error {
	if *seen {
		return fmt.Errorf("%w: a part that may be there once is there twice", ErrNotONNX)
	}
	*seen = true
	return nil
}

func (r *reader) model(b []byte) error {
	graph := false
	err := walk(b, func(f field) error {
		switch {
		case f.message(2):
			r.file.Producer = f.text()
		case f.message(7):
			if err := once(&graph); err != nil {
				return err
			}
			return r.graph(f.bytes, 0)
		case f.message(8):
			return r.opset(f.bytes)
		case f.message(14):
			return r.metadata(f.bytes)
		}
		return nil
	})
	if err == nil && len(r.file.Operators) == 0 {
		err = fmt.Errorf("%w: it holds no network", ErrNotONNX)
	}
	return err
}

func (r *reader) opset(b []byte) error {
	domain, version := "", int64(0)
	err := walk(b, func(f field) error {
		switch {
		case f.message(1):
			domain = f.text()
		case f.integer(2):
			version = int64(f.value)
		}
		return nil
	})
	if domain == "" || domain == "ai.onnx" {
		r.file.Opset = version
	}
	return err
}

func (r *reader) metadata(b []byte) error {
	var key, value string
	err := walk(b, func(f field) error {
		switch {
		case f.message(1):
			key = f.text()
		case f.message(2) && len(f.bytes) > longestEntry:
			return fmt.Errorf("%w: an entry has more than %d bytes", ErrMetadata, longestEntry)
		case f.message(2):
			value = string(f.bytes)
		}
		return nil
	})
	if err != nil || key != classesKey && key != sizeKey {
		return err
	}
	if r.seen == nil {
		r.seen = map[string]bool{}
	}
	if r.seen[key] {
		return fmt.Errorf("%w: %s is there twice", ErrMetadata, key)
	}
	r.seen[key] = true
	if key == sizeKey {
		if r.file.Size, err = strconv.Atoi(value); err != nil || r.file.Size < 1 {
			return fmt.Errorf(`%w: %s must be a whole number of pixels such as "224"`, ErrMetadata, key)
		}
		return nil
	}
	if err := json.Unmarshal([]byte(value), &r.file.Classes); err != nil || len(r.file.Classes) == 0 {
		return fmt.Errorf(`%w: %s must be a JSON list of names such as ["good","stain"]`, ErrMetadata, key)
	}
	if len(r.file.Classes) > mostClasses {
		return fmt.Errorf("%w: it names %d classes, more than %d", ErrMetadata, len(r.file.Classes), mostClasses)
	}
	return nil
}
