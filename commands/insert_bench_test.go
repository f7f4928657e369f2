package commands

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"loupe/storage"
	"loupe/vision"
	"loupe/vision/picturetest"
	"loupe/web/client"
)

// smallFrame is a grey BMP of 32×32 pixels, of which no two are the same. blank
// is one without content.
func smallFrame(blank []byte, n int64) []byte {
	b := bytes.Clone(blank)
	binary.LittleEndian.PutUint64(b[len(b)-8:], uint64(n))
	return b
}

func blankFrame(b *testing.B) []byte {
	return picturetest.BMP(b, image.NewGray(image.Rect(0, 0, 32, 32)))
}

// syncedFiles writes as many small files a second as the disk makes durable
// over so many threads: one fsync for the file and one for its folder.
func syncedFiles(b *testing.B, folder string, threads int, limit time.Duration) float64 {
	blank := blankFrame(b)
	var n atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for t := range threads {
		dir := filepath.Join(folder, fmt.Sprint(t))
		if err := os.Mkdir(dir, 0o750); err != nil {
			b.Fatal(err)
		}
		all.Go(func() {
			for i := 0; time.Since(began) < limit; i++ {
				f, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
				if err == nil {
					_, err = f.Write(smallFrame(blank, int64(i)))
				}
				if err == nil {
					err = f.Sync()
				}
				if err == nil {
					err = f.Close()
				}
				d, e := os.Open(dir)
				if e == nil {
					e = d.Sync()
					d.Close()
				}
				if err != nil || e != nil {
					b.Error(err, e)
					return
				}
				n.Add(1)
			}
		})
	}
	all.Wait()
	return float64(n.Load()) / time.Since(began).Seconds()
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkAccept posts small frames from eight stations with vision switched
// off, and times what the disk could make durable, in the same run.
func BenchmarkAccept(b *testing.B) {
	s := startSite(b)
	r, err := s.DB.AddRecipe(b.Context(), "test", storage.NewRecipe("Caps", []vision.Class{{Name: "good", Pass: true, Color: "#5b8c5a", Key: "1"}}))
	if err != nil {
		b.Fatal(err)
	}
	var stations []*client.Client
	for n := range 8 {
		_, token, err := s.DB.AddStation(b.Context(), "test", storage.Station{Name: fmt.Sprint("station ", n), RecipeID: r.ID})
		if err != nil {
			b.Fatal(err)
		}
		stations = append(stations, client.New(s.URL, token))
	}
	disk := syncedFiles(b, b.TempDir(), 128, 3*time.Second) // and again after: a shared disk is not equally fast for long
	blank := blankFrame(b)
	var next atomic.Int64
	b.ResetTimer()
	began, work := time.Now(), processorTime(b)
	var all sync.WaitGroup
	for t := range 128 {
		c := stations[t%len(stations)]
		all.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					return
				}
				if _, err := c.PostFrame(b.Context(), client.Frame{Image: smallFrame(blank, n), IdempotencyKey: fmt.Sprint(n)}, 0); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	work = processorTime(b) - work
	b.StopTimer()
	b.ReportMetric(work.Seconds()*1e6/float64(b.N), "cpu-µs/frame") // of the stations as well
	b.ReportMetric(float64(b.N)/took.Seconds(), "frames/s")
	disk = (disk + syncedFiles(b, b.TempDir(), 128, 3*time.Second)) / 2
	b.ReportMetric(disk, "disk-files/s")
}
