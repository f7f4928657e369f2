package ui

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"loupe/static"
	"loupe/vision"

	"github.com/a-h/templ"
)

// site serves the pages with drawn pictures and fixed view models, records what
// is posted, and lets a test send events.
type site struct {
	*httptest.Server
	mu     sync.Mutex
	posts  []post
	fail   bool // posts are refused
	line   LineView
	label  LabelView
	cut    bool // the stream of events is down
	events []chan string
	reads  int // open streams
}

type post struct {
	Path  string
	Form  url.Values
	Token string // of the header or the form
}

func newSite(t *testing.T) *site {
	s := &site{line: fixtureLine(1, "en"), label: fixtureLabel(10000, "en")}
	s.Server = httptest.NewServer(s.routes(t))
	t.Cleanup(func() {
		s.down(true)
		s.Server.CloseClientConnections()
		s.Server.Close()
	})
	return s
}

func (s *site) routes(t *testing.T) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+static.Prefix, static.Handler())
	mux.HandleFunc("GET /frames/{id}/{what}", func(w http.ResponseWriter, r *http.Request) {
		frame, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
		side := 96
		if r.PathValue("what") == "image" {
			side = min(960, max(480, atoi(r.URL.Query().Get("side"))))
		}
		w.Header().Set("Cache-Control", "max-age=3600")
		w.Write(picture(frame, side))
	})
	mux.HandleFunc("GET /inspections/{id}/heat", func(w http.ResponseWriter, r *http.Request) { w.Write(drawHeat()) })
	mux.HandleFunc("GET "+PathEvents, s.stream)
	mux.HandleFunc("GET "+PathLabelIDs, func(w http.ResponseWriter, r *http.Request) {
		ids := make([]int64, s.label.Total)
		for i := range ids {
			ids[i] = int64(s.label.Total - i)
		}
		json.NewEncoder(w).Encode(map[string]any{"ids": ids})
	})
	mux.HandleFunc("GET "+PathLabelCells, func(w http.ResponseWriter, r *http.Request) {
		var cells []GridCell
		for text := range strings.SplitSeq(r.URL.Query().Get("ids"), ",") {
			cells = append(cells, fixtureCell(int64(atoi(text)), s.label.Classes))
		}
		json.NewEncoder(w).Encode(map[string]any{"cells": cells})
	})
	mux.HandleFunc("POST /", s.post)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { s.page(t, w, r) })
	return mux
}

var pictures sync.Map

func picture(frame int64, side int) []byte {
	frame %= 512
	key := [2]int64{frame % 37, int64(kindOf(frame)*10000 + side)}
	if b, ok := pictures.Load(key); ok {
		return b.([]byte)
	}
	b := drawPlate(frame%37, kindOf(frame), side)
	pictures.Store(key, b)
	return b
}

func atoi(s string) int { n, _ := strconv.Atoi(s); return n }

