package pool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"math"
	"os"
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
)

// trap makes a blob a pipe, on which a worker that reads it hangs.
func (c *crew) trap(key string) (path string) {
	c.T.Helper()
	path = filepath.Join(c.folder, key)
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		c.Fatal(err)
	}
	return path
}

// caught waits until a worker reads the trap and gives the pipe's other end.
func (c *crew) caught(path string) *os.File {
	c.T.Helper()
	pipe, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { pipe.Close() })
	return pipe
}

// outcome is what a call gave.
type outcome struct {
	wire.JudgeResult
	err error
}

// judge calls without waiting.
func (c *crew) judge(q wire.JudgeRequest) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		r, err := c.Judge(context.Background(), q)
		done <- outcome{r, err}
	}()
	return done
}

// judged fails unless a result is whole and one version's.
func judged(t *testing.T, r wire.JudgeResult, good bool) {
	t.Helper()
	verdict, class := vision.NG, "scratch"
	if good {
		verdict, class = vision.OK, "good"
	}
	j := r.Judgement
	if j.Verdict != verdict || j.Class != class || math.Abs(j.Score-1/(1+math.Exp(-2))) > 1e-5 {
		t.Errorf("%s, %s with %.4f, want %s", j.Verdict, j.Class, j.Score, verdict)
	}
	if j.Width != 320 || j.Height != 240 || len(j.Probabilities) != 2 || len(j.Heat.Data) != 2*28*28 || len(j.Pooled) != onnx.PooledLen {
		t.Errorf("%d×%d with %d probabilities, %d places and %d features", j.Width, j.Height, len(j.Probabilities), len(j.Heat.Data), len(j.Pooled))
	}
	if config, err := jpeg.DecodeConfig(bytes.NewReader(r.Thumb)); err != nil || config.Width != 320 {
		t.Errorf("thumbnail %+v, %v", config, err)
	}
	if r.Worker == "" || !(j.Timings.Forward > 0 && j.Timings.Decode > 0) {
		t.Errorf("by %q in %+v", r.Worker, j.Timings)
	}
}

func TestModelIsSwappedBetweenFramesAndNoneIsDropped(t *testing.T) {
	c := open(t, pool.Settings{})
	c.hire(2)
	good, scratch := c.versions()
	var all sync.WaitGroup
	var mu sync.Mutex
	workers := map[string]int{}
	for caller := range 6 {
		all.Go(func() {
			for n := range 8 {
				isGood := (caller+n)%2 == 0
				m := scratch
				if isGood {
					m = good
				}
				r, err := c.Judge(t.Context(), c.request("part.jpg", m))
				if err != nil {
					t.Errorf("a frame was dropped: %v", err)
					continue
				}
				judged(t, r, isGood)
				mu.Lock()
				workers[r.Worker]++
				mu.Unlock()
			}
		})
	}
	for _, m := range []vision.ModelRef{good, scratch, good} {
		if err := c.Load(t.Context(), m); err != nil {
			t.Error(err)
		}
	}
	all.Wait()
	if len(workers) != 2 {
		t.Errorf("only %v took part", workers)
	}
	c.eventually("all slots are free and the frames counted", func() bool {
		var busy int
		var frames int64
		for _, w := range c.Workers() {
			busy += w.Busy
			frames += w.Frames
		}
		return busy == 0 && frames == 48
	})
}

func TestWhatCannotBeJudgedIsSaidAndTheWorkerGoesOn(t *testing.T) {
	c := open(t, pool.Settings{})
	c.hire(1)
	pid := c.Workers()[0].PID
	good, _ := c.versions()
	c.put("text.jpg", []byte("no picture"))
	c.put("half.png", picturetest.PNG(t, picturetest.Quarters(320, 240))[:200])
	other, none := good, good
	other.SHA256, none.Key, none.SHA256 = strings.Repeat("0", 64), "none.onnx", strings.Repeat("1", 64)
	var picture *pool.PictureError
	for _, key := range []string{"text.jpg", "half.png", "none.jpg"} {
		if _, err := c.Judge(t.Context(), c.request(key, good)); !errors.As(err, &picture) || picture.Detail == "" {
			t.Errorf("%s: %v", key, err)
		}
		if _, err := c.Render(t.Context(), wire.RenderRequest{BlobKey: key, MaxSide: 100, Quality: 80}); !errors.As(err, &picture) {
			t.Errorf("%s drawn: %v", key, err)
		}
		if _, err := c.Extract(t.Context(), wire.ExtractRequest{BlobKey: key, Preparation: vision.Preparation{Size: size}}); !errors.As(err, &picture) {
			t.Errorf("features of %s: %v", key, err)
		}
	}
	for _, m := range []vision.ModelRef{other, none} {
		var trouble *wire.Trouble
		if _, err := c.Judge(t.Context(), c.request("part.jpg", m)); !errors.As(err, &trouble) || trouble.Fault != wire.FaultModel {
			t.Errorf("%+v: %v", m, err)
		}
		if err := c.Load(t.Context(), m); !errors.As(err, &trouble) || trouble.Fault != wire.FaultModel {
			t.Errorf("load %+v: %v", m, err)
		}
	}
	r, err := c.Judge(t.Context(), c.request("part.jpg", good))
	if err != nil {
		t.Fatal(err)
	}
	judged(t, r, true)
	if w := c.Workers()[0]; w.PID != pid {
		t.Errorf("worker %d became %d", pid, w.PID)
	}
}

