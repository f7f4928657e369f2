package commands

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"

	"loupe/web/client"
)

// connections is how many frames are under way between station and server.
const connections = 8

// posting posts the test half over and over, as a station with several
// connections does, and waits for each verdict.
type posting struct {
	server *benchServer
	test   []picture
	data   [][]byte // of test
	client *client.Client
	bar    *progressbar.ProgressBar

	next         atomic.Int64
	right        atomic.Int64 // verdicts with the picture's class
	times        []float64    // from post to verdict, ms, by frame
	took         time.Duration
	serverCPU    float64 // processor time while it posts, ms
	workersCPU   float64
	memoryAt2000 float64 // MB
}

func (s *benchServer) newPosting(test []picture) (*posting, error) {
	frames := max(s.Frames, len(test))
	p := &posting{
		server: s, test: test, data: make([][]byte, len(test)), client: client.New(s.app.URL, s.station),
		bar: newBar(frames, "posting"), times: make([]float64, frames),
	}
	for i, one := range test {
		var err error
		if p.data[i], _, err = readPicture(one.path); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *posting) done() bool { return int(p.next.Load()) >= len(p.times) }

// post posts so many frames more.
func (p *posting) post(ctx context.Context, frames int) error {
	end := min(int(p.next.Load())+frames, len(p.times))
	errs := make([]error, connections)
	var all sync.WaitGroup
	server, workers := p.server.processor()
	began := time.Now()
	for i := range connections {
		all.Go(func() {
			for errs[i] == nil && ctx.Err() == nil {
				n := int(p.next.Add(1)) - 1
				if n >= end {
					return
				}
				errs[i] = p.one(ctx, n)
			}
		})
	}
	all.Wait()
	p.took += time.Since(began)
	serverNow, workersNow := p.server.processor()
	p.serverCPU, p.workersCPU = p.serverCPU+serverNow-server, p.workersCPU+workersNow-workers
	p.next.Store(int64(end))
	return errors.Join(append(errs, ctx.Err())...)
}

func (p *posting) one(ctx context.Context, n int) error {
	if n == 2000 {
		p.memoryAt2000 = p.server.memory()
	}
	of := n % len(p.test)
	sent := time.Now()
	answer, err := p.client.PostFrame(ctx, client.Frame{Image: p.data[of], Serial: "B" + strconv.Itoa(n)}, 30*time.Second)
	if err != nil || answer.Inspection == nil {
		return errors.Join(err, errors.New("a frame got no verdict"))
	}
	p.times[n] = since(sent)
	if answer.Inspection.Class == p.test[of].class {
		p.right.Add(1)
	}
	_ = p.bar.Add(1)
	return nil
}
