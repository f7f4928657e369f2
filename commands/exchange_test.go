package commands

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// put writes files into a new folder.
func put(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// drawn are pictures of parts, each other than the others.
func drawn(t *testing.T, n int) []string {
	t.Helper()
	rng := rand.New(rand.NewPCG(8, 8))
	var all []string
	for range n {
		all = append(all, string(encodePart(t, drawPart(rng, "stain"))))
	}
	return all
}

// ended runs Loupe and gives what it prints.
func ended(t *testing.T, code int, args ...string) (out, trouble string) {
	t.Helper()
	p := newProgram(t, args...)
	if got := p.code(t); got != code {
		t.Fatalf("%v ends with %d, want %d: %s", args, got, code, p.err.String())
	}
	return p.out.String(), p.err.String()
}

func TestForeignDataComeInAndGoOut(t *testing.T) {
	pictures := drawn(t, 5)
	coco, err := json.Marshal(map[string]any{
		"images": []map[string]any{
			{"id": 1, "file_name": "a.png", "width": 160, "height": 120}, {"id": 2, "file_name": "b.png", "width": 160, "height": 120},
			{"id": 3, "file_name": "c.png", "width": 99, "height": 120}, {"id": 4, "file_name": "none.png", "width": 160, "height": 120},
		},
		"categories": []map[string]any{{"id": 5, "name": "stain"}, {"id": 9, "name": "cut"}},
		"annotations": []map[string]any{
			{"id": 1, "image_id": 1, "category_id": 5, "bbox": []float64{10, 20, 5, 5}}, {"id": 2, "image_id": 1, "category_id": 9, "bbox": []float64{30.5, 40, 60, 20}},
			{"id": 3, "image_id": 1, "category_id": 77, "bbox": []float64{1, 1, 1, 1}}, {"id": 4, "image_id": 3, "category_id": 9, "bbox": []float64{1, 1, 1, 1}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	folder := put(t, map[string]string{"val2017/a.png": pictures[0], "val2017/b.png": pictures[1], "val2017/c.png": pictures[2], "annotations/instances_val2017.json": string(coco)})
	if _, says := ended(t, 2, "import", folder, "--recipe", "Caps", "--data", t.TempDir()); !strings.Contains(says, "--background CLASS") || strings.Count(says, "\n") != 1 {
		t.Errorf("without a background class it says %q", says)
	}
	data := t.TempDir()
	out, says := ended(t, 0, "import", folder, "--recipe", "Caps", "--data", data, "--pass", "fine")
	if !strings.HasPrefix(out, `2 pictures imported into "Caps", 0 were there already, 2 refused.`) {
		t.Errorf("it prints %q", out)
	}
	for _, want := range []string{"refused val2017/c.png: the annotations are for 99 × 120 pixels", "refused annotations/none.png: no such file or directory", "left out of val2017/a.png: an annotation has the category 77"} {
		if !strings.Contains(says, want) {
			t.Errorf("%q is not told: %s", want, says)
		}
	}
	if out, _ := ended(t, 0, "import", folder, "--recipe", "Caps", "--data", data, "--pass", "fine"); !strings.HasPrefix(out, "0 pictures imported") {
		t.Errorf("again: %s", out)
	}
	for _, format := range []string{"coco", "voc", "yolo", "folders", "csv"} {
		zip, again := filepath.Join(t.TempDir(), "caps.zip"), filepath.Join(t.TempDir(), "again.zip")
		ended(t, 0, "export", zip, "--recipe", "Caps", "--data", data, "--format", format)
		other := t.TempDir()
		ended(t, 0, "import", zip, "--recipe", "Caps", "--data", other)
		ended(t, 0, "export", again, "--recipe", "Caps", "--data", other, "--format", format)
		was, err := os.ReadFile(zip)
		is, e := os.ReadFile(again)
		if err != nil || e != nil || string(was) != string(is) || len(was) < 1000 {
			t.Errorf("%s: %d bytes became %d, %v, %v", format, len(was), len(is), err, e)
		}
	}
	list := filepath.Join(t.TempDir(), "csv")
	ended(t, 0, "export", list, "--recipe", "Caps", "--data", data, "--format", "csv")
	text, err := os.ReadFile(filepath.Join(list, "pictures.csv"))
	if err != nil || strings.Count(string(text), ",cut,test,") != 1 || strings.Count(string(text), ",fine,test,") != 1 {
		t.Errorf("the largest region names the class, and val is test: %s, %v", text, err)
	}
}

func TestWhatCannotComeInIsOneLineAndExitCode2(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret.png")
	if err := os.WriteFile(outside, []byte(drawn(t, 1)[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string]map[string]string{
		"lies outside the folder":           {"list.csv": "path,class\n../secret.png,good\n"},
		`"/etc/passwd" lies outside`:        {"annotations/x.json": `{"images":[{"id":1,"file_name":"/etc/passwd"}]}`},
		"declares a document type":          {"x.xml": `<!DOCTYPE a [<!ENTITY b "c">]><annotation><filename>a.png</filename></annotation>`},
		"has no names of classes":           {"data.yaml": "names: 7\n"},
		"the JSON ends too early":           {"annotations/x.json": `{"images":[{"id":1,"file_name":"a.png"}],"annotations":[`},
		"no picture is named":               {"readme.txt": "nothing"},
		"must be train, val or test":        {"list.csv": "path,class,split\na.png,good,later\n"},
		"not of a Loupe that this one know": {"loupe.jsonl": `{"loupe":9}`},
	} {
		folder := put(t, files)
		code := 2
		if strings.Contains(name, "document type") { // one picture of many: it is listed
			code = 0
		}
		if _, says := ended(t, code, "import", folder, "--recipe", "Caps", "--data", t.TempDir()); !strings.Contains(says, name) || strings.Count(says, "\n") != 1 {
			t.Errorf("%q is not what it says: %q", name, says)
		}
	}
	folder := put(t, map[string]string{"good/a.png": drawn(t, 1)[0]})
	if err := os.Symlink(outside, filepath.Join(folder, "good", "b.png")); err != nil {
		t.Fatal(err)
	}
	out, says := ended(t, 0, "import", folder, "--recipe", "Caps", "--data", t.TempDir())
	if !strings.Contains(out, "1 pictures imported") || !strings.Contains(says, "refused good/b.png") {
		t.Errorf("a link out of the folder: %s %s", out, says)
	}
	data := t.TempDir()
	ended(t, 0, "import", folder, "--recipe", "Caps", "--data", data)
	for says, args := range map[string][]string{
		"no recipe":     {"export", filepath.Join(t.TempDir(), "x"), "--recipe", "Nuts", "--data", data},
		"is not empty":  {"export", folder, "--recipe", "Caps", "--data", data},
		"no data set 3": {"export", filepath.Join(t.TempDir(), "x"), "--recipe", "Caps", "--data", data, "--dataset", "3"},
		"no format":     {"export", filepath.Join(t.TempDir(), "x"), "--recipe", "Caps", "--data", data, "--format", "pdf"},
	} {
		if _, got := ended(t, 2, args...); !strings.Contains(got, says) {
			t.Errorf("%v says %q", args, got)
		}
	}
}

func TestFramesOfOnePartStayOnOneSide(t *testing.T) {
	pictures := drawn(t, 4)
	files := map[string]string{"list.csv": "path,class,split,group,serial\n"}
	for n, p := range pictures {
		name := fmt.Sprint(n, ".png")
		files[name] = p
		files["list.csv"] += fmt.Sprintf("%s,good,%s,mould 7,S%d\n", name, []string{"test", "train", "train", ""}[n], n)
	}
	data := t.TempDir()
	out, _ := ended(t, 0, "import", filepath.Join(put(t, files), "list.csv"), "--recipe", "Caps", "--data", data)
	if !strings.Contains(out, "4 pictures imported") || !strings.Contains(out, "2 pictures lie on the other side") {
		t.Error(out)
	}
}
