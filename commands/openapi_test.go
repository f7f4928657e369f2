package commands

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"loupe/storage"
)

// contract compares each answer of the API with its document and notes what was seen.
type contract struct {
	t      testing.TB
	base   http.RoundTripper
	doc    *openapi3.T
	router routers.Router
	seen   map[string]bool // "METHOD path status"
}

func newContract(t testing.TB, base string) *contract {
	t.Helper()
	answer, err := http.Get(base + "/api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	doc.Servers = openapi3.Servers{{URL: base + "/api/v1"}}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return &contract{t: t, base: http.DefaultTransport, doc: doc, router: router, seen: map[string]bool{}}
}

func (c *contract) RoundTrip(req *http.Request) (*http.Response, error) {
	answer, err := c.base.RoundTrip(req)
	if err != nil || !strings.HasPrefix(req.URL.Path, "/api/v1/") {
		return answer, err
	}
	route, params, err := c.router.FindRoute(req)
	if err != nil {
		c.t.Errorf("%s %s is not described: %v", req.Method, req.URL.Path, err)
		return answer, nil
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	c.seen[fmt.Sprint(req.Method, " ", route.Path, " ", answer.StatusCode)] = true
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route},
		Status:                 answer.StatusCode, Header: answer.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, ExcludeResponseBody: !strings.HasSuffix(answer.Header.Get("Content-Type"), "json")},
	}
	input.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(c.t.Context(), input); err != nil {
		c.t.Errorf("%s %s answers %d otherwise than described: %v", req.Method, req.URL.Path, answer.StatusCode, err)
	}
	return answer, nil
}

// postPart posts a part as a form and waits for its verdict.
func (c *caller) postPart(token string, picture []byte) (int, string) {
	c.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("image", "part.png")
	if err == nil {
		_, err = file.Write(picture)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.base+"/api/v1/frames?wait=30s", &body)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("Authorization", "Bearer "+token)
	return c.send(req)
}

