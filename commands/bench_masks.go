package commands

import (
	"errors"
	"image"
	_ "image/png" // masks
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"loupe/models/places"
	"loupe/storage"
	"loupe/vision"
)

// Masks with grey edges show a defect where they are brighter than this.
const maskThreshold = 127

// benchHints says what the masks did.
type benchHints struct {
	Marked int `json:"marked"` // training pictures with a mask
	Peak   struct {
		Hits   int     `json:"hits"`
		Judged int     `json:"judged"` // correctly judged defects of the test half with a mask
		Share  float64 `json:"share"`
	} `json:"peak_in_defect"` // the peak of the heat map lies in the defect or within 8 pixels of it in an input of 224
}

// maskOf reads what is marked in a picture; nil where its mask is missing or
// empty. The mask of a/b/1.jpg is a/b/1.png in the folder of masks, or b/1.png.
func (b *Bench) maskOf(p picture) (*storage.Mark, error) {
	if b.Masks == "" || b.passes(p.class) {
		return nil, nil
	}
	name, err := filepath.Rel(filepath.Dir(b.Data), p.path)
	if err != nil {
		return nil, err
	}
	name = strings.TrimSuffix(name, filepath.Ext(name)) + ".png"
	for {
		f, err := os.Open(filepath.Join(b.Masks, name))
		if err == nil {
			defer f.Close()
			mask, _, err := image.Decode(f)
			if err != nil {
				return nil, usage("%s: %v", f.Name(), err)
			}
			return markOf(mask, p.class), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, usage("%v", err)
		}
		var more bool
		if _, name, more = strings.Cut(name, string(filepath.Separator)); !more {
			return nil, nil
		}
	}
}

// markOf makes a mark of the bright pixels of a mask; nil where there is none.
func markOf(mask image.Image, class string) *storage.Mark {
	r := mask.Bounds()
	m := &storage.Mark{Class: class, Shape: storage.MaskShape, Box: [4]float64{0, 0, 1, 1}, Mask: &storage.Mask{Size: [2]int{r.Dy(), r.Dx()}}}
	on, run := false, 0
	for x := r.Min.X; x < r.Max.X; x++ {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			red, _, _, _ := mask.At(x, y).RGBA()
			if bright := red>>8 > maskThreshold; bright != on {
				m.Mask.Counts = append(m.Mask.Counts, run)
				on, run = bright, 0
			}
			run++
		}
	}
	m.Mask.Counts = append(m.Mask.Counts, run)
	if len(m.Mask.Counts) == 1 {
		return nil
	}
	return m
}

// hinted is a cached source that knows the masks of its pictures.
type hinted struct {
	cached
	places [][]int8
	passes []bool
}

func (h hinted) Places(i int) []int8   { return h.places[i] }
func (h hinted) Passes(class int) bool { return h.passes[class] }

// hints gives a source the masks of its pictures and counts those.
func (b *Bench) hints(source cached) (hinted, int, error) {
	h, marked := hinted{cached: source}, 0
	for _, class := range source.classes {
		h.passes = append(h.passes, b.passes(class))
	}
	for _, p := range source.pictures {
		m, err := b.maskOf(p)
		if err != nil {
			return h, 0, err
		}
		var marks []storage.Mark
		if m != nil {
			marks = append(marks, *m)
			marked++
		}
		h.places = append(h.places, places.Labelled(p.class, b.passes(p.class), marks, source.classes, vision.Region{}, b.Size))
	}
	return h, marked, nil
}

// peak notes whether the heat map of a correctly judged defect peaks in it.
func (h *benchHints) peak(mark *storage.Mark, j vision.Judgement) {
	class := slices.Index(j.Heat.Classes, mark.Class)
	if j.Class != mark.Class || class < 0 {
		return
	}
	area := j.Heat.W * j.Heat.H
	heat := j.Heat.Data[class*area : (class+1)*area]
	at := slices.Index(heat, slices.Max(heat))
	x, y := (float64(at%j.Heat.W)+0.5)/float64(j.Heat.W), (float64(at/j.Heat.W)+0.5)/float64(j.Heat.H)
	h.Peak.Judged++
	if near(mark.Mask, x, y, 8./224) {
		h.Peak.Hits++
	}
	h.Peak.Share = float64(h.Peak.Hits) / float64(h.Peak.Judged)
}

// near says whether a mask has a pixel so near to a point, in shares of the
// picture's sides.
func near(m *storage.Mask, x, y, distance float64) bool {
	height, width, at := m.Size[0], m.Size[1], 0
	for i, run := range m.Counts {
		if i%2 == 1 {
			for p := at; p < at+run; p++ {
				px, py := (float64(p/height)+0.5)/float64(width), (float64(p%height)+0.5)/float64(height)
				if math.Hypot(px-x, py-y) <= distance {
					return true
				}
			}
		}
		at += run
	}
	return false
}