func TestFeaturesAndCopiesAreMadeByAnyWorker(t *testing.T) {
	c := open(t, pool.Settings{})
	if _, err := c.Extract(t.Context(), wire.ExtractRequest{}); err != pool.ErrNoWorkers {
		t.Errorf("without a worker: %v", err)
	}
	c.hire(1)
	backbone, err := models.Backbone()
	if err != nil {
		t.Fatal(err)
	}
	file, err := onnx.WriteExtractor(backbone, size)
	if err != nil {
		t.Fatal(err)
	}
	m := c.put("extractor.onnx", file)
	m.Classes = nil
	f, err := c.Extract(t.Context(), wire.ExtractRequest{BlobKey: "part.jpg", Model: m, Preparation: vision.Preparation{Size: size}})
	if err != nil || len(f.Stride8) != 40*28*28 || len(f.Stride16) != 112*14*14 || len(f.Stride32) != 320*7*7 || len(f.Pooled) != onnx.PooledLen {
		t.Errorf("%d, %d, %d and %d features, %v", len(f.Stride8), len(f.Stride16), len(f.Stride32), len(f.Pooled), err)
	}
	c.put("turned.jpg", picturetest.Oriented(picturetest.JPEG(t, picturetest.Quarters(320, 240)), 6))
	r, err := c.Render(t.Context(), wire.RenderRequest{BlobKey: "turned.jpg", Orientation: 6, MaxSide: 160, Quality: 90})
	if err != nil || r.Width != 120 || r.Height != 160 {
		t.Fatalf("%d×%d, %v", r.Width, r.Height, err)
	}
	img, err := jpeg.Decode(bytes.NewReader(r.JPEG))
	if err != nil || img.Bounds().Dx() != 120 {
		t.Fatal(err)
	}
	if red, _, blue, _ := img.At(30, 40).RGBA(); !(blue > 2*red) {
		t.Errorf("upper left is %v, want what was at the lower left", img.At(30, 40))
	}
}

func TestFrameThatMustBeAloneSharesItsWorkerWithNone(t *testing.T) {
	c := open(t, pool.Settings{})
	c.hire(1)
	good, _ := c.versions()
	path := c.trap("trap.jpg")
	q := c.request("trap.jpg", good)
	q.Alone = true
	first := c.judge(q)
	pipe := c.caught(path)
	second := c.judge(c.request("part.jpg", good))
	ctx, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer stop()
	if _, err := c.Judge(ctx, c.request("part.jpg", good)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a third frame: %v", err)
	}
	select {
	case o := <-second:
		t.Errorf("another frame was judged beside it: %v", o.err)
	default:
	}
	if _, err := pipe.Write(picturetest.JPEG(t, picturetest.Quarters(320, 240))); err != nil {
		t.Fatal(err)
	}
	pipe.Close()
	for _, done := range []<-chan outcome{first, second} {
		o := <-done
		if o.err != nil {
			t.Fatal(o.err)
		}
		judged(t, o.JudgeResult, true)
	}
	c.eventually("all slots are free", func() bool { return c.Workers()[0].Busy == 0 })
}

// A beat may arrive after its worker's end: the worker is on the roster, idle,
// and nobody is there.
func TestFrameIsNotGivenToAWorkerThatIsNotThere(t *testing.T) {
	c := open(t, pool.Settings{})
	good, _ := c.versions()
	conn := c.stranger()
	ghost := fmt.Sprintf(`{"protocol":%d,"id":"ghost","name":"ghost"}`, wire.Protocol)
	c.send(conn, wire.Heartbeats, ghost)
	c.eventually("the ghost is there", func() bool { return len(c.Workers()) == 1 })
	if _, err := c.Judge(t.Context(), c.request("part.jpg", good)); err != pool.ErrNoWorkers {
		t.Errorf("with the ghost alone: %v", err)
	}
	c.hire(1)
	for range 4 {
		c.send(conn, wire.Heartbeats, ghost)
		c.eventually("both are there", func() bool { return len(c.Workers()) == 2 })
		r, err := c.Judge(t.Context(), c.request("part.jpg", good))
		if err != nil {
			t.Fatal(err)
		}
		judged(t, r, true)
	}
}

func TestAnswerThatIsNoneIsAnError(t *testing.T) {
	c := open(t, pool.Settings{})
	conn := c.stranger()
	if _, err := conn.Subscribe(wire.Judge("odd"), func(m *nats.Msg) { _ = m.Respond([]byte(`{"judgement":7}`)) }); err != nil {
		t.Fatal(err)
	}
	c.send(conn, wire.Heartbeats, fmt.Sprintf(`{"protocol":%d,"id":"odd","name":"odd"}`, wire.Protocol))
	c.eventually("it is there", func() bool { return len(c.Workers()) == 1 })
	for range 3 {
		if _, err := c.Judge(t.Context(), wire.JudgeRequest{}); err == nil || errors.Is(err, pool.ErrNoWorkers) {
			t.Errorf("%v", err)
		}
	}
	if w := c.Workers()[0]; w.Busy != 0 {
		t.Errorf("%d slots are lost", w.Busy)
	}
}
