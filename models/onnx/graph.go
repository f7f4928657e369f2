// Package onnx writes Loupe's model files: the backbone with pooled features,
// heads and their class names in one graph of opset 10 that OpenCV 4.6 and any
// ONNX runtime read. The same weights always give the same bytes. onnx.pb.go is
// generated from the ONNX project's onnx.proto.
package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"

	"loupe/vision"
)

// Names of the outputs.
const (
	Probabilities = "probabilities" // 1×K
	Heat          = "heat"          // 1×K×S/8×S/8, the local logits
	Pooled        = "pooled"        // 1×2696
)

// The taps of the backbone that heads see, with their channels.
var taps = []struct {
	name     string
	channels int64
	stride   int64
}{{"stride8", 40, 8}, {"stride16", 112, 16}, {"stride32", 320, 32}}

const (
	headTap      = "head"
	headChannels = 1280
	// PooledLen is how many pooled features there are: mean, maximum and standard
	// deviation of each channel of stride8, stride16 and stride32 in this order,
	// then the mean of each channel of head.
	PooledLen = 3*(40+112+320) + headChannels
)

// graph adds nodes to a model.
type graph struct {
	*GraphProto
}

// load reads the backbone and sets its square input size. What the file says
// about inner sizes is dropped: runtimes infer it.
func load(backbone []byte, size int) (*ModelProto, graph, error) {
	if err := vision.CheckSize(size); err != nil {
		return nil, graph{}, err
	}
	var m ModelProto
	if err := proto.Unmarshal(backbone, &m); err != nil {
		return nil, graph{}, fmt.Errorf("read the backbone: %w", err)
	}
	g := graph{m.GetGraph()}
	if g.GraphProto == nil || len(g.Input) != 1 || g.Input[0].GetName() != "image" {
		return nil, g, errors.New("read the backbone: its only input must be named image")
	}
	g.Input[0] = value("image", 1, 3, int64(size), int64(size))
	g.ValueInfo, g.Output = nil, nil
	return &m, g, nil
}

// finish writes the model with its metadata, byte for byte the same each time.
func finish(m *ModelProto, metadata map[string]string, order ...string) ([]byte, error) {
	m.ProducerName, m.MetadataProps = proto.String("loupe"), nil
	for _, k := range order {
		m.MetadataProps = append(m.MetadataProps, &StringStringEntryProto{Key: proto.String(k), Value: proto.String(metadata[k])})
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write the model: %w", err)
	}
	return data, nil
}

// node adds an operator whose only output is named as the node itself.
func (g graph) node(op, output string, inputs []string, attributes ...*AttributeProto) string {
	g.Node = append(g.Node, &NodeProto{
		OpType: proto.String(op), Name: proto.String(output), Input: inputs, Output: []string{output}, Attribute: attributes,
	})
	return output
}

// constant adds a float32 initializer.
func (g graph) constant(name string, values []float32, dims ...int64) string {
	raw := make([]byte, 4*len(values))
	for i, v := range values {
		binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(v))
	}
	g.Initializer = append(g.Initializer, &TensorProto{
		Name: proto.String(name), DataType: proto.Int32(int32(TensorProto_FLOAT)), Dims: dims, RawData: raw,
	})
	return name
}

func (g graph) output(name string, dims ...int64) { g.Output = append(g.Output, value(name, dims...)) }

func value(name string, dims ...int64) *ValueInfoProto {
	shape := &TensorShapeProto{}
	for _, d := range dims {
		shape.Dim = append(shape.Dim, &TensorShapeProto_Dimension{Value: &TensorShapeProto_Dimension_DimValue{DimValue: d}})
	}
	return &ValueInfoProto{Name: proto.String(name), Type: &TypeProto{Value: &TypeProto_TensorType{
		TensorType: &TypeProto_Tensor{ElemType: proto.Int32(int32(TensorProto_FLOAT)), Shape: shape},
	}}}
}

func ints(name string, values ...int64) *AttributeProto {
	return &AttributeProto{Name: proto.String(name), Type: AttributeProto_INTS.Enum(), Ints: values}
}

func integer(name string, v int64) *AttributeProto {
	return &AttributeProto{Name: proto.String(name), Type: AttributeProto_INT.Enum(), I: proto.Int64(v)}
}

func float(name string, v float32) *AttributeProto {
	return &AttributeProto{Name: proto.String(name), Type: AttributeProto_FLOAT.Enum(), F: proto.Float32(v)}
}
