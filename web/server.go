// Package web serves Loupe over HTTP: the JSON API for stations and programs,
// the pages for people, and the streams that keep both up to date. It knows
// neither SQL nor pixels.
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"loupe/models"
	"loupe/static"
	"loupe/storage"
	"loupe/vision"
	"loupe/vision/pool"
	"loupe/web/ui"
	"loupe/web/views"
	"loupe/web/vitals"
)

// Settings of a Server.
type Settings struct {
	DB       *storage.DB
	Crew     *pool.Pool
	Learner  *models.Learner
	Registry *models.Registry
	Uploads  *models.Uploads
	Watch    *models.Watch
	Pictures *models.Pictures
	Similar  *models.PooledCache
	Demo     Demonstration
	Gate     vision.Gate
	Log      *slog.Logger
	Version  string // of the program
	Secure   bool   // the pages are reached by HTTPS: cookies are for it alone
}

// Demonstration is the line that shows visitors what Loupe does.
type Demonstration interface {
	Start(ctx context.Context) error
	Remove(ctx context.Context, by string) error
	Exists(ctx context.Context) (bool, error)
}

// Server is Loupe's HTTP server.
type Server struct {
	Settings
	echo      *echo.Echo
	sessions  *scs.SessionManager
	attempts  *attempts
	views     *views.Source
	hub       *hub
	waiters   *waiters
	admission *admission
	metrics   *metrics
	vitals    *vitals.Recorder
	hashing   chan struct{} // room for the passwords that are checked at once
	started   string        // names this run of the server
}

// New makes a server; Serve lets it answer.
func New(s Settings) *Server {
	if s.Gate == (vision.Gate{}) {
		s.Gate = vision.DefaultGate
	}
	w := &Server{
		Settings: s, echo: echo.New(), attempts: newAttempts(s.DB.Now), hub: newHub(), admission: newAdmission(), hashing: make(chan struct{}, hashesAtOnce),
		views:   &views.Source{DB: s.DB, Learner: s.Learner, Watch: s.Watch, Similar: s.Similar, Workers: s.Crew.Workers, StartedAt: s.DB.Now()},
		started: fmt.Sprint(s.DB.Now().UnixMilli()),
	}
	w.vitals = vitals.New(s.DB, s.Crew.Workers)
	w.waiters = newWaiters(w.hub.closed)
	w.metrics = newMetrics(w)
	w.sessions = scs.New()
	w.sessions.Store = s.DB.Sessions()
	w.sessions.Lifetime = sessionLife
	w.sessions.HashTokenInStore = true
	w.sessions.Cookie.Name = "loupe_session"
	w.sessions.Cookie.SameSite = http.SameSiteLaxMode
	w.sessions.Cookie.Secure = s.Secure
	s.DB.Listen(func(e storage.Event) {
		w.metrics.count(e)
		w.waiters.deliver(e)
		w.hub.publish(e)
	})
	s.Crew.OnWorkerUp(func(p pool.Worker) { w.views.WorkerUp(p); w.hub.publish(storage.Event{Kind: workersChanged}) })
	s.Crew.OnWorkerLost(func(p pool.Worker, _ error) {
		w.views.WorkerLost(p)
		w.hub.publish(storage.Event{Kind: workersChanged})
	})
	w.configure()
	w.routes()
	return w
}

// workersChanged tells the pages that a worker came or went.
const workersChanged storage.EventKind = "worker"

func (w *Server) configure() {
	e := w.echo
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = w.answerError
	e.IPExtractor = echo.ExtractIPDirect()
	if w.Secure { // what a proxy on this machine says about its client is believed, nothing else
		e.IPExtractor = echo.ExtractIPFromXFFHeader(echo.TrustLinkLocal(false), echo.TrustPrivateNet(false))
	}
	e.Use(middleware.RequestID(), w.observe, middleware.RecoverWithConfig(middleware.RecoverConfig{
		DisablePrintStack: true,
		LogErrorFunc: func(c echo.Context, err error, stack []byte) error {
			w.Log.Error("a request panicked", "path", c.Path(), "error", err, "stack", string(stack))
			return &problem{Status: http.StatusInternalServerError, Code: "internal", Detail: somethingWrong, logged: true}
		},
	}))
	e.Use(middleware.SecureWithConfig(middleware.SecureConfig{
		ContentTypeNosniff: "nosniff", XFrameOptions: "DENY", ReferrerPolicy: "same-origin", ContentSecurityPolicy: ui.ContentSecurityPolicy,
	}))
	e.Use(middleware.GzipWithConfig(middleware.GzipConfig{Level: 3, MinLength: 1024, Skipper: func(c echo.Context) bool {
		return !compressible(c.Request())
	}}))
	e.Use(limitBody, sameOrigin(), w.session)
	e.GET(static.Prefix+"*", echo.WrapHandler(static.Handler()))
}

// Handler answers requests, for tests with a listener of their own.
func (w *Server) Handler() http.Handler { return w.echo }

const (
	stopTime = 5 * time.Second // for requests under way when the server ends
	// A client that sends or reads more slowly than this is cut off. Streams
	// have limits of their own, for each event.
	requestTime = 2 * time.Minute
	answerTime  = 5 * time.Minute
)

// Serve answers on the listener until ctx ends.
func (w *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: w.echo, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: requestTime, WriteTimeout: answerTime, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(w.Log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	w.hub.close()
	stop, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		return errors.Join(fmt.Errorf("stop serving: %w", err), server.Close())
	}
	return nil
}
