package onnx

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/x448/float16"
	"google.golang.org/protobuf/proto"
)

// Reach is how far into the backbone a network goes.
type Reach int

// The reaches, from the longest.
const (
	Whole    Reach = iota // to the last convolution
	Stride32              // to the last tap
	Stride16              // to the tap before
)

// taps is how many taps are within reach.
func (r Reach) taps() int {
	if r == Stride16 {
		return 2
	}
	return 3
}

// PooledLen is how many pooled features are within reach: the first ones.
func (r Reach) PooledLen() int {
	if r == Whole {
		return PooledLen
	}
	n := 0
	for _, t := range taps[:r.taps()] {
		n += 3 * int(t.channels)
	}
	return n
}

// columns keeps the first n of each class's weights for the pooled features.
func columns(weights []float32, n int) []float32 {
	if n == PooledLen {
		return weights
	}
	var kept []float32
	for row := 0; row < len(weights); row += PooledLen {
		kept = append(kept, weights[row:row+n]...)
	}
	return kept
}

// prune removes the nodes and weights that no output needs.
func (g graph) prune() {
	needed := map[string]bool{}
	for _, o := range g.Output {
		needed[o.GetName()] = true
	}
	var nodes []*NodeProto
	for i := len(g.Node) - 1; i >= 0; i-- { // a node stands behind those it takes from
		n := g.Node[i]
		used := false
		for _, o := range n.Output {
			used = used || needed[o]
		}
		if !used {
			continue
		}
		for _, in := range n.Input {
			needed[in] = true
		}
		nodes = append(nodes, n)
	}
	for i, j := 0, len(nodes)-1; i < j; i, j = i+1, j-1 {
		nodes[i], nodes[j] = nodes[j], nodes[i]
	}
	var weights []*TensorProto
	for _, w := range g.Initializer {
		if needed[w.GetName()] {
			weights = append(weights, w)
		}
	}
	g.Node, g.Initializer = nodes, weights
}

// fewWeights are not worth halving.
const fewWeights = 64

// Halve keeps the weights of a file of Loupe's as float16, which a Cast node each
// turns back when the file is loaded: half the bytes. ONNX Runtime reads such a file;
// OpenCV 4.6 ends the process over it.
func Halve(file []byte) ([]byte, error) {
	var m ModelProto
	if err := proto.Unmarshal(file, &m); err != nil {
		return nil, fmt.Errorf("read the model: %w", err)
	}
	var casts []*NodeProto
	for _, w := range m.GetGraph().GetInitializer() {
		if w.GetDataType() != int32(TensorProto_FLOAT) || len(w.RawData) < 4*fewWeights {
			continue
		}
		half := make([]byte, len(w.RawData)/2)
		for i := 0; i < len(half); i += 2 {
			v := math.Float32frombits(binary.LittleEndian.Uint32(w.RawData[2*i:]))
			binary.LittleEndian.PutUint16(half[i:], float16.Fromfloat32(v).Bits())
		}
		name := w.GetName()
		w.Name, w.DataType, w.RawData = proto.String(name+"_half"), proto.Int32(int32(TensorProto_FLOAT16)), half
		casts = append(casts, &NodeProto{
			OpType: proto.String("Cast"), Name: proto.String(name), Input: []string{name + "_half"}, Output: []string{name},
			Attribute: []*AttributeProto{integer("to", int64(TensorProto_FLOAT))},
		})
	}
	m.Graph.Node = append(casts, m.Graph.Node...)
	return proto.MarshalOptions{Deterministic: true}.Marshal(&m)
}
