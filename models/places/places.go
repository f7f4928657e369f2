// Package places turns what people marked in a picture into what each place of a
// network's local map shows.
package places

import (
	"math"
	"slices"

	"loupe/models/head"
	"loupe/storage"
	"loupe/vision"
)

const (
	// least is which share of a place a mark must cover for the place to show it. A
	// mark that covers no place so far shows where it covers most.
	least = 0.1
	// lines is by how many lines a place looks at an outline.
	lines = 8
)

// Of gives what the places of the judged region, side × side and row-major, show
// by the marks of a picture: the index of a class, head.Unknown at the edge of a
// mark and where a class is marked that is not among the classes, else head.Clear.
func Of(marks []storage.Mark, classes []string, region vision.Region, side int) []int8 {
	if region.Whole() {
		region = vision.Region{W: 1, H: 1}
	}
	shows, best := make([]int8, side*side), make([]float64, side*side)
	for i := range shows {
		shows[i] = head.Clear
	}
	var covers [][]float64
	for _, m := range marks {
		p := painter{region, side, make([]float64, side*side)}
		p.mark(m)
		covers = append(covers, p.cover)
		p.edge(shows)
	}
	for i, m := range marks {
		class := int8(slices.Index(classes, m.Class)) // head.Unknown for none
		enough := math.Min(least, slices.Max(covers[i]))
		for at, v := range covers[i] {
			if v > 0 && v >= enough && v > best[at] {
				shows[at], best[at] = class, v
			}
		}
	}
	return shows
}

// Labelled gives what the places of a labelled frame show: all of one that passes
// is clear, one that does not is known by its marks. It is nil where nothing is
// known: there is no mark, or none of the frame's class, as somebody corrected the
// class since.
func Labelled(class string, passes bool, marks []storage.Mark, classes []string, region vision.Region, size int) []int8 {
	switch {
	case len(marks) == 0 && passes:
		return slices.Repeat([]int8{head.Clear}, size/8*(size/8))
	case !slices.ContainsFunc(marks, func(m storage.Mark) bool { return m.Class == class }):
		return nil
	}
	return Of(marks, classes, region, size/8)
}

// painter adds up how much of each place a mark covers.
type painter struct {
	region vision.Region
	side   int
	cover  []float64
}

// edge makes unknown what a mark touches, and the places around.
func (p painter) edge(shows []int8) {
	for at, v := range p.cover {
		if v == 0 {
			continue
		}
		x, y := at%p.side, at/p.side
		for ny := max(0, y-1); ny <= min(p.side-1, y+1); ny++ {
			for nx := max(0, x-1); nx <= min(p.side-1, x+1); nx++ {
				shows[ny*p.side+nx] = head.Unknown
			}
		}
	}
}

func (p painter) mark(m storage.Mark) {
	switch m.Shape {
	case storage.MaskShape:
		p.mask(m.Mask)
	case storage.PolygonShape:
		for _, outline := range m.Polygons {
			p.outline(outline)
		}
	default:
		p.rectangle(m.Box[0], m.Box[1], m.Box[0]+m.Box[2], m.Box[1]+m.Box[3])
	}
}

// rectangle covers a rectangle in shares of the picture.
func (p painter) rectangle(left, top, right, bottom float64) {
	n := float64(p.side)
	p.span((left-p.region.X)/p.region.W*n, (top-p.region.Y)/p.region.H*n, (right-p.region.X)/p.region.W*n, (bottom-p.region.Y)/p.region.H*n)
}

// span covers a rectangle in places.
func (p painter) span(left, top, right, bottom float64) {
	n := float64(p.side)
	left, top, right, bottom = math.Max(left, 0), math.Max(top, 0), math.Min(right, n), math.Min(bottom, n)
	for y := int(top); float64(y) < bottom; y++ {
		height := math.Min(bottom, float64(y+1)) - math.Max(top, float64(y))
		for x := int(left); float64(x) < right; x++ {
			p.cover[y*p.side+x] += height * (math.Min(right, float64(x+1)) - math.Max(left, float64(x)))
		}
	}
}

// outline covers what lies inside one, x, y, x, y, … in shares of the picture, by
// the even-odd rule.
func (p painter) outline(points []float64) {
	for line := range p.side * lines {
		y := p.region.Y + (float64(line)+0.5)/float64(p.side*lines)*p.region.H
		var crossings []float64
		for i := 0; i < len(points); i += 2 {
			j := (i + 2) % len(points)
			x0, y0, x1, y1 := points[i], points[i+1], points[j], points[j+1]
			if (y0 <= y) != (y1 <= y) {
				crossings = append(crossings, (x0+(y-y0)/(y1-y0)*(x1-x0)-p.region.X)/p.region.W*float64(p.side))
			}
		}
		slices.Sort(crossings)
		for i := 0; i+1 < len(crossings); i += 2 {
			p.span(crossings[i], float64(line)/lines, crossings[i+1], float64(line+1)/lines)
		}
	}
}

// mask covers the runs of a mask, which go down its columns.
func (p painter) mask(m *storage.Mask) {
	runs, err := m.Runs()
	if err != nil {
		return // storage checks masks before it keeps them
	}
	height, width := m.Size[0], m.Size[1]
	for i, at := 0, 0; i < len(runs); i++ {
		end := at + runs[i]
		for i%2 == 1 && at < end {
			x, y := at/height, at%height
			n := min(end-at, height-y)
			p.rectangle(float64(x)/float64(width), float64(y)/float64(height), float64(x+1)/float64(width), float64(y+n)/float64(height))
			at += n
		}
		at = end
	}
}
