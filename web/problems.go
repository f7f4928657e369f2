package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"loupe/storage"
	"loupe/vision"
	"loupe/vision/pool"
	"loupe/web/ui"
)

// problem is an answer to a request that failed, as RFC 9457 says.
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`
	Instance string `json:"instance,omitempty"`
	Code     string `json:"code"`               // stable, for programs
	Operator string `json:"operator,omitempty"` // of a model file, that cannot be read
	Node     string `json:"node,omitempty"`     // where it is used

	retryAfter string // seconds
	logged     bool
}

const somethingWrong = "something went wrong here; the server's log says what"

func (p *problem) Error() string { return p.Detail }

func refuse(status int, code, detail string) error {
	return &problem{Status: status, Code: code, Detail: detail}
}

// problemOf is the one place where errors become answers.
func problemOf(err error) *problem {
	var p *problem
	var stored *storage.Error
	var refusal *vision.Refusal
	var picture *pool.PictureError
	var fromEcho *echo.HTTPError
	var large *http.MaxBytesError
	refused := modelProblem(err)
	switch {
	case errors.As(err, &p):
		copied := *p
		p = &copied
	case refused != nil:
		p = refused
	case errors.As(err, &refusal):
		p = &problem{Status: refusalStatus(refusal.Code), Code: string(refusal.Code), Detail: refusal.Detail}
	case errors.As(err, &stored):
		p = storedProblem(stored)
	case errors.As(err, &picture):
		p = &problem{Status: http.StatusUnprocessableEntity, Code: "picture", Detail: picture.Detail}
	case errors.Is(err, pool.ErrNoWorkers), errors.Is(err, pool.ErrTimeout), errors.Is(err, pool.ErrWorkerDied):
		p = &problem{Status: http.StatusServiceUnavailable, Code: "no_worker", Detail: "no vision worker answered: try again", retryAfter: "2"}
	case errors.As(err, &large):
		p = &problem{Status: http.StatusRequestEntityTooLarge, Code: string(vision.TooManyBytes), Detail: "the request is larger than the server allows"}
	case errors.Is(err, context.Canceled):
		p = &problem{Status: 499, Code: "left", Detail: "the client went away"}
	case errors.As(err, &fromEcho):
		p = &problem{Status: fromEcho.Code, Code: strings.ReplaceAll(strings.ToLower(http.StatusText(fromEcho.Code)), " ", "_")}
		if text, ok := fromEcho.Message.(string); ok && fromEcho.Code < 500 {
			p.Detail = text
		}
	default:
		p = &problem{Status: http.StatusInternalServerError, Code: "internal", Detail: somethingWrong}
	}
	p.Type = "about:blank"
	if p.Title = http.StatusText(p.Status); p.Title == "" {
		p.Title = "Client closed the request"
	}
	return p
}

func refusalStatus(code vision.RefusalCode) int {
	switch code {
	case vision.TooManyBytes, vision.TooManyPixels:
		return http.StatusRequestEntityTooLarge
	case vision.NotAPicture, vision.Unsupported:
		return http.StatusUnsupportedMediaType
	}
	return http.StatusUnprocessableEntity
}

func storedProblem(e *storage.Error) *problem {
	p := &problem{Code: string(e.Code), Detail: e.Message, Status: http.StatusInternalServerError}
	switch e.Code {
	case storage.Invalid:
		p.Status = http.StatusUnprocessableEntity
	case storage.NotFound:
		p.Status = http.StatusNotFound
	case storage.Conflict:
		p.Status = http.StatusConflict
	case storage.Full:
		p.Status, p.retryAfter = http.StatusInsufficientStorage, "30"
	case storage.Busy:
		p.Status, p.retryAfter = http.StatusServiceUnavailable, "1"
	case storage.Behind:
		p.Status, p.retryAfter = http.StatusServiceUnavailable, "5"
	}
	return p
}

// answerError answers a failed request: a problem document for programs, a
// toast for a fragment's request, a page for a person.
func (w *Server) answerError(err error, c echo.Context) {
	p := problemOf(err)
	if p.Status == http.StatusInsufficientStorage {
		w.views.DiskFull(true) // until a frame can be stored again
	}
	if p.Status >= 500 && !p.logged {
		w.Log.Error("a request failed", "method", c.Request().Method, "path", c.Request().URL.Path, "status", p.Status, "error", err)
	}
	if c.Response().Committed {
		return
	}
	if p.retryAfter != "" {
		c.Response().Header().Set("Retry-After", p.retryAfter)
	}
	if p.Status == http.StatusUnauthorized && isAPI(c) {
		c.Response().Header().Set("WWW-Authenticate", `Bearer realm="loupe"`)
	}
	p.Instance = c.Request().URL.Path
	var sent error
	switch {
	case c.Request().Method == http.MethodHead:
		sent = c.NoContent(p.Status)
	case c.Request().Header.Get("HX-Request") == "true":
		sent = w.render(c, p.Status, ui.ToastFragment(ui.Toast{Problem: words(p)}))
	case isAPI(c) || !strings.Contains(c.Request().Header.Get("Accept"), "text/html"):
		body, _ := json.Marshal(p)
		sent = c.Blob(p.Status, "application/problem+json", body)
	default:
		sent = w.errorPage(c, p)
	}
	if sent != nil {
		w.Log.Debug("an error could not be answered", "error", sent)
	}
}

func words(p *problem) string {
	if p.Detail != "" {
		return p.Detail
	}
	return p.Title
}

func isAPI(c echo.Context) bool { return strings.HasPrefix(c.Request().URL.Path, "/api/") }
