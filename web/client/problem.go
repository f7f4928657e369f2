package client

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// Problem is an answer other than success, as the server's problem document
// (RFC 9457) tells it.
type Problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"` // of the answer itself, whatever the document says
	Detail   string `json:"detail"`
	Instance string `json:"instance"`
	Code     string `json:"code"` // stable, for programs
}

// Error says in one line what happened and, where the server told it, why.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return fmt.Sprintf("%s (status %d)", p.Title, p.Status)
	}
	return fmt.Sprintf("%s: %s (status %d)", p.Title, p.Detail, p.Status)
}

// problem makes a Problem of an answer, with or without a document.
func problem(resp *http.Response, data []byte) *Problem {
	var p Problem
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch kind {
	case "application/problem+json", "application/json":
		if err := json.Unmarshal(data, &p); err != nil {
			p = Problem{}
		}
	case "text/plain":
		p.Detail = firstLine(string(data))
	}
	p.Status = resp.StatusCode
	if p.Title == "" {
		p.Title = http.StatusText(resp.StatusCode)
	}
	if at := resp.Header.Get("Location"); p.Detail == "" && resp.StatusCode/100 == 3 {
		p.Detail = fmt.Sprintf("the server sends elsewhere, to %s; use that address", at)
	}
	return &p
}

// firstLine shortens a text that no one wrote for a log.
func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	if r := []rune(s); len(r) > 200 {
		s = string(r[:200]) + "…"
	}
	return s
}
