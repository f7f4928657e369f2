package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// longestPause is the most between two attempts, unless the server asks for more.
const longestPause = 10 * time.Second

// answerLimit bounds what is read of an answer.
const answerLimit = 8 << 20

type request struct {
	method, path, contentType, key string
	body                           []byte
	wait                           time.Duration
}

// call tries the request until it succeeds, is refused, ctx ends or patience
// runs out. The answer goes to p.
func (c *Client) call(ctx context.Context, r request, p *Posted) error {
	if u, err := url.Parse(r.path); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%q is not a server's address; it looks like http://host:8080", c.base)
	}
	end := time.Now().Add(c.Patience + r.wait)
	for attempt := 1; ; attempt++ {
		p.Attempts = attempt
		again, asked, err := c.once(ctx, r, p)
		if err == nil || !again {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		pause := max(asked, c.backoff(attempt))
		if time.Now().Add(pause).After(end) {
			return fmt.Errorf("gave up after %d attempts: %w", attempt, err)
		}
		if c.Retried != nil {
			c.Retried(err, pause)
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// backoff doubles with each attempt; the jitter keeps the stations of a plant
// from coming back all at once.
func (c *Client) backoff(attempt int) time.Duration {
	d := min(c.Pause<<min(attempt-1, 16), longestPause)
	return d/2 + rand.N(d/2+1)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// once sends the request once. again says that another attempt may help, asked
// is the least pause that the server wants before it.
func (c *Client) once(ctx context.Context, r request, p *Posted) (again bool, asked time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.Attempt+r.wait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.method, r.path, bytes.NewReader(r.body))
	if err != nil {
		return false, 0, err
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	req.Header.Set("Authorization", "Bearer "+c.token)
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		var untrusted *tls.CertificateVerificationError
		return !errors.As(err, &untrusted), 0, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return true, 0, fmt.Errorf("the answer broke off: %w", err)
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusCreated:
		var i Inspection
		if err := json.Unmarshal(data, &i); err != nil {
			return false, 0, fmt.Errorf("the answer is not an inspection (is this the address of a Loupe server?): %w", err)
		}
		p.Inspection, p.Location = &i, resp.Header.Get("Location")
		return false, 0, nil
	case http.StatusAccepted:
		if at := resp.Header.Get("Location"); at != "" {
			p.Location = at
		}
		return false, 0, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		http.StatusInsufficientStorage: // somebody may make room
		return true, retryAfter(resp.Header.Get("Retry-After")), problem(resp, data)
	}
	return false, 0, problem(resp, data)
}

// retryAfter reads the header's seconds or date (RFC 9110, 10.2.3).
func retryAfter(value string) time.Duration {
	if s, err := strconv.Atoi(value); err == nil && s > 0 {
		return time.Duration(s) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
