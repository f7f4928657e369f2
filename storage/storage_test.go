package storage_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"loupe/storage"
	"loupe/vision"
)

// folder is a data folder with a clock that moves a second at each look.
type folder struct {
	*storage.DB
	t    testing.TB
	path string
	tick atomic.Int64
}

func open(t testing.TB) *folder {
	t.Helper()
	f := &folder{t: t, path: t.TempDir()}
	f.reopen()
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// reopen closes the folder and opens it again, as after a restart.
func (f *folder) reopen() {
	f.t.Helper()
	if f.DB != nil {
		f.must(f.Close())
	}
	db, err := storage.Open(f.t.Context(), storage.Settings{Folder: f.path, Now: func() time.Time { return time.Unix(1_800_000_000+f.tick.Add(1), 0).UTC() }})
	f.must(err)
	f.DB = db
}

func (f *folder) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// refused fails the test unless err has the code.
func (f *folder) refused(err error, code storage.Code) {
	f.t.Helper()
	if storage.CodeOf(err) != code {
		f.t.Errorf("%v, want %s", err, code)
	}
}

func (f *folder) recipe(name string) storage.Recipe {
	f.t.Helper()
	r, err := f.AddRecipe(f.t.Context(), "ada", storage.NewRecipe(name, []vision.Class{
		{Name: "good", Pass: true, Color: "#5b8c5a", Key: "1"}, {Name: "scratch", Color: "#c0392b", Key: "2"}, {Name: "dent", Color: "#8e44ad", Key: "3"},
	}))
	f.must(err)
	return r
}

func (f *folder) station(r storage.Recipe, name string) storage.Station {
	f.t.Helper()
	s, _, err := f.AddStation(f.t.Context(), "ada", storage.Station{Name: name, Line: "A", RecipeID: r.ID, Demo: r.Demo})
	f.must(err)
	return s
}

// frame adds a frame of a station with a picture like no other.
func (f *folder) frame(s storage.Station, serial string) storage.Frame {
	f.t.Helper()
	fr, _, err := f.AddFrame(f.t.Context(), f.row(s, serial))
	f.must(err)
	return fr
}

func (f *folder) row(s storage.Station, serial string) storage.Frame {
	f.t.Helper()
	picture := []byte(fmt.Sprint("picture ", s.ID, " ", serial))
	key, err := f.Blobs.PutContent(f.t.Context(), "frames", picture)
	f.must(err)
	return storage.Frame{StationID: s.ID, RecipeID: s.RecipeID, BlobKey: key, Format: "png", Bytes: int64(len(picture)), Width: 64, Height: 48, Orientation: 1, Serial: serial}
}

func (f *folder) label(frame int64, class, person string) storage.Correction {
	f.t.Helper()
	c, _, err := f.Correct(f.t.Context(), storage.Correction{FrameID: frame, Class: class, Person: person, Source: "page"})
	f.must(err)
	return c
}

// version adds a version of the recipe.
func (f *folder) version(r storage.Recipe) storage.Version {
	f.t.Helper()
	v, err := f.AddVersion(f.t.Context(), storage.Version{
		RecipeID: r.ID, ParentID: r.ChampionID, Size: 224, Classes: r.ClassNames(), HeadKey: "heads/x", ModelKey: "models/x", ModelSHA: "00", Statement: []byte("{}"), Report: []byte("{}"), CreatedBy: "ada",
	}, nil)
	f.must(err)
	return v
}

// champion adds a version of the recipe that judges its frames.
func (f *folder) champion(r storage.Recipe) storage.Version {
	f.t.Helper()
	v, err := f.Promote(f.t.Context(), "ada", f.version(r).ID, "")
	f.must(err)
	return v
}

// judged is what a version says about a frame.
func judged(fr storage.Frame, v storage.Version, verdict vision.Verdict, class string) storage.Inspection {
	return storage.Inspection{FrameID: fr.ID, VersionID: v.ID, Worker: "w1", Judgement: vision.Judgement{Verdict: verdict, Class: class, Score: 0.9, Probabilities: []vision.Probability{{Class: class, P: 0.9}}}}
}

// judge stores a verdict on a frame.
func (f *folder) judge(fr storage.Frame, v storage.Version, verdict vision.Verdict, class string) storage.Inspection {
	f.t.Helper()
	i, err := f.SaveInspection(f.t.Context(), judged(fr, v, verdict, class))
	f.must(err)
	return i
}

// raw is the database as any other program sees it.
func (f *folder) raw() *sql.DB {
	f.t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(f.path, "loupe.db")+"?_busy_timeout=5000&_foreign_keys=on")
	f.must(err)
	f.t.Cleanup(func() { db.Close() })
	return db
}
