// Package vitals watches how the server does: one reading feeds the Health
// page, /metrics and /readyz, so that they tell the same truth.
package vitals

import (
	"context"
	"slices"
	"sync"
	"time"

	"loupe/storage"
	"loupe/vision"
	"loupe/vision/pool"
)

// Stages of a frame's way, in their order.
var Stages = []string{"queue", "read", "decode", "prepare", "forward", "explain", "total"}

// StageTimes gives the milliseconds of a frame's stages, in their order.
func StageTimes(t vision.Timings) []float64 {
	return []float64{t.Queue, t.Read, t.Decode, t.Prepare, t.Forward, t.Explain, t.Total}
}

const (
	// recentFrames is over how many of the newest frames percentiles are taken.
	recentFrames = 2000
	// rateSpan is over how long a rate is taken.
	rateSpan = time.Minute
	// historyMinutes is how far back the page shows the frames a minute.
	historyMinutes = 60
	// longestWait is how long a frame may wait before frames count as not judged.
	longestWait = time.Minute
	// leastFree is the room below which the disk counts as full, in bytes.
	leastFree = 64 << 20
)

// Recorder gathers what happens. It is safe for concurrent use.
type Recorder struct {
	db      *storage.DB
	workers func() []pool.Worker

	mu       sync.Mutex
	accepted *counter
	judged   *counter
	byWorker map[string]*counter
	recent   [][]float64 // ring of StageTimes
	next     int
	grows    float64 // bytes a second, as measured at
	grewAt   time.Time
}

// New makes a recorder that listens to the database.
func New(db *storage.DB, workers func() []pool.Worker) *Recorder {
	r := &Recorder{db: db, workers: workers, accepted: &counter{}, judged: &counter{}, byWorker: map[string]*counter{}}
	db.Listen(r.note)
	return r
}

func (r *Recorder) note(e storage.Event) {
	if e.Kind != storage.FrameAdded && e.Kind != storage.InspectionMade || e.StationID == 0 { // imports are no load
		return
	}
	now := r.db.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Kind == storage.FrameAdded {
		r.accepted.add(now)
		return
	}
	r.judged.add(now)
	name := e.Inspection.Worker
	if r.byWorker[name] == nil {
		r.byWorker[name] = &counter{}
	}
	r.byWorker[name].add(now)
	times := StageTimes(e.Inspection.Timings)
	if len(r.recent) < recentFrames {
		r.recent = append(r.recent, times)
		return
	}
	r.recent[r.next] = times
	r.next = (r.next + 1) % recentFrames
}

// Reading is how the server does at one moment.
type Reading struct {
	At          time.Time
	Workers     []Worker
	Accepted    float64   // frames a second over the last minute
	Judged      float64   // frames a second over the last minute
	AcceptedMin []float64 // frames in each of the last 60 minutes, oldest first
	JudgedMin   []float64
	Stages      []Stage
	Frames      int // that the stages are taken from
	Pending     int
	Quarantined int
	Oldest      time.Duration // how long the first live frame waits, 0 for none
	Disk        storage.Disk
	GrowthDay   float64 // bytes a day, 0 while it is not known
	DaysLeft    float64 // until the disk is full, −1 while it is not known
	Backup      storage.BackupRecord
	Trouble     Trouble // why frames cannot be accepted or judged, "" when they can
}

// Worker is a vision worker with what it does.
type Worker struct {
	pool.Worker
	PerSecond float64 // frames over the last minute
}

// Stage is the time of one stage over the newest frames, in milliseconds.
type Stage struct {
	Name          string
	P50, P95, P99 float64
}

// Trouble names a reason for which frames cannot be accepted or judged.
type Trouble string

const (
	NoTrouble  Trouble = ""
	NoDatabase Trouble = "database"  // it cannot be written
	DiskFull   Trouble = "disk_full" // no room for pictures
	NoWorker   Trouble = "no_worker" // nobody judges
	Stuck      Trouble = "stuck"     // a live frame waits for more than a minute
)

// Read takes a reading. With an error it says NoDatabase, and only what the
// server itself knows is filled in.
func (r *Recorder) Read(ctx context.Context) (v Reading, err error) {
	defer func() {
		if err != nil {
			v.Trouble = NoDatabase
		}
	}()
	now := r.db.Now()
	v = Reading{At: now, DaysLeft: -1}
	r.counts(&v, now)
	w, err := r.db.Waiting(ctx)
	if err != nil {
		return v, err
	}
	v.Pending, v.Quarantined = w.Pending, w.Quarantined
	oldest, err := r.db.OldestWaiting(ctx)
	if err != nil {
		return v, err
	}
	if !oldest.IsZero() {
		v.Oldest = max(0, now.Sub(oldest))
	}
	if v.Disk, err = r.db.Disk(); err != nil {
		return v, err
	}
	growth, err := r.growth(ctx, v.Disk.Database, now)
	if err != nil {
		return v, err
	}
	if growth > 0 {
		v.GrowthDay, v.DaysLeft = growth*86400, float64(v.Disk.Free)/growth/86400
	}
	if v.Backup, err = r.db.LastBackup(ctx); err != nil {
		return v, err
	}
	v.Trouble = v.trouble(r.db.Ready(ctx))
	return v, nil
}

// growth measures anew after a minute only: it looks at thousands of frames.
func (r *Recorder) growth(ctx context.Context, database int64, now time.Time) (float64, error) {
	r.mu.Lock()
	grows, fresh := r.grows, !r.grewAt.IsZero() && now.Sub(r.grewAt).Abs() < time.Minute
	r.mu.Unlock()
	if fresh {
		return grows, nil
	}
	grows, err := r.db.Growth(ctx, database)
	if err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.grows, r.grewAt = grows, now
	return grows, nil
}

// Able counts the workers that take frames.
func (v Reading) Able() (n int) {
	for _, w := range v.Workers {
		if w.Refused == "" {
			n++
		}
	}
	return n
}

func (v Reading) trouble(database error) Trouble {
	switch {
	case storage.CodeOf(database) == storage.Full || v.Disk.Free < leastFree:
		return DiskFull
	case database != nil:
		return NoDatabase
	case v.Able() == 0:
		return NoWorker
	case v.Oldest > longestWait:
		return Stuck
	}
	return NoTrouble
}

// counts fills in what the recorder itself knows.
func (r *Recorder) counts(v *Reading, now time.Time) {
	workers := r.workers()
	r.mu.Lock()
	defer r.mu.Unlock()
	v.Accepted, v.Judged = r.accepted.rate(now), r.judged.rate(now)
	v.AcceptedMin, v.JudgedMin = r.accepted.minutes(now), r.judged.minutes(now)
	alive := map[string]*counter{}
	for _, w := range workers {
		one := Worker{Worker: w}
		if c := r.byWorker[w.Name]; c != nil {
			one.PerSecond, alive[w.Name] = c.rate(now), c
		}
		v.Workers = append(v.Workers, one)
	}
	r.byWorker = alive // those that left are forgotten
	v.Frames = len(r.recent)
	for i, name := range Stages {
		v.Stages = append(v.Stages, stage(name, i, r.recent))
	}
}

func stage(name string, i int, recent [][]float64) Stage {
	if len(recent) == 0 {
		return Stage{Name: name}
	}
	ms := make([]float64, len(recent))
	for n, times := range recent {
		ms[n] = times[i]
	}
	slices.Sort(ms)
	at := func(q float64) float64 { return ms[min(len(ms)-1, int(q*float64(len(ms))))] }
	return Stage{Name: name, P50: at(.5), P95: at(.95), P99: at(.99)}
}
