package run

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"

	"loupe/models/onnx"
)

type operator func(a args, in []Tensor) (Tensor, error)

var operators = map[string]operator{
	"Conv": conv, "ConvTranspose": convTranspose, "Clip": clip, "Concat": concat, "Flatten": flatten, "Gemm": gemm, "Softmax": softmax,
	"AveragePool": averagePool, "ReduceMax": reduceMax,
	"Add": binaryOf(func(a, b float64) float64 { return a + b }),
	"Sub": binaryOf(func(a, b float64) float64 { return a - b }),
	"Mul": binaryOf(func(a, b float64) float64 { return a * b }),

	"Exp":  unaryOf(math.Exp),
	"Log":  unaryOf(math.Log),
	"Sqrt": unaryOf(math.Sqrt),
	"Relu": unaryOf(func(v float64) float64 { return max(v, 0) }),

	"GlobalAveragePool": poolOf(func(v []float64) float64 {
		var sum float64
		for _, x := range v {
			sum += x
		}
		return sum / float64(len(v))
	}),
	"GlobalMaxPool": poolOf(slices.Max[[]float64]),
}

func constant(t *onnx.TensorProto) (Tensor, error) {
	var v Tensor
	n := 1
	for _, d := range t.GetDims() {
		v.Dims = append(v.Dims, int(d))
		n *= int(d)
	}
	switch raw := t.GetRawData(); {
	case t.GetDataType() != int32(onnx.TensorProto_FLOAT):
		return v, fmt.Errorf("the constant %s is not float32", t.GetName())
	case len(raw) == 4*n:
		for i := range n {
			v.Data = append(v.Data, float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))))
		}
	case len(t.GetFloatData()) == n:
		for _, x := range t.GetFloatData() {
			v.Data = append(v.Data, float64(x))
		}
	default:
		return v, fmt.Errorf("the constant %s does not have its %d values", t.GetName(), n)
	}
	return v, nil
}

func unaryOf(f func(float64) float64) operator {
	return func(_ args, in []Tensor) (Tensor, error) {
		out := New(in[0].Dims...)
		for i, v := range in[0].Data {
			out.Data[i] = f(v)
		}
		return out, nil
	}
}

// binaryOf takes tensors of one shape, or a single number on the right: nothing
// else is sure to be read alike everywhere.
func binaryOf(f func(a, b float64) float64) operator {
	return func(_ args, in []Tensor) (Tensor, error) {
		a, b := in[0], in[1]
		out := New(a.Dims...)
		if len(b.Data) != 1 && !slices.Equal(a.Dims, b.Dims) {
			return out, fmt.Errorf("the shapes %v and %v differ", a.Dims, b.Dims)
		}
		for i, v := range a.Data {
			out.Data[i] = f(v, b.Data[i%len(b.Data)])
		}
		return out, nil
	}
}

func poolOf(f func([]float64) float64) operator {
	return func(_ args, in []Tensor) (Tensor, error) {
		x := in[0]
		out := New(x.Dims[0], x.Dims[1], 1, 1)
		area := x.Dims[2] * x.Dims[3]
		for c := range out.Data {
			out.Data[c] = f(x.Data[c*area : (c+1)*area])
		}
		return out, nil
	}
}

func clip(a args, in []Tensor) (Tensor, error) {
	low, high := a.float("min", -math.MaxFloat32), a.float("max", math.MaxFloat32)
	return unaryOf(func(v float64) float64 { return min(max(v, low), high) })(a, in)
}

func concat(a args, in []Tensor) (Tensor, error) {
	if a.integer("axis", 0) != 1 || in[0].Dims[0] != 1 {
		return Tensor{}, fmt.Errorf("only along the channels of one picture")
	}
	out := Tensor{Dims: slices.Clone(in[0].Dims)}
	out.Dims[1] = 0
	for _, t := range in {
		out.Dims[1] += t.Dims[1]
		out.Data = append(out.Data, t.Data...)
	}
	return out, nil
}

func flatten(a args, in []Tensor) (Tensor, error) {
	outer := 1
	for _, d := range in[0].Dims[:a.integer("axis", 1)] {
		outer *= d
	}
	return Tensor{[]int{outer, len(in[0].Data) / outer}, in[0].Data}, nil
}

func gemm(a args, in []Tensor) (Tensor, error) {
	x, w, bias := in[0], in[1], in[2]
	if a.integer("transA", 0) != 0 || a.integer("transB", 0) != 1 || a.float("alpha", 1) != 1 || a.float("beta", 1) != 1 || x.Dims[0] != 1 || x.Dims[1] != w.Dims[1] {
		return Tensor{}, fmt.Errorf("only x·wᵀ + b of one row that fits")
	}
	out := New(1, w.Dims[0])
	for c := range out.Data {
		sum := bias.Data[c]
		for i, v := range x.Data {
			sum += v * w.Data[c*len(x.Data)+i]
		}
		out.Data[c] = sum
	}
	return out, nil
}

