package web

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"loupe/storage"
	"loupe/web/ui"
)

func (w *Server) healthPage(c echo.Context) error {
	p, err := w.page(c, ui.SectionSetUp)
	if err != nil {
		return err
	}
	v, err := w.healthView(c.Request().Context())
	if err != nil {
		return err
	}
	p.Events = ui.EventsURL("health", 0, "")
	return w.render(c, http.StatusOK, ui.HealthPage(p, v))
}

func (l *live) health() error {
	v, err := l.healthView(l.ctx)
	return l.fragment("health", ui.HealthFragment(v), err)
}

// healthView puts a reading into what the page shows.
func (w *Server) healthView(ctx context.Context) (ui.HealthView, error) {
	r, err := w.vitals.Read(ctx)
	now := w.views.Now()
	v := ui.HealthView{
		Now: now, Trouble: string(r.Trouble), Accepted: r.Accepted, Judged: r.Judged, AcceptedMin: r.AcceptedMin, JudgedMin: r.JudgedMin,
		Frames: r.Frames, Pending: r.Pending, Quarantined: r.Quarantined, Oldest: r.Oldest,
		Free: r.Disk.Free, Total: r.Disk.Total, Database: r.Disk.Database, WAL: r.Disk.WAL, GrowthDay: r.GrowthDay, DaysLeft: r.DaysLeft,
		Backup: healthBackup(r.Backup, now.Location()), Version: w.Version, StartedAt: w.views.StartedAt.In(now.Location()),
	}
	for _, one := range r.Workers {
		v.Workers = append(v.Workers, ui.HealthWorker{Name: one.Name, Host: one.Host, Version: one.Version, Engine: cmp.Or(one.Engine, "OpenCV"), Refused: one.Refused,
			Busy: one.Busy, Frames: one.Frames, PerSecond: one.PerSecond, Since: one.Since.In(now.Location())})
	}
	for _, s := range r.Stages {
		v.Stages = append(v.Stages, ui.HealthStage(s))
	}
	return v, err
}

func healthBackup(r storage.BackupRecord, zone *time.Location) ui.HealthBackup {
	b := ui.HealthBackup{
		Folder: r.Folder, Snapshot: r.Snapshot, Error: r.Error, Took: time.Duration(r.Seconds * float64(time.Second)), Bytes: r.Bytes(),
		Copied: r.Copied, Sized: r.Sized, Verified: r.Verified, Repaired: r.Repaired, Lost: r.LostCount, Snapshots: r.Snapshots,
		Frames: r.Frames, Damaged: r.Damaged,
	}
	if !r.At.IsZero() {
		b.At = r.At.In(zone)
	}
	if !r.SoundAt.IsZero() {
		b.SoundAt = r.SoundAt.In(zone)
	}
	return b
}
