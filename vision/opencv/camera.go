package opencv

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"gocv.io/x/gocv"
)

// Camera gives pictures of a camera or a video as JPEG files.
type Camera struct {
	source string
	file   bool // a video that is read picture by picture
	video  *gocv.VideoCapture

	mu     sync.Mutex
	newest gocv.Mat // the last picture read
	count  int      // of pictures read
	given  int      // count of the last picture given out
	ended  error    // why there are no more
	fresh  chan struct{}
	stop   chan struct{}
	done   chan struct{}
}

// ErrCamera says that a camera cannot be opened or has stopped giving pictures.
var ErrCamera = errors.New("the camera gives no picture")

// cameraQuality is the JPEG quality of a camera's pictures: high, since they are
// judged and kept.
const cameraQuality = 95

// OpenCamera opens the camera with a number (0 is the first of the machine), at
// a URL (rtsp://…, http://…), or a video file. A live camera is read all the
// time, so that Next gives what it sees now and not what waited in its buffer.
func OpenCamera(source string) (*Camera, error) {
	silence()
	c := &Camera{source: source, file: !strings.Contains(source, "://")}
	var device any = source
	if n, err := strconv.Atoi(source); err == nil {
		device, c.file = n, false
	}
	video, err := gocv.OpenVideoCapture(device)
	if err != nil || !video.IsOpened() {
		if video != nil {
			_ = video.Close()
		}
		return nil, fmt.Errorf("%w: %s cannot be opened", ErrCamera, source)
	}
	c.video, c.newest = video, gocv.NewMat()
	if !c.file {
		c.fresh, c.stop, c.done = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
		go c.read()
	}
	return c, nil
}

// read keeps the newest picture until the camera is closed or fails.
func (c *Camera) read() {
	defer close(c.done)
	for {
		select {
		case <-c.stop:
			return
		default:
		}
		m := gocv.NewMat()
		ok := c.video.Read(&m) && !m.Empty()
		c.mu.Lock()
		if ok {
			c.newest, m = m, c.newest
			c.count++
		} else {
			c.ended = fmt.Errorf("%w: %s stopped", ErrCamera, c.source)
		}
		c.mu.Unlock()
		_ = m.Close()
		select {
		case c.fresh <- struct{}{}:
		default:
		}
		if !ok {
			return
		}
	}
}

// Next gives a picture that was not given before, as a JPEG file; of a live
// camera the newest, of a video file the following one and io.EOF after the
// last. It waits up to timeout for a live camera.
func (c *Camera) Next(timeout time.Duration) ([]byte, error) {
	if c.file {
		if !c.video.Read(&c.newest) || c.newest.Empty() {
			return nil, io.EOF
		}
		return c.encode()
	}
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	for {
		c.mu.Lock()
		if c.count > c.given {
			c.given = c.count
			data, err := c.encode()
			c.mu.Unlock()
			return data, err
		}
		err := c.ended
		c.mu.Unlock()
		if err != nil {
			return nil, err
		}
		select {
		case <-c.fresh:
		case <-limit.C:
			return nil, fmt.Errorf("%w: nothing from %s for %v", ErrCamera, c.source, timeout)
		}
	}
}

func (c *Camera) encode() ([]byte, error) {
	b, err := gocv.IMEncodeWithParams(gocv.JPEGFileExt, c.newest, []int{gocv.IMWriteJpegQuality, cameraQuality})
	if err != nil {
		return nil, fmt.Errorf("encode the camera's picture: %w", err)
	}
	defer b.Close()
	return append([]byte(nil), b.GetBytes()...), nil
}

// Close ends the camera. It waits for the picture that is being read.
func (c *Camera) Close() error {
	if c.stop != nil {
		close(c.stop)
		<-c.done
	}
	return errors.Join(c.video.Close(), c.newest.Close())
}
