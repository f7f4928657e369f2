package commands

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"loupe/storage"
	"loupe/web/client"
)

// torture is a server that is mistreated while four stations post at full rate.
// What they send and what was acknowledged is written down outside of it.
type torture struct {
	*testing.T
	folder, address, token string
	recipe                 int64
	nats                   *outsideNATS
	rng                    *rand.Rand
	small                  bool          // the data folder is a disk of its own that can be filled
	pace                   time.Duration // of a station, between two frames

	mu     sync.Mutex
	server *program

	sent         atomic.Int64
	acknowledged sync.Map // key → true
	accepted     atomic.Int64
	counts       map[string]int // faults by kind
}

// TestTorture does LOUPE_FAULTS faults at random: by default a few, in the full
// form (go tool task torture) two hundred kills and what belongs to them.
func TestTorture(t *testing.T) {
	faults, pace := 6, 80*time.Millisecond
	if text := os.Getenv("LOUPE_FAULTS"); text != "" {
		var err error
		if faults, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
		pace = 20 * time.Millisecond // what two cores can judge of four stations
	}
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("LOUPE_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("LOUPE_SEED=%d", seed)
	x := newTorture(t, seed)
	x.pace = pace
	ctx, stop := context.WithCancel(t.Context())
	var stations sync.WaitGroup
	for n := range 4 {
		stations.Go(func() { x.station(ctx, n) })
	}
	x.all(faults)
	stop()
	stations.Wait()
	x.settle()
	x.audit()
}

func newTorture(t *testing.T, seed uint64) *torture {
	t.Helper()
	x := &torture{T: t, folder: t.TempDir(), rng: rand.New(rand.NewPCG(seed, 1)), counts: map[string]int{}}
	x.small = smallDisk(t, x.folder, 400)
	s := startSiteIn(t, x.folder)
	s.teachFrom(8)
	x.recipe, x.token = s.recipe.ID, s.token
	s.stop()
	x.nats = newOutsideNATS(t)
	x.address = freeAddress(t)
	x.start()
	return x
}

// start starts the server; it is at the same address each time.
func (x *torture) start() {
	x.Helper()
	p, _ := serve(x.T, x.folder, "--listen", x.address, "--nats", x.nats.url(), "--nats-token", natsSecret, "--threads", "1")
	x.mu.Lock()
	x.server = p
	x.mu.Unlock()
}

// station posts frame after frame, each until it is acknowledged.
func (x *torture) station(ctx context.Context, n int) {
	rng := rand.New(rand.NewPCG(uint64(n), 5))
	c := client.New("http://"+x.address, x.token)
	c.Patience, c.Attempt = time.Second, 15*time.Second
	for i := 0; ctx.Err() == nil; i++ {
		key := fmt.Sprintf("%d-%d", n, i)
		frame := client.Frame{Image: encodePart(x.T, drawPart(rng, []string{"good", "stain"}[i%2])), Serial: key, IdempotencyKey: key}
		x.sent.Add(1)
		for ctx.Err() == nil {
			if _, err := c.PostFrame(ctx, frame, 0); err == nil {
				x.acknowledged.Store(key, true)
				x.accepted.Add(1)
				break
			}
		}
		time.Sleep(x.pace)
	}
}

// all does faults of each kind in random order, more than half of them kills;
// between two of them frames must get through.
func (x *torture) all(n int) {
	x.Helper()
	kinds := []func() string{x.killServer, x.killWorker, x.stopNATS, x.busyDatabase, x.pauseWorker, x.killServer, x.killWorker, x.killServer, x.killWorker}
	if x.small {
		kinds = slices.Insert(kinds, 0, x.fillDisk)
	} else {
		x.Log("the disk is not filled: that needs an administrator, who may mount a small one")
	}
	order := x.rng.Perm(n)
	for _, i := range order {
		kind := kinds[i%len(kinds)]()
		x.counts[kind]++
		before := x.accepted.Load()
		eventually(x.T, "frames get through after "+kind, func() bool { return x.accepted.Load() > before+3 })
		time.Sleep(time.Duration(x.rng.IntN(600)) * time.Millisecond)
	}
}

// settle lets the queue run empty; what was set aside because three workers
// died over it is tried again, as a person would.
func (x *torture) settle() {
	x.Helper()
	db, err := storage.Open(x.Context(), storage.Settings{Folder: x.folder})
	if err != nil {
		x.Fatal(err)
	}
	defer db.Close()
	eventually(x.T, "everything is judged", func() bool {
		aside, err := db.QuarantinedFrames(x.Context(), 100)
		for _, f := range aside {
			x.counts["set aside and tried again"]++
			if e := db.Release(x.Context(), "test", f.ID); e != nil {
				err = e
			}
		}
		w, e := db.Waiting(x.Context())
		return err == nil && e == nil && w.Pending == 0 && w.Quarantined == 0
	})
}

// audit compares what was acknowledged with what is stored.
func (x *torture) audit() {
	x.Helper()
	x.kill()
	x.sound()
	raw, err := sql.Open("sqlite3", "file:"+x.folder+"/loupe.db?mode=ro")
	if err != nil {
		x.Fatal(err)
	}
	defer raw.Close()
	blobs, err := storage.OpenBlobs(x.Context(), "", x.folder+"/blobs")
	if err != nil {
		x.Fatal(err)
	}
	defer blobs.Close()
	acknowledged, judged, lost, doubled, broken := 0, 0, 0, 0, 0
	x.acknowledged.Range(func(key, _ any) bool {
		acknowledged++
		var frames, inspections int
		var blob sql.NullString
		err := raw.QueryRow(`SELECT count(DISTINCT f.id), count(i.id), max(f.blob_key) FROM frames f LEFT JOIN inspections i ON i.frame_id = f.id
			AND i.version_id IN (SELECT version_id FROM promotions) WHERE f.serial = ?`, key).Scan(&frames, &inspections, &blob)
		if err != nil {
			x.Fatal(err)
		}
		switch {
		case frames == 0 || inspections == 0:
			lost++
		case frames > 1 || inspections > 1:
			doubled++
		default:
			judged++
		}
		data, err := blobs.Get(x.Context(), blob.String)
		if err != nil || storage.ContentKey("frames", data) != blob.String {
			broken++
		}
		return true
	})
	var strays int
	if err := raw.QueryRow(`SELECT count(*) FROM inspections WHERE frame_id NOT IN (SELECT id FROM frames)`).Scan(&strays); err != nil {
		x.Fatal(err)
	}
	x.Logf("sent %d, acknowledged %d, judged %d, lost %d, doubled %d, pictures broken %d, inspections without a frame %d", x.sent.Load(), acknowledged, judged, lost, doubled, broken, strays)
	for _, kind := range slices.Sorted(maps.Keys(x.counts)) {
		x.Logf("%4d × %s", x.counts[kind], kind)
	}
	if lost+doubled+broken+strays != 0 || acknowledged < 20 {
		x.Error("the server does not keep what it acknowledged")
	}
}

// sound fails unless the database is whole.
func (x *torture) sound() {
	x.Helper()
	raw, err := sql.Open("sqlite3", "file:"+x.folder+"/loupe.db?_busy_timeout=20000")
	if err != nil {
		x.Fatal(err)
	}
	defer raw.Close()
	var text string
	if err := raw.QueryRow(`PRAGMA integrity_check`).Scan(&text); err != nil || text != "ok" {
		x.Fatalf("integrity_check: %s, %v", text, err)
	}
	rows, err := raw.Query(`PRAGMA foreign_key_check`)
	if err != nil {
		x.Fatal(err)
	}
	defer rows.Close()
	if rows.Next() {
		x.Fatal("a foreign key points nowhere")
	}
}
