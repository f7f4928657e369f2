package models

import (
	"context"

	"loupe/models/head"
	"loupe/models/places"
)

// hintedSource is a frameSource that knows what is marked in its frames.
type hintedSource struct {
	*frameSource
	places [][]int8 // of each frame; nil where nothing is known
	passes []bool   // by class
}

func (s *hintedSource) Places(i int) []int8   { return s.places[i] }
func (s *hintedSource) Passes(class int) bool { return s.passes[class] }

// source gives the training share for a fit, with what people marked in it, and
// in how many of its frames that is something.
func (t *training) source(ctx context.Context) (head.Source, int, error) {
	frames, err := t.features.source(t.prep, views(t.recipe), t.train, t.classes)
	if err != nil {
		return nil, 0, err
	}
	s := &hintedSource{frameSource: frames, places: make([][]int8, len(t.train))}
	for _, name := range t.classes {
		c, ok := t.recipe.Class(name)
		s.passes = append(s.passes, ok && c.Pass)
	}
	marks, err := t.db.MarksInForce(ctx, t.train)
	if err != nil {
		return nil, 0, err
	}
	marked := 0
	for i, f := range t.train {
		class, _ := t.recipe.Class(f.Class)
		s.places[i] = places.Labelled(f.Class, class.Pass, marks[f.FrameID], t.classes, t.prep.Region, t.prep.Size)
		if len(marks[f.FrameID]) > 0 && s.places[i] != nil {
			marked++
		}
	}
	if marked == 0 {
		return frames, 0, nil
	}
	return s, marked, nil
}
