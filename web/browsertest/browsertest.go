// Package browsertest opens pages in a real, headless Chromium, for tests.
package browsertest

import (
	"context"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var browser struct {
	sync.Once
	ctx    context.Context
	cancel func()
	err    error
}

// Close ends the browser, if one was started; TestMain calls it.
func Close() {
	if browser.cancel != nil {
		browser.cancel()
	}
}

// chromium starts one browser for all tests of a package.
func chromium(t testing.TB) context.Context {
	t.Helper()
	browser.Do(func() {
		path := ""
		for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
			if path, browser.err = exec.LookPath(name); browser.err == nil {
				break
			}
		}
		if browser.err != nil {
			return
		}
		options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.Flag("headless", true), chromedp.NoSandbox, chromedp.DisableGPU,
			chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("lang", "en"))
		allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
		var end context.CancelFunc
		browser.ctx, end = chromedp.NewContext(allocator)
		browser.cancel = func() { end(); stop() }
		browser.err = chromedp.Run(browser.ctx)
	})
	if browser.err != nil {
		t.Fatalf("this test needs Chromium (apt-get install chromium): %v", browser.err)
	}
	return browser.ctx
}

// Tab is a page in the browser; it notes what the page's console said.
type Tab struct {
	context.Context
	t          testing.TB
	mu         sync.Mutex
	complaints []string
}

const (
	patience = 2 * time.Minute // what a slow machine under the race detector may take
	life     = 6 * time.Minute // bounds a tab, so that a page that never settles fails its test
)

// Open shows an address in a tab of its own, of a size in pixels, with no
// cookies of a test before.
func Open(t testing.TB, url string, width, height int64) *Tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(chromium(t))
	ctx, stop := context.WithTimeout(ctx, life)
	b := &Tab{Context: ctx, t: t}
	t.Cleanup(func() { stop(); cancel() })
	chromedp.ListenTarget(ctx, func(ev any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			b.complaints = append(b.complaints, ev.ExceptionDetails.Error())
		case *log.EventEntryAdded:
			if ev.Entry.Level == log.LevelError || ev.Entry.Source == log.SourceSecurity {
				b.complaints = append(b.complaints, ev.Entry.Text+" "+ev.Entry.URL)
			}
		case *runtime.EventConsoleAPICalled:
			if ev.Type == runtime.APITypeError {
				b.complaints = append(b.complaints, string(ev.Args[0].Value)+ev.Args[0].Description)
			}
		}
	})
	// Tabs are open beside each other, and each is to behave as the one that is seen.
	b.Run(network.ClearBrowserCookies(), chromedp.EmulateViewport(width, height), emulation.SetFocusEmulationEnabled(true))
	b.Go(url)
	return b
}

// Go shows another address.
func (b *Tab) Go(url string) {
	b.t.Helper()
	b.Run(chromedp.Navigate(url), chromedp.WaitReady("#words", chromedp.ByQuery))
}

// Run does actions; an error ends the test.
func (b *Tab) Run(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.Context, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// Eval runs a script and gives its value.
func Eval[T any](b *Tab, script string) T {
	b.t.Helper()
	var v T
	if err := chromedp.Run(b.Context, chromedp.Evaluate(script, &v)); err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return v
}

// Until waits for a script to say true; the words go into the failure.
func (b *Tab) Until(what, script string) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		var ok bool
		// A page that is just being left has no answer; the next one has.
		if err := chromedp.Run(b.Context, chromedp.Evaluate(script, &ok)); err == nil && ok {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.t.Fatalf("waited in vain until %s: %s\nthe page says: %s", what, script, Eval[string](b, "document.body.innerText.slice(0, 800)"))
}

// Keys presses keys where the focus is.
func (b *Tab) Keys(text string, options ...chromedp.KeyOption) {
	b.t.Helper()
	b.Run(chromedp.KeyEvent(text, options...))
}

// Click clicks the first element of a selector as a finger or a mouse would.
func (b *Tab) Click(selector string) {
	b.t.Helper()
	err := chromedp.Run(b.Context, chromedp.Click(selector, chromedp.ByQuery))
	for try := 1; try < 5 && err != nil && strings.Contains(err.Error(), "Could not find node with given id"); try++ {
		// The live page replaced it between the look and the click, which did not come: look again.
		err = chromedp.Run(b.Context, chromedp.Click(selector, chromedp.ByQuery))
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// Calm fails the test if the page complained, of a policy or anything else.
func (b *Tab) Calm() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.complaints) > 0 {
		b.t.Errorf("the console says:\n%s", strings.Join(b.complaints, "\n"))
	}
}
