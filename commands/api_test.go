package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"loupe/storage"
	"loupe/vision/picturetest"
	"loupe/web/client"
)

func TestEachRoleMayDoItsPartAndNoMore(t *testing.T) {
	s := startTaught(t)
	rank := map[storage.Role]int{"": 0, storage.Operator: 1, storage.QA: 2, storage.Admin: 3}
	people := map[storage.Role]*caller{}
	for role := range rank {
		people[role] = s.signInAs(role)
	}
	for _, c := range []struct {
		method, path, body string
		least              storage.Role
	}{
		{"GET", "/api/v1/recipes", "", storage.Operator}, {"GET", "/api/v1/stations", "", storage.Operator}, {"GET", "/api/v1/inspections", "", storage.Operator},
		{"POST", "/api/v1/frames/1/corrections", `{"class":"stain"}`, storage.Operator}, {"GET", "/label", "", storage.Operator}, {"GET", "/", "", storage.Operator},
		{"POST", "/api/v1/recipes/99/train", "", storage.QA}, {"POST", "/api/v1/recipes/99/rollback", "", storage.QA}, {"POST", "/api/v1/versions/99/promote", "", storage.QA},
		{"POST", "/api/v1/recipes/99/versions", "", storage.QA}, {"POST", "/recipes/99/versions", "", storage.QA},
		{"DELETE", "/api/v1/jobs/99", "", storage.QA}, {"GET", "/setup/audit", "", storage.QA},
		{"POST", "/api/v1/stations", `{}`, storage.Admin}, {"PATCH", "/api/v1/stations/99", `{}`, storage.Admin}, {"POST", "/api/v1/stations/99/token", "", storage.Admin},
		{"DELETE", "/api/v1/stations/99", "", storage.Admin}, {"GET", "/api/v1/people", "", storage.Admin}, {"POST", "/api/v1/people", `{}`, storage.Admin}, {"PATCH", "/api/v1/people/99", `{}`, storage.Admin},
		{"POST", "/setup/recipes/1/thresholds", "", storage.Admin}, {"POST", "/setup/recipes/1/costs", "", storage.Admin}, {"POST", "/demonstration/start", "", storage.Admin}, {"GET", "/setup/people", "", storage.Admin},
	} {
		for role, p := range people {
			if role == storage.Admin && c.path == "/demonstration/start" {
				continue // it would begin
			}
			status, text := p.call(c.method, c.path, c.body, "application/json")
			may := rank[role] >= rank[c.least]
			shut := status == http.StatusUnauthorized || status == http.StatusForbidden || role == "" && status == http.StatusSeeOther
			if may == shut || status >= 500 {
				t.Errorf("%s %s as %q: %d %s", c.method, c.path, role, status, text[:min(len(text), 120)])
			}
		}
	}
}

func TestAChangeNeedsTheTokenOfThePage(t *testing.T) {
	s := startTaught(t)
	p := s.signInAs(storage.Admin)
	for _, token := range []string{"", "wrong"} {
		p.csrf = token
		if status, text := p.call("POST", "/api/v1/stations", `{"name":"x","recipe_id":1}`, "application/json"); status != http.StatusForbidden || !strings.Contains(text, "csrf") {
			t.Errorf("token %q: %d %s", token, status, text)
		}
	}
	all, err := s.DB.Stations(t.Context())
	if err != nil || len(all) != 1 {
		t.Errorf("%d stations, %v", len(all), err)
	}
}

func TestGuessingPasswordsIsSlowedDown(t *testing.T) {
	s := startSite(t)
	p := s.signInAs("")
	for n := range 12 {
		status, _ := p.form("/signin", map[string][]string{"csrf": {p.token("/signin")}, "name": {"admin"}, "password": {fmt.Sprint("guess number ", n)}})
		if want := http.StatusUnauthorized; n < 6 && status != want {
			t.Errorf("guess %d answers %d", n, status)
		}
		if n == 11 && status != http.StatusTooManyRequests {
			t.Errorf("guess %d answers %d", n, status)
		}
	}
}

