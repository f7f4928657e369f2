package ui

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
)

func catalogue(t *testing.T, lang string) map[string]any {
	t.Helper()
	b, err := fs.ReadFile(catalogues, "locales/active."+lang+".json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// usedWords finds every id that templates, Go files and scripts ask for.
func usedWords(t *testing.T) map[string]bool {
	t.Helper()
	used := map[string]bool{}
	for _, source := range []struct{ pattern, call string }{
		{"*.templ", `\bT\(ctx, "([^"]+)"`}, {"*.go", `\bT\(ctx, "([^"]+)"`}, {"../../static/js/*.js", `\bt\('([^']+)'`},
	} {
		names, err := filepath.Glob(source.pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("no file matches %s: %v", source.pattern, err)
		}
		call := regexp.MustCompile(source.call)
		for _, name := range names {
			if strings.HasSuffix(name, "_templ.go") || strings.HasSuffix(name, "_test.go") {
				continue
			}
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range call.FindAllStringSubmatch(string(b), -1) {
				used[m[1]] = true
			}
		}
	}
	return used
}

func TestEveryWordIsInEveryLanguageAndUsed(t *testing.T) {
	used := usedWords(t)
	holder := regexp.MustCompile(`\{+\.?\w+\}+`)
	english := catalogue(t, "en")
	for _, lang := range Languages {
		words := catalogue(t, lang)
		for name := range used {
			if words[name] == nil {
				t.Errorf("%s: %q is used and has no message", lang, name)
			}
		}
		for name, message := range words {
			if !used[name] {
				t.Errorf("%s: %q is in the catalogue and used nowhere", lang, name)
			}
			if got, want := holders(holder, message), holders(holder, english[name]); got != want {
				t.Errorf("%s: %q has the placeholders %s, in English %s", lang, name, got, want)
			}
		}
	}
}

func holders(form *regexp.Regexp, message any) string {
	b, _ := json.Marshal(message)
	seen := map[string]bool{}
	for _, h := range form.FindAllString(string(b), -1) {
		seen[h] = true
	}
	var all []string
	for h := range seen {
		all = append(all, h)
	}
	sort.Strings(all)
	return strings.Join(all, " ")
}

func TestNoWordsOutsideTheCatalogue(t *testing.T) {
	// Text between two tags, with at least two letters that no brace holds.
	text := regexp.MustCompile(`>([^<>{}@]*[A-Za-z]{2}[^<>{}@]*)<`)
	allowed := map[string]bool{"Loupe": true, "F1": true, "Esc": true}
	names, _ := filepath.Glob("*.templ")
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range text.FindAllStringSubmatch(string(b), -1) {
			words := strings.TrimSpace(m[1])
			code := strings.ContainsAny(words, "=()\"") || regexp.MustCompile(`^(if |case |default:)`).MatchString(words)
			if !code && !allowed[words] {
				t.Errorf("%s: %q is not in the catalogue", name, words)
			}
		}
	}
}

func TestLanguageFollowsCookieThenBrowser(t *testing.T) {
	for _, c := range []struct{ cookie, header, want string }{
		{"", "", "en"}, {"", "zh-CN,zh;q=0.9,en;q=0.8", "zh"}, {"", "zh-Hans-SG", "zh"}, {"", "de-DE,de;q=0.9", "en"},
		{"", "de;q=0.9,zh;q=0.5", "zh"}, {"zh", "en-GB", "zh"}, {"en", "zh-CN", "en"}, {"xx", "zh", "zh"}, {"", "!!", "en"},
	} {
		if got := MatchLanguage(c.cookie, c.header); got != c.want {
			t.Errorf("MatchLanguage(%q, %q) = %q, want %q", c.cookie, c.header, got, c.want)
		}
	}
}

func TestPluralsAndNumbers(t *testing.T) {
	en, zh := WithLanguage(t.Context(), "en"), WithLanguage(t.Context(), "zh")
	for got, want := range map[string]string{
		T(en, "grid.frames", "N", 1):        "frame",
		T(en, "grid.frames", "N", 2):        "frames",
		T(zh, "grid.frames", "N", 1):        "张图像",
		T(en, "banner.backlog", "N", 12480): "12\u202f480 parts wait to be judged",
		percent(0.999):                      "99%",
		percent(1):                          "100%",
		percent(0.0004):                     "<1%",
		number(1234):                        "1234",
		number(-1234567):                    "-1\u202f234\u202f567",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
