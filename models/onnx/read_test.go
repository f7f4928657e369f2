package onnx_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"loupe/models/onnx"
	"loupe/models/onnx/onnxtest"
)

func TestAVersionSaysWhatItTakesAndGives(t *testing.T) {
	h := drawnHead(1, 3, 320, 0.05)
	f, err := onnx.Read(version(t, h))
	if err != nil || !reflect.DeepEqual(f.Classes, h.Classes) || f.Size != 320 || f.Opset != 10 || f.Producer != "loupe" || f.Operators["Gemm"] != 1 {
		t.Errorf("read %+v, %v", f, err)
	}
	if want := []onnx.Value{{Name: "image", Float: true, Dims: []int64{1, 3, 320, 320}}}; !reflect.DeepEqual(f.Inputs, want) {
		t.Errorf("inputs %+v", f.Inputs)
	}
	want := []onnx.Value{{Name: "probabilities", Float: true, Dims: []int64{1, 3}}, {Name: "heat", Float: true, Dims: []int64{1, 3, 40, 40}}, {Name: "pooled", Float: true, Dims: []int64{1, onnx.PooledLen}}}
	if !reflect.DeepEqual(f.Outputs, want) {
		t.Errorf("outputs %+v", f.Outputs)
	}
	for name, file := range map[string][]byte{"an extractor": extractor(t, 224), "the backbone": backbone(t)} {
		if f, err := onnx.Read(file); err != nil || len(f.Classes) > 0 {
			t.Errorf("%s: classes %v, %v", name, f.Classes, err)
		}
	}
}

// An exporter may list weights as inputs, and leave a side of a shape open.
func TestWeightsAreNoInputsAndOpenSidesAreTold(t *testing.T) {
	m := onnxtest.Classifier(224, []string{"good", "stain"})
	m.Graph.Input = append(m.Graph.Input, onnxtest.Value("weight", 2, 3, 8, 8))
	m.Graph.Input[0].GetType().GetTensorType().Shape.Dim[0] = &onnx.TensorShapeProto_Dimension{Value: &onnx.TensorShapeProto_Dimension_DimParam{DimParam: "N"}}
	f, err := onnx.Read(onnxtest.Bytes(m))
	if err != nil || len(f.Inputs) != 1 || !reflect.DeepEqual(f.Inputs[0].Dims, []int64{-1, 3, 224, 224}) {
		t.Errorf("inputs %+v, %v", f.Inputs, err)
	}
}

func TestDamagedFilesAreRefusedInWords(t *testing.T) {
	changed := func(change func(*onnx.ModelProto)) []byte {
		m := onnxtest.Classifier(224, []string{"good", "stain"})
		change(m)
		return onnxtest.Bytes(m)
	}
	weight := func(change func(*onnx.TensorProto)) []byte {
		return changed(func(m *onnx.ModelProto) { change(m.Graph.Initializer[0]) })
	}
	entry := func(key, value string) []byte {
		return changed(func(m *onnx.ModelProto) { m.MetadataProps = []*onnx.StringStringEntryProto{onnxtest.Entry(key, value)} })
	}
	sound := changed(func(*onnx.ModelProto) {})
	constant := onnxtest.Node("Constant", "/c", "c", nil, &onnx.AttributeProto{Name: proto.String("value"), T: &onnx.TensorProto{Name: proto.String("inner"), Dims: []int64{100}, DataType: proto.Int32(1), RawData: make([]byte, 4)}})
	deep := &onnx.GraphProto{Node: []*onnx.NodeProto{constant}}
	for range 8 {
		deep = &onnx.GraphProto{Node: []*onnx.NodeProto{{OpType: proto.String("If"), Attribute: []*onnx.AttributeProto{{G: deep}}}}}
	}
	for name, c := range map[string]struct {
		file []byte
		is   error
		says string
	}{
		"nothing":                   {nil, onnx.ErrNotONNX, "empty"},
		"text":                      {[]byte("no model at all"), onnx.ErrNotONNX, "damaged"},
		"half a file":               {sound[:len(sound)/2], onnx.ErrNotONNX, "cut off"},
		"two files in one":          {append(sound[:len(sound):len(sound)], sound...), onnx.ErrNotONNX, "twice"},
		"no network":                {changed(func(m *onnx.ModelProto) { m.Graph = nil }), onnx.ErrNotONNX, "no network"},
		"nothing but weights":       {changed(func(m *onnx.ModelProto) { m.Graph.Node = nil }), onnx.ErrNotONNX, "no network"},
		"weights elsewhere":         {weight(func(w *onnx.TensorProto) { w.RawData, w.DataLocation = nil, onnx.TensorProto_EXTERNAL.Enum() }), onnx.ErrExternal, "weight"},
		"fewer weights than said":   {weight(func(w *onnx.TensorProto) { w.RawData = w.RawData[:16] }), onnx.ErrTensor, "384 elements"},
		"no weights":                {weight(func(w *onnx.TensorProto) { w.RawData = nil }), onnx.ErrTensor, "384 elements"},
		"a shape beyond the file":   {weight(func(w *onnx.TensorProto) { w.Dims = []int64{1 << 40, 1 << 40} }), onnx.ErrTensor, "larger than the file"},
		"a negative side":           {weight(func(w *onnx.TensorProto) { w.Dims[0] = -2 }), onnx.ErrTensor, "larger than the file"},
		"weights of no type":        {weight(func(w *onnx.TensorProto) { w.DataType = proto.Int32(8) }), onnx.ErrTensor, "type 8"},
		"a constant that is short":  {changed(func(m *onnx.ModelProto) { m.Graph.Node = append(m.Graph.Node, constant) }), onnx.ErrTensor, "inner"},
		"graphs in graphs":          {changed(func(m *onnx.ModelProto) { m.Graph = deep }), onnx.ErrNotONNX, "deep"},
		"classes that are no list":  {entry("loupe.classes", "good"), onnx.ErrMetadata, "JSON list"},
		"no classes":                {entry("loupe.classes", "[]"), onnx.ErrMetadata, "JSON list"},
		"a size that is no number":  {entry("loupe.size", "large"), onnx.ErrMetadata, "whole number"},
		"an entry that is too long": {entry("loupe.classes", strings.Repeat("[", 1<<17)), onnx.ErrMetadata, "bytes"},
		"classes told twice":        {changed(func(m *onnx.ModelProto) { m.MetadataProps = append(m.MetadataProps, m.MetadataProps[0]) }), onnx.ErrMetadata, "twice"},
	} {
		if f, err := onnx.Read(c.file); !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
}
