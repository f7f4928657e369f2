package opencv

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	"gocv.io/x/gocv"

	"loupe/vision"
)

// network runs a model file by OpenCV's DNN module.
type network struct {
	net     gocv.Net
	outputs []string
}

// Open opens an ONNX file, which must be one that Loupe wrote or that passed its
// trial: a corrupt file ends the process, and so does an output that it does not have.
func Open(onnx []byte, outputs, optional []string) (vision.Network, error) {
	if len(onnx) == 0 {
		return nil, errors.New("the model file is empty")
	}
	net, err := gocv.ReadNetFromONNXBytes(onnx)
	if err != nil {
		return nil, fmt.Errorf("read the model: %w", err)
	}
	if net.Empty() {
		net.Close()
		return nil, errors.New("read the model: it holds no network")
	}
	layers := net.GetLayerNames()
	if !slices.ContainsFunc(optional, func(name string) bool { return !slices.Contains(layers, name) }) {
		outputs = slices.Concat(outputs, optional)
	}
	return &network{net, outputs}, nil
}

// Close implements vision.Network.
func (n *network) Close() error { return n.net.Close() }

// Forward implements vision.Network. The outputs are copied: their Mats share the
// network's memory.
func (n *network) Forward(image vision.Tensor) ([]vision.Tensor, error) {
	if err := n.setInput(image); err != nil {
		return nil, err
	}
	mats := n.net.ForwardLayers(n.outputs)
	out := make([]vision.Tensor, len(mats))
	var err error
	for i, m := range mats {
		v, e := m.DataPtrFloat32()
		err = errors.Join(err, e)
		out[i] = vision.Tensor{Shape: m.Size(), Data: append([]float32(nil), v...)}
		err = errors.Join(err, m.Close())
	}
	if err == nil && len(mats) != len(n.outputs) {
		err = fmt.Errorf("the network gave %d of %d outputs", len(mats), len(n.outputs))
	}
	return out, err
}

// setInput lays a Mat over the numbers, of which OpenCV takes a copy.
func (n *network) setInput(image vision.Tensor) error {
	var still runtime.Pinner
	defer still.Unpin()
	still.Pin(unsafe.SliceData(image.Data))
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(image.Data))), 4*len(image.Data))
	blob, err := gocv.NewMatWithSizesFromBytes(image.Shape, gocv.MatTypeCV32F, bytes)
	if err != nil {
		return fmt.Errorf("make the network's input: %w", err)
	}
	n.net.SetInput(blob, "image")
	return blob.Close()
}
