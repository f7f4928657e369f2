package web

import (
	"net/http"
	"strings"
	"sync"

	"loupe/storage"
)

// hub hands events to the streams. Each stream has a bounded buffer; one that
// falls behind is told to send its whole state again instead of what it missed.
type hub struct {
	mu      sync.Mutex
	streams map[*stream]bool
	closed  chan struct{}
	dropped int64
}

// stream is one connected reader.
type stream struct {
	events chan storage.Event
	behind bool // events were dropped since the last look
}

const streamBuffer = 128

func newHub() *hub { return &hub{streams: map[*stream]bool{}, closed: make(chan struct{})} }

func (h *hub) join() *stream {
	s := &stream{events: make(chan storage.Event, streamBuffer)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.streams[s] = true
	return s
}

func (h *hub) leave(s *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams, s)
}

func (h *hub) publish(e storage.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.streams {
		select {
		case s.events <- e:
		default:
			s.behind = true
			h.dropped++
		}
	}
}

// caughtUp says whether events were dropped since the last call.
func (h *hub) caughtUp(s *stream) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	behind := s.behind
	s.behind = false
	return !behind
}

func (h *hub) count() (streams int, dropped int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.streams), h.dropped
}

// close ends all streams, so that the server can stop.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.closed:
	default:
		close(h.closed)
	}
}

// compressible leaves streams, pictures and models as they are.
func compressible(r *http.Request) bool {
	p := r.URL.Path
	if r.Method == http.MethodPost && strings.HasPrefix(p, "/api/") { // answers of a few hundred bytes, thousands a minute
		return false
	}
	for _, part := range []string{"/events", "/image", "/thumb", "/original", "/heat", "/model.onnx", "/export"} {
		if strings.Contains(p, part) {
			return false
		}
	}
	return true
}
