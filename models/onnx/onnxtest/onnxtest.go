// Package onnxtest builds model files for tests: a small one that keeps the
// contract of a version without Loupe's backbone, and what other programs may
// make of it.
package onnxtest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"

	"loupe/models/onnx"
)

// patch is how many pixels one place of the heat map sees.
const patch = 8

// Classifier is a model of its own kind: each class is one 8×8 convolution, its
// mean the logit. Even classes speak for bright pictures, odd ones for dark ones.
// Nodes are named otherwise than what they give, as other programs do.
func Classifier(size int, classes []string) *onnx.ModelProto {
	k := int64(len(classes))
	weight := make([]float32, k*3*patch*patch)
	for i := range weight {
		weight[i] = 0.02
		if i/(3*patch*patch)%2 == 1 {
			weight[i] = -0.02
		}
	}
	names, _ := json.Marshal(classes) // strings always marshal
	s := int64(size)
	return &onnx.ModelProto{
		IrVersion: proto.Int64(4), ProducerName: proto.String("onnxtest"),
		OpsetImport:   []*onnx.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(10)}},
		MetadataProps: []*onnx.StringStringEntryProto{Entry("loupe.classes", string(names)), Entry("loupe.size", fmt.Sprint(size))},
		Graph: &onnx.GraphProto{
			Name: proto.String("classifier"),
			Node: []*onnx.NodeProto{
				Node("Conv", "/look", "heat", []string{"image", "weight"}, Ints("kernel_shape", patch, patch), Ints("strides", patch, patch)),
				Node("GlobalAveragePool", "/mean", "mean", []string{"heat"}),
				Node("Flatten", "/flatten", "pooled", []string{"mean"}, Int("axis", 1)),
				Node("Softmax", "/softmax", "probabilities", []string{"pooled"}, Int("axis", 1)),
			},
			Initializer: []*onnx.TensorProto{Floats("weight", weight, k, 3, patch, patch)},
			Input:       []*onnx.ValueInfoProto{Value("image", 1, 3, s, s)},
			Output:      []*onnx.ValueInfoProto{Value("probabilities", 1, k), Value("heat", 1, k, s/patch, s/patch), Value("pooled", 1, k)},
		},
	}
}

// Before puts nodes between the picture and the first node, which reads the
// output of the last of them.
func Before(m *onnx.ModelProto, nodes ...*onnx.NodeProto) *onnx.ModelProto {
	m.Graph.Node[0].Input[0] = nodes[len(nodes)-1].Output[0]
	m.Graph.Node = append(nodes, m.Graph.Node...)
	return m
}

// Slow is a classifier whose forward pass takes minutes.
func Slow(size int, classes []string) *onnx.ModelProto {
	m := Classifier(size, classes)
	const wide, side = 64, 15
	m.Graph.Initializer = append(m.Graph.Initializer, Floats("widen", make([]float32, wide*3), wide, 3, 1, 1),
		Floats("again", make([]float32, wide*wide*side*side), wide, wide, side, side), Floats("narrow", make([]float32, 3*wide), 3, wide, 1, 1))
	nodes := []*onnx.NodeProto{Node("Conv", "/widen", "slow", []string{"image", "widen"}, Ints("kernel_shape", 1, 1))}
	for n := range 400 {
		from := nodes[n].Output[0]
		nodes = append(nodes, Node("Conv", fmt.Sprint("/again", n), fmt.Sprint("slow", n), []string{from, "again"}, Ints("kernel_shape", side, side), Ints("pads", side/2, side/2, side/2, side/2)))
	}
	nodes = append(nodes, Node("Conv", "/narrow", "slowed", []string{nodes[len(nodes)-1].Output[0], "narrow"}, Ints("kernel_shape", 1, 1)))
	return Before(m, nodes...)
}

// Greedy is a classifier that needs some 20 GB of memory for a picture of 224 pixels.
func Greedy(size int, classes []string) *onnx.ModelProto {
	m := Classifier(size, classes)
	const wide = 100_000
	m.Graph.Initializer = append(m.Graph.Initializer, Floats("widen", make([]float32, wide*3), wide, 3, 1, 1), Floats("narrow", make([]float32, 3*wide), 3, wide, 1, 1))
	return Before(m, Node("Conv", "/widen", "wide", []string{"image", "widen"}, Ints("kernel_shape", 1, 1)), Node("Conv", "/narrow", "narrowed", []string{"wide", "narrow"}, Ints("kernel_shape", 1, 1)))
}

// Bytes writes a model file.
func Bytes(m *onnx.ModelProto) []byte {
	data, err := proto.Marshal(m)
	if err != nil {
		panic(err) // the models here are whole
	}
	return data
}

// Entry is an entry of the metadata.
func Entry(key, value string) *onnx.StringStringEntryProto {
	return &onnx.StringStringEntryProto{Key: &key, Value: &value}
}

// Node is an operator with one output.
func Node(op, name, output string, inputs []string, attributes ...*onnx.AttributeProto) *onnx.NodeProto {
	return &onnx.NodeProto{OpType: &op, Name: &name, Input: inputs, Output: []string{output}, Attribute: attributes}
}

// Ints is an attribute of whole numbers.
func Ints(name string, values ...int64) *onnx.AttributeProto {
	return &onnx.AttributeProto{Name: &name, Type: onnx.AttributeProto_INTS.Enum(), Ints: values}
}

// Int is an attribute of one whole number.
func Int(name string, value int64) *onnx.AttributeProto {
	return &onnx.AttributeProto{Name: &name, Type: onnx.AttributeProto_INT.Enum(), I: &value}
}

// Floats is a tensor of weights.
func Floats(name string, values []float32, dims ...int64) *onnx.TensorProto {
	raw := make([]byte, 4*len(values))
	for i, v := range values {
		binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(v))
	}
	return &onnx.TensorProto{Name: &name, DataType: proto.Int32(int32(onnx.TensorProto_FLOAT)), Dims: dims, RawData: raw}
}

// Value is an input or output of float32 elements.
func Value(name string, dims ...int64) *onnx.ValueInfoProto {
	shape := &onnx.TensorShapeProto{}
	for _, d := range dims {
		shape.Dim = append(shape.Dim, &onnx.TensorShapeProto_Dimension{Value: &onnx.TensorShapeProto_Dimension_DimValue{DimValue: d}})
	}
	return &onnx.ValueInfoProto{Name: &name, Type: &onnx.TypeProto{Value: &onnx.TypeProto_TensorType{
		TensorType: &onnx.TypeProto_Tensor{ElemType: proto.Int32(int32(onnx.TensorProto_FLOAT)), Shape: shape},
	}}}
}
