package plates

import (
	"bytes"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"testing"
)

func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 77)) }

// differing counts the pixels in the box that differ by more than 20 levels.
func differing(a, b *image.RGBA, box image.Rectangle) (n int) {
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			i := a.PixOffset(x, y) + 1
			if d := int(a.Pix[i]) - int(b.Pix[i]); d > 20 || d < -20 {
				n++
			}
		}
	}
	return n
}

// change is the mean difference of two pictures inside and outside of the box,
// in levels of 255.
//
//go:norace
func change(a, b *image.RGBA, box image.Rectangle) (inside, outside float64) {
	var in, out, nIn, nOut float64
	for y := range Height {
		for x := range Width {
			i := a.PixOffset(x, y)
			d := 0.0
			for c := range 3 {
				d += max(float64(a.Pix[i+c])-float64(b.Pix[i+c]), float64(b.Pix[i+c])-float64(a.Pix[i+c]))
			}
			if image.Pt(x, y).In(box) {
				in, nIn = in+d/3, nIn+1
			} else {
				out, nOut = out+d/3, nOut+1
			}
		}
	}
	return in / max(nIn, 1), out / max(nOut, 1)
}

func TestDrawDependsOnNothingButItsSource(t *testing.T) {
	for _, kind := range Kinds() {
		a, ta := Draw(source(5), kind)
		b, tb := Draw(source(5), kind)
		if !bytes.Equal(a.Pix, b.Pix) || ta != tb {
			t.Errorf("%s: two drawings of the same source differ", kind)
		}
		c, _ := Draw(source(6), kind)
		if in, out := change(a, c, image.Rectangle{}); in+out < 2 {
			t.Errorf("%s: parts of two sources are nearly the same picture (%.2f levels)", kind, in+out)
		}
	}
}

func TestDefectIsWhereTheTruthSaysAndNowhereElse(t *testing.T) {
	for _, kind := range Kinds()[1:] {
		for seed := range uint64(20) {
			good, none := Draw(source(seed), Good)
			img, truth := Draw(source(seed), kind)
			if !none.Box.Empty() {
				t.Fatalf("a good part has a box: %v", none.Box)
			}
			if truth.Kind != kind || truth.Box.Empty() || !truth.Box.In(img.Bounds()) {
				t.Fatalf("%s %d: truth %+v", kind, seed, truth)
			}
			inside, outside := change(good, img, truth.Box)
			if n := differing(good, img, truth.Box); n < 100 || inside < 1 {
				t.Errorf("%s %d: %d pixels of the box differ clearly, %.2f levels at the mean; nobody would see it", kind, seed, n, inside)
			}
			// A hole more or less changes the light on the belt in the hole only.
			if outside > 0.01 {
				t.Errorf("%s %d: the picture outside of the box differs by %.3f levels", kind, seed, outside)
			}
		}
	}
}

func TestPlaceSizeAndLightVary(t *testing.T) {
	for _, kind := range Kinds()[1:] {
		seen := map[image.Point]bool{}
		small, large := 1<<30, 0
		for seed := range uint64(16) {
			_, truth := Draw(source(seed), kind)
			seen[truth.Box.Min.Add(truth.Box.Max).Div(80)] = true
			area := truth.Box.Dx() * truth.Box.Dy()
			small, large = min(small, area), max(large, area)
		}
		if len(seen) < 5 {
			t.Errorf("%s: 16 parts have their defect in %d places only", kind, len(seen))
		}
		if kind != MissingHole && large < small*3/2 {
			t.Errorf("%s: all defects have about the same size, %d to %d pixels", kind, small, large)
		}
	}
	dark, bright := 255.0, 0.0
	for seed := range uint64(16) {
		img, _ := Draw(source(seed), Good)
		var sum float64
		for i := 0; i < len(img.Pix); i += 4 {
			sum += float64(img.Pix[i+1])
		}
		mean := sum / float64(len(img.Pix)/4)
		dark, bright = min(dark, mean), max(bright, mean)
	}
	if bright < dark*1.15 {
		t.Errorf("16 parts are lit alike: %.0f to %.0f levels", dark, bright)
	}
}

func TestEveryKindDraws(t *testing.T) {
	seen := map[string]Kind{}
	for _, kind := range Kinds() {
		img, _ := Draw(source(9), kind)
		if img.Bounds() != image.Rect(0, 0, Width, Height) {
			t.Fatalf("%s: size %v", kind, img.Bounds())
		}
		if other, twice := seen[string(img.Pix)]; twice {
			t.Errorf("%s and %s are the same picture", kind, other)
		}
		seen[string(img.Pix)] = kind
	}
}

func TestJPEGIsReadable(t *testing.T) {
	img, _ := Draw(source(3), Stain)
	data, err := JPEG(img)
	if err != nil {
		t.Fatal(err)
	}
	back, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil || back.Bounds() != img.Bounds() {
		t.Fatalf("decode: %v, %v", back.Bounds(), err)
	}
	if len(data) < 20_000 || len(data) > 200_000 {
		t.Errorf("%d bytes is not the size of such a photograph", len(data))
	}
}

func BenchmarkDraw(b *testing.B) {
	rng := source(1)
	for i := 0; b.Loop(); i++ {
		Draw(rng, Kinds()[i%len(Kinds())])
	}
}
