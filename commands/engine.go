package commands

import (
	"loupe/vision/engine"
)

// EngineFlags choose what runs the networks.
type EngineFlags struct {
	Engine      string `help:"What runs the networks: opencv, or onnxruntime, which is faster and needs its shared library." enum:"opencv,onnxruntime" default:"opencv" env:"LOUPE_ENGINE"`
	ONNXRuntime string `help:"Shared library of ONNX Runtime, or the folder it lies in; by default looked for in the usual places." name:"onnxruntime" env:"LOUPE_ONNXRUNTIME" placeholder:"PATH"`
}

func (e EngineFlags) choice() engine.Choice {
	return engine.Choice{Name: e.Engine, Library: e.ONNXRuntime}
}

// engineArgs are the flags that choose the same engine in another process of this program.
func engineArgs(c engine.Choice) []string {
	args := []string{"--engine", c.Name}
	if c.Name == "" {
		args[1] = engine.OpenCV
	}
	if c.Library != "" {
		args = append(args, "--onnxruntime", c.Library)
	}
	return args
}

// chooseEngine gets the engine ready; one that is not there is bad input.
func chooseEngine(c engine.Choice, threads int) (engine.Runtime, error) {
	r, err := engine.Choose(c, threads)
	if err != nil {
		return r, usage("%v", err)
	}
	return r, nil
}