func (s *site) post(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	s.mu.Lock()
	token := cmp.Or(r.Header.Get("X-CSRF-Token"), r.PostForm.Get("csrf"))
	s.posts = append(s.posts, post{r.URL.Path, r.PostForm, token})
	n, fail := int64(len(s.posts)), s.fail
	s.mu.Unlock()
	if token != "token-of-the-test" {
		http.Error(w, "no token", http.StatusForbidden)
		return
	}
	toast := Toast{FrameID: 4003, Class: plateClasses[1], Corrections: []int64{n}}
	switch {
	case fail && r.Header.Get("HX-Request") == "":
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"status":409,"detail":"The recipe has no class of that name in use."}`)
		return
	case fail:
		w.WriteHeader(http.StatusConflict)
		toast = Toast{Problem: "The recipe has no class of that name in use."}
	case r.URL.Path == PathLabelMany || r.URL.Path == PathUndo && r.Header.Get("HX-Request") == "":
		answer := LabelAnswer{Corrections: []int64{n}}
		for text := range strings.SplitSeq(r.PostForm.Get("frames"), ",") {
			if text != "" {
				answer.Cells = append(answer.Cells, GridCell{Frame: int64(atoi(text)), Label: r.PostForm.Get("class")})
			}
		}
		json.NewEncoder(w).Encode(answer)
		return
	case r.URL.Path == PathUndo:
		toast.Undone = true
	}
	b, _ := Render(r.Context(), "en", ToastFragment(toast))
	w.Write(b)
}

// posted is how many posts came so far.
func (s *site) posted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.posts)
}

// refuse makes all later posts fail, or none.
func (s *site) refuse(fail bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

// lastPost waits for the n-th post.
func (s *site) lastPost(t *testing.T, n int) post {
	t.Helper()
	for range 1500 {
		s.mu.Lock()
		if len(s.posts) >= n {
			defer s.mu.Unlock()
			return s.posts[n-1]
		}
		s.mu.Unlock()
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("there were fewer than %d posts", n)
	return post{}
}

func (s *site) stream(w http.ResponseWriter, r *http.Request) {
	c := make(chan string, 64)
	s.mu.Lock()
	cut := s.cut
	s.events = append(s.events, c)
	s.mu.Unlock()
	if cut {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	s.count(1)
	defer s.count(-1)
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, event("tick", "now"))
	w.(http.Flusher).Flush()
	for {
		select {
		case text, open := <-c:
			if !open {
				return
			}
			fmt.Fprint(w, text)
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func (s *site) count(n int) {
	s.mu.Lock()
	s.reads += n
	s.mu.Unlock()
}

// waitReaders waits until n streams are open.
func (s *site) waitReaders(t *testing.T, n int) {
	t.Helper()
	for range 1500 {
		s.mu.Lock()
		reads := s.reads
		s.mu.Unlock()
		if reads == n {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("there were never %d streams", n)
}

func event(name, data string) string {
	return "event: " + name + "\ndata: " + strings.ReplaceAll(data, "\n", "\ndata: ") + "\n\n"
}

// send renders a fragment to every open stream.
func (s *site) send(t *testing.T, name string, c templ.Component) {
	t.Helper()
	b, err := Render(context.Background(), "en", c)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.events {
		c <- event(name, string(b))
	}
}

// down closes the streams and refuses new ones, until it is called with false.
func (s *site) down(cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = cut
	for _, c := range s.events {
		close(c)
	}
	s.events = nil
}

func (s *site) page(t *testing.T, w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	lang, count := MatchLanguage(q.Get("lang"), ""), 1
	p := Page{Path: r.URL.RequestURI(), Language: lang, Theme: q.Get("theme"), CSRF: "token-of-the-test", Now: now, Lines: []string{"L1"}, Line: "L1", Shift: Shift{Name: map[string]string{"en": "Early", "zh": "早班"}[lang], From: now.Add(-8 * time.Hour)},
		Person: Person{Name: "Li Na", Role: "admin", Known: true, May: Rights{true, true}}}
	if q.Get("stations") != "" {
		count = atoi(q.Get("stations"))
	}
	c, status := s.content(&p, r.URL.Path, q, lang, count)
	b, err := Render(r.Context(), lang, c)
	if err != nil {
		t.Error(err)
	}
	w.Header().Set("Content-Security-Policy", ContentSecurityPolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b)
}

func (s *site) content(p *Page, path string, q url.Values, lang string, count int) (templ.Component, int) {
	p.Section = SectionSetUp
	p.Events = EventsURL("other", 0, "")
	empty := q.Get("empty") != ""
	switch path {
	case PathLine:
		p.Section, p.Events = SectionLine, EventsURL("line", 0, "")
		v := s.line
		if count != len(v.Stations) || lang != "en" {
			v = fixtureLine(count, lang)
		}
		return LinePage(*p, troubled(p, v, q)), 200
	case PathLabel:
		p.Section = SectionLabel
		if empty {
			return LabelPage(*p, LabelView{Filter: LabelFilter{Recipe: 1}, Recipes: s.label.Recipes, Classes: plateClasses}), 200
		}
		if lang != "en" {
			return LabelPage(*p, fixtureLabel(10000, lang)), 200
		}
		return LabelPage(*p, s.label), 200
	case PathGroups:
		p.Section = SectionLabel
		v := GroupsView{Recipe: NamedRecipe{ID: 1, Name: "Plate 40-117"}, Classes: classesIn(lang), Work: WorkView{Recipe: 1, Kind: "group", Job: 14, State: "done", Message: "10000 frames in 120 groups", EndedAt: now.Add(-time.Hour), Now: now, MayStart: true}}
		for g := range int64(120) {
			one := GroupView{}
			for i := range 20 + g {
				one.Frames = append(one.Frames, 1+g+120*i)
			}
			v.Groups = append(v.Groups, one)
		}
		if empty {
			v.Groups, v.Work.State, v.Work.Progress, v.Work.MayCancel = nil, "running", 0.3, true
		}
		return GroupsPage(*p, v), 200
	case PathSuspects:
		p.Section = SectionLabel
		v := SuspectsView{Recipe: NamedRecipe{ID: 1, Name: "Plate 40-117"}, Classes: classesIn(lang), Suspects: []SuspectView{}, Work: WorkView{Recipe: 1, Kind: "suspect", Now: now, MayStart: true}}
		for i := range int64(60) {
			a, b := v.Classes[i%3], v.Classes[(i+1)%3]
			v.Suspects = append(v.Suspects, SuspectView{Frame: 4000 + i, Label: a.Name, LabelID: 90 + i, LabelColor: a.Color, Person: "Li Na", Own: 0.004, Said: b.Name, SaidColor: b.Color, P: 0.97 - float64(i)/100})
		}
		if empty {
			v.Suspects = []SuspectView{}
		}
		return SuspectsPage(*p, v), 200
	case "/versions/8/shadow":
		p.Section = SectionModel
		return ShadowPage(*p, fixtureDisagreements(lang, empty, q.Get("settled") != "")), 200
	case "/datasets/12":
		p.Section = SectionModel
		return DatasetPage(*p, *fixtureDataset(lang)), 200
	case "/recipes/1/model":
		p.Section = SectionModel
		if empty {
			return ModelPage(*p, ModelView{Recipe: NamedRecipe{ID: 1, Name: "Plate"}, Training: TrainingView{Recipe: 1, MayTrain: true}, Data: DataView{Train: 3, Classes: []ClassData{{Class: plateClasses[1], Train: 1, Missing: 2}}}}), 200
		}
		if q.Get("upload") != "" {
			return ModelPage(*p, fixtureUpload(lang)), 200
		}
		return ModelPage(*p, fixtureModel(lang)), 200
	}
	if strings.HasPrefix(path, "/inspections/") {
		p.Section, p.Title = SectionLine, "PL-004003"
		return InspectionPage(*p, fixtureInspection(int64(atoi(strings.TrimPrefix(path, "/inspections/"))), lang)), 200
	}
	return s.setUp(p, path, q, lang, empty)
}

// troubled adds a lost station, an empty tray or none, as the query asks.
func troubled(p *Page, v LineView, q url.Values) LineView {
	v.Stations = slices.Clone(v.Stations)
	if q.Get("lost") != "" {
		p.Banners = []Banner{{Kind: BannerStationLost, Name: v.Stations[0].Name, Since: now.Add(-7 * time.Minute)}, {Kind: BannerQuarantine, Count: 2}}
		v.Stations[0].State, v.Stations[0].Since = StationLost, now.Add(-7*time.Minute)
	}
	if q.Get("calm") != "" {
		v.Tray = TrayView{}
		ok := fixturePart(4000, vision.OK, v.Stations[0].Classes)
		v.Stations[0].Last = &ok
	}
	if q.Get("empty") != "" {
		v = LineView{}
	}
	return v
}

func (s *site) setUp(p *Page, path string, q url.Values, lang string, empty bool) (templ.Component, int) {
	classes := classesIn(lang)
	switch path {
	case PathRecipes:
		return RecipesPage(*p, RecipesView{Recipes: []RecipeRow{{NamedRecipe: NamedRecipe{ID: 1, Name: "Plate 40-117"}, Classes: classes, Champion: 7, Labelled: 6595, Stations: 2}, {NamedRecipe: NamedRecipe{ID: 3, Name: "Demonstration", Demo: true}, Classes: classes[:3], Stations: 1}}}), 200
	case "/setup/recipes/1":
		return RecipePage(*p, fixtureRecipe(lang)), 200
	case PathStations:
		v := fixtureStations()
		if q.Get("token") != "" {
			v.Token, v.TokenFor = "lp_7h3k2m9q4x8z1c5v6b0n_p3zd", "Washer"
		}
		return StationsPage(*p, v), 200
	case PathPeople:
		p.Problem = T(WithLanguage(context.Background(), lang), "error.400")
		return PeoplePage(*p, PeopleView{People: []PersonRow{{ID: 1, Name: "admin", Role: "admin", Active: true, Self: true}, {ID: 2, Name: "Li Na", Role: "operator", Active: true, MustChange: true}, {ID: 3, Name: "Jonas", Role: "qa"}}}), 200
	case PathHealth:
		return HealthPage(*p, fixtureHealth(empty)), 200
	case PathJobs:
		return JobsPage(*p, fixtureJobs()), 200
	case PathQuarantine:
		return QuarantinePage(*p, QuarantineView{Now: now, Frames: []QuarantinedFrame{{FrameID: 4011, Station: "Press 4 outlet", Recipe: NamedRecipe{Name: "Plate 40-117"}, Serial: "PL-004011", Received: now, Deaths: 3, Trouble: "Three workers died while judging this picture.", Width: 4096, Height: 3000, Bytes: 8 << 20}}}), 200
	case PathAudit:
		return AuditPage(*p, fixtureAudit()), 200
	case PathAccount:
		p.Section = SectionAccount
		return AccountPage(*p, AccountView{MustChange: true}), 200
	case PathFirst:
		p.Section, p.Title, p.Events = SectionLine, "First", ""
		return FirstPage(*p, FirstView{}), 200
	case PathSignIn:
		p.Person, p.Events, p.Section = Person{}, "", ""
		p.Problem = "Name or password is wrong."
		return SignInPage(*p, SignInView{Name: "li.na", Next: "/"}), 401
	}
	p.Section = ""
	return ErrorPage(*p, 404, ""), 404
}
