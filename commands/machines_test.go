package commands

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"loupe/storage"
	"loupe/web/client"
)

// machines is a plant on eight hosts: a server, three workers, a NATS cluster
// of three and an S3-compatible store.
type machines struct {
	*testing.T
	folder, token  string
	recipe         int64
	server, bucket *host
	workers, nats  []*host
}

func newMachines(t *testing.T) *machines {
	t.Helper()
	n := newPlantNet(t)
	m := &machines{T: t, folder: t.TempDir()}
	s := startTaughtIn(t, m.folder)
	m.recipe, m.token = s.recipe.ID, s.token
	s.stop()
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")

	m.bucket = n.host(9)
	kept := t.TempDir()
	m.bucket.run = func() *program {
		return node(t, "s3", "LOUPE_TEST_ADDRESS="+m.bucket.address, "LOUPE_TEST_FOLDER="+kept)
	}
	m.bucket.start()
	blobs := "s3://plant?" + url.Values{"endpoint": {"http://" + m.bucket.address + ":9000"}, "region": {"us-east-1"}, "use_path_style": {"true"}}.Encode()
	m.upload(blobs)

	routes, servers := "", ""
	for i := range 3 {
		h := n.host(11 + i)
		routes += fmt.Sprintf("nats://%s:6222,", h.address)
		servers += fmt.Sprintf("nats://%s:4222,", h.address)
		h.run = func() *program {
			return node(t, "nats", "LOUPE_TEST_ADDRESS="+h.address, "LOUPE_TEST_ROUTES="+routes[:len(routes)-1])
		}
		m.nats = append(m.nats, h)
	}
	for _, h := range m.nats {
		h.start()
	}
	servers = servers[:len(servers)-1]
	m.server = n.host(2)
	m.server.run = func() *program {
		p := newProgram(t, "serve", "--data", m.folder, "--listen", m.server.address+":8080", "--workers", "0", "--nats", servers, "--blobs", blobs)
		p.Env = append(p.Env, "LOUPE_NATS_TOKEN=plant secret")
		return p
	}
	for i := range 3 {
		h := n.host(21 + i)
		h.run = func() *program {
			p := newProgram(t, "worker", "--nats", servers, "--blobs", blobs, "--threads", "1", "--name", fmt.Sprint("worker ", i+1))
			p.Env = append(p.Env, "LOUPE_NATS_TOKEN=plant secret")
			return p
		}
		m.workers = append(m.workers, h)
	}
	return m
}

// upload moves what the site learned into the bucket.
func (m *machines) upload(blobs string) {
	m.Helper()
	var store *storage.Blobs
	eventually(m.T, "the bucket answers", func() bool {
		var err error
		store, err = storage.OpenBlobs(m.Context(), blobs, "")
		if err != nil {
			return false
		}
		_, err = store.Exists(m.Context(), "frames/none")
		return err == nil
	})
	local := filepath.Join(m.folder, "blobs")
	for _, key := range folderFiles(m.T, local) {
		data, err := os.ReadFile(filepath.Join(local, filepath.FromSlash(key)))
		if err == nil {
			err = store.Put(m.Context(), key, data)
		}
		if err != nil {
			m.Fatal(err)
		}
	}
}

func (m *machines) url() string { return "http://" + m.server.address + ":8080" }

