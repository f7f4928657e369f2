// Package opencv is the only one that knows gocv: bytes go in, plain structs
// come out, and no Mat leaves it. A C++ exception ends the process, so what is
// not trusted runs in a worker process.
package opencv

import (
	"errors"
	"fmt"
	"image"
	"slices"
	"time"

	"gocv.io/x/gocv"

	"loupe/vision"
)

// Outputs of a version's file and of an extractor's.
const (
	probabilities = "probabilities"
	heat          = "heat"
	pooled        = "pooled"
	novelty       = "novelty" // of a version that knows what it was trained on
	noveltyMap    = "novelty_map"
)

var (
	backboneOutputs  = []string{"stride8", "stride16", "stride32", "head"}
	versionOutputs   = []string{probabilities, heat, pooled}
	extractorOutputs = []string{"stride8", "stride16", "stride32", pooled}
)

// Engine runs one network. It belongs to one goroutine at a time.
type Engine struct {
	net     gocv.Net
	outputs []string
	classes []string // of a version
}

// Features are the outputs of an extractor, each flattened row-major.
type Features struct {
	Stride8  []float32 // 40 × S/8 × S/8
	Stride16 []float32 // 112 × S/16 × S/16
	Stride32 []float32 // 320 × S/32 × S/32
	Pooled   []float32 // 2,696
}

// OpenVersion loads a version's ONNX file, which must be one that Loupe wrote or
// that passed its trial: a corrupt file ends the process. Classes are named in the order of its outputs.
func OpenVersion(onnx []byte, classes []string) (*Engine, error) {
	if len(classes) == 0 {
		return nil, errors.New("a version needs its classes")
	}
	e, err := open(onnx, versionOutputs, classes)
	if err == nil && e.gives(novelty, noveltyMap) {
		e.outputs = append(slices.Clone(versionOutputs), novelty, noveltyMap)
	}
	return e, err
}

// gives says whether the network has layers of all these names; asking it for
// another ends the process.
func (e *Engine) gives(names ...string) bool {
	layers := e.net.GetLayerNames()
	return !slices.ContainsFunc(names, func(n string) bool { return !slices.Contains(layers, n) })
}

// OpenExtractor loads an extractor's ONNX file, which must be one that Loupe wrote.
func OpenExtractor(onnx []byte) (*Engine, error) { return open(onnx, extractorOutputs, nil) }

// OpenBackbone loads the bare backbone, for comparing with what a version costs.
func OpenBackbone(onnx []byte) (*Engine, error) { return open(onnx, backboneOutputs, nil) }

func open(onnx []byte, outputs, classes []string) (*Engine, error) {
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
	return &Engine{net: net, outputs: outputs, classes: classes}, nil
}

// Close frees the network.
func (e *Engine) Close() error { return e.net.Close() }

// Picture is a decoded upright picture. Close it.
type Picture struct{ mat gocv.Mat }

// Decode reads a picture as a person would see it. Errors wrap ErrPicture.
func Decode(data []byte, orientation int) (*Picture, error) {
	m, err := decode(data, orientation)
	if err != nil {
		return nil, err
	}
	return &Picture{m}, nil
}

// Size gives width and height in pixels.
func (p *Picture) Size() (width, height int) { return p.mat.Cols(), p.mat.Rows() }

// Close frees the picture.
func (p *Picture) Close() error { return p.mat.Close() }

// Input is a prepared network input, 1×3×S×S. Close it.
type Input struct{ blob gocv.Mat }

// Close frees the input.
func (i *Input) Close() error { return i.blob.Close() }

// Prepare crops the region, resizes it to the square input (by area when
// shrinking, linear when growing), mirrors it as the view says, and makes RGB values (v − 127) / 128.
// It refuses what OpenCV would end the process over.
func (p *Picture) Prepare(prep vision.Preparation) (*Input, error) {
	if err := prep.Check(); err != nil {
		return nil, err
	}
	x, y, w, h := prep.Region.Pixels(p.Size())
	part := p.mat.Region(image.Rect(x, y, x+w, y+h))
	defer part.Close()
	how := gocv.InterpolationLinear
	if w > prep.Size && h > prep.Size {
		how = gocv.InterpolationArea
	}
	square := gocv.NewMat()
	defer square.Close()
	gocv.Resize(part, &square, image.Pt(prep.Size, prep.Size), 0, 0, how)
	if prep.View > 0 {
		gocv.Flip(square, &square, [vision.Views]int{1: 1, 2: 0, 3: -1}[prep.View])
	}
	blob := gocv.BlobFromImage(square, 1.0/128, image.Pt(prep.Size, prep.Size), gocv.NewScalar(127, 127, 127, 0), true, false)
	return &Input{blob}, nil
}

// Blank is an input of zeros, for warming a network up.
func Blank(size int) *Input {
	return &Input{gocv.NewMatWithSizes([]int{1, 3, size, size}, gocv.MatTypeCV32F)}
}

// forward runs the network and copies the named outputs: the Mats share the
// network's memory.
func (e *Engine) forward(in *Input) ([][]float32, [][]int, error) {
	e.net.SetInput(in.blob, "image")
	mats := e.net.ForwardLayers(e.outputs)
	values, sizes := make([][]float32, len(mats)), make([][]int, len(mats))
	var err error
	for i, m := range mats {
		v, e := m.DataPtrFloat32()
		err = errors.Join(err, e)
		values[i], sizes[i] = append([]float32(nil), v...), m.Size()
		err = errors.Join(err, m.Close())
	}
	if err == nil && len(mats) != len(e.outputs) {
		err = fmt.Errorf("the network gave %d of %d outputs", len(mats), len(e.outputs))
	}
	return values, sizes, err
}

