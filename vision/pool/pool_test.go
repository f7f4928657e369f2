package pool_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"loupe/models"
	"loupe/models/onnx"
	"loupe/vision"
	"loupe/vision/picturetest"
	"loupe/vision/pool"
	"loupe/vision/wire"
	"loupe/vision/worker"
)

// TestMain lets the test's own binary be a vision worker: a real process that
// can be killed.
func TestMain(m *testing.M) {
	if os.Getenv("LOUPE_TEST_WORKER") == "" {
		os.Exit(m.Run())
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	err := worker.Run(ctx, worker.Settings{
		NATSURL: os.Getenv("LOUPE_TEST_NATS"), Access: testAccess(), BlobsURL: os.Getenv("LOUPE_TEST_BLOBS"),
		ID: os.Getenv("LOUPE_TEST_WORKER"), Threads: 1, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// testAccess is what hire gave to a worker.
func testAccess() wire.Access {
	return wire.Access{Token: os.Getenv("LOUPE_TEST_TOKEN"), CA: os.Getenv("LOUPE_TEST_CA"), Cert: os.Getenv("LOUPE_TEST_CERT"), Key: os.Getenv("LOUPE_TEST_KEY"), Name: os.Getenv("LOUPE_TEST_NAME")}
}

const size = 224

var classes = []vision.Class{{Name: "good", Pass: true}, {Name: "scratch"}}

// certain is a version that finds every picture the same: good with a
// probability of 0.88, or scratched.
func certain(good bool) ([]byte, error) {
	backbone, err := models.Backbone()
	if err != nil {
		return nil, err
	}
	w := onnx.Weights{LocalBias: make([]float32, 2), Pooled: make([]float32, 2*onnx.PooledLen), PooledBias: []float32{0, 2}, Sharpness: 4}
	if good {
		w.PooledBias = []float32{2, 0}
	}
	for i, channels := range []int{40, 112, 320} {
		w.Local[i] = make([]float32, 2*channels)
	}
	return onnx.WriteVersion(backbone, size, w, []string{"good", "scratch"})
}

// crew is a pool with a folder of blobs that its workers read.
type crew struct {
	*testing.T
	*pool.Pool
	folder string
}

func open(t *testing.T, s pool.Settings) *crew {
	t.Helper()
	s.Log = slog.New(slog.DiscardHandler)
	p, err := pool.Open(s)
	if err != nil {
		t.Fatal(err)
	}
	c := &crew{t, p, t.TempDir()}
	t.Cleanup(func() { p.Close() })
	c.put("part.jpg", picturetest.JPEG(t, picturetest.Quarters(320, 240)))
	return c
}

// put stores a blob and names it as a model.
func (c *crew) put(key string, data []byte) vision.ModelRef {
	c.T.Helper()
	if err := os.WriteFile(filepath.Join(c.folder, key), data, 0o600); err != nil {
		c.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return vision.ModelRef{Key: key, SHA256: hex.EncodeToString(sum[:]), Size: size, Classes: []string{"good", "scratch"}}
}

// versions stores one that finds everything good and one that finds scratches.
func (c *crew) versions() (good, scratch vision.ModelRef) {
	c.T.Helper()
	a, err := certain(true)
	if err != nil {
		c.Fatal(err)
	}
	b, err := certain(false)
	if err != nil {
		c.Fatal(err)
	}
	return c.put("good.onnx", a), c.put("scratch.onnx", b)
}

// hire starts worker processes and waits until they are there.
func (c *crew) hire(n int) {
	c.T.Helper()
	self, err := os.Executable()
	if err != nil {
		c.Fatal(err)
	}
	blobs := url.URL{Scheme: "file", Path: c.folder}
	c.StartLocal(n, func(id string) *exec.Cmd {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), "LOUPE_TEST_WORKER="+id, "LOUPE_TEST_NATS="+c.URL(), "LOUPE_TEST_TOKEN="+c.Access().Token, "LOUPE_TEST_BLOBS="+blobs.String(),
			"LOUPE_TEST_CA="+c.Access().CA, "LOUPE_TEST_CERT="+c.Access().Cert, "LOUPE_TEST_KEY="+c.Access().Key, "LOUPE_TEST_NAME="+c.Access().Name)
		return cmd
	})
	c.eventually("all workers are there", func() bool { return len(c.Workers()) == n })
}

func (c *crew) eventually(what string, ok func() bool) {
	c.T.Helper()
	for began := time.Now(); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			c.Fatalf("in 20 s: not %s", what)
		}
	}
}

func (c *crew) request(key string, m vision.ModelRef) wire.JudgeRequest {
	return wire.JudgeRequest{BlobKey: key, Model: m, Preparation: vision.Preparation{Size: size}, Classes: classes, Thresholds: vision.DefaultThresholds}
}

// stranger connects to the pool's NATS as a worker would.
func (c *crew) stranger() *nats.Conn {
	c.T.Helper()
	conn, err := nats.Connect(c.URL(), nats.Token(c.Access().Token))
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(conn.Close)
	return conn
}

// send publishes and waits until the server has it.
func (c *crew) send(conn *nats.Conn, subject, data string) {
	c.T.Helper()
	if err := conn.Publish(subject, []byte(data)); err != nil {
		c.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		c.Fatal(err)
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestWorkersAreOnTheRosterWhileTheyLive(t *testing.T) {
	c := open(t, pool.Settings{})
	var mu sync.Mutex
	up, lost := map[string]bool{}, map[string]bool{}
	c.OnWorkerUp(func(w pool.Worker) { mu.Lock(); up[w.ID] = true; mu.Unlock() })
	c.OnWorkerLost(func(w pool.Worker, _ error) { mu.Lock(); lost[w.ID] = true; mu.Unlock() })
	c.hire(2)
	host, _ := os.Hostname()
	for _, w := range c.Workers() {
		if !alive(w.PID) || w.Host != host || w.Name != fmt.Sprintf("%s-%d", host, w.PID) || w.Refused != "" || w.Busy != 0 || w.Protocol != wire.Protocol {
			t.Errorf("%+v", w)
		}
	}
	c.eventually("told of both", func() bool { mu.Lock(); defer mu.Unlock(); return len(up) == 2 })
	c.Close()
	mu.Lock()
	defer mu.Unlock()
	if len(c.Workers()) != 0 || len(lost) != 2 {
		t.Errorf("after the end there are %v, and %d were told as lost", c.Workers(), len(lost))
	}
}

// A process that is stopped still holds its connection, but sends no beat.
func TestSilentWorkerLeavesTheRosterAndMayComeBack(t *testing.T) {
	c := open(t, pool.Settings{})
	c.hire(1)
	good, _ := c.versions()
	w := c.Workers()[0]
	reason := make(chan error, 1)
	c.OnWorkerLost(func(_ pool.Worker, err error) { reason <- err })
	if err := syscall.Kill(w.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := c.Judge(t.Context(), c.request("part.jpg", good)); err != pool.ErrWorkerDied {
		t.Errorf("its call: %v", err)
	}
	if took := time.Since(began); took < 2*time.Second || took > 30*time.Second {
		t.Errorf("lost after %v", took)
	}
	if err := <-reason; !strings.Contains(err.Error(), "silent") || len(c.Workers()) != 0 {
		t.Errorf("lost because %v; there are %d workers", err, len(c.Workers()))
	}
	if err := syscall.Kill(w.PID, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	c.eventually("back", func() bool { return len(c.Workers()) == 1 && c.Workers()[0].PID == w.PID })
	if _, err := c.Judge(t.Context(), c.request("part.jpg", good)); err != nil {
		t.Errorf("back, but %v", err)
	}
}

func TestWorkerOfAnotherProtocolIsShownAndLeftAlone(t *testing.T) {
	c := open(t, pool.Settings{})
	conn := c.stranger()
	asked := make(chan *nats.Msg, 9)
	for _, subject := range []string{wire.Judge("old"), wire.Load("old")} {
		if _, err := conn.ChanSubscribe(subject, asked); err != nil {
			t.Fatal(err)
		}
	}
	c.send(conn, wire.Heartbeats, fmt.Sprintf(`{"protocol":%d,"id":"old","name":"old press"}`, wire.Protocol+1))
	c.eventually("shown", func() bool { return len(c.Workers()) == 1 })
	if w := c.Workers()[0]; w.Name != "old press" || !strings.Contains(w.Refused, fmt.Sprintf("protocol %d", wire.Protocol+1)) {
		t.Errorf("%+v", w)
	}
	if _, err := c.Judge(t.Context(), wire.JudgeRequest{}); err != pool.ErrNoWorkers {
		t.Errorf("a frame: %v", err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	if err := c.Load(ctx, vision.ModelRef{}); err != nil {
		t.Errorf("a model: %v", err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	if len(asked) != 0 {
		t.Errorf("it was asked on %s", (<-asked).Subject)
	}
}

func TestRosterIsNotTakenInByGarbage(t *testing.T) {
	c := open(t, pool.Settings{})
	conn := c.stranger()
	for _, data := range []string{"", "null", "[]", "{", "\x00\xff", `{"protocol":1}`, `{"id":7}`, `{"id":"gone","leaving":true}`} {
		c.send(conn, wire.Heartbeats, data)
	}
	c.send(conn, wire.Heartbeats, fmt.Sprintf(`{"protocol":%d,"id":"a"}`, wire.Protocol))
	c.eventually("the sound one is there", func() bool { return len(c.Workers()) > 0 })
	if all := c.Workers(); len(all) != 1 || all[0].ID != "a" {
		t.Errorf("%+v", all)
	}
	c.send(conn, wire.Heartbeats, `{"id":"a","leaving":true}`)
	c.eventually("it left", func() bool { return len(c.Workers()) == 0 })
}

func TestWorkersMustShowTheToken(t *testing.T) {
	c := open(t, pool.Settings{})
	for _, token := range []string{"", "guessed"} {
		if conn, err := nats.Connect(c.URL(), nats.Token(token)); err == nil {
			conn.Close()
			t.Errorf("%q lets in", token)
		}
	}
	if u, err := url.Parse(c.URL()); err != nil || u.Hostname() != "127.0.0.1" {
		t.Errorf("the server listens on %s", c.URL())
	}
}

func TestPoolJoinsAServerThatIsThere(t *testing.T) {
	c := open(t, pool.Settings{})
	c.hire(1)
	second, err := pool.Open(pool.Settings{URL: c.URL(), Access: wire.Access{Token: c.Access().Token}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	c.eventually("the worker of the one is known to the other", func() bool { return len(second.Workers()) == 1 })
	good, _ := c.versions()
	if r, err := second.Judge(t.Context(), c.request("part.jpg", good)); err != nil || r.Judgement.Verdict != vision.OK {
		t.Errorf("%s, %v", r.Judgement.Verdict, err)
	}
	second.Close()
	if len(c.Workers()) != 1 || !alive(c.Workers()[0].PID) {
		t.Error("closing the one ended the other's worker")
	}
	for _, s := range []pool.Settings{{URL: c.URL(), Access: wire.Access{Token: "guessed"}}, {Listen: "nowhere"}, {Listen: "127.0.0.1:x"}} {
		s.Log = slog.New(slog.DiscardHandler)
		if p, err := pool.Open(s); err == nil {
			p.Close()
			t.Errorf("%+v opens", s)
		}
	}
}
