package storage_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"loupe/storage"
)

// files calls look with each file of the data folder.
func (f *folder) files(look func(path string, data []byte)) {
	f.t.Helper()
	f.must(filepath.WalkDir(f.path, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		look(path, data)
		return err
	}))
}

func TestTokensAreStoredAsHashesOnly(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	s, token, err := f.AddStation(ctx, "ada", storage.Station{Name: "press", RecipeID: r.ID})
	f.must(err)
	if found, err := f.StationByToken(ctx, token); err != nil || found.ID != s.ID {
		t.Errorf("%+v, %v", found, err)
	}
	fresh, err := f.RotateToken(ctx, "ada", s.ID)
	f.must(err)
	looked := 0
	f.files(func(path string, data []byte) { // the database, its log, and whatever else lies there
		if bytes.Contains(data, []byte("press")) {
			looked++
		}
		for _, secret := range []string{token, fresh} {
			if bytes.Contains(data, []byte(strings.TrimPrefix(secret, "loupe_"))) {
				t.Errorf("a token is in %s", path)
			}
		}
	})
	if looked == 0 {
		t.Error("not even the station's name was found: that tests nothing")
	}
	_, err = f.StationByToken(ctx, token)
	f.refused(err, storage.NotFound)
	_, err = f.StationByToken(ctx, fresh)
	f.must(err)
	f.must(f.RevokeStation(ctx, "ada", s.ID))
	if found, err := f.StationByToken(ctx, fresh); err == nil && !found.Revoked {
		t.Error("a revoked station's token is good")
	}
}

func TestStationsThatCannotBeAreRefused(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	press, oven := f.station(r, "press"), f.station(r, "oven")
	for name, c := range map[string]struct {
		change func(s *storage.Station)
		code   storage.Code
	}{
		"no name":           {func(s *storage.Station) { s.Name = "  " }, storage.Invalid},
		"a long line":       {func(s *storage.Station) { s.Line = strings.Repeat("x", 101) }, storage.Invalid},
		"a name in use":     {func(s *storage.Station) { s.Name = " OVEN " }, storage.Conflict},
		"an unknown recipe": {func(s *storage.Station) { s.RecipeID = 999 }, storage.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			bad := press
			c.change(&bad)
			f.refused(f.ChangeStation(ctx, "ada", bad), c.code)
			_, token, err := f.AddStation(ctx, "ada", bad)
			f.refused(err, c.code)
			_, err = f.StationByToken(ctx, token)
			f.refused(err, storage.NotFound)
		})
	}
	all, err := f.Stations(ctx)
	if err != nil || len(all) != 2 || all[0] != oven || all[1] != press {
		t.Errorf("%+v, %v", all, err)
	}
}

// The frames of a revoked station stay its own, and its name is free again.
func TestARevokedStationIsHistory(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	old := f.station(r, "press")
	fr := f.frame(old, "1")
	f.must(f.RevokeStation(ctx, "ada", old.ID))
	f.refused(f.RevokeStation(ctx, "ada", old.ID), storage.NotFound)
	f.refused(f.ChangeStation(ctx, "ada", old), storage.NotFound)
	_, err := f.RotateToken(ctx, "ada", old.ID)
	f.refused(err, storage.NotFound)
	fresh := f.station(r, "press")
	if all, err := f.Stations(ctx); err != nil || len(all) != 1 || all[0].ID != fresh.ID {
		t.Errorf("in use are %+v, %v", all, err)
	}
	if now, err := f.Station(ctx, old.ID); err != nil || !now.Revoked || now.Name != "press" {
		t.Errorf("the old one is %+v, %v", now, err)
	}
	if now, err := f.Frame(ctx, fr.ID); err != nil || now.StationID != old.ID {
		t.Errorf("the frame belongs to station %d, %v", now.StationID, err)
	}
	f.must(f.TouchStation(ctx, fresh.ID))
	if now, err := f.Station(ctx, fresh.ID); err != nil || !now.LastSeenAt.After(now.CreatedAt) {
		t.Errorf("last seen at %v, %v", now.LastSeenAt, err)
	}
}
