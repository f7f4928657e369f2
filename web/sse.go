package web

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// tickPeriod is how often a stream shows that it lives.
const tickPeriod = 4 * time.Second

// sse writes server-sent events.
type sse struct {
	out   *echo.Response
	flush *http.ResponseController
}

func openSSE(c echo.Context) *sse {
	h := c.Response().Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	c.Response().WriteHeader(http.StatusOK)
	return &sse{c.Response(), http.NewResponseController(c.Response())}
}

// writeTime is how long a reader may take to accept an event.
const writeTime = 10 * time.Second

// send writes one event; data may have several lines.
func (s *sse) send(event string, data []byte) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "event: %s\n", event)
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		b.WriteString("data: ")
		b.Write(bytes.TrimRight(line, "\r"))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	_ = s.flush.SetWriteDeadline(time.Now().Add(writeTime))
	if _, err := s.out.Write(b.Bytes()); err != nil {
		return err
	}
	return s.flush.Flush()
}