func TestEachOperationAnswersAsTheDocumentSays(t *testing.T) {
	s := startTaught(t)
	p := s.signInAs(storage.Admin)
	rules := newContract(t, s.URL)
	p.http.Transport = rules
	rng := rand.New(rand.NewPCG(3, 3))
	var posted struct {
		FrameID int64 `json:"frame_id"`
		ID      int64 `json:"id"`
	}
	if status, text := p.postPart(s.token, encodePart(t, drawPart(rng, "cut"))); status != 201 {
		t.Fatalf("%d %s", status, text)
	} else if err := json.Unmarshal([]byte(text), &posted); err != nil {
		t.Fatal(err)
	}
	frame, inspection := fmt.Sprint("/api/v1/frames/", posted.FrameID), fmt.Sprint("/api/v1/inspections/", posted.ID)
	recipe := fmt.Sprint("/api/v1/recipes/", s.recipe.ID)
	again, file := encodePart(t, drawPart(rng, "cut")), struct {
		FrameID int64 `json:"frame_id"`
	}{}
	for range 2 { // the same file twice: the second is doubtful
		if status, text := p.postPart(s.token, again); status != 201 || json.Unmarshal([]byte(text), &file) != nil {
			t.Fatalf("%d %s", status, text)
		}
	}
	drift, err := s.DB.RaiseDrift(t.Context(), storage.DriftAlarm{StationID: 1, RecipeID: s.recipe.ID, VersionID: 1, Causes: []storage.DriftCause{{Cause: "darker", Level: 1.1}}, Since: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	var made struct {
		ID int64 `json:"id"`
	}
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", frame, "", 303}, {"GET", frame + "/image", "", 200}, {"GET", frame + "/thumb", "", 200}, {"GET", inspection, "", 200}, {"GET", inspection + "/heat", "", 200},
		{"GET", "/api/v1/inspections?limit=5", "", 200}, {"GET", "/api/v1/stations", "", 200}, {"GET", "/api/v1/recipes", "", 200}, {"GET", recipe, "", 200},
		{"GET", "/api/v1/versions/1", "", 200}, {"GET", "/api/v1/versions/1/report", "", 200}, {"GET", "/api/v1/versions/1/report.html", "", 200}, {"GET", "/api/v1/versions/999/report.html", "", 404}, {"GET", "/api/v1/versions/1/shadow", "", 404}, {"POST", "/api/v1/versions/1/shadow", "", 409}, {"DELETE", "/api/v1/versions/1/shadow", "", 409},
		{"GET", "/api/v1/versions/1/model.onnx", "", 200}, {"GET", "/api/v1/jobs/1", "", 200},
		{"GET", "/api/v1/people", "", 200},
		{"GET", recipe + "/doubts", "", 200}, {"GET", recipe + "/doubts?state=x", "", 422}, {"GET", recipe + "/doubts?limit=0", "", 422},
		{"POST", recipe + "/doubts", fmt.Sprintf(`{"frames":[%d],"decision":"used"}`, file.FrameID), 200}, {"POST", recipe + "/doubts", `{"frames":[999],"decision":"out"}`, 404}, {"POST", recipe + "/doubts", `{"frames":[],"decision":"out"}`, 422},
		{"GET", recipe + "/doubts?state=used", "", 200}, {"GET", "/api/v1/drift", "", 200}, {"GET", "/api/v1/drift?all=1", "", 200},
		{"POST", fmt.Sprintf("/api/v1/drift/%d/seen", drift.ID), `{"note":"the lamp"}`, 200}, {"POST", "/api/v1/drift/999/seen", `{}`, 404}, {"POST", "/api/v1/drift/1/seen", `{"frobnicate":1}`, 422},
		{"GET", recipe + "/datasets", "", 200}, {"GET", "/api/v1/datasets/1", "", 200}, {"GET", "/api/v1/datasets/999", "", 404}, {"GET", "/api/v1/datasets/1/diff?from=1", "", 200}, {"GET", "/api/v1/datasets/1/diff", "", 422},
		{"GET", recipe + "/export?format=coco", "", 200}, {"GET", recipe + "/export?format=pdf", "", 422}, {"GET", "/api/v1/datasets/1/export?format=csv", "", 200},
		{"GET", "/api/v1/frames/999", "", 404}, {"GET", "/api/v1/inspections/999", "", 404}, {"GET", "/api/v1/inspections/x", "", 404}, {"GET", "/api/v1/inspections?limit=x", "", 422}, {"GET", "/api/v1/versions/999", "", 404},
		{"POST", frame + "/corrections", `{"class":"stain"}`, 201}, {"POST", frame + "/corrections", `{"class":"nosuch"}`, 422}, {"POST", frame + "/corrections", `{`, 422}, {"POST", "/api/v1/frames/999/corrections", `{"class":"stain"}`, 404},
		{"GET", recipe + "/next", "", 200}, {"GET", recipe + "/next?n=0", "", 422}, {"GET", frame + "/alike?n=3", "", 200}, {"GET", "/api/v1/frames/999/alike", "", 404},
		{"POST", recipe + "/corrections", fmt.Sprintf(`{"class":"cut","frames":[%d,1]}`, posted.FrameID), 201}, {"POST", recipe + "/corrections", `{"class":"cut","frames":[999]}`, 409}, {"POST", recipe + "/corrections", `{"frames":[1]}`, 422},
		{"POST", "/api/v1/corrections/undo", `{"corrections":[26]}`, 200}, {"POST", "/api/v1/corrections/undo", `{"corrections":[]}`, 422},
		{"POST", "/api/v1/frames/2/confirm", `{"label_id":2}`, 201}, {"POST", "/api/v1/frames/2/confirm", `{"label_id":2}`, 409}, {"POST", "/api/v1/frames/2/confirm", `{}`, 409},
		{"POST", recipe + "/groups", "", 202}, {"GET", recipe + "/groups", "", 200}, {"POST", recipe + "/suspects", "", 202}, {"GET", recipe + "/suspects?n=5", "", 200}, {"GET", "/api/v1/recipes/999/suspects", "", 404},
		{"GET", frame + "/marks", "", 200}, {"PUT", frame + "/marks", `{"marks":[{"class":"stain","shape":"box","box":[0.2,0.3,0.1,0.1]}]}`, 200}, {"PUT", frame + "/marks", `{"marks":[{"class":"stain","shape":"box","box":[2,0,0,0]}]}`, 422},
		{"PUT", frame + "/marks", `{"marks":[{"class":"nosuch","shape":"box","box":[0.2,0.3,0.1,0.1]}]}`, 422}, {"PUT", frame + "/marks", `{}`, 422}, {"PUT", "/api/v1/frames/999/marks", `{"marks":[]}`, 404}, {"GET", "/api/v1/frames/999/marks", "", 404},
		{"POST", recipe + "/train", "", 202}, {"POST", "/api/v1/recipes/999/train", "", 404}, {"POST", recipe + "/rollback", "", 409}, {"POST", "/api/v1/versions/1/promote", `{}`, 409},
		{"DELETE", "/api/v1/jobs/1", "", 409}, {"DELETE", "/api/v1/jobs/999", "", 404},
		{"POST", "/api/v1/stations", fmt.Sprintf(`{"name":"new","line":"B","recipe_id":%d}`, s.recipe.ID), 201}, {"POST", "/api/v1/stations", `{"name":"","recipe_id":1}`, 422}, {"POST", "/api/v1/stations", `{"name":"x","recipe_id":99}`, 404},
		{"PATCH", "/api/v1/stations/2", `{"name":"renamed"}`, 200}, {"PATCH", "/api/v1/stations/2", `{"name":"renamed","frobnicate":1}`, 422}, {"POST", "/api/v1/stations/2/token", "", 200}, {"DELETE", "/api/v1/stations/2", "", 204}, {"DELETE", "/api/v1/stations/99", "", 404},
		{"POST", "/api/v1/people", `{"name":"Chen","role":"operator","password":"correct horse battery"}`, 201}, {"POST", "/api/v1/people", `{"name":"Chen","role":"operator","password":"correct horse battery"}`, 409}, {"POST", "/api/v1/people", `{"name":"Wu","role":"king","password":"correct horse battery"}`, 422},
		{"PATCH", "/api/v1/people/3", `{"role":"qa"}`, 200}, {"PATCH", "/api/v1/people/99", `{"role":"qa"}`, 404},
	} {
		status, text := p.call(c.method, c.path, c.body, "application/json")
		if status != c.status {
			t.Errorf("%s %s %s answers %d, want %d: %s", c.method, c.path, c.body, status, c.status, text[:min(len(text), 200)])
		}
		_ = json.Unmarshal([]byte(text), &made)
	}
	p.exchangeModel(s.recipe.ID)
	p.shadowModel(s.recipe.ID)
	nobody := s.signInAs("")
	nobody.http.Transport = rules
	for path, item := range rules.doc.Paths.Map() {
		for method := range item.Operations() {
			at := strings.ReplaceAll(path, "{id}", "1")
			if path == "/frames" {
				nobody.postPart("nonsense", []byte("x"))
			} else if status, _ := nobody.call(method, "/api/v1"+at, "", "application/json"); status != http.StatusUnauthorized {
				t.Errorf("%s %s answers %d to nobody", method, path, status)
			}
			if !rules.seen[method+" "+path+" 401"] {
				t.Errorf("%s %s was not refused to nobody", method, path)
			}
			fine := false
			for _, status := range []int{200, 201, 202, 204, 303} {
				fine = fine || rules.seen[fmt.Sprint(method, " ", path, " ", status)]
			}
			if !fine && path != "/events" && path != "/station" && path != "/recipes/{id}/rollback" && path != "/versions/{id}/promote" && !(method == "DELETE" && path == "/jobs/{id}") {
				t.Errorf("%s %s never succeeded", method, path)
			}
		}
	}
}
