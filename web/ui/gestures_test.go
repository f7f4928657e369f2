package ui

import (
	"strconv"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"loupe/web/browsertest"
)

// spot is a point of the window in pixels.
type spot struct{ X, Y float64 }

// within is a point inside the first element of a selector, in shares of it.
func within(b *browsertest.Tab, selector string, x, y float64) spot {
	box := browsertest.Eval[[4]float64](b, `(() => { const r = document.querySelector(`+strconv.Quote(selector)+`).getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; })()`)
	return spot{box[0] + x*box[2], box[1] + y*box[3]}
}

func middle(b *browsertest.Tab, selector string) spot { return within(b, selector, .5, .5) }

func mouse(b *browsertest.Tab, kind input.MouseType, at spot, held ...input.Modifier) {
	options := []chromedp.MouseOption{chromedp.ButtonModifiers(held...), chromedp.ClickCount(1)}
	if kind == input.MouseMoved {
		options[1] = func(p *input.DispatchMouseEventParams) *input.DispatchMouseEventParams { return p.WithButtons(1) }
	}
	b.Run(chromedp.MouseEvent(kind, at.X, at.Y, append(options, chromedp.ButtonType(input.Left))...))
}

// clickAt clicks with the mouse while keys are held.
func clickAt(b *browsertest.Tab, at spot, held ...input.Modifier) {
	mouse(b, input.MousePressed, at, held...)
	mouse(b, input.MouseReleased, at, held...)
}

// drag presses the mouse at one point, moves it to another and lets go.
func drag(b *browsertest.Tab, from, to spot) {
	mouse(b, input.MousePressed, from)
	mouse(b, input.MouseMoved, spot{(from.X + to.X) / 2, (from.Y + to.Y) / 2})
	mouse(b, input.MouseMoved, to)
	mouse(b, input.MouseReleased, to)
}

// finger touches the screen; without a point it is lifted.
func finger(b *browsertest.Tab, kind input.TouchType, at ...spot) {
	points := []*input.TouchPoint{}
	for _, p := range at {
		points = append(points, &input.TouchPoint{X: p.X, Y: p.Y})
	}
	b.Run(input.DispatchTouchEvent(kind, points))
}

// tap is a short touch. The browser itself times it: on a busy machine two
// messages, one to touch and one to lift, would be a long press.
func tap(b *browsertest.Tab, at spot) {
	b.Run(input.SynthesizeTapGesture(at.X, at.Y).WithDuration(20).WithGestureSourceType(input.GestureTouch))
}

// openSite shows a page of a fresh site in the size of a panel computer.
func openSite(t *testing.T, path string) (*site, *browsertest.Tab) {
	t.Helper()
	s := newSite(t)
	b := browsertest.Open(t, s.URL+path, 1280, 800)
	if browsertest.Eval[bool](b, `document.body.hasAttribute('sse-connect')`) {
		b.Until("the stream is heard", `document.documentElement.dataset.live === 'fresh'`)
	}
	return s, b
}
