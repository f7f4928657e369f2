package ui

import (
	"slices"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"loupe/vision"
	"loupe/web/browsertest"
)

// sendPart lets the first station judge another part.
func (s *site) sendPart(t *testing.T, frame int64, verdict vision.Verdict) {
	t.Helper()
	station := fixtureStation(0, "en")
	part := fixturePart(frame, verdict, station.Classes)
	station.Last = &part
	s.send(t, "station-1", StationFragment(station))
}

const (
	shownPart    = `document.querySelector('#s1 .part').dataset.frame`
	waitingPart  = `document.querySelector('#tray article.waiting:not([hidden])')?.dataset.frame`
	activeTarget = `document.querySelector('[data-active]')?.dataset.target`
	toastsSaid   = `document.getElementById('toasts').innerText`
)

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %q, want %q", what, got, want)
	}
}

func wantCorrection(t *testing.T, p post, frame, class, seen string) {
	t.Helper()
	want(t, "the address", p.Path, "/frames/"+frame+"/corrections")
	want(t, "the class", p.Form.Get("class"), class)
	want(t, "the label that was seen", p.Form.Get("seen"), seen)
	want(t, "the token", p.Token, "token-of-the-test")
}

func TestClassKeyCorrectsThePartShown(t *testing.T) {
	t.Parallel()
	s, b := openSite(t, "/?stations=1&calm=1")
	b.Keys("3")
	wantCorrection(t, s.lastPost(t, 1), "4000", "dent", "0")
	b.Until("a toast says so", toastsSaid+`.includes('scratch')`) // the class of the fixed answer

	station := fixtureStation(0, "en")
	part := fixturePart(4003, vision.NG, station.Classes)
	part.Label, part.LabelID = station.Classes[2], 77
	station.Last = &part
	s.send(t, "station-1", StationFragment(station))
	b.Until("the labelled part is shown and may be meant", shownPart+` === '4003' && (window.since ??= performance.now()) < performance.now() - 600`)
	b.Click(`#s1 button[data-class=stain]`)
	wantCorrection(t, s.lastPost(t, 2), "4003", "stain", "77")
	b.Calm()
}

// A key that comes when the picture has just changed was meant for the part
// before. The page itself presses it, at once when the new part is in place.
func TestKeyRightAfterAChangeIsNotTakenForTheNewPart(t *testing.T) {
	t.Parallel()
	s, b := openSite(t, "/?stations=1&calm=1")
	browsertest.Eval[bool](b, `document.addEventListener('htmx:afterSwap', () => {
		window.changed = performance.now();
		document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '2', bubbles: true, cancelable: true }));
	}, { once: true }) ?? true`)
	s.sendPart(t, 4010, vision.NG)
	b.Until("the page says that the part changed", toastsSaid+`.includes('changed just now')`)
	want(t, "the part shown", browsertest.Eval[string](b, shownPart), "4010")
	if n := s.posted(); n != 0 {
		t.Errorf("%d corrections were posted for a part that nobody had seen", n)
	}
	b.Until("the change is over", `performance.now() - window.changed > 600`)
	b.Keys("2")
	wantCorrection(t, s.lastPost(t, 1), "4010", "scratch", "0")
	b.Calm()
}

// A new reading of the same part, such as new counts, does not lock its keys.
func TestSamePartDrawnAgainTakesAKeyAtOnce(t *testing.T) {
	t.Parallel()
	s, b := openSite(t, "/?stations=1&calm=1")
	browsertest.Eval[bool](b, `document.addEventListener('htmx:afterSwap', () => {
		document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '2', bubbles: true, cancelable: true }));
	}, { once: true }) ?? true`)
	s.sendPart(t, 4000, vision.OK)
	wantCorrection(t, s.lastPost(t, 1), "4000", "scratch", "0")
	b.Calm()
}

func TestTrayAnswersOnePartAfterTheOther(t *testing.T) {
	t.Parallel()
	s, b := openSite(t, "/?stations=1")
	want(t, "the target at first", browsertest.Eval[string](b, activeTarget), "tray")
	want(t, "the waiting part", browsertest.Eval[string](b, waitingPart), "4003")
	b.Keys("2")
	wantCorrection(t, s.lastPost(t, 1), "4003", "scratch", "0")
	b.Until("the next waits", waitingPart+` === '4016'`)
	b.Keys("1")
	wantCorrection(t, s.lastPost(t, 2), "4016", "good", "0")
	b.Until("the third waits", waitingPart+` === '4029'`)
	b.Keys(kb.ArrowDown)
	b.Until("the fourth is chosen", waitingPart+` === '4042'`)
	b.Keys(kb.ArrowUp)
	b.Until("the third is chosen again", waitingPart+` === '4029'`)
	b.Click(`#pick-4055 img`)
	b.Until("the one that was touched is chosen", waitingPart+` === '4055'`)
	b.Click(`#wait-4055 button[data-class="hole missing"]`)
	wantCorrection(t, s.lastPost(t, 3), "4055", "hole missing", "0")
	b.Calm()
}

