package models_test

import (
	"bytes"
	"image/jpeg"
	"slices"
	"testing"

	"loupe/models"
	"loupe/storage"
	"loupe/vision/plates"
)

// again stores another shot of the n-th plate of a kind: the same part, but more
// strongly compressed.
func (p *plant) again(kind plates.Kind, n int) storage.Frame {
	p.Helper()
	img := must(jpeg.Decode(bytes.NewReader(draw(p.T, kind, n))))(p)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 70}); err != nil {
		p.Fatal(err)
	}
	f := p.picture(kind, n)
	f.BlobKey, f.Bytes = must(p.db.Blobs.PutContent(p.Context(), "frames", b.Bytes()))(p), int64(b.Len())
	return f
}

func TestSimilarFramesAreOfTheSameKind(t *testing.T) {
	p := open(t, taught(t), 2)
	r := p.plates()
	same := 0
	const each = 4
	for _, kind := range kinds {
		for n := range each {
			near := must(p.similar.Similar(t.Context(), p.send(r.ID, p.picture(kind, 50+n)).ID, 5))(t)
			if len(near) != 5 || !slices.IsSortedFunc(near, func(a, b models.SimilarFrame) int { return int(1e6 * (b.Similarity - a.Similarity)) }) {
				t.Fatalf("not the five most similar ones in order: %v", near)
			}
			if near[0].Class == string(kind) {
				same++
			}
		}
	}
	if same < 3*each-3 { // by chance it would be a third
		t.Errorf("of %d plates only %d lie next to one of their kind", 3*each, same)
	}
}

func TestSamePartIsTheMostSimilar(t *testing.T) {
	p := open(t, taught(t), 1)
	r := p.plates()
	train := p.frames(storage.TrainShare)
	for n, kind := range kinds {
		near := must(p.similar.Similar(t.Context(), p.send(r.ID, p.again(kind, 0)).ID, 2))(t)
		// Plates number 0 were imported first, kind after kind.
		if len(near) != 2 || near[0].FrameID != train[n].FrameID || near[0].Class != string(kind) || near[0].Similarity < 0.5 || near[1].Similarity > near[0].Similarity-0.1 {
			t.Errorf("another shot of frame %d is like %v", train[n].FrameID, near)
		}
	}
}

func TestFrameIsNotSimilarToItself(t *testing.T) {
	p := open(t, taught(t), 0) // all features are there
	for _, f := range p.frames(storage.TrainShare)[:3] {
		near := must(p.similar.Similar(t.Context(), f.FrameID, 1000))(t)
		seen := map[int64]bool{f.FrameID: true}
		for _, s := range near {
			if seen[s.FrameID] {
				t.Errorf("frame %d is there twice, or is like itself", s.FrameID)
			}
			seen[s.FrameID] = true
			if label := must(p.db.Frame(t.Context(), s.FrameID))(t).Label; label != s.Class {
				t.Errorf("frame %d is called %s, not %s", s.FrameID, s.Class, label)
			}
		}
		if len(near) != 3*perKind-1 {
			t.Errorf("%d similar frames of %d others", len(near), 3*perKind-1)
		}
	}
}

func TestSimilarFramesStayInTheirRecipe(t *testing.T) {
	p := open(t, taught(t), 1)
	r := p.recipe("another product")
	f := p.send(r.ID, p.picture(plates.Good, 0))
	if near := must(p.similar.Similar(t.Context(), f.ID, 5))(t); len(near) > 0 {
		t.Errorf("without a version: %v", near)
	}
	p.label(r.ID, 100, 104)
	p.learns()
	p.train(r.ID)
	near := must(p.similar.Similar(t.Context(), f.ID, 1000))(t)
	if len(near) != 12 {
		t.Errorf("%d similar frames of 12", len(near))
	}
	for _, s := range near {
		if got := must(p.db.Frame(t.Context(), s.FrameID))(t); got.RecipeID != r.ID {
			t.Errorf("frame %d is of recipe %d", got.ID, got.RecipeID)
		}
	}
}