func TestBadFramesAreRefusedAndSayWhatToDo(t *testing.T) {
	s := startTaught(t)
	good := encodePart(t, drawPart(rand.New(rand.NewPCG(1, 1)), "good"))
	huge := encodePart(t, image.NewGray(image.Rect(0, 0, 9000, 9000)))
	revoked, token, err := s.DB.AddStation(t.Context(), "test", storage.Station{Name: "old", RecipeID: s.recipe.ID})
	if err == nil {
		err = s.DB.RevokeStation(t.Context(), "test", revoked.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, token string
		picture     []byte
		readings    map[string]any
		status      int
		code        string
	}{
		{"no picture", s.token, []byte("hello"), nil, 415, "not_a_picture"},
		{"nothing", s.token, nil, nil, 415, "not_a_picture"},
		{"half a picture", s.token, good[:len(good)/2], nil, 422, "truncated"},
		{"too many pixels", s.token, huge, nil, 413, "too_many_pixels"},
		{"a webp without pixels", s.token, picturetest.WebPHeader(40, 30), nil, 0, ""},
		{"readings that are lists", s.token, good, map[string]any{"a": []int{1}}, 422, "readings"},
		{"an unknown token", "loupe_unknown", good, nil, 401, "token_unknown"},
		{"a station out of use", token, good, nil, 0, ""},
	} {
		p := client.New(s.URL, c.token)
		_, err := p.PostFrame(t.Context(), client.Frame{Image: c.picture, Readings: c.readings}, 0)
		var problem *client.Problem
		if !errors.As(err, &problem) {
			if c.name != "a webp without pixels" {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if c.status != 0 && problem.Status != c.status || c.code != "" && problem.Code != c.code || len(problem.Detail) < 15 {
			t.Errorf("%s: %d %s %q", c.name, problem.Status, problem.Code, problem.Detail)
		}
	}
}

func TestTwoPeopleCorrectOneFrame(t *testing.T) {
	s := startTaught(t)
	frame := s.post(rand.New(rand.NewPCG(2, 2)), "stain", "T-1").FrameID
	path := fmt.Sprintf("/api/v1/frames/%d/corrections", frame)
	first, second := s.signInAs(storage.Operator), s.signInAs(storage.QA)
	if status, text := first.call("POST", path, `{"class":"good","seen":0}`, "application/json"); status != http.StatusCreated {
		t.Fatalf("%d %s", status, text)
	}
	status, text := second.call("POST", path, `{"class":"stain","seen":0}`, "application/json")
	var answer struct {
		Class     string
		Overtaken *struct{ Person, Class string }
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != http.StatusCreated || answer.Overtaken == nil || answer.Overtaken.Person != "a operator" {
		t.Errorf("the second is not told: %d %s", status, text)
	}
	if all, err := s.DB.Corrections(t.Context(), frame); err != nil || len(all) != 2 {
		t.Errorf("%v, %v", all, err)
	}
	if status, text := first.call("POST", path, `{"class":"rust"}`, "application/json"); status != http.StatusUnprocessableEntity {
		t.Errorf("a class that is none: %d %s", status, text)
	}
}

func TestAFullDiskRefusesAndLosesNothing(t *testing.T) {
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=160m"); err != nil {
		t.Skipf("a small disk needs an administrator: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(folder, syscall.MNT_DETACH) })
	s := startTaughtIn(t, folder)
	rng := rand.New(rand.NewPCG(3, 3))
	var kept []int64
	full := false
	s.station.Patience = 0
	for n := 0; n < 600 && !full; n++ {
		if n == 5 { // somebody else fills the disk
			fill(t, folder+"/rubbish")
		}
		p, err := s.station.PostFrame(t.Context(), client.Frame{Image: encodePart(t, drawPart(rng, "good")), Serial: fmt.Sprint("F-", n)}, 0)
		var problem *client.Problem
		switch {
		case err == nil:
			if p.Inspection != nil {
				kept = append(kept, p.Inspection.FrameID)
			}
		case errors.As(err, &problem) && problem.Status == http.StatusInsufficientStorage:
			full = true
		default:
			t.Fatal(err)
		}
	}
	if !full {
		t.Fatal("the disk never became full")
	}
	if status, _ := s.signInless("/healthz"); status != http.StatusOK {
		t.Errorf("the server does not answer: %d", status)
	}
	if err := os.Remove(folder + "/rubbish"); err != nil {
		t.Fatal(err)
	}
	s.post(rng, "good", "F-after")
	for _, id := range kept {
		if _, err := s.DB.Frame(t.Context(), id); err != nil {
			t.Errorf("frame %d was acknowledged and is gone: %v", id, err)
		}
	}
	eventually(t, "everything judged", func() bool {
		w, err := s.DB.Waiting(t.Context())
		return err == nil && w.Pending == 0
	})
}

// fill writes until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 20, 1 << 12} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}

func (s *site) signInless(path string) (int, string) {
	s.t.Helper()
	return s.signInAs("").call(http.MethodGet, path, "", "text/plain")
}
