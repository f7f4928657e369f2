package ui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"loupe/web/browsertest"
)

// gridCellSeen is a cell as it lies under the window of the grid.
type gridCellSeen struct {
	Index int64
	Frame string
	Tag   string
	Label bool // the tag is a label, not a guess
	X, Y  float64
}

const cellsSeen = `(() => {
	const box = document.getElementById('grid').getBoundingClientRect();
	return [...document.querySelectorAll('#grid .cell:not([hidden])')].map((el) => ({ el, r: el.getBoundingClientRect() }))
		.filter(({ r }) => r.bottom > box.top + 1 && r.top < box.bottom - 1)
		.map(({ el, r }) => ({ Index: Number(el.dataset.index), Frame: el.querySelector('img').getAttribute('src'), Tag: el.querySelector('.name')?.textContent ?? '',
			Label: !!el.querySelector('.tag .swatch'), X: r.x, Y: r.y }))
		.sort((a, b) => a.Y - b.Y || a.X - b.X);
})()`

const (
	chosen   = `[...document.querySelectorAll('#grid .cell.selected:not([hidden])')].map((el) => Number(el.dataset.index)).sort((a, b) => a - b).join()`
	counted  = `document.querySelector('[data-chosen]').textContent`
	cursorAt = `document.querySelector('#grid .cell.cursor:not([hidden])')?.dataset.index`
)

// openGrid shows ten thousand frames; their order and numbers are 10000 to 1.
func openGrid(t *testing.T) (*site, *browsertest.Tab) {
	t.Helper()
	s, b := openSite(t, PathLabel)
	browsertest.Eval[bool](b, `(() => { document.getElementById('stale').remove(); return true; })()`) // no tick keeps the page fresh
	b.Until("the order is known", `document.getElementById('grid').querySelectorAll('.cell[id]').length > 0`)
	return s, b
}

func cell(index int) string {
	return `#grid .cell[data-index="` + strconv.Itoa(index) + `"]:not([hidden])`
}

// columns is how many cells stand beside each other.
func columns(b *browsertest.Tab) int {
	return browsertest.Eval[int](b, `new Set([...document.querySelectorAll('#grid .cell:not([hidden])')].map((el) => Math.round(el.getBoundingClientRect().x))).size`)
}

// checkCells compares what lies under the window with the frames that belong there.
func checkCells(t *testing.T, cells []gridCellSeen, wide int) {
	t.Helper()
	if len(cells) <= wide*2 {
		t.Errorf("only %d cells are seen", len(cells))
		return
	}
	for i, c := range cells {
		if c.Index != cells[0].Index+int64(i) {
			t.Errorf("after cell %d comes %d", cells[0].Index+int64(i)-1, c.Index)
			return
		}
		frame := 10000 - c.Index
		want(t, fmt.Sprint("the picture of cell ", c.Index), c.Frame, FrameThumbURL(frame))
		if c.Index >= 120 { // what the page brought along looks different from what is fetched
			is := fixtureCell(frame, plateClasses)
			if c.Tag != is.Predicted || c.Label != (is.Label != "") {
				t.Errorf("cell %d says %q (label %v), want %q (label %q)", c.Index, c.Tag, c.Label, is.Predicted, is.Label)
			}
		}
	}
	if cells[0].Index%int64(wide) != 0 {
		t.Errorf("the row begins with cell %d of rows of %d", cells[0].Index, wide)
	}
}

func TestGridOfTenThousandScrollsWithFewCells(t *testing.T) {
	t.Parallel()
	_, b := openGrid(t)
	wide := columns(b)
	const most = 220 // cells of a window of 800 pixels, and some rows above and below
	for _, share := range []float64{0, .003, .25, .5, .502, .75, 1, .1} {
		browsertest.Eval[float64](b, fmt.Sprintf(`(() => { const g = document.getElementById('grid'); return g.scrollTop = %v * (g.scrollHeight - g.clientHeight); })()`, share))
		b.Until("the cells under the window are known", `(() => { const c = `+cellsSeen+`; return c.length >= `+strconv.Itoa(2*wide+1)+` && c.every((x) => x.Tag !== ''); })()`)
		cells := browsertest.Eval[[]gridCellSeen](b, cellsSeen)
		checkCells(t, cells, wide)
		first := browsertest.Eval[float64](b, `(() => { const g = document.getElementById('grid'); return g.scrollTop / g.scrollHeight; })()`) * 10000
		if off := float64(cells[0].Index) - first; off < -float64(2*wide) || off > float64(2*wide) {
			t.Errorf("at %v of the way the first cell is %d, want about %.0f", share, cells[0].Index, first)
		}
		if share == 1 && cells[len(cells)-1].Frame != FrameThumbURL(1) {
			t.Errorf("the last cell is %+v, want frame 1", cells[len(cells)-1])
		}
		if n := browsertest.Eval[int](b, `document.querySelectorAll('#grid .cell').length`); n > most {
			t.Errorf("at %v of the way there are %d cells in the document", share, n)
		}
	}
	b.Calm()
}

