// Package worker is the vision worker: a process of its own that takes requests
// over NATS and answers them by its engine. It owns its networks; a new model
// arrives with the first frame that needs it, or ahead by a load request, and
// is loaded between two frames.
package worker

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/fileblob" // file:// folders
	_ "gocloud.dev/blob/s3blob"   // s3:// buckets

	"loupe/vision/engine"
	"loupe/vision/opencv"
	"loupe/vision/wire"
)

// Settings of a worker.
type Settings struct {
	NATSURL  string
	Access   wire.Access // what opens the NATS server
	BlobsURL string      // gocloud.dev/blob URL
	ID       string      // unique; "" makes one
	Name     string      // for people; "" means host and process number
	Engine   engine.Choice
	Threads  int    // of the engine; 0 means one a core
	Version  string // of the program
	Log      *slog.Logger
}

// beatPeriod is how often a worker says that it lives.
const beatPeriod = time.Second

// finishTime is for the frames that a worker holds when it is told to stop; its
// supervisor waits somewhat longer before it kills it.
const finishTime = 2 * time.Second

// queued bounds the frames that wait inside a worker; the server sends two at a time.
const queued = 64

// Worker answers requests until its context ends.
type Worker struct {
	Settings
	host    string
	conn    *nats.Conn
	blobs   *blob.Bucket
	runtime engine.Runtime
	engines engines
	work    chan task
	side    chan task
	frames  atomic.Int64
	leaving atomic.Bool
	end     context.CancelCauseFunc

	subscriptions []*nats.Subscription
}

// task is one request with what answers it. It runs on the goroutine that owns
// the networks; prepare runs before, on another.
type task struct {
	do func()
}

// Run connects and answers requests until ctx ends. It comes back by itself
// when the NATS server was away.
func Run(ctx context.Context, s Settings) error {
	w := &Worker{Settings: s, work: make(chan task, queued), side: make(chan task, queued)}
	w.host, _ = os.Hostname()
	if w.ID == "" {
		w.ID = rand.Text()
	}
	if w.Name == "" {
		w.Name = fmt.Sprintf("%s-%d", w.host, os.Getpid())
	}
	var err error
	if w.runtime, err = engine.Choose(s.Engine, s.Threads); err != nil {
		return err
	}
	if w.blobs, err = blob.OpenBucket(ctx, s.BlobsURL); err != nil {
		return fmt.Errorf("open the blobs: %w", err)
	}
	defer w.blobs.Close()
	ctx, w.end = context.WithCancelCause(ctx)
	defer w.end(nil)
	if err := w.connect(); err != nil {
		return err
	}
	defer w.conn.Close()
	if err := w.subscribe(); err != nil {
		return err
	}
	defer w.engines.close()
	var beats sync.WaitGroup
	beats.Go(func() { w.beat(ctx) })
	w.loop(ctx)
	beats.Wait()
	var refused *RefusedError
	if errors.As(context.Cause(ctx), &refused) {
		return refused
	}
	w.leaving.Store(true)
	w.sendBeat()
	w.finish()
	w.sendBeat()
	return w.conn.FlushTimeout(time.Second)
}

// finish takes nothing more and answers what was taken before.
func (w *Worker) finish() {
	if !w.conn.IsConnected() {
		return // there is nobody to answer
	}
	var open sync.WaitGroup
	for _, s := range w.subscriptions {
		open.Add(1)
		s.SetClosedHandler(func(string) { open.Done() })
		if err := s.Drain(); err != nil {
			return
		}
	}
	drained := make(chan struct{})
	go func() {
		open.Wait()
		close(drained)
	}()
	limit := time.After(finishTime)
	for {
		select {
		case t := <-w.work:
			t.do()
		case t := <-w.side:
			t.do()
		case <-limit:
			return
		case <-drained:
			if len(w.work)+len(w.side) == 0 {
				return
			}
		}
	}
}

