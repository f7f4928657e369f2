package commands

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat"

	"loupe/web/client"
)

// soakLoad is the share of the capacity at which a soak runs.
const soakLoad = 0.8

// soak is a server under steady load, watched from outside.
type soak struct {
	*testing.T
	folder, url, token string
	pid                int
	pictures           [][]byte

	mu      sync.Mutex
	answers []answerTime
}

type answerTime struct {
	at   time.Duration // since the begin
	took float64       // ms
}

// soakSample is what one look at the processes shows.
type soakSample struct {
	Minute     float64 `json:"minute"`
	MemoryMB   float64 `json:"memory_mb"` // server and workers
	Files      int     `json:"files"`     // descriptors of server and workers
	Goroutines float64 `json:"goroutines"`
	Mats       float64 `json:"mats"`
	WALMB      float64 `json:"wal_mb"`
	Pending    float64 `json:"pending"`
}

// TestSoak runs LOUPE_SOAK, such as 60m, at 80 % of what the server can judge.
// Built with the tag matprofile it counts OpenCV's matrices too. With
// LOUPE_SOAK_WORKERS=1 it leaves half of a small machine to others.
func TestSoak(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("LOUPE_SOAK"))
	if err != nil {
		t.Skip("takes as long as LOUPE_SOAK says, such as 60m")
	}
	s := &soak{T: t, folder: t.TempDir()}
	site := startTaughtIn(t, s.folder)
	s.token = site.token
	site.stop()
	var p *program
	var flags []string
	if workers := os.Getenv("LOUPE_SOAK_WORKERS"); workers != "" {
		flags = []string{"--workers", workers}
	}
	p, s.url = serve(t, s.folder, flags...)
	s.pid = p.Process.Pid
	rng := rand.New(rand.NewPCG(7, 7))
	for n := range 50 {
		s.pictures = append(s.pictures, encodePart(t, drawPart(rng, []string{"good", "stain"}[n%2])))
	}
	s.run(15*time.Second, 0) // warm
	n, took := s.run(30*time.Second, 0)
	capacity := float64(n) / took.Seconds()
	rate := soakLoad * capacity
	t.Logf("capacity %.1f frames a second, load %.1f", capacity, rate)
	s.answers = nil
	stop := make(chan struct{})
	samples := make(chan []soakSample)
	go func() { samples <- s.watch(stop) }()
	sent, took := s.run(length, rate)
	close(stop)
	s.judge(<-samples, sent, took)
}

// run posts for a while, at a rate or, with 0, as fast as answers come.
func (s *soak) run(limit time.Duration, rate float64) (sent int64, took time.Duration) {
	var next, failed atomic.Int64
	began := time.Now()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			c := client.New(s.url, s.token)
			for time.Since(began) < limit {
				n := next.Add(1)
				if rate > 0 {
					time.Sleep(time.Until(began.Add(time.Duration(float64(n) / rate * float64(time.Second)))))
				}
				at := time.Now()
				a, err := c.PostFrame(s.Context(), client.Frame{Image: s.pictures[int(n)%len(s.pictures)], Serial: fmt.Sprint("S", n)}, 30*time.Second)
				if err != nil || a.Inspection == nil {
					failed.Add(1)
					continue
				}
				s.mu.Lock()
				s.answers = append(s.answers, answerTime{at.Sub(began), since(at)})
				s.mu.Unlock()
			}
		})
	}
	all.Wait()
	if failed.Load() > 0 {
		s.Errorf("%d frames got no verdict", failed.Load())
	}
	return next.Load(), time.Since(began)
}

// watch looks at the processes every few seconds.
func (s *soak) watch(stop <-chan struct{}) (all []soakSample) {
	began := time.Now()
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return all
		case <-tick.C:
		}
		one := soakSample{Minute: time.Since(began).Minutes()}
		for _, pid := range append(childrenOf(s.pid), s.pid) {
			one.MemoryMB += residentMB(pid)
			if files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)); err == nil {
				one.Files += len(files)
			}
		}
		if info, err := os.Stat(filepath.Join(s.folder, "loupe.db-wal")); err == nil {
			one.WALMB = float64(info.Size()) / (1 << 20)
		}
		if resp, err := http.Get(s.url + "/metrics"); err == nil {
			text, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			one.Goroutines = metricOf(bytes.NewReader(text), "go_goroutines")
			one.Mats = metricOf(bytes.NewReader(text), "loupe_worker_mats")
			one.Pending = metricOf(bytes.NewReader(text), "loupe_frames_pending")
		}
		all = append(all, one)
	}
}

