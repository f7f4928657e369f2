package web

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"
)

func TestTheDocumentDescribesEachRouteOfTheAPIAndNoOther(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(openAPIDocument)
	if err == nil {
		err = doc.Validate(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	var described, served []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+doc.Servers[0].URL+path)
		}
	}
	w := &Server{echo: echo.New()}
	w.metrics = newMetrics(w)
	w.routes()
	parameter := regexp.MustCompile(`:(\w+)`)
	for _, r := range w.echo.Routes() {
		if strings.HasPrefix(r.Path, "/api/v1/") {
			served = append(served, r.Method+" "+parameter.ReplaceAllString(r.Path, "{$1}"))
		}
	}
	slices.Sort(described)
	slices.Sort(served)
	for _, r := range served {
		if !slices.Contains(described, r) {
			t.Errorf("%s is not described", r)
		}
	}
	for _, r := range described {
		if !slices.Contains(served, r) {
			t.Errorf("%s is described and not served", r)
		}
	}
	if len(served) < 20 {
		t.Errorf("only %d routes are served", len(served))
	}
}