func (w *Worker) connect() error {
	options := []nats.Option{
		nats.Name("loupe-worker " + w.Name), nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(100*time.Millisecond, 500*time.Millisecond), nats.RetryOnFailedConnect(true),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { w.refused(err) }),
		nats.ClosedHandler(func(c *nats.Conn) { w.refused(c.LastError()) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				w.Log.Warn("lost the NATS server, trying again", "error", err)
			}
		}),
	}
	access, err := w.Access.Options()
	if err != nil {
		return err
	}
	options = append(options, access...)
	if w.conn, err = nats.Connect(w.NATSURL, options...); err != nil {
		return fmt.Errorf("connect to NATS: %w", err)
	}
	return nil
}

// refused ends the worker when the server does not let it in: trying on would
// not help.
func (w *Worker) refused(err error) {
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		w.end(&RefusedError{fmt.Errorf("the NATS server at %s does not let this worker in: give it the server's token, certificate or credentials (%w)", w.NATSURL, err)})
	case errors.As(err, &untrusted):
		w.end(&RefusedError{fmt.Errorf("the certificate of the NATS server at %s cannot be trusted: name its authority (%w)", w.NATSURL, err)})
	case errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err, nats.ErrSecureConnWanted):
		w.end(&RefusedError{fmt.Errorf("the NATS server at %s and this worker do not agree on TLS (%w)", w.NATSURL, err)})
	}
}

// RefusedError says that the NATS server does not let a worker in, and what to do.
type RefusedError struct{ error }

func (e *RefusedError) Unwrap() error { return e.error }

func (w *Worker) subscribe() error {
	for _, s := range []struct {
		subject, group string
		handle         nats.MsgHandler
	}{
		{wire.Judge(w.ID), "", w.onJudge},
		{wire.Load(w.ID), "", w.onLoad},
		{wire.ExtractBy(w.ID), "", w.onExtract},
		{wire.Extract, wire.Group, w.onExtract},
		{wire.Render, wire.Group, w.onRender},
	} {
		one, err := w.conn.QueueSubscribe(s.subject, s.group, s.handle) // "" is no group
		if err != nil {
			return fmt.Errorf("subscribe to %s: %w", s.subject, err)
		}
		w.subscriptions = append(w.subscriptions, one)
	}
	return nil
}

// loop runs the networks: frames first, everything else when no frame waits,
// but one such task after each frame at least, so that it is not starved.
// It keeps to one thread of the system: OpenCV's scratch memory stays warm there.
func (w *Worker) loop(ctx context.Context) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for {
		select {
		case t := <-w.work:
			t.do()
			select {
			case t := <-w.side:
				t.do()
			default:
			}
			continue
		default:
		}
		select {
		case <-ctx.Done():
			return
		case t := <-w.work:
			t.do()
		case t := <-w.side:
			t.do()
		}
	}
}

func (w *Worker) beat(ctx context.Context) {
	tick := time.NewTicker(beatPeriod)
	defer tick.Stop()
	for {
		w.sendBeat()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (w *Worker) sendBeat() {
	data, err := json.Marshal(wire.Beat{
		Protocol: wire.Protocol, ID: w.ID, Name: w.Name, Host: w.host, PID: os.Getpid(), Version: w.Version, Engine: w.runtime.Label,
		Frames: w.frames.Load(), Models: w.engines.digests(), Leaving: w.leaving.Load(), Mats: opencv.OpenMats(),
	})
	if err == nil {
		err = w.conn.Publish(wire.Heartbeats, data)
	}
	if err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		w.Log.Warn("cannot send a sign of life", "error", err)
	}
}

// answer sends a result back.
func (w *Worker) answer(m *nats.Msg, result any) {
	data, err := wire.Marshal(result)
	if err == nil {
		err = m.Respond(data)
	}
	if err != nil {
		w.Log.Error("cannot answer a request", "subject", m.Subject, "error", err)
	}
}

// guard turns a panic of ours over one request into its trouble; the worker goes on.
func guard(trouble **wire.Trouble) {
	if r := recover(); r != nil {
		*trouble = &wire.Trouble{Fault: wire.FaultWorker, Detail: fmt.Sprintf("the worker failed over this: %v", r)}
	}
}
