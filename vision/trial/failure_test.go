package trial

import (
	"errors"
	"strings"
	"testing"
)

func TestWhatOpenCVSaysIsUnderstood(t *testing.T) {
	for name, c := range map[string]struct {
		stderr         string
		reason         Reason
		operator, node string
		says           string
	}{
		"OpenCV 4.6": {`[ERROR:0@0.015] global ./modules/dnn/src/onnx/onnx_importer.cpp (1018) handleNode DNN/ONNX: ERROR during processing node with 1 inputs and 1 outputs: [Frobnicate]:(onnx_node!/model/frob) from domain='ai.onnx'
terminate called after throwing an instance of 'cv::Exception'
  what():  OpenCV(4.6.0) ./modules/dnn/src/onnx/onnx_importer.cpp:1040: error: (-2:Unspecified error) in function 'handleNode'
> Node [Frobnicate@ai.onnx]:(onnx_node!/model/frob) parse error: OpenCV(4.6.0) ./modules/dnn/src/layer_internals.hpp:110: error: (-2:Unspecified error) Can't create layer "onnx_node!/model/frob" of type "Frobnicate" in function 'getLayerInstance'
`, Operator, "Frobnicate", "/model/frob", "OpenCV 4.6 cannot read the operator Frobnicate (node /model/frob). Export"},
		"an earlier OpenCV": {`[ERROR:0] global /build/onnx_importer.cpp (739) handleNode DNN/ONNX: ERROR during processing node with 2 inputs and 1 outputs: [Einsum]:(x)
`, Operator, "Einsum", "x", "OpenCV cannot read the operator Einsum (node x)."},
		"a name that is foreign": {"DNN/ONNX: ERROR during processing node with 1 inputs and 1 outputs: [A]:(onnx_node!<b>(\x00\xff) " + strings.Repeat("long", 60) + ") from domain='x'\n", Operator, "A", "", "<b>("},
		"memory":                 {"terminate called after throwing an instance of 'std::bad_alloc'\n", Memory, "", "", "2048 MB"},
		"memory in Go":           {"fatal error: runtime: cannot allocate memory\n", Memory, "", "", "2048 MB"},
		"a signal":               {"SIGSEGV: segmentation violation\nPC=0x0 m=0 sigcode=1\n", Crashes, "", "", "by the signal SIGSEGV"},
		"nothing":                {"", Crashes, "", "", "without an answer (exit status 3)"},
	} {
		f := explain(errors.New("exit status 3"), c.stderr, 224)
		if f.Reason != c.reason || f.Operator != c.operator || c.node != "" && f.Node != c.node || !strings.Contains(f.Error(), c.says) {
			t.Errorf("%s: %+v: %s", name, f, f)
		}
		if len(f.Node) > 2*longest || strings.ToValidUTF8(f.Error(), "") != f.Error() || strings.ContainsAny(f.Error(), "\n\x00") {
			t.Errorf("%s: %q", name, f.Error())
		}
	}
}
