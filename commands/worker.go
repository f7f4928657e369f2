package commands

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/signal"

	"loupe/vision/worker"
)

// Worker judges frames for a server.
type Worker struct {
	NATS       string `help:"URL of the server's NATS." name:"nats" default:"nats://127.0.0.1:4222" env:"LOUPE_NATS" placeholder:"URL"`
	Token      string `help:"Token of that NATS, if it asks for one; better given by the environment than on the command line." env:"LOUPE_NATS_TOKEN"`
	NATSAccess `embed:"" prefix:"nats-"`
	Blobs      string `help:"gocloud.dev/blob URL of the server's pictures and models, such as file:///srv/loupe/blobs." required:"" env:"LOUPE_BLOBS" placeholder:"URL"`
	EngineFlags
	Threads int    `help:"Threads of the engine; 0 means one a core." default:"0" env:"LOUPE_THREADS"`
	Name    string `help:"Name on the pages; by default this machine's name and the process number." env:"LOUPE_WORKER_NAME"`

	ID    string `hidden:"" help:"Identity that the supervisor gave."`
	Leash bool   `hidden:"" help:"End when standard input ends, and leave Ctrl-C to the supervisor."`
}

// Help teaches the command.
func (Worker) Help() string {
	return `The server starts workers of its own; this command adds more, on the same machine
or on others that reach its NATS and its pictures. A worker that loses the server
comes back by itself, and one that ends in the middle of a frame loses nothing.

Examples:

  loupe worker --blobs file:///srv/loupe/blobs
  LOUPE_NATS_TOKEN=… loupe worker --nats nats://plant:4222 --blobs file:///mnt/loupe/blobs
  loupe worker --blobs file:///srv/loupe/blobs --engine onnxruntime    faster, where its library is installed`
}

// Validate refuses settings that cannot work.
func (w *Worker) Validate() error {
	if u, err := url.Parse(w.Blobs); w.Blobs != "" && (err != nil || u.Scheme == "") {
		return usage("--blobs %q is not a URL; a folder is written file:///srv/loupe/blobs", w.Blobs)
	}
	if err := checkNATS(w.NATS); err != nil {
		return err
	}
	if err := w.NATSAccess.check(); err != nil {
		return err
	}
	if w.Threads < 0 {
		return usage("--threads must be 0 or more")
	}
	return nil
}

// Run judges frames until it is interrupted.
func (w *Worker) Run(log *slog.Logger) error {
	ctx, stop := interruptible()
	defer stop()
	if w.Leash {
		// Ctrl-C in a terminal reaches every process; the server ends its workers
		// itself when their frames are done.
		signal.Ignore(os.Interrupt)
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
	}
	if _, err := chooseEngine(w.choice(), w.Threads); err != nil {
		return err
	}
	err := worker.Run(ctx, worker.Settings{
		NATSURL: w.NATS, Access: w.NATSAccess.access(w.Token), BlobsURL: w.Blobs, ID: w.ID, Name: w.Name,
		Engine: w.choice(), Threads: w.Threads, Version: programVersion(), Log: log,
	})
	var refused *worker.RefusedError
	if errors.As(err, &refused) {
		return usage("%v", refused)
	}
	return err
}
