// Package static holds the stylesheets, scripts and icons of the pages, and the
// third-party scripts they use, embedded in the binary. Their addresses carry a
// hash of the content, so that a browser may keep them for ever.
package static

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"strings"
)

//go:embed css js icons vendor grafana-loupe.json systemd
var files embed.FS

// Prefix is where the files are served.
const Prefix = "/static/"

// hash is one for the whole tree, so that a module's relative import stays
// under the same address as the module.
var hash = treeHash()

func treeHash() string {
	h := sha256.New()
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		h.Write([]byte(name))
		h.Write([]byte{0})
		h.Write(b)
		return nil
	})
	if err != nil {
		panic("the embedded files cannot be read: " + err.Error())
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// Hash names the content of all files together.
func Hash() string { return hash }

// URL gives the address of a file such as "css/base.css".
func URL(name string) string { return Prefix + hash + "/" + name }

// FS gives the files, with names such as "css/base.css".
func FS() fs.FS { return files }

// Units gives the unit files for systemd.
func Units() fs.FS {
	units, err := fs.Sub(files, "systemd")
	if err != nil {
		panic("the embedded files cannot be read: " + err.Error())
	}
	return units
}

// Handler serves the addresses that URL gives. An address with the hash of
// another build is answered with today's file, but not kept by the browser.
func Handler() http.Handler {
	server := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked, name, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, Prefix), "/")
		if info, err := fs.Stat(files, name); !ok || err != nil || info.IsDir() {
			http.NotFound(w, r)
			return
		}
		if asked == hash {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			w.Header().Set("Cache-Control", "no-cache")
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		http.StripPrefix(Prefix+asked, server).ServeHTTP(w, r)
	})
}
