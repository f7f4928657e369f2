package commands

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"loupe/storage"
	"loupe/vision"
	"loupe/web/client"
)

// smallFrame is a grey BMP of 32×32 pixels, of which no two are the same.
func smallFrame(n int64) []byte {
	const side, header, palette = 32, 54, 1024
	b := make([]byte, header+palette+side*side)
	copy(b, "BM")
	le := binary.LittleEndian
	le.PutUint32(b[2:], uint32(len(b)))
	le.PutUint32(b[10:], header+palette)
	le.PutUint32(b[14:], 40)
	le.PutUint32(b[18:], side)
	le.PutUint32(b[22:], side)
	le.PutUint16(b[26:], 1)
	le.PutUint16(b[28:], 8)
	for i := range 256 {
		le.PutUint32(b[header+4*i:], uint32(i)*0x010101)
	}
	le.PutUint64(b[header+palette:], uint64(n))
	return b
}

// syncedFiles writes as many small files a second as the disk makes durable
// over so many threads: one fsync for the file and one for its folder.
func syncedFiles(b *testing.B, folder string, threads int, limit time.Duration) float64 {
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
					_, err = f.Write(smallFrame(int64(i)))
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
	var next atomic.Int64
	b.ResetTimer()
	began := time.Now()
	var all sync.WaitGroup
	for t := range 128 {
		c := stations[t%len(stations)]
		all.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					return
				}
				if _, err := c.PostFrame(b.Context(), client.Frame{Image: smallFrame(n), IdempotencyKey: fmt.Sprint(n)}, 0); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/took.Seconds(), "frames/s")
	disk = (disk + syncedFiles(b, b.TempDir(), 128, 3*time.Second)) / 2
	b.ReportMetric(disk, "disk-files/s")
}
