//go:build matprofile

package engine_test

import (
	"bytes"
	"os"
	"testing"

	"loupe/vision"
	"loupe/vision/engine"
	"loupe/vision/opencv"
	"loupe/vision/picturetest"
)

// runtimes are OpenCV and, where it is installed, ONNX Runtime.
func runtimes(t *testing.T) []engine.Runtime {
	t.Helper()
	all := []engine.Runtime{byOpenCV}
	if other, err := engine.Choose(engine.Choice{Name: engine.ONNXRuntime, Library: os.Getenv("LOUPE_ONNXRUNTIME")}, 1); err == nil {
		all = append(all, other)
	}
	return all
}

// TestEveryMatIsClosed judges, extracts and fails in every way there is, and
// then counts the Mats that were never closed.
func TestEveryMatIsClosed(t *testing.T) {
	before := opencv.OpenMats()
	versions, extractors := []*engine.Engine{}, []*engine.Engine{}
	for _, r := range runtimes(t) {
		version, extractor := openEnginesIn(t, r, 224)
		versions, extractors = append(versions, version), append(extractors, extractor)
	}
	img := picturetest.Quarters(300, 200)
	for _, data := range [][]byte{
		picturetest.JPEG(t, img), picturetest.Oriented(picturetest.JPEG(t, img), 5), picturetest.PNG(t, img), picturetest.BMP(t, img), picturetest.TIFF(t, img), picturetest.CMYK(t, img),
		picturetest.PNG(t, img)[:300], picturetest.WebPHeader(30, 20), []byte("no picture"),
	} {
		for o := 1; o <= 8; o++ {
			p, err := opencv.Decode(data, o)
			if err != nil {
				continue
			}
			prep := vision.Preparation{Size: 224, Region: vision.Region{X: 0.1, Y: 0.1, W: 0.5, H: 0.5}}
			for i, version := range versions {
				if _, err := version.Judge(p, prep, classes, vision.DefaultThresholds); err != nil {
					t.Error(err)
				}
				if _, err := extractors[i].Extract(p, prep); err != nil {
					t.Error(err)
				}
				if _, err := version.Time(p, prep); err != nil {
					t.Error(err)
				}
				if _, err := extractors[i].Judge(p, prep, classes, vision.DefaultThresholds); err == nil {
					t.Error("an extractor judges")
				}
			}
			for _, side := range []int{96, 4000} {
				if _, _, _, err := p.JPEG(side, 80); err != nil {
					t.Error(err)
				}
			}
			p.Close()
		}
	}
	if _, err := byOpenCV.OpenVersion(nil, []string{"a"}); err == nil {
		t.Error("an empty file is a model")
	}
	for i := range versions {
		versions[i].Close()
		extractors[i].Close()
	}
	if n := opencv.OpenMats() - before; n != 0 {
		var where bytes.Buffer
		_ = opencv.WriteOpenMats(&where)
		t.Errorf("%d Mats were never closed:\n%s", n, where.String())
	}
}
