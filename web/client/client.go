// Package client speaks the stations' API: it posts frames, tries again when
// the line or the server stumbles, and reads verdicts.
package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"loupe/vision"
)

// Client posts frames as one station. Its methods may be called at the same
// time; its fields may be changed before the first call.
type Client struct {
	HTTP     *http.Client  // never follows a redirect
	Patience time.Duration // how long a call is tried again before its last error is returned; New sets a minute
	Attempt  time.Duration // the longest that one attempt may take beside the wait asked for; New sets 30 s
	Pause    time.Duration // about the first pause between two attempts, doubled each time up to 10 s; New sets 200 ms

	// Retried, when set, is called before each pause with the error that caused it.
	Retried func(err error, pause time.Duration)

	base  string
	token string
}

// New makes a client of the server at the address, such as
// "http://loupe.plant:8080", with a station's token. A bad address is reported
// by the first call.
func New(address, token string) *Client {
	return &Client{
		HTTP: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // the token is for this server only
		}},
		Patience: time.Minute, Attempt: 30 * time.Second, Pause: 200 * time.Millisecond,
		base: strings.TrimRight(address, "/"), token: token,
	}
}

// Frame is a picture to be judged, with what the station knows about it.
type Frame struct {
	Image    []byte         // a JPEG, PNG, BMP, TIFF or WebP file
	Serial   string         // of the part, may be empty
	Lot      string         // may be empty
	TakenAt  time.Time      // zero means when the server receives it
	Readings map[string]any // numbers and strings by name

	// IdempotencyKey makes a repeated post one frame. Empty means a fresh one
	// for each call of PostFrame, shared by its attempts.
	IdempotencyKey string
}

// Posted is the answer to a posted frame. The server has it on disk.
type Posted struct {
	Inspection *Inspection // nil when it was not ready in time
	Location   string      // where the inspection will be
	Attempts   int         // how often the frame was sent
}

// Inspection is a frame judged once by one model version.
type Inspection struct {
	ID            int64              `json:"id"`
	FrameID       int64              `json:"frame_id"`
	Station       string             `json:"station"`
	Version       int                `json:"version"` // number within the recipe
	Verdict       vision.Verdict     `json:"verdict"`
	Class         string             `json:"class"` // the most probable class
	Score         float64            `json:"score"` // its probability
	Probabilities map[string]float64 `json:"probabilities"`
	Findings      []vision.Finding   `json:"findings"`
	HeatURL       string             `json:"heat_url"`
	Timings       vision.Timings     `json:"timings_ms"`
}

// PostFrame posts a frame and waits up to wait, rounded to milliseconds, for its
// inspection; wait 0 asks for none. Network errors and the answers 429, 502, 503
// 504 and 507 are tried again for the client's Patience with the same idempotency
// key. A refusal is a *Problem.
func (c *Client) PostFrame(ctx context.Context, f Frame, wait time.Duration) (*Posted, error) {
	if f.IdempotencyKey == "" {
		f.IdempotencyKey = rand.Text()
	}
	body, kind, err := form(f)
	if err != nil {
		return nil, err
	}
	var p Posted
	err = c.call(ctx, request{
		method: http.MethodPost, path: c.base + "/api/v1/frames" + waitQuery(wait),
		body: body, contentType: kind, key: f.IdempotencyKey, wait: wait,
	}, &p)
	if err != nil {
		return nil, fmt.Errorf("post a frame: %w", err)
	}
	return &p, nil
}

// GetInspection reads an inspection by its id.
func (c *Client) GetInspection(ctx context.Context, id int64) (*Inspection, error) {
	return c.inspection(ctx, c.base+"/api/v1/inspections/"+strconv.FormatInt(id, 10))
}

func (c *Client) inspection(ctx context.Context, path string) (*Inspection, error) {
	var p Posted
	if err := c.call(ctx, request{method: http.MethodGet, path: path}, &p); err != nil {
		return nil, fmt.Errorf("read an inspection: %w", err)
	}
	if p.Inspection == nil {
		return nil, errors.New("read an inspection: it is not ready yet")
	}
	return p.Inspection, nil
}

// Await waits until a posted frame has its inspection or ctx ends.
func (c *Client) Await(ctx context.Context, p *Posted) (*Inspection, error) {
	for p.Inspection == nil {
		if p.Location == "" {
			return nil, errors.New("wait for an inspection: the server did not say where it will be")
		}
		at, err := c.resolve(p.Location)
		if err != nil {
			return nil, err
		}
		next := Posted{Location: p.Location}
		if err := c.call(ctx, request{method: http.MethodGet, path: at}, &next); err != nil {
			return nil, fmt.Errorf("wait for an inspection: %w", err)
		}
		p = &next
		if p.Inspection == nil {
			if err := sleep(ctx, c.Pause); err != nil {
				return nil, err
			}
		}
	}
	return p.Inspection, nil
}

// resolve makes a Location whole and refuses one of another server, which must
// not see the token.
func (c *Client) resolve(location string) (string, error) {
	base, err := url.Parse(c.base)
	if err != nil {
		return "", fmt.Errorf("server address: %w", err)
	}
	at, err := base.Parse(location)
	if err != nil || at.Host != base.Host || at.Scheme != base.Scheme {
		return "", fmt.Errorf("the server named a place of another server for the inspection: %q", location)
	}
	return at.String(), nil
}

func waitQuery(wait time.Duration) string {
	if wait < time.Millisecond {
		return ""
	}
	return "?wait=" + wait.Round(time.Millisecond).String()
}

// form encodes a frame as multipart/form-data. The fields come first, so that
// the server has read them when it reaches the picture.
func form(f Frame) (body []byte, contentType string, err error) {
	var b bytes.Buffer
	b.Grow(len(f.Image) + 1024)
	w := multipart.NewWriter(&b)
	field := func(name, value string) {
		if value != "" && err == nil {
			err = w.WriteField(name, value)
		}
	}
	field("serial", f.Serial)
	field("lot", f.Lot)
	if !f.TakenAt.IsZero() {
		field("taken_at", f.TakenAt.UTC().Format(time.RFC3339Nano))
	}
	if len(f.Readings) > 0 {
		text, bad := json.Marshal(f.Readings)
		if bad != nil {
			return nil, "", fmt.Errorf("readings: %w", bad)
		}
		field("readings", string(text))
	}
	if err != nil {
		return nil, "", err
	}
	part, err := w.CreateFormFile("image", "frame")
	if err != nil {
		return nil, "", err
	}
	if _, err := io.Copy(part, bytes.NewReader(f.Image)); err != nil {
		return nil, "", err
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return b.Bytes(), w.FormDataContentType(), nil
}
