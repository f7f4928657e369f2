package onnxruntime

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	ort "github.com/yalue/onnxruntime_go"

	"loupe/vision"
)

// network runs a model file by ONNX Runtime.
type network struct {
	session *ort.DynamicAdvancedSession
	outputs int
}

// Open opens an ONNX file. What it cannot read is an error that names the
// operator; unlike in OpenCV, the process lives on.
func (r *Runtime) Open(onnx []byte, outputs, optional []string) (vision.Network, error) {
	if len(onnx) == 0 {
		return nil, errors.New("the model file is empty")
	}
	options, err := ort.NewSessionOptions()
	if err == nil {
		defer options.Destroy()
		err = errors.Join(options.SetIntraOpNumThreads(r.threads), options.SetInterOpNumThreads(1))
	}
	if err != nil {
		return nil, fmt.Errorf("set ONNX Runtime up: %w", err)
	}
	if outputs, err = withOptional(onnx, outputs, optional); err != nil {
		return nil, fmt.Errorf("ONNX Runtime cannot read the model: %w", err)
	}
	session, err := ort.NewDynamicAdvancedSessionWithONNXData(onnx, []string{"image"}, outputs, options)
	if err != nil {
		return nil, fmt.Errorf("ONNX Runtime cannot read the model: %w", err)
	}
	return &network{session, len(outputs)}, nil
}

// withOptional adds the optional outputs where the file has all of them.
func withOptional(onnx []byte, outputs, optional []string) ([]string, error) {
	if len(optional) == 0 {
		return outputs, nil
	}
	_, there, err := ort.GetInputOutputInfoWithONNXData(onnx)
	if err != nil {
		return nil, err
	}
	for _, name := range optional {
		if !slices.ContainsFunc(there, func(o ort.InputOutputInfo) bool { return o.Name == name }) {
			return outputs, nil
		}
	}
	return slices.Concat(outputs, optional), nil
}

// Close implements vision.Network.
func (n *network) Close() error { return n.session.Destroy() }

// Forward implements vision.Network.
func (n *network) Forward(image vision.Tensor) (out []vision.Tensor, err error) {
	shape := make(ort.Shape, len(image.Shape))
	for i, side := range image.Shape {
		shape[i] = int64(side)
	}
	var still runtime.Pinner
	defer still.Unpin()
	still.Pin(unsafe.SliceData(image.Data))
	in, err := ort.NewTensor(shape, image.Data)
	if err != nil {
		return nil, fmt.Errorf("make the network's input: %w", err)
	}
	defer in.Destroy()
	values := make([]ort.Value, n.outputs)
	defer func() {
		for _, v := range values {
			if v != nil {
				err = errors.Join(err, v.Destroy())
			}
		}
	}()
	if err := n.session.Run([]ort.Value{in}, values); err != nil {
		return nil, fmt.Errorf("ONNX Runtime: %w", err)
	}
	for _, v := range values {
		numbers, ok := v.(*ort.Tensor[float32])
		if !ok {
			return nil, errors.New("an output of the network is no tensor of float32")
		}
		one := vision.Tensor{Data: append([]float32(nil), numbers.GetData()...)}
		for _, side := range numbers.GetShape() {
			one.Shape = append(one.Shape, int(side))
		}
		out = append(out, one)
	}
	return out, nil
}