func softmax(_ args, in []Tensor) (Tensor, error) {
	out := New(in[0].Dims...)
	top, sum := slices.Max(in[0].Data), 0.0
	for i, v := range in[0].Data {
		out.Data[i] = math.Exp(v - top)
		sum += out.Data[i]
	}
	for i := range out.Data {
		out.Data[i] /= sum
	}
	return out, nil
}

// conv is a grouped convolution of one picture.
func conv(a args, in []Tensor) (Tensor, error) {
	x, w := in[0], in[1]
	sy, sx := a.pair("strides", 1)
	pads, groups := a.pads(), a.integer("group", 1)
	m, cg, kh, kw := w.Dims[0], w.Dims[1], w.Dims[2], w.Dims[3]
	h, wd := x.Dims[2], x.Dims[3]
	if dy, dx := a.pair("dilations", 1); dy != 1 || dx != 1 || cg*groups != x.Dims[1] {
		return Tensor{}, fmt.Errorf("only without dilation and of %d channels", cg*groups)
	}
	out := New(1, m, (h+pads[0]+pads[2]-kh)/sy+1, (wd+pads[1]+pads[3]-kw)/sx+1)
	oh, ow := out.Dims[2], out.Dims[3]
	var all sync.WaitGroup
	for o := range m {
		all.Go(func() {
			to := out.Data[o*oh*ow : (o+1)*oh*ow]
			if len(in) > 2 {
				for i := range to {
					to[i] = in[2].Data[o]
				}
			}
			for c := range cg {
				from := x.Data[(o/(m/groups)*cg+c)*h*wd:][:h*wd]
				for i := range kh {
					for j := range kw {
						v := w.Data[((o*cg+c)*kh+i)*kw+j]
						for y := range oh {
							iy := y*sy + i - pads[0]
							if iy < 0 || iy >= h {
								continue
							}
							for z := range ow {
								if ix := z*sx + j - pads[1]; ix >= 0 && ix < wd {
									to[y*ow+z] += v * from[iy*wd+ix]
								}
							}
						}
					}
				}
			}
		})
	}
	all.Wait()
	return out, nil
}

// convTranspose is a transposed convolution of one picture with one kernel a channel.
func convTranspose(a args, in []Tensor) (Tensor, error) {
	x, w := in[0], in[1]
	sy, sx := a.pair("strides", 1)
	pads, channels := a.pads(), x.Dims[1]
	kh, kw, h, wd := w.Dims[2], w.Dims[3], x.Dims[2], x.Dims[3]
	if a.integer("group", 1) != channels || w.Dims[0] != channels || w.Dims[1] != 1 || len(in) > 2 {
		return Tensor{}, fmt.Errorf("only with one group a channel and without bias")
	}
	out := New(1, channels, sy*(h-1)+kh-pads[0]-pads[2], sx*(wd-1)+kw-pads[1]-pads[3])
	oh, ow := out.Dims[2], out.Dims[3]
	for c := range channels {
		for y := range h {
			for z := range wd {
				v := x.Data[(c*h+y)*wd+z]
				for i := range kh {
					for j := range kw {
						if Y, Z := y*sy+i-pads[0], z*sx+j-pads[1]; Y >= 0 && Z >= 0 && Y < oh && Z < ow {
							out.Data[(c*oh+Y)*ow+Z] += v * w.Data[(c*kh+i)*kw+j]
						}
					}
				}
			}
		}
	}
	return out, nil
}

// averagePool is the mean over windows that neither overlap nor leave the picture.
func averagePool(a args, in []Tensor) (Tensor, error) {
	x := in[0]
	kh, kw := a.pair("kernel_shape", 1)
	sy, sx := a.pair("strides", 1)
	channels, h, w := x.Dims[1], x.Dims[2], x.Dims[3]
	if a.pads() != [4]int{} || kh != sy || kw != sx || h%kh != 0 || w%kw != 0 {
		return Tensor{}, fmt.Errorf("only windows side by side that fill the picture")
	}
	out := New(1, channels, h/kh, w/kw)
	for i, v := range x.Data {
		c, y, z := i/(h*w), i/w%h, i%w
		out.Data[(c*(h/kh)+y/kh)*(w/kw)+z/kw] += v / float64(kh*kw)
	}
	return out, nil
}

// reduceMax is the largest value over the channels of one picture.
func reduceMax(a args, in []Tensor) (Tensor, error) {
	x := in[0]
	if axes := a["axes"].GetInts(); len(axes) != 1 || axes[0] != 1 || a.integer("keepdims", 1) != 1 {
		return Tensor{}, fmt.Errorf("only over the channels, which stay as one")
	}
	area := x.Dims[2] * x.Dims[3]
	out := New(1, 1, x.Dims[2], x.Dims[3])
	copy(out.Data, x.Data[:area])
	for i, v := range x.Data {
		out.Data[i%area] = max(out.Data[i%area], v)
	}
	return out, nil
}
