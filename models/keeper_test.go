package models_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"loupe/models"
	"loupe/storage"
)

// What was made of a picture goes with it: its copies and its features; what is
// kept stays whole, and verdicts go on.
func TestKeeperRemovesAllThatWasMadeOfAPicture(t *testing.T) {
	var days atomic.Int64
	p := openAt(t, taught(t), 1, func() time.Time { return time.Now().Add(time.Duration(days.Load()) * 24 * time.Hour) })
	ctx := t.Context()
	r := p.plates()
	r.Keep = storage.KeepRule{Days: 30, ProtectDays: 60}
	if err := p.db.ChangeRecipe(ctx, "qa", r); err != nil {
		t.Fatal(err)
	}
	p.judges()
	for n := range 6 {
		p.send(r.ID, p.picture(kinds[n%3], 50+n))
	}
	copies := filepath.Join(p.folder, "cache", "pictures")
	pictures := models.NewPictures(p.crew, copies)
	keeper := models.NewKeeper(p.db, p.features, pictures, slog.New(slog.DiscardHandler))
	var ok, other storage.Inspection
	for _, i := range p.judged(r.ID, 6) {
		must(pictures.JPEG(ctx, i.Frame, 640))(t)
		if i.Verdict == "OK" {
			ok = i
		} else {
			other = i
		}
	}
	if ok.ID == 0 || other.ID == 0 {
		t.Fatal("the plates are all judged alike")
	}
	keep := func(after int64) {
		t.Helper()
		days.Add(after)
		if err := keeper.Keep(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if near := must(p.similar.Similar(ctx, ok.FrameID, 3))(t); len(near) != 3 {
		t.Fatalf("like it are %v", near)
	}
	keep(31)
	keep(2)
	p.gone(copies, ok, true)
	p.gone(copies, other, false)
	keep(60)
	keep(2)
	p.gone(copies, other, true)
	for _, f := range must(p.db.DataSet(ctx, r.ID))(t) {
		if there := must(p.db.Blobs.Exists(ctx, f.BlobKey))(t); !there {
			t.Errorf("the picture of labelled frame %d is gone", f.FrameID)
		}
	}
	p.send(r.ID, p.picture(kinds[0], 60))
	p.judged(r.ID, 7)
}

// gone compares whether a picture and all that was made of it are gone.
func (p *plant) gone(copies string, i storage.Inspection, want bool) {
	p.Helper()
	ctx := p.Context()
	if there := must(p.db.Blobs.Exists(ctx, i.Frame.BlobKey))(p); there == want {
		p.Errorf("the picture of frame %d is there: %v", i.FrameID, there)
	}
	name := i.Frame.BlobKey[strings.LastIndexByte(i.Frame.BlobKey, '/')+1:]
	left := must(filepath.Glob(filepath.Join(copies, "*", name+"*")))(p)
	if (len(left) == 0) != want {
		p.Errorf("copies of frame %d: %v", i.FrameID, left)
	}
	near, err := p.similar.Similar(ctx, i.FrameID, 3)
	if err != nil || (len(near) == 0) != want {
		p.Errorf("frame %d is like %v, %v", i.FrameID, near, err)
	}
	if _, err := p.db.Inspection(ctx, i.ID); err != nil {
		p.Errorf("the verdict: %v", err)
	}
	if _, err := os.Stat(copies); err != nil {
		p.Error(err)
	}
}
