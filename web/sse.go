package web

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

const eventStream = "text/event-stream"

// errReaderLeft says that a stream's reader is gone or too slow.
var errReaderLeft = errors.New("the reader left")

// tickPeriod is how often a stream shows that it lives.
const tickPeriod = 4 * time.Second

// sse writes server-sent events.
type sse struct {
	out   *echo.Response
	flush *http.ResponseController
}

func openSSE(c echo.Context) *sse {
	h := c.Response().Header()
	h.Set("Content-Type", eventStream)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	flush := http.NewResponseController(c.Response())
	_ = flush.SetReadDeadline(time.Time{}) // the connection's own limit would end the stream
	c.Response().WriteHeader(http.StatusOK)
	return &sse{c.Response(), flush}
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
	_, err := s.out.Write(b.Bytes())
	if err == nil {
		err = s.flush.Flush()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errReaderLeft, err)
	}
	return nil
}