func TestUndoInTheToastTakesTheAnswerBack(t *testing.T) {
	t.Parallel()
	s, b := openSite(t, "/?stations=1")
	b.Keys("2")
	s.lastPost(t, 1)
	b.Until("the part has left the queue", `document.getElementById('pick-4003').parentElement.hidden`)
	b.Until("the toast offers undo", `!!document.querySelector('#toasts [data-undo]')`)
	b.Click(`#toasts [data-undo]`)
	undo := s.lastPost(t, 2)
	want(t, "the address", undo.Path, PathUndo)
	want(t, "what is taken back", undo.Form.Get("corrections"), "1")
	want(t, "the token", undo.Token, "token-of-the-test")
	b.Until("the part waits again", `!document.getElementById('pick-4003').parentElement.hidden`)
	b.Keys("3")
	s.lastPost(t, 3)
	b.Until("the second toast offers undo", `!!document.querySelector('#toasts [data-undo="3"]')`)
	b.Keys("z")
	want(t, "what the key takes back", s.lastPost(t, 4).Form.Get("corrections"), "3")
	b.Calm()
}

func TestRefusedAnswerComesBackToTheTray(t *testing.T) {
	t.Parallel()
	s, b := openSite(t, "/?stations=1")
	s.refuse(true)
	b.Keys("2")
	s.lastPost(t, 1)
	b.Until("the problem is said", `document.querySelector('#toasts .bad [role=alert]')?.textContent.includes('no class of that name') ?? false`)
	b.Until("the part waits again", `!document.getElementById('pick-4003').parentElement.hidden`)
	b.Click(`#toasts .bad [data-dismiss]`)
	b.Until("the problem is put away", `!document.querySelector('#toasts .bad')`)
}

func TestArrowsChooseWhereKeysAct(t *testing.T) {
	t.Parallel()
	s, b := openSite(t, "/?stations=2")
	for _, next := range []string{"station-1", "station-2", "tray", "station-1"} {
		b.Keys(kb.ArrowRight)
		b.Until("the arrow leads to "+next, activeTarget+` === '`+next+`'`)
	}
	b.Keys(kb.ArrowLeft)
	b.Keys(kb.ArrowLeft)
	b.Until("back to the second station", activeTarget+` === 'station-2'`)
	b.Keys("4")
	wantCorrection(t, s.lastPost(t, 1), "4999", "stain", "0")
	b.Keys(kb.Enter)
	b.Until("Enter opens its inspection", `location.pathname === '/inspections/4999' && location.search === '?station=2'`)
	b.Calm()
}

func TestHoldKeepsAPartWhileNewerOnesCome(t *testing.T) {
	t.Parallel()
	s, b := openSite(t, "/?stations=1&calm=1")
	b.Keys("h")
	b.Until("the part is held", `document.querySelector('#s1 [data-hold]').getAttribute('aria-pressed') === 'true'`)
	s.sendPart(t, 4010, vision.NG)
	s.sendPart(t, 4011, vision.OK)
	b.Until("the page counts newer ones", `document.querySelector('#s1 [data-hold]').innerText.includes('Held: 2 newer')`)
	want(t, "the part shown", browsertest.Eval[string](b, shownPart), "4000")
	b.Keys("2")
	wantCorrection(t, s.lastPost(t, 1), "4000", "scratch", "0")
	b.Click(`#s1 [data-hold]`)
	b.Until("the newest is shown", shownPart+` === '4011'`)
	want(t, "the hold button", browsertest.Eval[string](b, `document.querySelector('#s1 [data-hold]').getAttribute('aria-pressed')`), "false")
	s.sendPart(t, 4012, vision.NG)
	b.Until("parts follow again", shownPart+` === '4012'`)
	b.Calm()
}

func TestStripKeepsTheNewestFifty(t *testing.T) {
	t.Parallel()
	s, b := openSite(t, "/?stations=1")
	const orders = `[...document.querySelectorAll('#s1 .strip li')].map((li) => Number(li.dataset.order))`
	before := browsertest.Eval[[]int64](b, orders)
	classes := classesIn("en")
	var parts []Part
	for _, frame := range []int64{5003, 5001, 5007} { // not in order, as workers finish
		parts = append(parts, fixturePart(frame, vision.OK, classes))
	}
	corrected := fixturePart(before[3], vision.NG, classes)
	corrected.Label, corrected.LabelID = classes[2], 8
	s.send(t, "strip-1", StripFragment(append(parts, corrected), classes))
	b.Until("the newest comes first", orders+`[0] === 5007`)
	after := browsertest.Eval[[]int64](b, orders)
	expected := append([]int64{5007, 5003, 5001}, before[:47]...)
	if !slices.Equal(after, expected) {
		t.Errorf("the strip is %v, want %v", after, expected)
	}
	if !browsertest.Eval[bool](b, `document.querySelectorAll('#s1 .strip li')[6].matches('.labelled:has(.said)')`) {
		t.Error("the corrected part does not show its label")
	}
	s.send(t, "strip-1", StripFragment([]Part{fixturePart(1, vision.OK, classes), fixturePart(5009, vision.OK, classes)}, classes))
	b.Until("the next is there", orders+`[0] === 5009`)
	if after = browsertest.Eval[[]int64](b, orders); len(after) != 50 || slices.Contains(after, 1) {
		t.Errorf("an old part pushed a newer one out: %v", after)
	}
	b.Calm()
}

