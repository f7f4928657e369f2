// Package ui draws the pages: one view model a page, filled by a handler, and
// fragments of the same templates for the stream of events. It knows neither
// the database nor HTTP.
package ui

import (
	"net/url"
	"strings"
	"time"

	"loupe/storage"
	"loupe/vision"
)

// Section is an entry of the navigation.
type Section string

const (
	SectionLine    Section = "line"
	SectionLabel   Section = "label"
	SectionModel   Section = "model"
	SectionSetUp   Section = "setup"
	SectionAccount Section = "account"
)

// Person is who looks at the page.
type Person struct {
	Name  string
	Role  string // "operator", "qa" or "admin"
	May   Rights
	Known bool // signed in
}

// Rights say which actions a page offers; the server checks each again.
type Rights struct {
	Train bool // train, promote, roll back, cancel: QA and admin
	SetUp bool // recipes, stations, people: admin
}

// Page is what all pages share. Fill it once a request.
type Page struct {
	Title    string // a message already in the reader's language; "" for the section's name
	Section  Section
	Path     string // the request's path and query, to come back to
	Language string // one of Languages
	Theme    string // "auto", "light" or "dark"
	CSRF     string
	Person   Person
	Line     string // name of the line that is shown, "" for all
	Lines    []string
	Shift    Shift
	Now      time.Time // in the plant's time zone
	Demo     bool      // the demonstration line exists
	Banners  []Banner
	Events   string // EventsURL of the view; "" for a page that is not live
	Saved    string // what a form has just stored, in words; "" for nothing
	Problem  string // what is wrong with the form just sent, in words; "" for nothing
}

// Shift is the part of the day that counts are for.
type Shift struct {
	Name string // such as "Early"; "" for none
	From time.Time
}

// BannerKind says what is abnormal.
type BannerKind string

const (
	BannerStationLost BannerKind = "station" // Name: the station
	BannerNoWorkers   BannerKind = "workers" // no worker judges
	BannerWorkerLost  BannerKind = "worker"  // Name: the worker; others go on
	BannerDiskFull    BannerKind = "disk"    // frames are refused
	BannerBacklog     BannerKind = "backlog" // Count frames wait
	BannerQuarantine  BannerKind = "quarantine"
	BannerDrift       BannerKind = "drift"    // Name: the station, Causes: what changed
	BannerNoModel     BannerKind = "no-model" // Name: the recipe without a champion
)

// Banner is one abnormal state of the plant, shown on all pages until it is over.
type Banner struct {
	Kind   BannerKind
	Name   string
	Count  int
	Since  time.Time // zero where it is not known
	Causes []storage.DriftCause
}

// grave banners are red: parts are not judged.
func (b Banner) grave() bool {
	return b.Kind == BannerStationLost || b.Kind == BannerNoWorkers || b.Kind == BannerDiskFull
}

// NamedRecipe is a recipe to choose.
type NamedRecipe struct {
	ID   int64
	Name string
	Demo bool
}

// Mark is a class as a page shows it: Name "" for none.
type Mark = vision.Class

func (p Page) localPath() string {
	if strings.HasPrefix(p.Path, "/") && !strings.HasPrefix(p.Path, "//") {
		return p.Path
	}
	return "/"
}

// encode leaves out empty values.
func encode(pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" && pairs[i+1] != "0" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q.Encode()
}
