// Package run evaluates Loupe's ONNX files in plain Go, operator by operator in
// float64 and as the ONNX specification words them. It is slow and shares
// nothing with OpenCV or with the training: the tests hold both against it.
package run

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"loupe/models/onnx"
)

// Tensor is a row-major array.
type Tensor struct {
	Dims []int
	Data []float64
}

// New makes a tensor of zeros.
func New(dims ...int) Tensor {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return Tensor{dims, make([]float64, n)}
}

// Model is a loaded file.
type Model struct {
	graph     *onnx.GraphProto
	constants map[string]Tensor
}

// Load reads an ONNX file.
func Load(file []byte) (*Model, error) {
	var p onnx.ModelProto
	if err := proto.Unmarshal(file, &p); err != nil {
		return nil, fmt.Errorf("read the model: %w", err)
	}
	m := &Model{p.GetGraph(), map[string]Tensor{}}
	for _, t := range m.graph.GetInitializer() {
		v, err := constant(t)
		if err != nil {
			return nil, err
		}
		m.constants[t.GetName()] = v
	}
	return m, nil
}

// Operators counts what the file is made of.
func (m *Model) Operators() map[string]int {
	n := map[string]int{}
	for _, node := range m.graph.GetNode() {
		n[node.GetOpType()]++
	}
	return n
}

// Run evaluates the whole graph on its only input and gives its outputs.
func (m *Model) Run(input Tensor) (map[string]Tensor, error) {
	known := map[string]Tensor{m.graph.GetInput()[0].GetName(): input}
	for name, t := range m.constants {
		known[name] = t
	}
	for _, n := range m.graph.GetNode() {
		var in []Tensor
		for _, name := range n.GetInput() {
			t, ok := known[name]
			if !ok {
				return nil, fmt.Errorf("%s needs %s, which nothing gives", n.GetName(), name)
			}
			in = append(in, t)
		}
		f, ok := operators[n.GetOpType()]
		if !ok {
			return nil, fmt.Errorf("%s: the operator %s is not known", n.GetName(), n.GetOpType())
		}
		out, err := f(attributes(n), in)
		if err != nil {
			return nil, fmt.Errorf("%s (%s): %w", n.GetName(), n.GetOpType(), err)
		}
		known[n.GetOutput()[0]] = out
	}
	outputs := map[string]Tensor{}
	for _, o := range m.graph.GetOutput() {
		t, ok := known[o.GetName()]
		if !ok {
			return nil, fmt.Errorf("nothing gives the output %s", o.GetName())
		}
		for i, d := range o.GetType().GetTensorType().GetShape().GetDim() {
			if i >= len(t.Dims) || d.GetDimValue() != int64(t.Dims[i]) {
				return nil, fmt.Errorf("the output %s has the shape %v, not what the file says", o.GetName(), t.Dims)
			}
		}
		outputs[o.GetName()] = t
	}
	return outputs, nil
}

// args are a node's attributes.
type args map[string]*onnx.AttributeProto

func attributes(n *onnx.NodeProto) args {
	a := args{}
	for _, attribute := range n.GetAttribute() {
		a[attribute.GetName()] = attribute
	}
	return a
}

func (a args) integer(name string, otherwise int) int {
	if v, ok := a[name]; ok {
		return int(v.GetI())
	}
	return otherwise
}

func (a args) float(name string, otherwise float64) float64 {
	if v, ok := a[name]; ok {
		return float64(v.GetF())
	}
	return otherwise
}

// pair gives two equal or different numbers, as of strides.
func (a args) pair(name string, otherwise int) (int, int) {
	if v, ok := a[name]; ok {
		return int(v.Ints[0]), int(v.Ints[1])
	}
	return otherwise, otherwise
}

func (a args) pads() [4]int {
	var p [4]int
	if v, ok := a["pads"]; ok {
		for i := range p {
			p[i] = int(v.Ints[i])
		}
	}
	return p
}
