package commands

import (
	"fmt"
	"math"
	"strings"
)

// The size of the drawn curve and of its margins, in pixels.
const (
	curveWidth, curveHeight = 520, 340
	curveLeft, curveRight   = 56, 20
	curveTop, curveBottom   = 44, 48
)

// drawing places the points of a curve: labels on a logarithmic axis, accuracy
// on a straight one.
type drawing struct {
	strings.Builder
	r           *nextResult
	first, last float64 // labels
	low         float64 // the lowest accuracy that is drawn
}

func (d *drawing) x(labels int) float64 {
	share := math.Log(float64(labels)/d.first) / math.Log(d.last/d.first)
	return curveLeft + share*(curveWidth-curveLeft-curveRight)
}

func (d *drawing) y(accuracy float64) float64 {
	return curveTop + (1-accuracy)/(1-d.low)*(curveHeight-curveTop-curveBottom)
}

// svg draws both orders over the number of labels, and what all labels give.
func (r *nextResult) svg(name string) string {
	d := &drawing{r: r, first: float64(r.Curve[0].Labels), last: float64(r.Train), low: 1}
	for _, p := range r.Curve {
		d.low = min(d.low, p.Random, p.Chosen)
	}
	d.low = max(0, math.Floor(d.low*10)/10)
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="13">`+"\n", curveWidth, curveHeight, curveWidth, curveHeight)
	fmt.Fprintf(d, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", curveWidth, curveHeight)
	fmt.Fprintf(d, `<text x="%d" y="24" font-size="15" fill="#1b2124">%s: accuracy over the number of labels</text>`+"\n", curveLeft, escapeXML(name))
	d.axes()
	goal := d.y(r.Full - within)
	fmt.Fprintf(d, `<path d="M%d %.1fH%d" stroke="#667177" stroke-dasharray="5 4"/><text x="%d" y="%.1f" text-anchor="end" fill="#465056">all labels, less 1 %%</text>`+"\n",
		curveLeft, goal, curveWidth-curveRight, curveWidth-curveRight, goal-6)
	d.line("#b9770e", r.Needed.Random, "random order", func(p nextPoint) float64 { return p.Random }, 0)
	d.line("#1d5c94", r.Needed.Chosen, "most worth a label first", func(p nextPoint) float64 { return p.Chosen }, 1)
	d.WriteString("</svg>\n")
	return d.String()
}

func (d *drawing) axes() {
	for step := d.low; step < 1.001; step += 0.1 {
		fmt.Fprintf(d, `<path d="M%d %.1fH%d" stroke="#dde1e2"/><text x="%d" y="%.1f" text-anchor="end" fill="#465056">%.0f %%</text>`+"\n",
			curveLeft, d.y(step), curveWidth-curveRight, curveLeft-8, d.y(step)+4, 100*step)
	}
	for _, n := range []int{10, 20, 50, 100, 200, 500, 1000, 2000, 5000} {
		if float64(n) < d.first || float64(n) > d.last {
			continue
		}
		fmt.Fprintf(d, `<path d="M%.1f %dv5" stroke="#465056"/><text x="%.1f" y="%d" text-anchor="middle" fill="#465056">%d</text>`+"\n",
			d.x(n), curveHeight-curveBottom, d.x(n), curveHeight-curveBottom+20, n)
	}
	fmt.Fprintf(d, `<path d="M%d %dV%dH%d" fill="none" stroke="#465056"/>`+"\n", curveLeft, curveTop, curveHeight-curveBottom, curveWidth-curveRight)
}

// line draws one order; a dot marks from where it stays within reach.
func (d *drawing) line(colour string, needed int, name string, value func(nextPoint) float64, row int) {
	var path strings.Builder
	for i, p := range d.r.Curve {
		fmt.Fprintf(&path, "%s%.1f %.1f", []string{"M", "L"}[min(i, 1)], d.x(p.Labels), d.y(value(p)))
	}
	fmt.Fprintf(d, `<path d="%s" fill="none" stroke="%s" stroke-width="2.5" stroke-linejoin="round"/>`+"\n", path.String(), colour)
	for _, p := range d.r.Curve {
		if p.Labels == needed {
			fmt.Fprintf(d, `<circle cx="%.1f" cy="%.1f" r="5" fill="%s"/>`+"\n", d.x(p.Labels), d.y(value(p)), colour)
		}
	}
	y := curveHeight - curveBottom - 14 - 20*row
	fmt.Fprintf(d, `<text x="%d" y="%d" text-anchor="end" fill="%s">%s: %d labels</text>`+"\n", curveWidth-curveRight-6, y, colour, name, needed)
}

func escapeXML(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}
