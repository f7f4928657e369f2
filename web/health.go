package web

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// healthz says that the process answers.
func (w *Server) healthz(c echo.Context) error { return c.String(http.StatusOK, "ok\n") }

// readyz says whether frames can be accepted and judged: the database can be
// written and a worker is there.
func (w *Server) readyz(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), 5*time.Second)
	defer cancel()
	if err := w.DB.Ready(ctx); err != nil {
		w.Log.Error("not ready", "error", err)
		return refuse(http.StatusServiceUnavailable, "database", "the database cannot be written")
	}
	for _, worker := range w.Crew.Workers() {
		if worker.Refused == "" {
			return c.String(http.StatusOK, "ready\n")
		}
	}
	return refuse(http.StatusServiceUnavailable, "no_worker", "no vision worker is there")
}
