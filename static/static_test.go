package static

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestVendoredFilesMatchTheirTable(t *testing.T) {
	table, err := fs.ReadFile(FS(), "vendor/README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`\| (\S+\.(?:js|css)) \| ([0-9a-f]{64}) \|`).FindAllStringSubmatch(string(table), -1)
	listed := map[string]bool{}
	for _, row := range rows {
		b, err := fs.ReadFile(FS(), "vendor/"+row[1])
		if err != nil {
			t.Error(err)
			continue
		}
		sum := sha256.Sum256(b)
		if got := hex.EncodeToString(sum[:]); got != row[2] {
			t.Errorf("%s has the checksum %s, the table says %s", row[1], got, row[2])
		}
		listed[row[1]] = true
		folder, _, _ := strings.Cut(row[1], "/")
		if _, err := fs.Stat(FS(), "vendor/"+folder+"/LICENSE"); err != nil {
			t.Errorf("%s comes without its licence: %v", folder, err)
		}
	}
	scripts, _ := fs.Glob(FS(), "vendor/*/*.*s")
	for _, name := range scripts {
		if !listed[strings.TrimPrefix(name, "vendor/")] {
			t.Errorf("%s is not in the table", name)
		}
	}
}

func TestAddressesWithTheHashAreKept(t *testing.T) {
	for path, want := range map[string]struct {
		status int
		cache  string
	}{
		URL("css/base.css"):            {200, "public, max-age=31536000, immutable"},
		"/static/older/css/base.css":   {200, "no-cache"},
		URL("css/none.css"):            {404, ""},
		URL("css"):                     {404, ""},
		"/static/" + Hash() + "/":      {404, ""},
		URL("../static.go"):            {404, ""},
		URL("vendor/../../static.go"):  {404, ""},
		"/static/" + Hash() + "//js/x": {404, ""},
	} {
		rec := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path = path
		Handler().ServeHTTP(rec, r)
		if rec.Code != want.status || want.status == 200 && rec.Header().Get("Cache-Control") != want.cache {
			t.Errorf("GET %s: %d, %q; want %d, %q", path, rec.Code, rec.Header().Get("Cache-Control"), want.status, want.cache)
		}
	}
}
