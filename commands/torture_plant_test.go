package commands

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"loupe/models"
	"loupe/models/onnx"
	"loupe/storage"
	"loupe/vision"
	"loupe/vision/picturetest"
)

// tortured is a plant whose every part the suite can break.
type tortured struct {
	*testing.T
	rng      *rand.Rand
	folder   string // the data folder
	tmpfs    bool   // it lies on a file system of its own, which can be filled
	recipe   int64
	versions [2]int64
	tokens   []string
	listen   string
	url      string
	server   *program
	nats     *natsserver.Server
	natsPort int
	remote   *remoteHost // nil without root
	blank    []byte      // a BMP without content
	ledger   ledger
	queue    atomic.Int64   // frames that wait for a verdict
	count    map[string]int // faults by kind
	killed   map[string]int // killed processes by kind
	released int            // frames set aside after three deaths, put back at the end
	plan     []fault        // of this round
}

const (
	tortureSize  = 224 // pixels of the smallest input that a network may have
	tortureToken = "torture secret"
)

// buildPlant makes a data folder with a recipe of two versions that need no
// training, its stations, and the NATS server.
func buildPlant(t *testing.T, rng *rand.Rand) *tortured {
	t.Helper()
	p := &tortured{T: t, rng: rng, folder: filepath.Join(t.TempDir(), "data"), count: map[string]int{}, killed: map[string]int{}}
	p.ledger.sent, p.ledger.received = map[string]bool{}, map[string]string{}
	p.blank = picturetest.BMP(t, picturetest.Quarters(40, 30))
	p.mountFolder()
	ctx := t.Context()
	db, err := storage.Open(ctx, storage.Settings{Folder: p.folder})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r := storage.NewRecipe("Caps", []vision.Class{{Name: "good", Pass: true, Color: "#5b8c5a", Key: "1"}, {Name: "stain", Color: "#b9770e", Key: "2"}})
	r.Size, r.Learn.After = tortureSize, 0
	if r, err = db.AddRecipe(ctx, "test", r); err != nil {
		t.Fatal(err)
	}
	p.recipe = r.ID
	for n := range p.versions {
		p.versions[n] = addVersion(t, db, r, n == 0)
	}
	if _, err := db.Promote(ctx, "test", p.versions[0], "first"); err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		_, token, err := db.AddStation(ctx, "test", storage.Station{Name: fmt.Sprint("press ", n), Line: "A", RecipeID: r.ID})
		if err != nil {
			t.Fatal(err)
		}
		p.tokens = append(p.tokens, token)
	}
	p.listen = freeAddress(t)
	p.url = "http://" + p.listen
	p.startNATS()
	t.Cleanup(func() { p.nats.Shutdown() })
	p.remote = newRemoteHost(p)
	return p
}

// addVersion stores a version that finds every picture good, or stained.
func addVersion(t *testing.T, db *storage.DB, r storage.Recipe, good bool) int64 {
	t.Helper()
	names := []string{"good", "stain"}
	file := fixedModel(t, r.Size, good)
	key, err := db.Blobs.PutContent(t.Context(), "models", file)
	if err != nil {
		t.Fatal(err)
	}
	v, err := db.AddVersion(t.Context(), storage.Version{
		RecipeID: r.ID, Size: r.Size, Classes: names, HeadKey: key, ModelKey: key, ModelSHA: storage.Digest(file),
		Statement: []byte("{}"), Report: []byte("{}"), CreatedBy: "test",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v.ID
}

// fixedModel is the file of a version that finds every picture good, or stained.
func fixedModel(t *testing.T, size int, good bool) []byte {
	t.Helper()
	backbone, err := models.Backbone()
	if err != nil {
		t.Fatal(err)
	}
	w := onnx.Weights{LocalBias: make([]float32, 2), Pooled: make([]float32, 2*onnx.PooledLen), PooledBias: []float32{0, 3}, Sharpness: 4}
	if good {
		w.PooledBias = []float32{3, 0}
	}
	for i, channels := range []int{40, 112, 320} {
		w.Local[i] = make([]float32, 2*channels)
	}
	file, err := onnx.WriteVersion(backbone, size, w, []string{"good", "stain"})
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// freeAddress is one that the server can have again after each kill.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startNATS starts the outside NATS server, on the port that it had before.
func (p *tortured) startNATS() {
	p.Helper()
	port := p.natsPort
	if port == 0 {
		port = natsserver.RANDOM_PORT
	}
	ns, err := natsserver.NewServer(&natsserver.Options{
		Host: "0.0.0.0", Port: port, Authorization: tortureToken, MaxPayload: 32 << 20, MaxPending: 128 << 20, NoLog: true, NoSigs: true,
	})
	if err != nil {
		p.Fatal(err)
	}
	ns.Start()
	if !ns.ReadyForConnections(10 * time.Second) {
		p.Fatal("NATS does not start")
	}
	p.nats, p.natsPort = ns, ns.Addr().(*net.TCPAddr).Port
}

// serve starts the server, as after a power cut.
func (p *tortured) serve() {
	p.Helper()
	p.server, _ = serve(p.T, p.folder, "--listen", p.listen, "--nats", fmt.Sprintf("nats://127.0.0.1:%d", p.natsPort), "--nats-token", tortureToken, "--threads", "1")
}

// blobs is where workers find the pictures.
func (p *tortured) blobs() string {
	return (&url.URL{Scheme: "file", Path: filepath.Join(p.folder, "blobs"), RawQuery: "metadata=skip"}).String()
}

// mountFolder puts the data folder on a file system of its own where that is allowed.
func (p *tortured) mountFolder() {
	p.Helper()
	if err := os.MkdirAll(p.folder, 0o750); err != nil {
		p.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", p.folder, "tmpfs", 0, roomy); err != nil {
		p.Logf("NOT COVERED: a full disk: mounting a small file system needs root (%v)", err)
		return
	}
	p.tmpfs = true
	p.Cleanup(func() {
		for range 50 { // the last worker may still read
			if err := syscall.Unmount(p.folder, 0); err == nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		_ = syscall.Unmount(p.folder, syscall.MNT_DETACH)
	})
}

// roomy is a disk with room for a whole run.
const roomy = "size=8g"

// workers are the process numbers of the server's own workers.
func (p *tortured) workers() []int { return childrenOf(p.server.Process.Pid) }
