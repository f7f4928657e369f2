package ui

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// HealthView is how the server does, for people.
type HealthView struct {
	Now         time.Time
	Trouble     string // "database", "disk_full", "no_worker", "stuck" or "" when frames are judged
	Workers     []HealthWorker
	Accepted    float64 // frames a second over the last minute
	Judged      float64
	AcceptedMin []float64 // frames in each of the last minutes, oldest first
	JudgedMin   []float64
	Stages      []HealthStage
	Frames      int // that the stages are taken from
	Pending     int
	Quarantined int
	Oldest      time.Duration
	Free, Total int64 // bytes of the disk
	Database    int64
	WAL         int64
	GrowthDay   float64 // bytes, 0 while it is not known
	DaysLeft    float64 // −1 while it is not known
	Backup      HealthBackup
	Version     string // of the program
	StartedAt   time.Time
}

// HealthWorker is one vision worker.
type HealthWorker struct {
	Name, Host, Version, Engine, Refused string
	Busy                                 int
	Frames                               int64
	PerSecond                            float64
	Since                                time.Time
}

// HealthBackup is the last backup; its time is zero where there was none.
type HealthBackup struct {
	At, SoundAt                       time.Time // of the last one, and of the last without an error
	Folder, Snapshot, Error           string
	Took                              time.Duration
	Bytes                             int64 // written
	Copied, Sized, Verified, Repaired int   // pictures and models
	Lost, Snapshots                   int
	Frames                            []int64  // some of those that lost their pictures
	Damaged                           []string // what only older snapshots name
}

// HealthStage is the time of one stage in milliseconds.
type HealthStage struct {
	Name          string
	P50, P95, P99 float64
}

// backupOld is when a backup is pointed out as old.
const backupOld = 48 * time.Hour

// soonFull is how many days of room are pointed out as few.
const soonFull = 14

// Backed says whether there is a sound backup of everything that is not old.
func (v HealthView) Backed() bool {
	b := v.Backup
	return !b.At.IsZero() && b.Error == "" && b.Lost == 0 && len(b.Damaged) == 0 && v.Now.Sub(b.At) < backupOld
}

// Roomy says whether the disk lasts for a while.
func (v HealthView) Roomy() bool {
	return v.Trouble != "disk_full" && (v.DaysLeft < 0 || v.DaysLeft >= soonFull) && v.Free*20 > v.Total
}

// spark draws frames a minute as a path in a box of 600 by 60 whose top is the
// most in any minute.
func spark(values []float64, top float64) string {
	if len(values) < 2 || top <= 0 {
		return ""
	}
	var b strings.Builder
	for i, v := range values {
		fmt.Fprintf(&b, "%c%.1f %.1f", "ML"[min(i, 1)], 600*float64(i)/float64(len(values)-1), 58-56*v/top)
	}
	return b.String()
}

func mostOf(all ...[]float64) (top float64) {
	for _, values := range all {
		for _, v := range values {
			top = max(top, v)
		}
	}
	return top
}

func daysLeft(ctx context.Context, v HealthView) string {
	switch {
	case v.DaysLeft < 0:
		return T(ctx, "health.days.unknown")
	case v.DaysLeft > 3650:
		return T(ctx, "health.days.many")
	}
	return T(ctx, "health.days", "N", int(v.DaysLeft))
}

func waited(ctx context.Context, v HealthView) string {
	if v.Oldest == 0 {
		return T(ctx, "health.queue.empty")
	}
	return T(ctx, "health.queue.oldest", "Time", Span(ctx, v.Oldest))
}

// frameList names frames by their IDs.
func frameList(ids []int64) string {
	if len(ids) == 0 {
		return "–"
	}
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, id)
	}
	return b.String()
}

func tone(good bool) string {
	if good {
		return "fine"
	}
	return "bad"
}

// troubleWords says in words why frames are not accepted or judged.
func troubleWords(ctx context.Context, name string) string {
	switch name {
	case "database":
		return T(ctx, "health.trouble.database")
	case "disk_full":
		return T(ctx, "health.trouble.disk_full")
	case "no_worker":
		return T(ctx, "health.trouble.no_worker")
	case "stuck":
		return T(ctx, "health.trouble.stuck")
	}
	return name
}

// troubleDo says what to do about it.
func troubleDo(ctx context.Context, name string) string {
	switch name {
	case "database":
		return T(ctx, "health.trouble.database.do")
	case "disk_full":
		return T(ctx, "health.trouble.disk_full.do")
	case "no_worker":
		return T(ctx, "health.trouble.no_worker.do")
	case "stuck":
		return T(ctx, "health.trouble.stuck.do")
	}
	return ""
}

// stageWords names a stage of a frame's way.
func stageWords(ctx context.Context, name string) string {
	switch name {
	case "queue":
		return T(ctx, "health.stage.queue")
	case "read":
		return T(ctx, "health.stage.read")
	case "decode":
		return T(ctx, "health.stage.decode")
	case "prepare":
		return T(ctx, "health.stage.prepare")
	case "forward":
		return T(ctx, "health.stage.forward")
	case "explain":
		return T(ctx, "health.stage.explain")
	case "total":
		return T(ctx, "health.stage.total")
	}
	return name
}
