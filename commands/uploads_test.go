package commands

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"loupe/models"
	"loupe/models/onnx"
	"loupe/models/onnx/onnxtest"
	"loupe/storage"
	"loupe/vision"
	"loupe/web/client"
)

// uploaded is what the API answers to an upload.
type uploaded struct {
	ID       int64  `json:"id"`
	Number   int    `json:"number"`
	State    string `json:"state"`
	Uploaded bool   `json:"uploaded"`
	JobID    int64  `json:"job_id"`
	SHA256   string `json:"sha256"`
	Code     string `json:"code"`
	Detail   string `json:"detail"`
	Operator string `json:"operator"`
	Node     string `json:"node"`
}

// postModel uploads a file as a program does.
func (c *caller) postModel(recipeID int64, file []byte) (int, uploaded) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, fmt.Sprintf("%s/api/v1/recipes/%d/versions?note=from+plant+2", c.base, recipeID), bytes.NewReader(file))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	return c.sendModel(req)
}

func (c *caller) sendModel(req *http.Request) (int, uploaded) {
	c.t.Helper()
	req.Header.Set("X-CSRF-Token", c.csrf)
	status, text := c.send(req)
	var answer uploaded
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		c.t.Fatalf("%d %s", status, text)
	}
	return status, answer
}

// exchangeModel uploads what it downloads, and what is no model.
func (c *caller) exchangeModel(recipeID int64) {
	c.t.Helper()
	if status, answer := c.postModel(recipeID, c.export(1)); status != http.StatusCreated {
		c.t.Errorf("an upload answers %d %+v", status, answer)
	}
	if status, answer := c.postForm(recipeID, []byte("no model")); status != http.StatusUnprocessableEntity {
		c.t.Errorf("an upload of no model answers %d %+v", status, answer)
	}
	if status, text := c.call("POST", fmt.Sprintf("/api/v1/recipes/%d/versions", recipeID), "{}", "application/json"); status != http.StatusUnsupportedMediaType {
		c.t.Errorf("an upload of JSON answers %d %s", status, text)
	}
}

// evaluated waits until the job of an upload has ended.
func (s *site) evaluated(job int64) storage.Job {
	s.t.Helper()
	var j storage.Job
	eventually(s.t.(*testing.T), "evaluated", func() bool {
		var err error
		if j, err = s.DB.Job(s.t.Context(), job); err != nil {
			s.t.Fatal(err)
		}
		return j.State.Ended()
	})
	return j
}

// export downloads the model file of a version.
func (c *caller) export(version int64) []byte {
	c.t.Helper()
	status, _ := c.call(http.MethodGet, fmt.Sprintf("/api/v1/versions/%d", version), "", "application/json")
	if status != http.StatusOK {
		c.t.Fatalf("version %d answers %d", version, status)
	}
	answer, err := c.http.Get(fmt.Sprintf("%s/api/v1/versions/%d/model.onnx", c.base, version))
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		c.t.Fatalf("%d, %v", answer.StatusCode, err)
	}
	return b.Bytes()
}

