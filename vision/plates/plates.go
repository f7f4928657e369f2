// Package plates draws pictures of brushed metal plates with holes as a camera
// above a conveyor would see them: the parts of the demonstration line. Light,
// place, turn, grain, focus and tolerances differ from part to part; a drawing
// depends on nothing but its random source.
//
// What goes through pixels is out of the race detector's sight (go:norace): one
// goroutine draws a plate, and watching each pixel makes that ten times as long.
package plates

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
)

// Kind says what is wrong with a part, if anything.
type Kind string

const (
	// Good is a part without a defect.
	Good Kind = "good"
	// Scratch is a groove across the grain, or a few beside each other.
	Scratch Kind = "scratch"
	// Dent is a smooth hollow that bends the reflections.
	Dent Kind = "dent"
	// Stain is a dried spot of coolant, or several.
	Stain Kind = "stain"
	// MissingHole is a part with one hole left undrilled.
	MissingHole Kind = "missing_hole"
	// Burr is a torn, jagged rim around a hole with chips lying beside it.
	Burr Kind = "burr"
)

// Kinds lists every kind, the good part first.
func Kinds() []Kind {
	return []Kind{Good, Scratch, Dent, Stain, MissingHole, Burr}
}

// Width and Height are the size of a drawn picture in pixels.
const (
	Width  = 640
	Height = 480
)

// Truth is what a drawn picture shows.
type Truth struct {
	Kind Kind
	Box  image.Rectangle // around the defect, in pixels; empty for a good part
}

// Draw draws one part of the kind, Width×Height pixels. It takes the same
// numbers from rng for every kind and draws the part before its defect, so two
// equal sources give the same part with and without one. An unknown kind is
// drawn as a good part.
func Draw(rng *rand.Rand, kind Kind) (*image.RGBA, Truth) {
	partSeed, defectSeed := rng.Uint64(), rng.Uint64()
	p := newPart(rand.New(rand.NewPCG(partSeed, 1)))
	d := newDefect(rand.New(rand.NewPCG(defectSeed, 2)), kind, p)
	truth := Truth{Kind: kind}
	if d != nil {
		truth.Box = p.inPicture(d.bounds())
	}
	light := p.render(d)
	return p.develop(light), truth
}

// JPEG encodes a picture as a camera would, at quality 90.
func JPEG(img image.Image) ([]byte, error) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 90}); err != nil {
		return nil, fmt.Errorf("encode the drawn part: %w", err)
	}
	return b.Bytes(), nil
}
