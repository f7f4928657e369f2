package storage_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"loupe/storage"
)

// BenchmarkBackup takes backups of 20,000 pictures of 4 kB: the first, and the
// next when 100 came after it. It prints the seconds of both, their ratio, and
// how long one takes that reads everything.
func BenchmarkBackup(b *testing.B) {
	const pictures, fresh = 20_000, 100
	for b.Loop() {
		p := openBackedUp(b)
		p.fillWith(0, pictures)
		timed := func(want int, change ...func(*storage.BackupPlan)) float64 {
			began := time.Now()
			if r := p.backUp(change...); r.Copied != want || !r.Whole() {
				b.Fatalf("%+v", r)
			}
			return time.Since(began).Seconds()
		}
		first := timed(pictures)
		p.fillWith(pictures, fresh)
		second := timed(fresh)
		whole := timed(0, verifyAll)
		b.ReportMetric(first, "first_s")
		b.ReportMetric(second, "second_s")
		b.ReportMetric(second/first, "second/first")
		b.ReportMetric(whole, "verify_all_s")
	}
}

// fillWith adds frames with pictures of 4 kB, without waiting for the disk.
func (p *backedUp) fillWith(from, n int) {
	p.t.Helper()
	var all sync.WaitGroup
	next := make(chan int)
	for range 64 { // their rows share commits
		all.Go(func() {
			for i := range next {
				data := make([]byte, 4096)
				binary.LittleEndian.PutUint64(data, uint64(i))
				key := storage.ContentKey("frames", data)
				err := os.MkdirAll(filepath.Dir(file(p.path, key)), 0o750)
				if err == nil {
					err = os.WriteFile(file(p.path, key), data, 0o640)
				}
				if err == nil {
					_, _, err = p.AddFrame(p.t.Context(), storage.Frame{RecipeID: p.st.RecipeID, BlobKey: key, Format: "png", Bytes: 4096, Width: 64, Height: 64, Orientation: 1, State: storage.Kept})
				}
				if err != nil {
					p.t.Error(err)
				}
			}
		})
	}
	for i := range n {
		next <- from + i
	}
	close(next)
	all.Wait()
}