// Warm runs the network once, which makes it allocate what it needs.
func (e *Engine) Warm(size int) error {
	if err := vision.CheckSize(size); err != nil {
		return err
	}
	in := Blank(size)
	defer in.Close()
	_, _, err := e.forward(in)
	return err
}

// Time says how long the network alone takes for a decoded picture.
func (e *Engine) Time(p *Picture, prep vision.Preparation) (time.Duration, error) {
	in, err := p.Prepare(prep)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	began := time.Now()
	_, _, err = e.forward(in)
	return time.Since(began), err
}

// Output is what a version's network says about an input.
type Output struct {
	Probabilities []float32
	Heat          vision.Logits
	Pooled        []float32
	Knows         bool    // the version knows what it was trained on, and says:
	Novelty       float64 // see vision.Judgement
	NoveltyMap    vision.NoveltyMap
}

// Forward runs a version's network.
func (e *Engine) Forward(in *Input) (Output, error) {
	if e.classes == nil {
		return Output{}, errors.New("this network is no version")
	}
	values, sizes, err := e.forward(in)
	if err != nil {
		return Output{}, err
	}
	if len(values[0]) != len(e.classes) || len(sizes[1]) != 4 || sizes[1][1] != len(e.classes) {
		return Output{}, fmt.Errorf("the network tells %d classes apart, not %d", len(values[0]), len(e.classes))
	}
	out := Output{Probabilities: values[0], Heat: vision.Logits{Classes: e.classes, H: sizes[1][2], W: sizes[1][3], Data: values[1]}, Pooled: values[2]}
	if len(values) == len(versionOutputs) {
		return out, nil
	}
	if len(values[3]) != 1 || len(sizes[4]) != 4 || len(values[4]) == 0 || len(values[4]) != sizes[4][2]*sizes[4][3] {
		return Output{}, errors.New("the network's novelty is not one number with its map")
	}
	out.Knows, out.Novelty, out.NoveltyMap = true, float64(values[3][0]), vision.NoveltyMap{H: sizes[4][2], W: sizes[4][3], Data: values[4]}
	return out, nil
}

// Judge judges a decoded picture. Timings hold preparation, forward pass and
// explanation only.
func (e *Engine) Judge(p *Picture, prep vision.Preparation, classes []vision.Class, t vision.Thresholds) (vision.Judgement, error) {
	var j vision.Judgement
	began := time.Now()
	in, err := p.Prepare(prep)
	if err != nil {
		return j, err
	}
	defer in.Close()
	prepared := time.Now()
	out, err := e.Forward(in)
	if err != nil {
		return j, err
	}
	forwarded := time.Now()
	for i, name := range e.classes {
		j.Probabilities = append(j.Probabilities, vision.Probability{Class: name, P: float64(out.Probabilities[i])})
	}
	j.Verdict, j.Class, j.Score = vision.Decide(classes, j.Probabilities, t)
	j.Width, j.Height = p.Size()
	if j.Verdict != vision.OK {
		j.Findings = vision.Findings(out.Heat, j.Probabilities, classes, prep.Region, j.Width, j.Height)
	}
	j.Heat, j.Pooled = out.Heat.Map(), out.Pooled
	if out.Knows {
		j.Doubt(out.Novelty, out.NoveltyMap, prep.Region, j.Width, j.Height)
	}
	vision.SortProbabilities(j.Probabilities)
	j.Timings.Prepare = milliseconds(prepared.Sub(began))
	j.Timings.Forward = milliseconds(forwarded.Sub(prepared))
	j.Timings.Explain = milliseconds(time.Since(forwarded))
	return j, nil
}

// Extract gives the features of a decoded picture by an extractor's network.
func (e *Engine) Extract(p *Picture, prep vision.Preparation) (Features, error) {
	in, err := p.Prepare(prep)
	if err != nil {
		return Features{}, err
	}
	defer in.Close()
	v, _, err := e.forward(in)
	if err != nil {
		return Features{}, err
	}
	if len(v) != 4 || len(v[3]) == 0 {
		return Features{}, errors.New("this network is no extractor")
	}
	return Features{v[0], v[1], v[2], v[3]}, nil
}

// JPEG gives a copy of the picture with at most side pixels on its longer side,
// of a quality from 1 to 100.
func (p *Picture) JPEG(side, quality int) (data []byte, width, height int, err error) {
	if side < 1 || quality < 1 || quality > 100 {
		return nil, 0, 0, fmt.Errorf("no copy has %d pixels and the quality %d", side, quality)
	}
	width, height = p.Size()
	m := p.mat
	if longer := max(width, height); longer > side {
		width, height = max(1, width*side/longer), max(1, height*side/longer)
		small := gocv.NewMat()
		defer small.Close()
		gocv.Resize(p.mat, &small, image.Pt(width, height), 0, 0, gocv.InterpolationArea)
		m = small
	}
	buf, err := gocv.IMEncodeWithParams(gocv.JPEGFileExt, m, []int{gocv.IMWriteJpegQuality, quality})
	if err != nil {
		return nil, 0, 0, fmt.Errorf("encode a JPEG: %w", err)
	}
	defer buf.Close()
	return append([]byte(nil), buf.GetBytes()...), width, height, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
