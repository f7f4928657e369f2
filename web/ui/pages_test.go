package ui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"github.com/chromedp/chromedp"

	"loupe/web/browsertest"
)

// Screens that the pages are made for.
var screens = [][2]int64{{1280, 800}, {1920, 1080}}

// What a finger must hit: everything that is pressed, but links within text
// and the small pictures of the last fifty parts, which the arrow keys reach too.
const pressed = `[...document.querySelectorAll('button, select, summary, a, input:not([type=hidden]), textarea')].filter((el) => el.checkVisibility({ visibilityProperty: true }) && el.offsetWidth > 1)`

const tooSmall = `(() => {
	const within = (el) => { const own = el.matches('input[type=checkbox], input[type=radio]') ? el.closest('label') ?? el : el; return own.getBoundingClientRect(); };
	return ` + pressed + `.filter((el) => !el.closest('p, dd, .matrix, svg, [data-strip]') && (within(el).height < 43.5 || within(el).width < 43.5))
		.map((el) => el.outerHTML.slice(0, 120) + ' ' + Math.round(within(el).width) + '×' + Math.round(within(el).height));
})()`

const covered = `(() => {
	const box = document.getElementById('toasts');
	return ` + pressed + `.filter((el) => !box.contains(el) && !el.closest('[data-strip]')).filter((el) => {
		const r = el.getBoundingClientRect(), over = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2);
		return over && box.contains(over);
	}).map((el) => el.outerHTML.slice(0, 120));
})()`

func TestPagesFitTheirScreensAndFingers(t *testing.T) {
	s := newSite(t)
	for name, path := range looks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, lang := range Languages {
				b := browsertest.Open(t, s.URL+withQuery(path, "lang="+lang), screens[0][0], screens[0][1])
				for _, screen := range screens {
					b.Run(chromedp.EmulateViewport(screen[0], screen[1]))
					if wide := browsertest.Eval[int64](b, `document.documentElement.scrollWidth`); wide > screen[0] {
						t.Errorf("%s at %v is %d px wide", lang, screen, wide)
					}
					for _, el := range browsertest.Eval[[]string](b, tooSmall) {
						t.Errorf("%s at %v: too small for a glove: %s", lang, screen, el)
					}
				}
			}
		})
	}
}

// An answer to an action never lies over what is pressed next.
func TestToastsCoverNothingThatIsPressed(t *testing.T) {
	s := newSite(t)
	for _, name := range []string{"line1", "line2", "line3", "line4", "line6", "linecalm", "inspection", "label", "model"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := browsertest.Open(t, s.URL+looks[name], screens[0][0], screens[0][1])
			for _, screen := range screens {
				b.Run(chromedp.EmulateViewport(screen[0], screen[1]))
				toast(t, b, ToastFragment(Toast{FrameID: 4003, Class: plateClasses[1], Corrections: []int64{1}}))
				for _, el := range browsertest.Eval[[]string](b, covered) {
					t.Errorf("at %v the toast covers %s", screen, el)
				}
			}
		})
	}
}

// toast shows an answer as htmx would.
func toast(t *testing.T, b *browsertest.Tab, c templ.Component) {
	t.Helper()
	html, err := Render(t.Context(), "en", c)
	if err != nil {
		t.Fatal(err)
	}
	browsertest.Eval[bool](b, fmt.Sprintf(`(() => { document.getElementById('toasts').innerHTML = %q; return true; })()`, html))
	b.Until("the toast is there", `!!document.querySelector('.toast')?.offsetHeight`)
}

func withQuery(path, query string) string {
	if strings.Contains(path, "?") {
		return path + "&" + query
	}
	return path + "?" + query
}

// A browser opens six connections to a server: pages that nobody sees must not
// hold them.
func TestPageThatNobodySeesClosesItsStreamAndCatchesUpWhenItIsSeen(t *testing.T) {
	s := newSite(t)
	b := browsertest.Open(t, s.URL+looks["line1"], 1280, 800)
	b.Until("the page is fresh", `document.documentElement.dataset.live === 'fresh'`)
	turn := func(hidden bool) {
		browsertest.Eval[bool](b, fmt.Sprintf(`(() => {
			Object.defineProperty(document, 'hidden', { value: %v, configurable: true });
			return document.dispatchEvent(new Event('visibilitychange'));
		})()`, hidden))
	}
	turn(true)
	s.waitReaders(t, 0)
	turn(false)
	s.waitReaders(t, 1)
	b.Until("the page is fresh again", `document.documentElement.dataset.live === 'fresh'`)
	s.send(t, "banner", BannersFragment([]Banner{{Kind: BannerStationLost, Name: "after the pause"}}, now))
	b.Until("what is sent then is shown", `document.getElementById('banners').textContent.includes('after the pause')`)
	turn(true)
	turn(false)
	s.waitReaders(t, 1)
}