func TestAnExportComesBackAndJudgesAsBefore(t *testing.T) {
	s := startTaught(t)
	qa := s.signInAs(storage.QA)
	first := s.champion(0)
	rng := rand.New(rand.NewPCG(7, 7))
	parts := [][]byte{encodePart(t, drawPart(rng, "good")), encodePart(t, drawPart(rng, "stain")), encodePart(t, drawPart(rng, "cut"))}
	judge := func(run string) (all []client.Inspection) {
		for n, part := range parts {
			p, err := s.station.PostFrame(t.Context(), client.Frame{Image: part, Serial: fmt.Sprint(run, n)}, 30e9)
			if err != nil || p.Inspection == nil {
				t.Fatal(err)
			}
			all = append(all, *p.Inspection)
		}
		return all
	}
	before := judge("before")
	status, v := qa.postModel(s.recipe.ID, qa.export(first))
	if status != http.StatusCreated || !v.Uploaded || v.Number != 2 || v.JobID == 0 {
		t.Fatalf("%d %+v", status, v)
	}
	if j := s.evaluated(v.JobID); j.State != storage.JobDone || !strings.Contains(j.Message, "version 2 judges now") {
		t.Fatalf("the evaluation is %s: %s", j.State, j.Message)
	}
	s.sameResults(first, v.ID)
	for i, again := range judge("after") {
		if again.Version != before[i].Version+1 || again.Verdict != before[i].Verdict || again.Class != before[i].Class || math.Abs(again.Score-before[i].Score) > 1e-6 {
			t.Errorf("part %d: %s %s %v by version %d, before %s %s %v", i, again.Verdict, again.Class, again.Score, again.Version, before[i].Verdict, before[i].Class, before[i].Score)
		}
		if status, page := qa.call(http.MethodGet, fmt.Sprintf("/inspections/%d", again.ID), "", "text/html"); status != http.StatusOK {
			t.Errorf("its page answers %d: %s", status, page)
		}
	}
	all, err := s.DB.Audit(t.Context(), fmt.Sprintf("version %d", v.ID), 0, 5)
	if err != nil || len(all) != 1 || all[0].Action != "version.upload" || all[0].Person != "a qa" || !strings.Contains(all[0].After, "from plant 2") {
		t.Errorf("the audit log says %+v, %v", all, err)
	}
	// The next training finds a champion without a head.
	cut := before[2].FrameID
	if status, text := qa.call("POST", fmt.Sprintf("/api/v1/frames/%d/corrections", cut), `{"class":"cut"}`, "application/json"); status != http.StatusCreated {
		t.Fatalf("%d %s", status, text)
	}
	third := s.champion(v.ID)
	r, err := s.DB.Version(t.Context(), third)
	var report models.Report
	if err == nil {
		err = json.Unmarshal(r.Report, &report)
	}
	if err != nil || report.ChampionID != v.ID || report.Champion == nil || report.Champion.N != report.Candidate.N {
		t.Errorf("the version trained next was compared with %+v of version %d: %v", report.Champion, report.ChampionID, err)
	}
	if status, text := qa.call("POST", fmt.Sprintf("/api/v1/recipes/%d/rollback", s.recipe.ID), "", "application/json"); status != http.StatusOK {
		t.Errorf("rolling back: %d %s", status, text)
	}
	if back := judge("back"); back[0].Version != before[0].Version+1 {
		t.Errorf("after rolling back version %d judges", back[0].Version)
	}
}

// sameResults fails unless two versions say the same about the test frames.
func (s *site) sameResults(a, b int64) {
	s.t.Helper()
	want, err := s.DB.Results(s.t.Context(), a)
	if err != nil || len(want) == 0 {
		s.t.Fatalf("%d results, %v", len(want), err)
	}
	got, err := s.DB.Results(s.t.Context(), b)
	if err != nil || len(got) != len(want) {
		s.t.Fatalf("%d results, not %d, %v", len(got), len(want), err)
	}
	for i, w := range want {
		g := got[i]
		if g.FrameID != w.FrameID || g.Truth != w.Truth || g.Predicted != w.Predicted || g.Verdict != w.Verdict || math.Abs(g.Fail-w.Fail) > 1e-3 {
			s.t.Errorf("frame %d: %+v, want %+v", w.FrameID, g, w)
		}
		for c := range w.Probabilities {
			if math.Abs(g.Probabilities[c]-w.Probabilities[c]) > 1e-3 {
				s.t.Errorf("frame %d: probabilities %v, want %v", w.FrameID, g.Probabilities, w.Probabilities)
			}
		}
	}
}

// A file of another program, for a recipe without frames: it waits for a person,
// and judges once somebody promotes it.
func TestAForeignFileWaitsWithoutTestFrames(t *testing.T) {
	s := startSite(t)
	r := storage.NewRecipe("Lids", []vision.Class{{Name: "bright", Pass: true, Color: "#5b8c5a", Key: "1"}, {Name: "dark", Color: "#b9770e", Key: "2"}, {Name: "odd", Color: "#1f618d", Key: "3"}})
	r.Region = vision.Region{X: 0.25, Y: 0.25, W: 0.5, H: 0.5}
	r, err := s.DB.AddRecipe(t.Context(), "test", r)
	if err != nil {
		t.Fatal(err)
	}
	_, token, err := s.DB.AddStation(t.Context(), "test", storage.Station{Name: "lids", RecipeID: r.ID})
	if err != nil {
		t.Fatal(err)
	}
	qa := s.signInAs(storage.QA)
	status, v := qa.postModel(r.ID, onnxtest.Bytes(onnxtest.Classifier(256, []string{"bright", "dark"})))
	if status != http.StatusCreated {
		t.Fatalf("%d %+v", status, v)
	}
	if j := s.evaluated(v.JobID); j.State != storage.JobDone || !strings.Contains(j.Message, "version 1 waits: there is no test frame yet") {
		t.Errorf("%s: %s", j.State, j.Message)
	}
	stored, err := s.DB.Version(t.Context(), v.ID)
	if err != nil || stored.State != storage.Candidate || stored.Region != r.Region || stored.Size != 256 || !strings.Contains(stored.Decision, "promote it by hand") || !strings.Contains(string(stored.Statement), `"missing":["odd"]`) {
		t.Errorf("stored as %+v %s, %v", stored, stored.Statement, err)
	}
	if status, page := qa.call(http.MethodGet, fmt.Sprintf("/recipes/%d/model", r.ID), "", "text/html"); status != http.StatusOK || !strings.Contains(page, "It does not know the class odd") || !strings.Contains(page, "from plant 2") {
		t.Errorf("its page answers %d", status)
	}
	if status, text := qa.call("POST", fmt.Sprintf("/api/v1/versions/%d/promote", v.ID), `{"reason":"tried on the bench"}`, "application/json"); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	station := client.New(s.URL, token)
	for name, shade := range map[string]uint8{"bright": 250, "dark": 5} {
		p, err := station.PostFrame(t.Context(), client.Frame{Image: encodePart(t, shaded(shade))}, 30e9)
		if err != nil || p.Inspection == nil || p.Inspection.Class != name {
			t.Errorf("a %s part: %+v, %v", name, p.Inspection, err)
		}
	}
}

