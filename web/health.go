package web

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"loupe/web/vitals"
)

// healthz says that the process answers.
func (w *Server) healthz(c echo.Context) error { return c.String(http.StatusOK, "ok\n") }

// notReady says what each trouble means to whoever watches over the server.
var notReady = map[vitals.Trouble]string{
	vitals.NoDatabase: "the database cannot be written",
	vitals.DiskFull:   "the disk is full",
	vitals.NoWorker:   "no vision worker is there",
	vitals.Stuck:      "a frame has been waiting for its verdict for more than a minute",
}

// readyz says whether frames can be accepted and judged.
func (w *Server) readyz(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), 5*time.Second)
	defer cancel()
	r, err := w.vitals.Read(ctx)
	if err != nil {
		w.Log.Error("not ready", "error", err)
	}
	if r.Trouble == vitals.NoTrouble {
		return c.String(http.StatusOK, "ready\n")
	}
	return refuse(http.StatusServiceUnavailable, string(r.Trouble), notReady[r.Trouble])
}
