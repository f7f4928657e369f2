package opencv

import (
	"bytes"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"gocv.io/x/gocv"
)

// shade is a picture of one grey, 64×48.
func shade(level float64) gocv.Mat {
	return gocv.NewMatWithSizeFromScalar(gocv.NewScalar(level, level, level, 0), 48, 64, gocv.MatTypeCV8UC3)
}

// middle is the grey in the middle of a JPEG file.
func middle(t *testing.T, data []byte) int {
	t.Helper()
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	r, _, _, _ := img.At(32, 24).RGBA()
	return int(r >> 8)
}

func TestVideoFileGivesEachPictureOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "line.avi")
	w, err := gocv.VideoWriterFile(path, "MJPG", 10, 64, 48, true)
	if err != nil || !w.IsOpened() {
		t.Fatalf("write a video: %v", err)
	}
	for _, level := range []float64{40, 120, 200} {
		m := shade(level)
		if err := w.Write(m); err != nil {
			t.Fatal(err)
		}
		m.Close()
	}
	w.Close()
	c, err := OpenCamera(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, level := range []int{40, 120, 200} {
		data, err := c.Next(time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if got := middle(t, data); got < level-6 || got > level+6 {
			t.Errorf("picture of grey %d, want %d", got, level)
		}
	}
	if _, err := c.Next(time.Second); !errors.Is(err, io.EOF) {
		t.Errorf("after the last picture: %v", err)
	}
}

// A network camera that sends a brighter picture each 20 ms: Next must skip what
// was sent while nobody asked.
func TestLiveCameraGivesTheNewestPicture(t *testing.T) {
	camera := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=frame")
		for level := 20; r.Context().Err() == nil; level = min(level+2, 240) {
			m := shade(float64(level))
			b, err := gocv.IMEncode(gocv.JPEGFileExt, m)
			m.Close()
			if err != nil {
				return
			}
			fmt.Fprintf(w, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n", b.Len())
			w.Write(b.GetBytes())
			fmt.Fprint(w, "\r\n")
			b.Close()
			w.(http.Flusher).Flush()
			time.Sleep(20 * time.Millisecond)
		}
	}))
	defer camera.Close()
	c, err := OpenCamera(camera.URL + "/video.mjpg")
	if err != nil {
		t.Fatal(err)
	}
	first, err := c.Next(5 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(600 * time.Millisecond)
	second, err := c.Next(5 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := middle(t, first), middle(t, second); b < a+30 {
		t.Errorf("after 600 ms the camera is %d levels brighter; an old picture was given", b-a)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestCameraThatIsNotThere(t *testing.T) {
	for _, source := range []string{"97", filepath.Join(t.TempDir(), "none.avi"), "http://127.0.0.1:1/video"} {
		if c, err := OpenCamera(source); !errors.Is(err, ErrCamera) || c != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
}
