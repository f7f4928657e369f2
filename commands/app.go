package commands

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"loupe/models"
	"loupe/storage"
	"loupe/vision"
	"loupe/vision/engine"
	"loupe/vision/pool"
	"loupe/vision/trial"
	"loupe/vision/wire"
	"loupe/web"
	"loupe/web/demo"
)

// AppSettings are what a server needs to know.
type AppSettings struct {
	Folder     string
	BlobsURL   string // "" for Folder/blobs
	Listener   net.Listener
	NATSURL    string // "" for the built-in server
	NATSAccess wire.Access
	NATSListen string
	Workers    int           // local worker processes
	Threads    int           // of each
	Engine     engine.Choice // of the local workers and of trials
	TrialLimit time.Duration // for trying an uploaded model; 0 for the default
	Gate       vision.Gate
	Secure     bool
	Demo       demo.Timing
	Log        *slog.Logger
}

// App is an open server with everything behind it.
type App struct {
	URL      string
	Admin    string // made at this start with Password; "" otherwise
	Password string

	DB       *storage.DB
	Crew     *pool.Pool
	Learner  *models.Learner
	Registry *models.Registry
	Watch    *models.Watch
	Demo     *demo.Line

	settings   AppSettings
	lock       *os.File
	pictures   *models.Pictures
	extractor  *models.Extractor
	dispatcher *models.Dispatcher
	shadows    *models.Shadows
	web        *web.Server
}

// picturesLimit bounds the folder of picture copies.
const picturesLimit = 2 << 30

// OpenApp opens the data folder and wires the rooms; nothing runs yet but the
// local workers.
func OpenApp(ctx context.Context, s AppSettings) (*App, error) {
	a := &App{settings: s}
	var err error
	if a.lock, err = lockFolder(s.Folder); err != nil {
		return nil, err
	}
	if a.DB, err = openStorage(ctx, storage.Settings{Folder: s.Folder, BlobsURL: s.BlobsURL}); err != nil {
		return nil, errors.Join(err, a.lock.Close())
	}
	if a.Crew, err = pool.Open(pool.Settings{URL: s.NATSURL, Listen: s.NATSListen, Access: s.NATSAccess, Log: s.Log}); err != nil {
		return nil, errors.Join(err, a.DB.Close(), a.lock.Close())
	}
	cache := filepath.Join(s.Folder, "cache")
	a.URL = address(s.Listener)
	a.pictures = models.NewPictures(a.Crew, filepath.Join(cache, "pictures"))
	a.extractor = models.NewExtractor(a.DB, a.Crew, filepath.Join(cache, "features"), s.Log)
	a.Registry = models.NewRegistry(a.DB, a.Crew)
	similar := models.NewPooledCache(a.DB, a.extractor, a.Registry)
	uploads := models.NewUploads(a.DB, a.Registry, trial.New(trial.Settings{Command: func() *exec.Cmd { return trialCommand(s.Engine) }, Limit: s.TrialLimit}))
	a.Learner = models.NewLearner(a.DB, a.Registry, a.extractor, s.Log)
	a.dispatcher = models.NewDispatcher(a.DB, a.Crew, a.pictures, similar, s.Log)
	a.Watch = models.NewWatch(a.DB, a.Crew, a.extractor, s.Log)
	a.dispatcher.Watched(a.Watch)
	a.shadows = models.NewShadows(a.DB, a.Crew, a.Registry, s.Log)
	a.Demo = demo.New(demo.Settings{DB: a.DB, Train: a.Learner.Train, URL: a.URL, Log: s.Log, Timing: s.Demo})
	a.web = web.New(web.Settings{
		DB: a.DB, Crew: a.Crew, Learner: a.Learner, Registry: a.Registry, Uploads: uploads, Watch: a.Watch, Pictures: a.pictures, Similar: similar,
		Demo: a.Demo, Gate: s.Gate, Version: programVersion(), Log: s.Log, Secure: s.Secure,
	})
	a.Crew.OnWorkerUp(func(w pool.Worker) {
		s.Log.Info("a vision worker joined", "worker", w.Name, "refused", w.Refused)
		a.dispatcher.Nudge()
	})
	a.Crew.StartLocal(s.Workers, workerCommand(s, a.Crew.URL(), a.Crew.Access(), a.DB.Blobs.URL()))
	a.Admin, a.Password, _, err = web.FirstAdmin(ctx, a.DB)
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// address is how a browser on this machine reaches the listener.
func address(l net.Listener) string {
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return "http://" + l.Addr().String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// lockFolder keeps two servers from using one data folder.
func lockFolder(folder string) (*os.File, error) {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, usage("cannot make the data folder: %v", err)
	}
	f, err := os.OpenFile(filepath.Join(folder, storage.ServerLock), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, usage("cannot use the data folder: %v", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(usage("another Loupe serves the data folder %s", folder), f.Close())
	}
	return f, nil
}

// Run serves until ctx ends; withDemo sets the demonstration line up, and one
// that is there already goes on.
func (a *App) Run(ctx context.Context, withDemo bool) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var all sync.WaitGroup
	start := func(what string, run func(context.Context) error) {
		all.Go(func() {
			if err := run(ctx); err != nil {
				stop(fmt.Errorf("%s: %w", what, err))
			}
		})
	}
	start("dispatch frames", func(ctx context.Context) error { a.dispatcher.Run(ctx); return nil })
	start("judge in shadow", a.shadows.Run)
	start("learn", a.Learner.Run)
	start("extract features", a.extractor.Run)
	start("watch for drift", a.Watch.Run)
	start("keep picture copies", a.prune)
	start("remove old pictures", models.NewKeeper(a.DB, a.extractor, a.pictures, a.settings.Log).Run)
	start("tell systemd", a.watchdog)
	start("serve", func(ctx context.Context) error { return a.web.Serve(ctx, a.settings.Listener) })
	exists, err := a.Demo.Exists(ctx)
	if err == nil && (exists || withDemo) {
		err = a.Demo.Start(ctx)
	}
	if err != nil {
		stop(err)
	}
	<-ctx.Done()
	a.Demo.Stop()
	all.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// prune bounds the folder of picture copies now and then.
func (a *App) prune(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	for {
		if err := a.pictures.Prune(picturesLimit); err != nil {
			a.settings.Log.Warn("cannot bound the picture copies", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Close ends the workers and closes the data folder.
func (a *App) Close() error {
	return errors.Join(a.Crew.Close(), a.DB.Close(), a.lock.Close())
}
