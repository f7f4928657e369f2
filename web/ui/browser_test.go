package ui

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var browser struct {
	sync.Once
	ctx    context.Context
	cancel func()
	err    error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if browser.cancel != nil {
		browser.cancel()
	}
	os.Exit(code)
}

// chromium starts one browser for all tests of the package.
func chromium(t *testing.T) context.Context {
	t.Helper()
	browser.Do(func() {
		path, err := exec.LookPath("chromium")
		if err != nil {
			browser.err = err
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
		t.Skipf("these tests need Chromium (apt-get install chromium): %v", browser.err)
	}
	return browser.ctx
}

// tab is a page in the browser; complaints are what its console said.
type tab struct {
	context.Context
	t          *testing.T
	mu         sync.Mutex
	complaints []string
}

// open shows an address in a tab of its own, which must complain of nothing
// unless the test expects it.
func open(t *testing.T, s *site, path string, width, height int64) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(chromium(t))
	ctx, stop := context.WithTimeout(ctx, 20*time.Second)
	b := &tab{Context: ctx, t: t}
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
	b.run(chromedp.EmulateViewport(width, height), chromedp.Navigate(s.URL+path), chromedp.WaitReady("#words", chromedp.ByQuery))
	return b
}

func (b *tab) run(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.Context, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// eval runs a script and gives its value.
func eval[T any](b *tab, script string) T {
	b.t.Helper()
	var v T
	if err := chromedp.Run(b.Context, chromedp.Evaluate(script, &v)); err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return v
}

// until waits for a script to say true.
func (b *tab) until(what, script string) {
	b.t.Helper()
	deadline := time.Now().Add(4 * time.Second)
	for time.Now().Before(deadline) {
		if eval[bool](b, script) {
			return
		}
		time.Sleep(15 * time.Millisecond)
	}
	b.t.Fatalf("waited in vain until %s: %s", what, script)
}

// keys presses keys where the focus is.
func (b *tab) keys(text string) {
	b.t.Helper()
	b.run(chromedp.KeyEvent(text))
}

// calm fails the test if the page complained, of a policy or anything else.
func (b *tab) calm() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.complaints) > 0 {
		b.t.Errorf("the console says:\n%s", strings.Join(b.complaints, "\n"))
	}
}
