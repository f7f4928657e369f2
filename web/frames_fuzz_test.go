package web

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	"loupe/storage"
	"loupe/vision"
)

// FuzzForm reads foreign bytes as a posted form: they are a frame within its
// limits, or a refusal that is the poster's fault.
func FuzzForm(f *testing.F) {
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"serial\"\r\n\r\nA-1\r\n--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"f\"\r\n\r\nBM\r\n--b--\r\n"))
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"taken_at\"\r\n\r\n-1\r\n--b--\r\n"))
	f.Add([]byte("--b\r\n\r\n"))
	w := &Server{Settings: Settings{Gate: vision.Gate{MaxBytes: 4096, MaxPixels: 4096}}}
	f.Fuzz(func(t *testing.T, body []byte) {
		req := httptest.NewRequest(http.MethodPost, "/api/v1/frames", bytes.NewReader(body))
		req.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		frame, data, err := w.readFrame(echo.New().NewContext(req, httptest.NewRecorder()))
		if err != nil {
			if p := problemOf(err); p.Status >= 500 {
				t.Fatalf("the poster's fault answers %d: %v", p.Status, err)
			}
			return
		}
		if int64(len(data)) > w.Gate.MaxBytes+1 || len(frame.Serial) > longestText || len(frame.Lot) > longestText {
			t.Fatalf("%d bytes, %+v", len(data), frame)
		}
	})
}

// FuzzReadings reads foreign text as process readings: numbers and strings, or
// a refusal.
func FuzzReadings(f *testing.F) {
	for _, text := range []string{`{"press_kN": 120.5, "tool": "A"}`, `{}`, `null`, `[1]`, `{"a":{"b":1}}`, `{"a":1e999}`, `{"a":null}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var frame storage.Frame
		if readReadings(&frame, text) != nil {
			return
		}
		for name, v := range frame.Readings {
			switch v.(type) {
			case float64, string:
			default:
				t.Fatalf("%q is a %T", name, v)
			}
		}
	})
}