// verdictsSeen are the verdict words of the first station that a person can read.
const verdictsSeen = `[...document.querySelectorAll('#s1 .verdict .word')].filter((w) => w.checkVisibility()).map((w) => w.textContent).join()`

func TestLostStationShowsNoVerdict(t *testing.T) {
	t.Parallel()
	s, b := openSite(t, "/?stations=1&calm=1")
	want(t, "the verdict before", browsertest.Eval[string](b, verdictsSeen), "OK")
	station := fixtureStation(0, "en")
	station.State, station.Since = StationLost, now
	s.send(t, "station-1", StationFragment(station))
	b.Until("an alert says so", `document.querySelector('#s1 [role=alert]')?.checkVisibility() ?? false`)
	seen := browsertest.Eval[string](b, verdictsSeen)
	for _, word := range []string{"OK", "NG", "Unsure"} {
		if strings.Contains(seen, word) {
			t.Errorf("a lost station shows %q", seen)
		}
	}
	if !browsertest.Eval[bool](b, `document.querySelector('#s1 .part').matches('.stale:not(.ok, .ng, .unsure)')`) {
		t.Error("a lost station keeps the frame of a verdict")
	}
	s.sendPart(t, 4012, vision.NG)
	b.Until("the next part shows a verdict again", verdictsSeen+` === 'NG' && !document.querySelector('#s1 [role=alert]')`)
	b.Calm()
}

func TestLostStationIsShownThoughItsPartIsHeld(t *testing.T) {
	t.Parallel()
	s, b := openSite(t, "/?stations=1&calm=1")
	b.Keys("h")
	b.Until("the part is held", `document.querySelector('#s1').hasAttribute('data-held')`)
	station := fixtureStation(0, "en")
	station.State, station.Since = StationLost, now
	s.send(t, "station-1", StationFragment(station))
	b.Until("an alert says so and nothing is held", `!!document.querySelector('#s1 [role=alert]') && !document.querySelector('#s1').hasAttribute('data-held')`)
	b.Calm()
}

const (
	staleShown = `document.getElementById('stale').checkVisibility() && document.getElementById('stale').offsetHeight > 40`
	lost       = `document.documentElement.dataset.live === 'lost' && ` + staleShown
)

func TestCutStreamShowsTheLineAsStaleUntilItIsBack(t *testing.T) {
	t.Parallel()
	s, b := openSite(t, "/?stations=1&calm=1")
	if browsertest.Eval[bool](b, staleShown) {
		t.Error("the page calls itself stale while the stream is heard")
	}
	s.down(true)
	b.Until("the page says that it is stale", lost)
	want(t, "the verdict meanwhile", browsertest.Eval[string](b, verdictsSeen), "Old")
	s.down(false)
	b.Until("the page is fresh again", `document.documentElement.dataset.live === 'fresh' && !(`+staleShown+`)`)
	want(t, "the verdict again", browsertest.Eval[string](b, verdictsSeen), "OK")
	s.sendPart(t, 4013, vision.NG)
	b.Until("parts come again", shownPart+` === '4013' && `+verdictsSeen+` === 'NG'`)
}

// A connection over which nothing comes is as bad as none.
func TestSilentStreamShowsTheLineAsStale(t *testing.T) {
	t.Parallel()
	s, b := openSite(t, "/?stations=1&calm=1")
	b.Until("the page says that it is stale", lost)
	s.sendPart(t, 4014, vision.NG)
	b.Until("the part is there", shownPart+` === '4014'`)
	if !browsertest.Eval[bool](b, lost) {
		t.Error("the page trusts the stream before its tick")
	}
	s.send(t, "tick", templ.Raw("now"))
	b.Until("a tick makes it fresh", `document.documentElement.dataset.live === 'fresh' && !(`+staleShown+`)`)
	b.Calm()
}

func TestLineOpenedWithoutAStreamIsStale(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.down(true)
	b := browsertest.Open(t, s.URL+"/?stations=1&calm=1", 1280, 800)
	b.Until("the page says that it is stale", lost)
	s.down(false)
	b.Until("it becomes fresh", `document.documentElement.dataset.live === 'fresh'`)
}

func TestStationsOfAnotherShapeReadThePageAgain(t *testing.T) {
	t.Parallel()
	s, b := openSite(t, "/?stations=1")
	browsertest.Eval[bool](b, `window.old = true`)
	s.send(t, "stations", templ.Raw(s.line.Places()))
	s.sendPart(t, 4015, vision.OK)
	b.Until("the part is there", shownPart+` === '4015'`)
	if !browsertest.Eval[bool](b, `window.old === true`) {
		t.Error("the page was read again though the stations are the same")
	}
	s.send(t, "stations", templ.Raw(fixtureLine(2, "en").Places()))
	b.Until("the page is read again", `window.old === undefined && document.readyState === 'complete'`)
	b.Run(chromedp.WaitReady("#s1", chromedp.ByQuery))
	b.Calm()
}
