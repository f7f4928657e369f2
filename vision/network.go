package vision

// Tensor is a dense array of numbers, row-major.
type Tensor struct {
	Shape []int
	Data  []float32
}

// Network runs one model file. It belongs to one goroutine at a time.
type Network interface {
	// Forward gives the outputs that the network was opened with, in their order
	// and in memory of their own, for its input named image: 1×3×S×S with the S
	// that the file was made for.
	Forward(image Tensor) ([]Tensor, error)
	// Close frees the network.
	Close() error
}

// Opener opens an ONNX file as a network that gives the named outputs, and after
// them the optional ones where the file has all of those.
type Opener func(onnx []byte, outputs, optional []string) (Network, error)