// shaded is a part of one shade.
func shaded(shade uint8) image.Image {
	img := image.NewGray(image.Rect(0, 0, 160, 120))
	for i := range img.Pix {
		img.Pix[i] = shade
	}
	return img
}

// badFile is one that cannot be a version, and the answer to it.
type badFile struct {
	what   string
	file   []byte
	status int
	code   string
	says   string
}

// badFiles are for a recipe of good, stain and cut; own is a file of Loupe.
func badFiles(own []byte) []badFile {
	names := []string{"good", "stain"}
	model := func(change func(*onnx.ModelProto)) []byte {
		m := onnxtest.Classifier(224, names)
		change(m)
		return onnxtest.Bytes(m)
	}
	node := func(n *onnx.NodeProto) []byte { return model(func(m *onnx.ModelProto) { onnxtest.Before(m, n) }) }
	return []badFile{
		{"an operator that OpenCV lacks", node(onnxtest.Node("NonMaxSuppression", "/model/nms", "x", []string{"image", "image"})), 422, "model_operator", "cannot read the operator NonMaxSuppression (node /model/nms)"},
		{"nothing", nil, 422, "model_not_onnx", "empty"},
		{"garbage", []byte(strings.Repeat("garbage", 1000)), 422, "model_not_onnx", "whole"},
		{"half of Loupe's own", own[:len(own)/2], 422, "model_not_onnx", "cut off"},
		{"one bit over the end", append(own[:len(own):len(own)], 0xff), 422, "model_not_onnx", "damaged"},
		{"weights in another file", model(func(m *onnx.ModelProto) {
			m.Graph.Initializer[0].RawData, m.Graph.Initializer[0].DataLocation = nil, onnx.TensorProto_EXTERNAL.Enum()
		}), 422, "model_external", "save_as_external_data=False"},
		{"short weights", model(func(m *onnx.ModelProto) { m.Graph.Initializer[0].RawData = make([]byte, 8) }), 422, "model_weights", "384 elements"},
		{"classes of another recipe", model(func(m *onnx.ModelProto) { m.MetadataProps[0] = onnxtest.Entry("loupe.classes", `["good","rust"]`) }), 422, "model_classes", `has no class "rust"`},
		{"one class twice", model(func(m *onnx.ModelProto) { m.MetadataProps[0] = onnxtest.Entry("loupe.classes", `["good","good"]`) }), 422, "model_classes", "twice"},
		{"no classes", model(func(m *onnx.ModelProto) { m.MetadataProps = nil }), 422, "model_classes", "loupe.classes, a JSON list"},
		{"more classes than outputs", model(func(m *onnx.ModelProto) {
			m.MetadataProps[0] = onnxtest.Entry("loupe.classes", `["good","stain","cut"]`)
		}), 422, "model_outputs", "float32 1×2, which does not fit the 3 classes"},
		{"another size", model(func(m *onnx.ModelProto) { m.MetadataProps[1] = onnxtest.Entry("loupe.size", "320") }), 422, "model_input", "loupe.size says 320 pixels and the input image is 224 wide"},
		{"a size that no worker takes", onnxtest.Bytes(onnxtest.Classifier(200, names)), 422, "model_input", "multiple of 32"},
		{"an input of another name", model(func(m *onnx.ModelProto) { m.Graph.Input[0] = onnxtest.Value("data", 1, 3, 224, 224) }), 422, "model_input", `has the inputs "data"`},
		{"an input for grey pictures", model(func(m *onnx.ModelProto) { m.Graph.Input[0] = onnxtest.Value("image", 1, 1, 224, 224) }), 422, "model_input", "float32 1×1×224×224"},
		{"no heat", model(func(m *onnx.ModelProto) { m.Graph.Output = slices.Delete(m.Graph.Output, 1, 2) }), 422, "model_outputs", `no output named heat; it has "probabilities", "pooled"`},
		{"logits", model(func(m *onnx.ModelProto) { m.Graph.Node[3].OpType = new("Relu") }), 422, "model_outputs", "Softmax"},
		{"a pass without end", onnxtest.Bytes(onnxtest.Slow(224, names)), 422, "model_time", "within 5s"},
		{"endless memory", onnxtest.Bytes(onnxtest.Greedy(224, names)), 422, "model_memory", "needs more memory"},
		{"a huge file", make([]byte, models.MostModelBytes+(2<<20)), 413, "model_large", "128 MB"},
	}
}

