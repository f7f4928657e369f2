package commands

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"loupe/storage"
)

// TestEachLinkOfEachPageLeadsSomewhere walks as a person of each role, in each
// language, over all that the pages link to.
func TestEachLinkOfEachPageLeadsSomewhere(t *testing.T) {
	s := startTaught(t)
	rng := rand.New(rand.NewPCG(4, 4))
	for n := range 6 {
		s.post(rng, []string{"good", "stain", "cut"}[n%3], fmt.Sprint("S-", n))
	}
	for _, role := range []storage.Role{storage.Operator, storage.QA, storage.Admin} {
		p := s.signInAs(role)
		for _, lang := range []string{"en", "zh"} {
			if status, _ := p.form("/preferences", url.Values{"csrf": {p.csrf}, "lang": {lang}, "back": {"/"}}); status != http.StatusSeeOther {
				t.Fatalf("choosing %s answers %d", lang, status)
			}
			w := walk{p: p, role: role, lang: lang, seen: map[string]bool{}, forms: map[string]int{}}
			w.from("/", "the start")
			pages := 0
			for path := range w.seen {
				if !strings.HasPrefix(path, "/static/") && !strings.HasPrefix(path, "/frames/") {
					pages++
				}
			}
			if least := map[storage.Role]int{storage.Operator: 12, storage.QA: 16, storage.Admin: 17}[role]; pages < least {
				t.Errorf("a %s finds %d pages, want at least %d: %v", role, pages, least, w.seen)
			}
		}
	}
}

type walk struct {
	p    *caller
	role storage.Role
	lang string
	seen map[string]bool
	// forms counts the links that differ only in their numbers and in what their
	// filters ask for: three of each are enough.
	forms map[string]int
}

var numbers = regexp.MustCompile(`[0-9]+`)

func formOf(at *url.URL) string {
	return numbers.ReplaceAllString(at.Path, "N") + "?" + strings.Join(slices.Sorted(maps.Keys(at.Query())), "&")
}

func (w *walk) from(link, by string) {
	at, err := url.Parse(link)
	if err != nil {
		w.p.t.Errorf("%s links to %q: %v", by, link, err)
		return
	}
	if at.Host != "" || at.Path == "" || w.seen[link] {
		return
	}
	w.seen[link] = true
	if w.forms[formOf(at)]++; w.forms[formOf(at)] > 3 || len(w.seen) > 400 {
		return
	}
	status, text := w.p.call(http.MethodGet, link, "", "text/html")
	who := fmt.Sprintf("%s as %s in %s (linked by %s)", link, w.role, w.lang, by)
	if status == http.StatusSeeOther || status == http.StatusFound {
		return
	}
	if status != http.StatusOK {
		w.p.t.Errorf("%s answers %d", who, status)
		return
	}
	if !strings.HasPrefix(text, "<!doctype html>") && !strings.HasPrefix(text, "<!DOCTYPE html>") {
		return // a picture, a style, a file
	}
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(text))
	if err != nil {
		w.p.t.Fatal(err)
	}
	w.check(doc, who)
	doc.Find("a[href], link[href], img[src], script[src]").Each(func(_ int, el *goquery.Selection) {
		to, ok := el.Attr("href")
		if !ok {
			to, _ = el.Attr("src")
		}
		w.from(at.ResolveReference(mustParse(w.p.t, to)).RequestURI(), link)
	})
}

func mustParse(t testing.TB, link string) *url.URL {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// check looks for what a person who uses the page by other means stumbles over.
func (w *walk) check(doc *goquery.Document, who string) {
	t := w.p.t
	if lang, _ := doc.Find("html").Attr("lang"); !strings.HasPrefix(lang, w.lang) {
		t.Errorf("%s is in %q", who, lang)
	}
	if strings.TrimSpace(doc.Find("title").Text()) == "" {
		t.Errorf("%s has no title", who)
	}
	if n := doc.Find("main#main").Length(); n != 1 {
		t.Errorf("%s has %d main parts", who, n)
	}
	ids := map[string]bool{}
	doc.Find("[id]").Each(func(_ int, el *goquery.Selection) {
		id, _ := el.Attr("id")
		if ids[id] {
			t.Errorf("%s has the id %q twice", who, id)
		}
		ids[id] = true
	})
	doc.Find("img:not([alt])").Each(func(_ int, el *goquery.Selection) {
		src, _ := el.Attr("src")
		t.Errorf("%s shows %s without an alternative", who, src)
	})
	doc.Find("button, a[href]").Each(func(_ int, el *goquery.Selection) {
		label, _ := el.Attr("aria-label")
		alt, _ := el.Find("img").Attr("alt")
		if strings.TrimSpace(label+alt+el.Text()) == "" {
			html, _ := goquery.OuterHtml(el)
			t.Errorf("%s has a button or link without a name: %.160s", who, html)
		}
	})
	doc.Find("input:not([type=hidden]):not([hidden]), select, textarea").Each(func(_ int, el *goquery.Selection) {
		id, _ := el.Attr("id")
		label, _ := el.Attr("aria-label")
		by, _ := el.Attr("aria-labelledby")
		if label == "" && by == "" && el.Closest("label").Length() == 0 && (id == "" || doc.Find(`label[for="`+id+`"]`).Length() == 0) {
			html, _ := goquery.OuterHtml(el)
			t.Errorf("%s has a field without a label: %.160s", who, html)
		}
	})
	doc.Find("form[method=post], form[method=POST]").Each(func(_ int, el *goquery.Selection) {
		if action, _ := el.Attr("action"); el.Find("input[name=csrf]").Length() == 0 {
			t.Errorf("%s has a form to %q without the page's token", who, action)
		}
	})
	if i := strings.Index(doc.Text(), "%!"); i >= 0 {
		t.Errorf("%s shows a broken text: %.60q", who, doc.Text()[i:])
	}
}