// The same cell stays in place when the window becomes narrower.
func TestGridKeepsItsPlaceInAnotherWidth(t *testing.T) {
	t.Parallel()
	_, b := openGrid(t)
	before := columns(b)
	browsertest.Eval[float64](b, `document.getElementById('grid').scrollTop = 60000`)
	b.Until("the cells came", cellsSeen+`[0]?.Index > 1000`)
	first := browsertest.Eval[[]gridCellSeen](b, cellsSeen)[0].Index
	b.Run(chromedp.EmulateViewport(1000, 700))
	b.Until("there are fewer columns", `new Set(`+cellsSeen+`.map((c) => Math.round(c.X))).size < `+strconv.Itoa(before))
	b.Until("the cells under the window are known", cellsSeen+`.every((x) => x.Tag !== '')`)
	cells := browsertest.Eval[[]gridCellSeen](b, cellsSeen)
	checkCells(t, cells, columns(b))
	if moved := cells[0].Index - first; moved > int64(before) || moved < -int64(before) {
		t.Errorf("cell %d stood on top, now it is %d", first, cells[0].Index)
	}
	b.Calm()
}

func TestMouseSelects(t *testing.T) {
	t.Parallel()
	_, b := openGrid(t)
	clickAt(b, middle(b, cell(2)))
	b.Until("a click selects one", chosen+` === '2'`)
	clickAt(b, middle(b, cell(5)), input.ModifierShift)
	b.Until("Shift-click selects up to there", chosen+` === '2,3,4,5'`)
	clickAt(b, middle(b, cell(9)), input.ModifierCtrl)
	b.Until("Ctrl-click adds one", chosen+` === '2,3,4,5,9'`)
	clickAt(b, middle(b, cell(4)), input.ModifierCtrl)
	b.Until("Ctrl-click takes one out", chosen+` === '2,3,5,9'`)
	want(t, "the number chosen", browsertest.Eval[string](b, counted), "4")
	drag(b, middle(b, cell(0)), middle(b, cell(3)))
	b.Until("drawing over cells selects them", chosen+` === '0,1,2,3'`)
	clickAt(b, middle(b, cell(7)))
	b.Until("a click selects one alone", chosen+` === '7'`)
	b.Click(`[data-act=none]`)
	b.Until("none is selected", counted+` === '0' && `+chosen+` === ''`)
	b.Calm()
}

func TestShiftClickReachesFarBelow(t *testing.T) {
	t.Parallel()
	_, b := openGrid(t)
	clickAt(b, middle(b, cell(1)))
	browsertest.Eval[float64](b, `document.getElementById('grid').scrollTop = 50000`)
	b.Until("the cells came", cellsSeen+`[0]?.Index > 1000`)
	at := browsertest.Eval[[]gridCellSeen](b, cellsSeen)
	last := at[len(at)/2].Index
	clickAt(b, middle(b, cell(int(last))), input.ModifierShift)
	b.Until("all in between are selected", counted+` === '`+strconv.FormatInt(last, 10)+`'`)
	b.Calm()
}

