package onnx_test

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"loupe/models/onnx"
	"loupe/models/onnx/onnxtest"
)

// FuzzRead reads foreign bytes as a model file: either one of the four ways to
// be wrong, or a file whose tensors hold what their shapes say, by another
// reader of the format too.
func FuzzRead(f *testing.F) {
	m := onnxtest.Classifier(224, []string{"good", "stain"})
	sound := onnxtest.Bytes(m)
	if _, err := onnx.Read(sound); err != nil {
		f.Fatal(err)
	}
	f.Add(sound)
	f.Add(sound[:len(sound)/2])
	f.Add([]byte{})
	small := proto.Clone(m).(*onnx.ModelProto)
	small.Graph.Initializer = nil
	f.Add(onnxtest.Bytes(small))
	for _, t := range []*onnx.TensorProto{
		{Dims: []int64{2, 2}, DataType: proto.Int32(1), FloatData: []float32{1, 2, 3, 4}}, {Dims: []int64{3}, DataType: proto.Int32(7), Int64Data: []int64{1, -2, 1 << 40}},
		{Dims: []int64{2}, DataType: proto.Int32(10), Int32Data: []int32{1, 300}}, {DataType: proto.Int32(11), DoubleData: []float64{4}},
		{Dims: []int64{0}, DataType: proto.Int32(1)}, {Dims: []int64{1}, DataType: proto.Int32(1), DataLocation: onnx.TensorProto_EXTERNAL.Enum()},
	} {
		small.Graph.Initializer = []*onnx.TensorProto{t}
		f.Add(onnxtest.Bytes(small))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := onnx.Read(data)
		if err != nil {
			if !errors.Is(err, onnx.ErrNotONNX) && !errors.Is(err, onnx.ErrExternal) && !errors.Is(err, onnx.ErrTensor) && !errors.Is(err, onnx.ErrMetadata) {
				t.Fatalf("the error is of no kind: %v", err)
			}
			return
		}
		if len(file.Operators) == 0 || len(file.Classes) > 200 || file.Size < 0 {
			t.Fatalf("taken as %+v", file)
		}
		var m onnx.ModelProto
		if proto.Unmarshal(data, &m) != nil {
			return // damaged in a part that Loupe does not ask for
		}
		for _, w := range m.GetGraph().GetInitializer() {
			n := int64(1)
			for _, d := range w.Dims {
				n *= d
			}
			held := int64(len(w.RawData)) / map[int32]int64{2: 1, 3: 1, 4: 2, 5: 2, 7: 8, 9: 1, 10: 2, 11: 8, 13: 8, 16: 2, 1: 4, 6: 4, 12: 4}[w.GetDataType()]
			if listed := int64(len(w.FloatData) + len(w.Int32Data) + len(w.Int64Data) + len(w.DoubleData) + len(w.Uint64Data)); held != n && listed < n {
				t.Fatalf("a tensor of %v holds %d raw and %d listed elements", w.Dims, held, listed)
			}
		}
	})
}