// soakResult is what a soak prints.
type soakResult struct {
	Minutes        float64    `json:"minutes"`
	Frames         int64      `json:"frames"`
	FramesPerS     float64    `json:"frames_per_s"`
	MemoryMBPerH   float64    `json:"memory_mb_per_hour"` // slope after the first tenth
	MemoryMB       [2]float64 `json:"memory_mb"`          // median of the first and last tenth after it
	Files          [2]float64 `json:"files"`
	Goroutines     [2]float64 `json:"goroutines"`
	Mats           [2]float64 `json:"mats"`
	WALMax         float64    `json:"wal_max_mb"`
	AnswerFirst    quantiles  `json:"answer_first_ms"`
	AnswerLast     quantiles  `json:"answer_last_ms"`
	P99First       float64    `json:"p99_first_ms"`
	P99Last        float64    `json:"p99_last_ms"`
	ComparedMinute float64    `json:"compared_minutes"`
}

// judge prints what the soak showed and fails where something grows without end.
func (s *soak) judge(samples []soakSample, sent int64, took time.Duration) {
	s.Helper()
	settled := samples[len(samples)/10:]
	tenth := max(1, len(settled)/10)
	ends := func(of func(soakSample) float64) [2]float64 {
		return [2]float64{medianOf(settled[:tenth], of), medianOf(settled[len(settled)-tenth:], of)}
	}
	memory := func(x soakSample) float64 { return x.MemoryMB }
	minutes, values := make([]float64, len(settled)), make([]float64, len(settled))
	r := soakResult{Minutes: took.Minutes(), Frames: sent, FramesPerS: float64(sent) / took.Seconds(), MemoryMB: ends(memory)}
	for i, x := range settled {
		minutes[i], values[i] = x.Minute, x.MemoryMB
		r.WALMax = max(r.WALMax, x.WALMB)
	}
	_, slope := stat.LinearRegression(minutes, values, nil, false)
	r.MemoryMBPerH = slope * 60
	r.Files = ends(func(x soakSample) float64 { return float64(x.Files) })
	r.Goroutines = ends(func(x soakSample) float64 { return x.Goroutines })
	r.Mats = ends(func(x soakSample) float64 { return x.Mats })
	span := min(10*time.Minute, took/3)
	r.ComparedMinute = span.Minutes()
	first, last := s.between(0, span), s.between(took-span, took)
	r.AnswerFirst, r.AnswerLast = quantilesOf(first), quantilesOf(last)
	r.P99First, r.P99Last = quantileOf(first, 0.99), quantileOf(last, 0.99)
	text, _ := json.MarshalIndent(r, "", " ")
	s.Logf("%s", text)
	// What leaks grows with each of thousands of frames; what does not stays put.
	if r.Files[1] > r.Files[0]+50 || r.Goroutines[1] > r.Goroutines[0]+50 || r.WALMax > 256 {
		s.Error("files, goroutines or the WAL grow")
	}
	if r.Mats[1] > 40 {
		s.Errorf("%.0f matrices are not closed", r.Mats[1])
	}
}

func (s *soak) between(from, to time.Duration) (ms []float64) {
	for _, a := range s.answers {
		if a.at >= from && a.at < to {
			ms = append(ms, a.took)
		}
	}
	return ms
}

func medianOf(samples []soakSample, of func(soakSample) float64) float64 {
	values := make([]float64, len(samples))
	for i, x := range samples {
		values[i] = of(x)
	}
	return quantileOf(values, 0.5)
}

func quantileOf(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return stat.Quantile(q, stat.Empirical, sorted, nil)
}
