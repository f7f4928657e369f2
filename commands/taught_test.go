package commands

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"loupe/storage"
	"loupe/web/client"
)

// lesson is a data folder with a recipe that has learned, made once and copied
// for each test: learning takes seconds.
var lesson struct {
	sync.Mutex
	folder                 string // "" until it is made
	recipe                 storage.Recipe
	token, admin, password string
}

// startTaught serves a folder with what teach makes in it.
func startTaught(t testing.TB) *site { return startTaughtIn(t, t.TempDir()) }

// startTaughtIn does so in a folder that is empty.
func startTaughtIn(t testing.TB, folder string, with ...func(*AppSettings)) *site {
	t.Helper()
	learn(t)
	if err := os.CopyFS(folder, os.DirFS(lesson.folder)); err != nil {
		t.Fatal(err)
	}
	s := startSiteIn(t, folder, with...)
	s.recipe, s.token = lesson.recipe, lesson.token
	s.Admin, s.Password = lesson.admin, lesson.password
	s.station = client.New(s.URL, s.token)
	return s
}

func learn(t testing.TB) {
	t.Helper()
	lesson.Lock()
	defer lesson.Unlock()
	if lesson.folder != "" {
		return
	}
	folder, err := os.MkdirTemp("", "loupe-lesson-")
	if err != nil {
		t.Fatal(err)
	}
	s := startSiteIn(t, folder)
	s.teach()
	lesson.recipe, lesson.token, lesson.admin, lesson.password = s.recipe, s.token, s.Admin, s.Password
	s.stop()
	if err := os.Remove(filepath.Join(folder, "server.lock")); err != nil {
		t.Fatal(err)
	}
	lesson.folder = folder
}

// forget removes the lesson when all tests are done.
func forget() {
	if lesson.folder != "" {
		_ = os.RemoveAll(lesson.folder)
	}
}
