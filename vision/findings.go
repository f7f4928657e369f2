package vision

import (
	"math"
	"sort"
)

// Logits are the local evidence of a network: for each class and place a number
// that is the larger the more the place speaks for the class. Row-major, class
// after class: Data[(c*H+y)*W+x]. They cover the judged region.
type Logits struct {
	Classes []string
	H, W    int
	Data    []float32
}

func (l Logits) class(c int) []float32 { return l.Data[c*l.H*l.W : (c+1)*l.H*l.W] }

// over is the evidence that each class has over the mean of all classes at the
// same place: what speaks for every class speaks for none.
func (l Logits) over() Logits {
	k, area := len(l.Classes), l.H*l.W
	over := make([]float32, len(l.Data))
	for i := range area {
		var mean float32
		for c := range k {
			mean += l.Data[c*area+i] / float32(k)
		}
		for c := range k {
			over[c*area+i] = max(0, l.Data[c*area+i]-mean)
		}
	}
	return Logits{Classes: l.Classes, H: l.H, W: l.W, Data: over}
}

// Map scales the evidence to a heat map: at each place what a class has over
// the mean of all classes there, from nothing to the strongest of the picture.
func (l Logits) Map() HeatMap {
	over := l.over().Data
	var top float32
	for _, v := range over {
		top = max(top, v)
	}
	m := HeatMap{Classes: l.Classes, W: l.W, H: l.H, Data: make([]uint8, len(over))}
	if top > 0 && !math.IsInf(float64(top), 0) {
		for i, v := range over {
			m.Data[i] = uint8(v/top*255 + 0.5)
		}
	}
	return m
}

const (
	leastScore  = 0.1 // a class less probable than this is no reason
	leastOfTop  = 0.5 // nor is one so much less probable than the first failing class
	perClass    = 3   // findings of one class
	cut         = 0.5 // of the way from a map's median to its peak
	leastOfPeak = 0.6 // a region whose own peak is weaker is not worth a box
)

// Findings draws boxes, in pixels of the upright picture, around the places
// that speak most for each failing class that is probable enough: the connected
// regions of its evidence over the other classes' above the middle between its
// median and its peak. The most probable class and its strongest region come first.
func Findings(l Logits, probabilities []Probability, classes []Class, region Region, width, height int) []Finding {
	passes := map[string]bool{}
	for _, c := range classes {
		passes[c.Name] = c.Pass
	}
	least := leastScore
	for _, q := range probabilities {
		if !passes[q.Class] {
			least = max(least, leastOfTop*q.P)
		}
	}
	l = l.over()
	x0, y0, w, h := region.Pixels(width, height)
	findings := []Finding{}
	for c, name := range l.Classes {
		p := 0.0
		for _, q := range probabilities {
			if q.Class == name {
				p = q.P
			}
		}
		if passes[name] || p < least {
			continue
		}
		for i, r := range hotRegions(l.class(c), l.W, l.H) {
			if i == perClass {
				break
			}
			left, top := x0+r.x0*w/l.W, y0+r.y0*h/l.H
			right, bottom := x0+((r.x1+1)*w+l.W-1)/l.W, y0+((r.y1+1)*h+l.H-1)/l.H
			findings = append(findings, Finding{Class: name, Score: p, Box: [4]int{left, top, min(right, width) - left, min(bottom, height) - top}})
		}
	}
	sort.SliceStable(findings, func(i, j int) bool { return findings[i].Score > findings[j].Score })
	return findings
}

// hotRegion is a connected group of places: its box, inclusive, and its peak.
type hotRegion struct {
	x0, y0, x1, y1 int
	peak           float32
}

// hotRegions finds the regions above the cut, strongest first.
func hotRegions(m []float32, w, h int) []hotRegion {
	sorted := append([]float32(nil), m...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i] < sorted[j] })
	median, peak := sorted[len(sorted)/2], sorted[len(sorted)-1]
	if !(peak > median) {
		return nil
	}
	line := median + cut*(peak-median)
	weakest := median + leastOfPeak*(peak-median)
	seen := make([]bool, len(m))
	var all []hotRegion
	var stack []int
	for start, v := range m {
		if seen[start] || v < line {
			continue
		}
		r := hotRegion{x0: w, y0: h, peak: v}
		seen[start] = true
		stack = append(stack[:0], start)
		for len(stack) > 0 {
			i := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			x, y := i%w, i/w
			r.x0, r.y0, r.x1, r.y1, r.peak = min(r.x0, x), min(r.y0, y), max(r.x1, x), max(r.y1, y), max(r.peak, m[i])
			for _, n := range [4][2]int{{x - 1, y}, {x + 1, y}, {x, y - 1}, {x, y + 1}} {
				if n[0] < 0 || n[1] < 0 || n[0] >= w || n[1] >= h {
					continue
				}
				if j := n[1]*w + n[0]; !seen[j] && m[j] >= line {
					seen[j] = true
					stack = append(stack, j)
				}
			}
		}
		if r.peak >= weakest {
			all = append(all, r)
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].peak > all[j].peak })
	return all
}