// ready waits until frames are judged.
func (m *machines) ready() {
	m.Helper()
	eventually(m.T, "the server is ready", func() bool {
		resp, err := http.Get(m.url() + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// rate posts for a while over eight connections and gives the verdicts a second.
func (m *machines) rate(pictures [][]byte, limit time.Duration) float64 {
	m.Helper()
	var n atomic.Int64
	m.post(pictures, func() bool { return true }, &n, 4*time.Second) // warm
	n.Store(0)
	began := time.Now()
	m.post(pictures, func() bool { return true }, &n, limit)
	return float64(n.Load()) / time.Since(began).Seconds()
}

// post posts over eight connections until the time is over; each frame until it
// is acknowledged, with its verdict where verdict says so. It gives the serials.
func (m *machines) post(pictures [][]byte, verdict func() bool, done *atomic.Int64, limit time.Duration) (serials []string) {
	m.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	end := time.Now().Add(limit)
	for c := range 8 {
		all.Go(func() {
			station := client.New(m.url(), m.token)
			station.Patience = 2 * time.Minute
			for n := 0; time.Now().Before(end); n++ {
				serial := fmt.Sprintf("%d-%d-%d", end.UnixNano(), c, n)
				wait := time.Duration(0)
				if verdict() {
					wait = 20 * time.Second
				}
				p, err := station.PostFrame(m.Context(), client.Frame{Image: pictures[(n+c)%len(pictures)], Serial: serial, IdempotencyKey: serial}, wait)
				if err != nil {
					m.Errorf("%s: %v", serial, err)
					return
				}
				if p.Inspection != nil {
					done.Add(1)
				}
				mu.Lock()
				serials = append(serials, serial)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return serials
}

// TestAPlantOfEightHosts proves that any host may die or be cut off under load
// and nothing is lost: LOUPE_MACHINES=1, as root.
func TestAPlantOfEightHosts(t *testing.T) {
	if os.Getenv("LOUPE_MACHINES") == "" {
		t.Skip("takes some minutes and network namespaces: LOUPE_MACHINES=1")
	}
	m := newMachines(t)
	var pictures [][]byte
	rng := rand.New(rand.NewPCG(1, 9))
	for n := range 24 {
		pictures = append(pictures, encodePart(t, drawPart(rng, []string{"good", "stain"}[n%2])))
	}
	m.server.start()
	m.workers[0].start()
	m.ready()
	one := m.rate(pictures, 15*time.Second)
	m.workers[1].start()
	eventually(t, "both workers are there", func() bool { return m.gauge("loupe_workers") == 2 })
	two := m.rate(pictures, 15*time.Second)
	t.Logf("frames a second: %.1f with one single-thread worker, %.1f with two, ratio %.2f", one, two, two/one)
	m.workers[2].start()

	ctx, stop := context.WithCancel(t.Context())
	faults := make(chan struct{})
	go func() { defer close(faults); m.faults(ctx); stop() }()
	var judged atomic.Int64
	var serials []string
	for ctx.Err() == nil {
		serials = append(serials, m.post(pictures, func() bool { return false }, &judged, 3*time.Second)...)
	}
	<-faults
	m.check(serials)
}

// faults kills and cuts each host once, and heals it.
func (m *machines) faults(ctx context.Context) {
	pause := func(d time.Duration) {
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
	restart := func(what string, h *host, down time.Duration) {
		m.Logf("%s: killed for %v", what, down)
		h.kill()
		pause(down)
		h.start()
		pause(6 * time.Second)
	}
	cut := func(what string, h *host, down time.Duration) {
		m.Logf("%s: cut off for %v", what, down)
		h.cut()
		pause(down)
		h.heal()
		pause(6 * time.Second)
	}
	pause(3 * time.Second)
	for i, h := range m.nats {
		restart(fmt.Sprint("NATS ", i+1), h, 3*time.Second)
	}
	for i, h := range m.workers {
		restart(fmt.Sprint("worker ", i+1), h, 2*time.Second)
	}
	cut("worker 3", m.workers[2], 8*time.Second)
	cut("NATS 1", m.nats[0], 8*time.Second)
	restart("bucket", m.bucket, 4*time.Second)
	cut("bucket", m.bucket, 6*time.Second)
	restart("server", m.server, 2*time.Second)
	m.ready()
	cut("server", m.server, 5*time.Second)
	pause(3 * time.Second)
}

// check counts what became of the acknowledged frames.
func (m *machines) check(serials []string) {
	m.Helper()
	eventually(m.T, "everything is judged", func() bool { return m.gauge("loupe_frames_pending") == 0 })
	m.server.kill()
	db, err := storage.Open(m.Context(), storage.Settings{Folder: m.folder})
	if err != nil {
		m.Fatal(err)
	}
	defer db.Close()
	lost, doubled, aside := 0, 0, 0
	for _, serial := range serials {
		found, err := db.Inspections(m.Context(), storage.InspectionFilter{RecipeID: m.recipe, Serial: serial}, 0, 10)
		if err != nil {
			m.Fatal(err)
		}
		switch {
		case len(found) > 1:
			doubled++
		case len(found) == 0:
			lost++
		}
	}
	quarantined, err := db.QuarantinedFrames(m.Context(), 1000)
	if err != nil {
		m.Fatal(err)
	}
	aside = len(quarantined)
	m.Logf("acknowledged %d, judged %d, set aside for a person %d, lost %d, doubled %d", len(serials), len(serials)-lost, aside, lost-aside, doubled)
	if lost != aside || doubled != 0 || aside != 0 || len(serials) < 100 {
		m.Errorf("lost %d, doubled %d, set aside %d of %d", lost-aside, doubled, aside, len(serials))
	}
}

// gauge reads one value of /metrics, -1 while there is none.
func (m *machines) gauge(name string) float64 {
	resp, err := http.Get(m.url() + "/metrics")
	if err != nil {
		return -1
	}
	defer resp.Body.Close()
	return metricOf(resp.Body, name)
}
