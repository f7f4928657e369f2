package web

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"loupe/storage"
	"loupe/web/vitals"
)

// vitalsCollector tells Prometheus what the Health page tells people, from one
// reading at each collection.
type vitalsCollector struct{ w *Server }

var vitalsMetrics = struct {
	ready, pending, quarantined, oldest, workers, worker, free, daysLeft, database, wal    *prometheus.Desc
	drift                                                                                  *prometheus.Desc
	backup, backupOK, backupSeconds, backupBytes, backupBlobs, backupLost, backupSnapshots *prometheus.Desc
}{
	ready:       describe("loupe_ready", "1 when frames can be accepted and judged, else 0 with the reason.", "trouble"),
	pending:     describe("loupe_frames_pending", "Frames that wait for a verdict."),
	quarantined: describe("loupe_frames_quarantined", "Frames that a person must decide about."),
	oldest:      describe("loupe_oldest_pending_seconds", "How long the first live frame has been waiting."),
	workers:     describe("loupe_workers", "Vision workers alive that take frames."),
	worker:      describe("loupe_worker_frames_per_second", "Frames a second of a worker over the last minute.", "worker", "host"),
	free:        describe("loupe_disk_free_bytes", "Room left on the disk of the data folder."),
	daysLeft:    describe("loupe_disk_days_left", "Days until the disk is full at the measured growth; -1 while it is not known."),
	database:    describe("loupe_database_bytes", "Size of the database."),
	wal:         describe("loupe_database_wal_bytes", "Size of the database's write-ahead log."),
	drift:       describe("loupe_station_drift", "Seconds since a station's pictures or verdicts drift from the training frames, for each that does.", "station", "cause"),
	backup:      describe("loupe_last_backup_timestamp_seconds", "When the last backup without an error was made; 0 for never."),

	backupOK:        describe("loupe_last_backup_ok", "1 when the last backup saved everything and all that is kept is sound, else 0."),
	backupSeconds:   describe("loupe_last_backup_duration_seconds", "How long the last backup took."),
	backupBytes:     describe("loupe_last_backup_written_bytes", "What the last backup wrote, the database and blobs."),
	backupBlobs:     describe("loupe_last_backup_blobs", "Pictures and models of the last backup: copied, checked by size, read and verified, or repaired (of those copied).", "how"),
	backupLost:      describe("loupe_last_backup_lost", "Pictures and models that the last backup found lost in the data folder."),
	backupSnapshots: describe("loupe_backup_snapshots", "Snapshots that the last backup left in its folder."),
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe implements prometheus.Collector.
func (c vitalsCollector) Describe(to chan<- *prometheus.Desc) {
	m := vitalsMetrics
	for _, d := range []*prometheus.Desc{m.ready, m.pending, m.quarantined, m.oldest, m.workers, m.worker, m.free, m.daysLeft, m.database, m.wal, m.drift,
		m.backup, m.backupOK, m.backupSeconds, m.backupBytes, m.backupBlobs, m.backupLost, m.backupSnapshots} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c vitalsCollector) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	r, err := c.w.vitals.Read(ctx)
	if err != nil {
		c.w.Log.Warn("cannot take a reading", "error", err)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	m := vitalsMetrics
	ready := 0.0
	if r.Trouble == vitals.NoTrouble {
		ready = 1
	}
	gauge(m.ready, ready, string(r.Trouble))
	if err != nil {
		return // the rest is not known
	}
	for _, one := range r.Workers {
		gauge(m.worker, one.PerSecond, one.Name, one.Host)
	}
	gauge(m.workers, float64(r.Able()))
	gauge(m.pending, float64(r.Pending))
	gauge(m.quarantined, float64(r.Quarantined))
	gauge(m.oldest, r.Oldest.Seconds())
	gauge(m.free, float64(r.Disk.Free))
	gauge(m.daysLeft, r.DaysLeft)
	gauge(m.database, float64(r.Disk.Database))
	gauge(m.wal, float64(r.Disk.WAL))
	backupMetrics(r.Backup, gauge)
	c.drifts(ctx, gauge)
}

func (c vitalsCollector) drifts(ctx context.Context, gauge func(d *prometheus.Desc, v float64, labels ...string)) {
	open, err := c.w.DB.OpenDrifts(ctx)
	if err != nil {
		c.w.Log.Warn("cannot read which stations drift", "error", err)
	}
	for _, a := range open {
		for _, cause := range a.Causes {
			gauge(vitalsMetrics.drift, c.w.DB.Now().Sub(a.Since).Seconds(), a.Station, cause.Cause)
		}
	}
}

func backupMetrics(b storage.BackupRecord, gauge func(d *prometheus.Desc, v float64, labels ...string)) {
	m := vitalsMetrics
	at, ok := 0.0, 0.0
	if !b.SoundAt.IsZero() {
		at = float64(b.SoundAt.Unix())
	}
	if !b.At.IsZero() && b.Whole() {
		ok = 1
	}
	gauge(m.backup, at)
	gauge(m.backupOK, ok)
	gauge(m.backupSeconds, b.Seconds)
	gauge(m.backupBytes, float64(b.Bytes()))
	for how, n := range map[string]int{"copied": b.Copied, "sized": b.Sized, "verified": b.Verified, "repaired": b.Repaired} {
		gauge(m.backupBlobs, float64(n), how)
	}
	gauge(m.backupLost, float64(b.LostCount))
	gauge(m.backupSnapshots, float64(b.Snapshots))
}