func TestFingerSelects(t *testing.T) {
	t.Parallel()
	_, b := openGrid(t)
	tap(b, middle(b, cell(1)))
	b.Until("a tap selects", chosen+` === '1'`)
	tap(b, middle(b, cell(3)))
	b.Until("another tap adds", chosen+` === '1,3'`)
	tap(b, middle(b, cell(1)))
	b.Until("a tap on a selected one takes it out", chosen+` === '3'`)
	finger(b, input.TouchStart, middle(b, cell(4)))
	b.Until("a long press starts a range", chosen+` === '3,4' && document.querySelector('[data-act=range]').getAttribute('aria-pressed') === 'true'`)
	finger(b, input.TouchEnd)
	tap(b, middle(b, cell(8)))
	b.Until("the next tap ends it", chosen+` === '3,4,5,6,7,8' && document.querySelector('[data-act=range]').getAttribute('aria-pressed') === 'false'`)
	b.Calm()
}

func TestRangeButtonSelectsWithTwoTaps(t *testing.T) {
	t.Parallel()
	_, b := openGrid(t)
	b.Click(`[data-act=range]`)
	tap(b, middle(b, cell(2)))
	b.Until("the first tap begins the range", chosen+` === '2'`)
	tap(b, middle(b, cell(6)))
	b.Until("the second ends it", chosen+` === '2,3,4,5,6'`)
	b.Calm()
}

func wantLabels(t *testing.T, p post, class string, frames ...string) {
	t.Helper()
	got := strings.Split(p.Form.Get("frames"), ",")
	slices.Sort(got)
	slices.Sort(frames)
	want(t, "the address", p.Path, PathLabelMany)
	want(t, "the frames", strings.Join(got, " "), strings.Join(frames, " "))
	want(t, "the class", p.Form.Get("class"), class)
	want(t, "the recipe", p.Form.Get("recipe"), "1")
	want(t, "the token", p.Token, "token-of-the-test")
}

func tagOf(index int) string {
	return `document.querySelector('` + cell(index) + ` .name')?.textContent`
}

func TestKeyLabelsAllSelectedInOnePost(t *testing.T) {
	t.Parallel()
	s, b := openGrid(t)
	b.Keys("3")
	b.Until("with nothing selected it asks for frames", toastsSaid+`.includes('Select frames first')`)
	clickAt(b, middle(b, cell(10)))
	clickAt(b, middle(b, cell(12)), input.ModifierShift)
	b.Keys("3")
	wantLabels(t, s.lastPost(t, 1), "dent", "9990", "9989", "9988")
	b.Until("the cells carry the label", tagOf(10)+` === 'dent' && `+tagOf(12)+` === 'dent'`)
	b.Until("nothing is selected any more", counted+` === '0'`)
	b.Until("a toast offers undo", `!!document.querySelector('#toasts [data-undo]')`)
	b.Keys("z")
	undo := s.lastPost(t, 2)
	want(t, "the address", undo.Path, PathUndo)
	want(t, "what is taken back", undo.Form.Get("corrections"), "1")
	b.Until("there is nothing more to undo", `document.querySelector('[data-act=undo]').disabled`)
	b.Calm()
}

func TestUndoGoesBackStepByStep(t *testing.T) {
	t.Parallel()
	s, b := openGrid(t)
	clickAt(b, middle(b, cell(0)))
	b.Keys("2")
	wantLabels(t, s.lastPost(t, 1), "scratch", "10000")
	b.Until("the next is selected", chosen+` === '1'`)
	b.Click(`[data-selection] button[data-class=stain]`)
	wantLabels(t, s.lastPost(t, 2), "stain", "9999")
	b.Until("and the one after it", chosen+` === '2'`)
	b.Keys(kb.Delete)
	wantLabels(t, s.lastPost(t, 3), "", "9998")
	for n, correction := range []string{"3", "2", "1"} {
		b.Until("undo is offered", `!document.querySelector('[data-act=undo]').disabled && `+toastsSaid+` !== ''`)
		if n == 1 {
			b.Click(`[data-act=undo]`)
		} else {
			b.Keys("z", chromedp.KeyModifiers(input.ModifierCtrl))
		}
		want(t, "what is taken back", s.lastPost(t, 4+n).Form.Get("corrections"), correction)
	}
	b.Until("nothing is left", `document.querySelector('[data-act=undo]').disabled`)
	if n := s.posted(); n != 6 {
		t.Errorf("%d posts came, want 6", n)
	}
	b.Calm()
}

