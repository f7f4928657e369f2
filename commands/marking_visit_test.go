package commands

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"loupe/storage"
	"loupe/web/browsertest"
)

// stroke draws with the mouse on the picture, between two points in shares of it.
func stroke(b *browsertest.Tab, x0, y0, x1, y1 float64) {
	box := browsertest.Eval[[4]float64](b, `(() => { const r = document.querySelector('.drawing').getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; })()`)
	at := func(kind input.MouseType, x, y float64) chromedp.Action {
		return chromedp.MouseEvent(kind, box[0]+x*box[2], box[1]+y*box[3], chromedp.ButtonType(input.Left), chromedp.ClickCount(1))
	}
	b.Run(at(input.MousePressed, x0, y0), at(input.MouseMoved, (x0+x1)/2, (y0+y1)/2), at(input.MouseMoved, x1, y1), at(input.MouseReleased, x1, y1))
}

func TestAPersonDrawsWhereTheDefectIs(t *testing.T) {
	s := startTaught(t)
	i := s.post(rand.New(rand.NewPCG(15, 5)), "cut", "M-1")
	b := s.signIn(fmt.Sprint("/inspections/", i.ID), 1280, 800)
	b.Click(`[data-draw]`)
	b.Until("the picture can be drawn on", `!!document.querySelector('.drawing canvas') && !document.querySelector('[data-drawing]').hidden`)
	b.Click(`.about button[data-class="cut"]`)
	stroke(b, .2, .5, .6, .5)
	b.Keys("b")
	stroke(b, .7, .7, .9, .8)
	stroke(b, .1, .1, .2, .2)
	b.Keys("z") // the second box was one too many
	b.Keys("e")
	stroke(b, .4, .4, .4, .6)
	b.Click(`[data-draw-save]`)
	b.Until("it is saved", `document.querySelector('[data-drawing]').hidden && document.querySelector('#toasts').innerText.includes('Marked places: 2')`)
	b.Until("the frame is a cut", `document.querySelector('.about').dataset.label === 'cut'`)
	all, err := s.DB.Markings(t.Context(), i.FrameID)
	if err != nil || len(all) != 1 || len(all[0].Marks) != 2 || all[0].Person != s.Admin || all[0].Source != "page" {
		t.Fatalf("%+v, %v", all, err)
	}
	box, brush := all[0].Marks[0], all[0].Marks[1]
	if box.Shape != storage.BoxShape || brush.Shape != storage.MaskShape {
		box, brush = brush, box
	}
	for n, want := range [4]float64{.7, .7, .2, .1} {
		if got := box.Box[n]; box.Class != "cut" || got < want-.02 || got > want+.02 {
			t.Errorf("the box of %s is %v", box.Class, box.Box)
		}
	}
	counts, err := brush.Mask.Runs()
	if err != nil || brush.Class != "cut" {
		t.Fatalf("%+v, %v", brush, err)
	}
	height, width, at := brush.Mask.Size[0], brush.Mask.Size[1], 0
	drawn := map[int]bool{}
	for n, run := range counts {
		for p := at; n%2 == 1 && p < at+run; p++ {
			drawn[p/height*100/width] = true // columns, in per cent
		}
		at += run
	}
	if !drawn[25] || !drawn[55] || drawn[40] || drawn[10] || drawn[70] {
		t.Errorf("the brush went from 20 to 60 %%, the eraser over 40 %%; drawn is %v", drawn)
	}
	b.Click(`[data-draw]`)
	b.Until("the marks are there again", `document.querySelectorAll('.drawing canvas').length > 0`)
	b.Keys("e")
	stroke(b, .8, .75, .8, .75)
	b.Keys("\r")
	b.Until("the box is erased", `document.querySelector('#toasts').innerText.includes('Marked places: 1')`)
	b.Calm()
}
