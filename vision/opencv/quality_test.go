package opencv_test

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"loupe/vision"
	"loupe/vision/opencv"
	"loupe/vision/picturetest"
	"loupe/vision/plates"
)

func TestQualityTellsLightFocusAndPlaceApart(t *testing.T) {
	img, _ := plates.Draw(rand.New(rand.NewPCG(1, 2)), plates.Kinds()[0])
	file := picturetest.PNG(t, img)
	of := func(c opencv.Change) vision.Quality {
		p := decodePicture(t, file)
		defer p.Close()
		changed, err := p.Changed(c)
		if err != nil {
			t.Fatal(err)
		}
		defer changed.Close()
		return changed.Quality(vision.Region{})
	}
	q := of(opencv.Change{})
	if !(q.Brightness > 0.05 && q.Brightness < 0.95 && q.Sharpness > 0 && q.Dark < 0.9 && q.CenterX > 0.2 && q.CenterX < 0.8) {
		t.Fatalf("%+v", q)
	}
	dim, soft, moved, burnt := of(opencv.Change{Light: 0.6}), of(opencv.Change{Blur: 0.01}), of(opencv.Change{ShiftX: 0.15}), of(opencv.Change{Light: 20})
	if math.Abs(dim.Brightness/q.Brightness-0.6) > 0.03 || math.Abs(dim.Sharpness-q.Sharpness) > 0.15 {
		t.Errorf("dimmed: %+v, before %+v", dim, q)
	}
	if q.Sharpness-soft.Sharpness < 0.3 || math.Abs(soft.Brightness-q.Brightness) > 0.02 {
		t.Errorf("out of focus: %+v, before %+v", soft, q)
	}
	if d := moved.CenterX - q.CenterX; d < 0.03 || math.Abs(moved.CenterY-q.CenterY) > d {
		t.Errorf("moved: %+v, before %+v", moved, q)
	}
	if burnt.Bright < 0.3 {
		t.Errorf("overexposed: %+v", burnt)
	}
	jpeg := decodePicture(t, picturetest.JPEG(t, img))
	defer jpeg.Close()
	other, _ := plates.Draw(rand.New(rand.NewPCG(7, 7)), plates.Kinds()[1])
	second := decodePicture(t, picturetest.PNG(t, other))
	defer second.Close()
	same, far := bits.OnesCount64(q.Hash^jpeg.Quality(vision.Region{}).Hash), bits.OnesCount64(q.Hash^second.Quality(vision.Region{}).Hash)
	if same > 4 || far <= same {
		t.Errorf("%d bits differ in another file of the picture, %d in another picture", same, far)
	}
	if _, err := second.Changed(opencv.Change{ShiftX: 1}); err == nil {
		t.Error("a picture can be moved out of sight")
	}
}

func decodePicture(t *testing.T, data []byte) *opencv.Picture {
	t.Helper()
	p, err := opencv.Decode(data, 1)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