func TestRefusedLabelsKeepTheSelection(t *testing.T) {
	t.Parallel()
	s, b := openGrid(t)
	before := browsertest.Eval[string](b, tagOf(1))
	clickAt(b, middle(b, cell(1)))
	clickAt(b, middle(b, cell(3)), input.ModifierShift)
	s.refuse(true)
	b.Keys("3")
	s.lastPost(t, 1)
	b.Until("the problem is said", `document.querySelector('#toasts .bad [role=alert]')?.textContent.includes('no class of that name') ?? false`)
	b.Until("the frames are selected still", chosen+` === '1,2,3'`)
	want(t, "the label", browsertest.Eval[string](b, tagOf(1)), before)
	if !browsertest.Eval[bool](b, `document.querySelector('[data-act=undo]').disabled`) {
		t.Error("undo is offered for what was not stored")
	}
	s.refuse(false)
	b.Keys("3")
	wantLabels(t, s.lastPost(t, 2), "dent", "9999", "9998", "9997")
	s.refuse(true)
	b.Until("the labels are there", tagOf(1)+` === 'dent'`)
	b.Keys("z")
	s.lastPost(t, 3)
	b.Until("a refused undo stays possible", `document.querySelectorAll('#toasts .bad').length === 2 && !document.querySelector('[data-act=undo]').disabled`)
}

func TestArrowKeysMoveAndExtend(t *testing.T) {
	t.Parallel()
	_, b := openGrid(t)
	wide := columns(b)
	for _, step := range []struct {
		key    string
		held   input.Modifier
		cursor int
		chosen string
	}{{kb.ArrowRight, 0, 0, "0"}, {kb.ArrowRight, 0, 1, "1"}, {kb.ArrowDown, 0, 1 + wide, fmt.Sprint(1 + wide)}, {kb.ArrowUp, 0, 1, "1"},
		{kb.ArrowRight, input.ModifierShift, 2, "1,2"}, {kb.ArrowRight, input.ModifierShift, 3, "1,2,3"}, {kb.ArrowLeft, input.ModifierShift, 2, "1,2"},
		{kb.ArrowRight, input.ModifierCtrl, 3, "1,2"}, {" ", 0, 3, "1,2,3"}, {kb.Escape, 0, -1, ""}} {
		b.Keys(step.key, chromedp.KeyModifiers(step.held))
		at := `undefined`
		if step.cursor >= 0 {
			at = `'` + strconv.Itoa(step.cursor) + `'`
		}
		b.Until(fmt.Sprintf("the cursor is at %d", step.cursor), cursorAt+` === `+at+` && `+chosen+` === '`+step.chosen+`'`)
	}
	b.Keys(kb.End)
	b.Until("End leads to the last frame, whole in the window", cursorAt+` === '9999' && (() => {
		const c = document.querySelector('.cell.cursor').getBoundingClientRect(), g = document.getElementById('grid').getBoundingClientRect(); return c.bottom <= g.bottom && c.top >= g.top; })()`)
	b.Keys(kb.Home)
	b.Until("Home leads back", cursorAt+` === '0' && document.getElementById('grid').scrollTop === 0`)
	b.Keys("a", chromedp.KeyModifiers(input.ModifierCtrl))
	b.Until("Ctrl-A selects all", counted+` === '10000'`)
	b.Keys(kb.Escape)
	b.Keys(kb.ArrowRight)
	b.Keys(kb.Enter)
	b.Until("Enter opens the frame within the filter", `location.pathname === '/frames/10000' && location.search.includes('recipe=1')`)
}

func TestLabelsOfOthersShowInTheGrid(t *testing.T) {
	t.Parallel()
	s, b := openGrid(t)
	clickAt(b, middle(b, cell(1)))
	s.send(t, "cells", templ.Raw(`{"cells":[{"f":9998,"l":"stain","p":"good","s":0.5,"v":"OK"},{"f":77,"l":"dent"}]}`))
	b.Until("the label of somebody else is there", tagOf(2)+` === 'stain'`)
	want(t, "the selection", browsertest.Eval[string](b, chosen), "1")
	v := s.label.Progress
	v.Labelled = 6789
	s.send(t, "progress", ProgressFragment(v))
	b.Until("the count goes on", `document.querySelector('#progress .sum b').textContent.replace(/\D/g, '') === '6789'`)
	b.Calm()
}