func TestAFileThatCannotBeAVersionIsRefusedAndNothingElseHappens(t *testing.T) {
	s := startTaughtIn(t, t.TempDir(), func(a *AppSettings) { a.TrialLimit = 5e9 })
	qa := s.signInAs(storage.QA)
	own := qa.export(s.champion(0))
	eventually(t, "both workers there", func() bool { return len(s.pids()) == 2 })
	workers := s.pids()
	for _, c := range badFiles(own) {
		status, answer := qa.postModel(s.recipe.ID, c.file)
		if status != c.status || answer.Code != c.code || !strings.Contains(answer.Detail, c.says) {
			t.Errorf("%s: %d %s %q, want %d %s %q", c.what, status, answer.Code, answer.Detail, c.status, c.code, c.says)
		}
		if c.code == "model_operator" && (answer.Operator != "NonMaxSuppression" || answer.Node != "/model/nms") {
			t.Errorf("%s: operator %q, node %q", c.what, answer.Operator, answer.Node)
		}
	}
	all, err := s.DB.Versions(t.Context(), s.recipe.ID, 10)
	if err != nil || len(all) != 1 {
		t.Errorf("%d versions, %v", len(all), err)
	}
	kept := 0
	if err := s.DB.Blobs.Keys(t.Context(), "models/", func(string, int64) error { kept++; return nil }); err != nil || kept != 1 {
		t.Errorf("%d model files, %v", kept, err)
	}
	s.post(rand.New(rand.NewPCG(8, 8)), "good", "U-1")
	if now := s.pids(); !slices.Equal(now, workers) {
		t.Errorf("the workers are %v, were %v", now, workers)
	}
	if left := childrenOf(os.Getpid()); len(left) > len(workers)+2 { // a browser of other tests may be there
		t.Errorf("processes %v are left, of which %v are workers", left, workers)
	}
}

// pids are the processes of the workers.
func (s *site) pids() (all []int) {
	for _, w := range s.Crew.Workers() {
		all = append(all, w.PID)
	}
	slices.Sort(all)
	return all
}

func TestOnlyWhoMayTrainUploads(t *testing.T) {
	s := startTaught(t)
	file := onnxtest.Bytes(onnxtest.Classifier(224, []string{"good", "stain"}))
	for role, want := range map[storage.Role]int{"": 401, storage.Operator: 403, storage.QA: 201, storage.Admin: 201} {
		p := s.signInAs(role)
		if status, answer := p.postModel(s.recipe.ID, file); status != want {
			t.Errorf("%q: %d %+v", role, status, answer)
		}
		if want != http.StatusCreated {
			continue
		}
		if status, answer := p.postForm(s.recipe.ID, file); status != http.StatusCreated {
			t.Errorf("as a form by %q: %d %+v", role, status, answer)
		}
		p.csrf = ""
		if status, answer := p.postForm(s.recipe.ID, file); status != http.StatusForbidden || answer.Code != "csrf" {
			t.Errorf("without the page's token by %q: %d %+v", role, status, answer)
		}
	}
}

// postForm uploads a file as a form.
func (c *caller) postForm(recipe int64, file []byte) (int, uploaded) {
	c.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	err := form.WriteField("note", "as a form")
	if err == nil {
		part, e := form.CreateFormFile("model", "model.onnx")
		if err = e; e == nil {
			_, err = part.Write(file)
		}
	}
	if err = errors.Join(err, form.Close()); err != nil {
		c.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, fmt.Sprintf("%s/api/v1/recipes/%d/versions", c.base, recipe), &body)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	return c.sendModel(req)
}
