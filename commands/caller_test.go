package commands

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"loupe/storage"
	"loupe/web"
)

// caller is a person's program: it has a session and speaks JSON.
type caller struct {
	t    testing.TB
	http http.Client
	base string
	csrf string
}

// signInAs signs a new person of a role in, or nobody for the role "".
func (s *site) signInAs(role storage.Role) *caller {
	s.t.Helper()
	jar, _ := cookiejar.New(nil)
	c := &caller{t: s.t, base: s.URL, http: http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if role == "" {
		return c
	}
	const password = "correct horse battery"
	hash, err := web.HashPassword(password)
	if err != nil {
		s.t.Fatal(err)
	}
	name := "a " + string(role)
	if _, err := s.DB.AddPerson(s.t.Context(), "test", storage.Person{Name: name, Role: role, PasswordHash: hash}); err != nil {
		s.t.Fatal(err)
	}
	status, page := c.form("/signin", url.Values{"csrf": {c.token("/signin")}, "name": {name}, "password": {password}, "next": {"/"}})
	if status != http.StatusSeeOther {
		s.t.Fatalf("signing in answers %d: %s", status, page)
	}
	c.csrf = c.token("/account")
	return c
}

var csrfValue = regexp.MustCompile(`name="csrf" (?:value|content)="([^"]+)"`)

// token reads the token that a page gives its forms.
func (c *caller) token(path string) string {
	c.t.Helper()
	_, page := c.call(http.MethodGet, path, "", "text/html")
	m := csrfValue.FindStringSubmatch(page)
	if m == nil {
		c.t.Fatalf("%s has no token: %s", path, page[:min(len(page), 300)])
	}
	return m[1]
}

// call sends a JSON body and gives the status and the text of the answer.
func (c *caller) call(method, path, body, accept string) (int, string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-CSRF-Token", c.csrf)
	return c.send(req)
}

func (c *caller) form(path string, values url.Values) (int, string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.base+path, strings.NewReader(values.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.send(req)
}

func (c *caller) send(req *http.Request) (int, string) {
	c.t.Helper()
	answer, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if answer.StatusCode >= 400 && strings.HasPrefix(req.URL.Path, "/api/") {
		var p struct{ Type, Title, Detail, Code string }
		if err := json.Unmarshal(text, &p); err != nil || p.Code == "" || p.Detail == "" || answer.Header.Get("Content-Type") != "application/problem+json" {
			c.t.Errorf("%s %s answers %d with no problem document: %s", req.Method, req.URL.Path, answer.StatusCode, text)
		}
	}
	return answer.StatusCode, string(bytes.TrimSpace(text))
}
