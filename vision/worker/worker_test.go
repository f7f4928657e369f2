package worker_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"loupe/models"
	"loupe/models/onnx"
	"loupe/vision"
	"loupe/vision/engine"
	"loupe/vision/picturetest"
	"loupe/vision/wire"
	"loupe/vision/worker"
)

const id = "tested"

// bench is a NATS server, a folder of blobs and one worker.
type bench struct {
	*testing.T
	server *server.Server
	conn   *nats.Conn
	folder string
	beats  chan wire.Beat
	stop   context.CancelFunc
	ended  chan error
}

func startNATS(t *testing.T, port int) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, MaxPayload: 32 << 20, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(s.Shutdown)
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("NATS does not start")
	}
	return s
}

func start(t *testing.T) *bench {
	t.Helper()
	return startWith(t, engine.Choice{})
}

func startWith(t *testing.T, c engine.Choice) *bench {
	t.Helper()
	b := &bench{T: t, server: startNATS(t, server.RANDOM_PORT), folder: t.TempDir(), beats: make(chan wire.Beat, 1000), ended: make(chan error, 1)}
	var err error
	if b.conn, err = nats.Connect(b.server.ClientURL(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.conn.Close)
	if _, err := b.conn.Subscribe(wire.Heartbeats, func(m *nats.Msg) {
		var beat wire.Beat
		if json.Unmarshal(m.Data, &beat) == nil {
			b.beats <- beat
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := b.conn.Flush(); err != nil {
		t.Fatal(err)
	}
	blobs := url.URL{Scheme: "file", Path: b.folder}
	var ctx context.Context
	ctx, b.stop = context.WithCancel(context.Background())
	go func() {
		b.ended <- worker.Run(ctx, worker.Settings{NATSURL: b.server.ClientURL(), BlobsURL: blobs.String(), ID: id, Name: "press 1", Engine: c, Threads: 1, Version: "7", Log: slog.New(slog.DiscardHandler)})
	}()
	t.Cleanup(func() { b.stop(); <-b.ended })
	b.beat("lives", func(wire.Beat) bool { return true })
	b.put("part.png", picturetest.PNG(t, picturetest.Quarters(300, 200)))
	return b
}

// beat waits for a sign of life that says something.
func (b *bench) beat(what string, ok func(wire.Beat) bool) wire.Beat {
	b.T.Helper()
	limit := time.After(15 * time.Second)
	for {
		select {
		case one := <-b.beats:
			if ok(one) {
				return one
			}
		case <-limit:
			b.Fatalf("in 15 s no beat: %s", what)
		}
	}
}

func (b *bench) put(key string, data []byte) (digest string) {
	b.T.Helper()
	if err := os.WriteFile(filepath.Join(b.folder, key), data, 0o600); err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// ask sends a message and reads the answer.
func (b *bench) ask(subject string, question, answer any) {
	b.T.Helper()
	data, ok := question.([]byte)
	if !ok {
		var err error
		if data, err = wire.Marshal(question); err != nil {
			b.Fatal(err)
		}
	}
	m, err := b.conn.Request(subject, data, 15*time.Second)
	if err != nil {
		b.Fatalf("%s: %v", subject, err)
	}
	if err := wire.Unmarshal(m.Data, answer); err != nil {
		b.Fatalf("%s answers %s: %v", subject, m.Data, err)
	}
}

// version stores one that finds each picture of the class with index top.
func (b *bench) version(key string, top int, names ...string) vision.ModelRef {
	b.T.Helper()
	return vision.ModelRef{Key: key, SHA256: b.put(key, writeVersion(b.T, 224, top, names)), Size: 224, Classes: names}
}

func writeVersion(t *testing.T, size, top int, names []string) []byte {
	t.Helper()
	backbone, err := models.Backbone()
	if err != nil {
		t.Fatal(err)
	}
	k := len(names)
	w := onnx.Weights{LocalBias: make([]float32, k), Pooled: make([]float32, k*onnx.PooledLen), PooledBias: make([]float32, k), Sharpness: 4}
	w.PooledBias[top] = 3
	for i, channels := range []int{40, 112, 320} {
		w.Local[i] = make([]float32, k*channels)
	}
	file, err := onnx.WriteVersion(backbone, size, w, names)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func frame(m vision.ModelRef) wire.JudgeRequest {
	return wire.JudgeRequest{BlobKey: "part.png", Model: m, Preparation: vision.Preparation{Size: 224}, Thresholds: vision.DefaultThresholds, Classes: []vision.Class{{Name: "good", Pass: true}, {Name: "scratch"}}}
}

func TestWorkerSaysWhatItIsAndCountsItsFrames(t *testing.T) {
	b := start(t)
	m := b.version("a.onnx", 1, "good", "scratch")
	for range 3 {
		var r wire.JudgeResult
		if b.ask(wire.Judge(id), frame(m), &r); r.Trouble != nil || r.Judgement.Class != "scratch" || r.Judgement.Verdict != vision.NG || r.Worker != "press 1" {
			t.Fatalf("%+v by %s, %+v", r.Judgement.Verdict, r.Worker, r.Trouble)
		}
	}
	beat := b.beat("3 frames", func(one wire.Beat) bool { return one.Frames == 3 })
	if beat.Protocol != wire.Protocol || beat.ID != id || beat.Name != "press 1" || beat.PID != os.Getpid() || beat.Version != "7" || beat.Leaving || !slices.Equal(beat.Models, []string{m.SHA256}) {
		t.Errorf("%+v", beat)
	}
	b.stop()
	b.beat("it leaves", func(one wire.Beat) bool { return one.Leaving })
}

func TestWorkerKeepsAFewModelsAndLoadsTheOthersAgain(t *testing.T) {
	b := start(t)
	var all []vision.ModelRef
	for n := range 5 {
		all = append(all, b.version(string(rune('a'+n))+".onnx", n%2, "good", "scratch", string(rune('a'+n))))
	}
	for _, n := range []int{0, 1, 2, 3, 4, 0, 4} {
		var r wire.JudgeResult
		b.ask(wire.Judge(id), frame(all[n]), &r)
		if want := []string{"good", "scratch"}[n%2]; r.Trouble != nil || r.Judgement.Class != want {
			t.Errorf("version %d says %q, %v, want %q", n, r.Judgement.Class, r.Trouble, want)
		}
	}
	want := []string{all[4].SHA256, all[0].SHA256, all[3].SHA256}
	if beat := b.beat("7 frames", func(one wire.Beat) bool { return one.Frames == 7 }); !slices.Equal(beat.Models, want) {
		t.Errorf("loaded are %v, want %v", beat.Models, want)
	}
	var r wire.LoadResult
	if b.ask(wire.Load(id), wire.LoadRequest{Model: all[1]}, &r); r.Trouble != nil {
		t.Error(r.Trouble)
	}
	b.beat("the loaded one is first", func(one wire.Beat) bool { return one.Models[0] == all[1].SHA256 })
}

func TestWorkerComesBackWhenTheServerDoes(t *testing.T) {
	b := start(t)
	at, err := url.Parse(b.server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	b.server.Shutdown()
	b.server.WaitForShutdown()
	for len(b.beats) > 0 {
		<-b.beats
	}
	select {
	case err := <-b.ended:
		b.ended <- err
		t.Fatalf("it ended with its server: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	var port int
	if err := json.Unmarshal([]byte(at.Port()), &port); err != nil {
		t.Fatal(err)
	}
	startNATS(t, port)
	b.beat("it is back", func(wire.Beat) bool { return true })
	var r wire.RenderResult
	if b.ask(wire.Render, wire.RenderRequest{BlobKey: "part.png", MaxSide: 30, Quality: 80}, &r); r.Trouble != nil || r.Width != 30 || r.Height != 20 {
		t.Errorf("%d×%d, %v", r.Width, r.Height, r.Trouble)
	}
}

func TestWorkerWithoutItsBlobsDoesNotStart(t *testing.T) {
	for _, blobs := range []string{"", "nothing://x", "file:///none/such/folder"} {
		err := worker.Run(t.Context(), worker.Settings{NATSURL: "nats://127.0.0.1:1", BlobsURL: blobs, Log: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), "blobs") {
			t.Errorf("%q: %v", blobs, err)
		}
	}
}
