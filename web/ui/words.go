package ui

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

//go:embed locales/*.json
var catalogues embed.FS

// Languages are those the pages speak; the first is used where none fits.
var Languages = []string{"en", "zh"}

// LanguageNames says what each language calls itself.
var LanguageNames = map[string]string{"en": "English", "zh": "中文"}

var (
	bundle  = loadBundle()
	matcher = language.NewMatcher([]language.Tag{language.English, language.SimplifiedChinese})
	voices  = map[string]*i18n.Localizer{"en": i18n.NewLocalizer(bundle, "en"), "zh": i18n.NewLocalizer(bundle, "zh", "en")}
	scripts = map[string]string{"en": scriptWords("en"), "zh": scriptWords("zh")}
)

func loadBundle() *i18n.Bundle {
	b := i18n.NewBundle(language.English)
	b.RegisterUnmarshalFunc("json", json.Unmarshal)
	for _, lang := range Languages {
		if _, err := b.LoadMessageFileFS(catalogues, "locales/active."+lang+".json"); err != nil {
			panic("the words of the pages cannot be read: " + err.Error())
		}
	}
	return b
}

// scriptWords gives the messages that scripts show, those whose id begins with
// "js.", as one JSON object.
func scriptWords(lang string) string {
	text, err := fs.ReadFile(catalogues, "locales/active."+lang+".json")
	if err != nil {
		panic(err)
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		panic(err)
	}
	words := map[string]any{}
	for name, message := range all {
		if strings.HasPrefix(name, "js.") {
			words[name] = message
		}
	}
	out, err := json.Marshal(words)
	if err != nil {
		panic(err)
	}
	return string(out)
}

// MatchLanguage chooses one of Languages: the cookie's where it is one of them,
// else the best for the browser's Accept-Language header.
func MatchLanguage(cookie, acceptLanguage string) string {
	for _, lang := range Languages {
		if cookie == lang {
			return lang
		}
	}
	tags, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil || len(tags) == 0 {
		return Languages[0]
	}
	_, index, confidence := matcher.Match(tags...)
	if confidence == language.No {
		return Languages[0]
	}
	return Languages[index]
}

type languageKey struct{}

// WithLanguage makes every page and fragment rendered with the context speak
// the language.
func WithLanguage(ctx context.Context, lang string) context.Context {
	return context.WithValue(ctx, languageKey{}, lang)
}

func languageOf(ctx context.Context) string {
	lang, _ := ctx.Value(languageKey{}).(string)
	if voices[lang] == nil {
		return Languages[0]
	}
	return lang
}

// T gives the message with an id in the language of the context. Arguments are
// names and values for its placeholders; "N" also chooses the plural form. A
// missing message shows its id and is logged.
func T(ctx context.Context, id string, arguments ...any) string {
	config := &i18n.LocalizeConfig{MessageID: id}
	if len(arguments) > 1 {
		data := make(map[string]any, len(arguments)/2)
		for i := 0; i+1 < len(arguments); i += 2 {
			data[fmt.Sprint(arguments[i])] = arguments[i+1]
		}
		config.TemplateData = data
		if n, ok := data["N"]; ok {
			config.PluralCount = n
			data["N"] = number(n)
		}
	}
	text, err := voices[languageOf(ctx)].Localize(config)
	if err != nil && text == "" {
		slog.Error("a message is missing", "id", id, "language", languageOf(ctx), "error", err)
		return id
	}
	return text
}

func formatName(ctx context.Context, format string) string {
	switch format {
	case "coco":
		return T(ctx, "format.coco")
	case "voc":
		return T(ctx, "format.voc")
	case "yolo":
		return T(ctx, "format.yolo")
	case "folders":
		return T(ctx, "format.folders")
	}
	return T(ctx, "format.csv")
}

func shareName(ctx context.Context, share string) string {
	if share == "test" {
		return T(ctx, "statement.test")
	}
	return T(ctx, "statement.train")
}
