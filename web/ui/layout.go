package ui

import "context"

func htmlLanguage(ctx context.Context) string {
	if languageOf(ctx) == "zh" {
		return "zh-Hans"
	}
	return languageOf(ctx)
}

func theme(p Page) string {
	if p.Theme == "light" || p.Theme == "dark" {
		return p.Theme
	}
	return "auto"
}

// wordsForScripts are the words that scripts show, as JSON for a data element. The
// marshaller has escaped <, > and &, so that nothing in them ends the element.
func wordsForScripts(ctx context.Context) string { return scripts[languageOf(ctx)] }

func pageTitle(ctx context.Context, p Page) string {
	title := p.Title
	if title == "" {
		switch p.Section {
		case SectionLine:
			title = T(ctx, "nav.line")
		case SectionLabel:
			title = T(ctx, "nav.grid")
		case SectionModel:
			title = T(ctx, "nav.model")
		case SectionSetUp:
			title = T(ctx, "nav.setup")
		case SectionAccount:
			title = T(ctx, "account.title")
		}
	}
	if title == "" {
		return "Loupe"
	}
	return title + " – Loupe"
}

func roleWord(ctx context.Context, role string) string {
	switch role {
	case "qa":
		return T(ctx, "role.qa")
	case "admin":
		return T(ctx, "role.admin")
	}
	return T(ctx, "role.operator")
}

// keyGroup is a part of the keyboard sheet.
type keyGroup struct {
	Title string
	Keys  []keyHelp
}

type keyHelp struct {
	Caps []string
	Does string
}

// keysOf lists the keys of a page, its own first.
func keysOf(ctx context.Context, p Page) []keyGroup {
	every := keyGroup{T(ctx, "keys.every"), []keyHelp{
		{[]string{"F2"}, T(ctx, "nav.line")}, {[]string{"F4"}, T(ctx, "nav.grid")},
		{[]string{"F8"}, T(ctx, "nav.model")}, {[]string{"F9"}, T(ctx, "nav.setup")},
		{[]string{"?"}, T(ctx, "keys.open")}, {[]string{"Tab"}, T(ctx, "keys.tab")},
	}}
	digits := keyHelp{[]string{"1", "…", "9"}, T(ctx, "keys.class")}
	undo := keyHelp{[]string{"Z"}, T(ctx, "keys.undo")}
	switch {
	case p.Section == SectionLine && p.Title == "":
		return []keyGroup{{T(ctx, "nav.line"), []keyHelp{digits, undo,
			{[]string{"←", "→"}, T(ctx, "keys.target")}, {[]string{"↑", "↓"}, T(ctx, "keys.tray")},
			{[]string{"H"}, T(ctx, "keys.hold")}, {[]string{"Enter"}, T(ctx, "keys.open-part")}}}, every}
	case p.Section == SectionLine:
		return []keyGroup{{T(ctx, "inspection.title"), []keyHelp{digits, undo,
			{[]string{"←", "K"}, T(ctx, "keys.newer")}, {[]string{"→", "J"}, T(ctx, "keys.older")},
			{[]string{"+", "-", "0"}, T(ctx, "keys.zoom")}, {[]string{"H"}, T(ctx, "keys.heat")},
			{[]string{"[", "]"}, T(ctx, "keys.opacity")}, {[]string{"B"}, T(ctx, "keys.boxes")},
			{[]string{"Esc"}, T(ctx, "keys.back")}}}, every}
	case p.Section == SectionLabel:
		return []keyGroup{{T(ctx, "nav.grid"), []keyHelp{digits, undo,
			{[]string{"←", "↑", "↓", "→"}, T(ctx, "keys.move")}, {[]string{"Shift", "→"}, T(ctx, "keys.range")},
			{[]string{"Space"}, T(ctx, "keys.toggle")}, {[]string{"Ctrl", "A"}, T(ctx, "keys.all")},
			{[]string{"Del"}, T(ctx, "keys.take-back")}, {[]string{"Enter"}, T(ctx, "keys.open-part")},
			{[]string{"Esc"}, T(ctx, "keys.none")}}}, every}
	}
	return []keyGroup{every}
}
