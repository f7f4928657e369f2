package storage_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"loupe/storage"
)

// SQLite's online backup begins anew when somebody writes between two of its
// steps; a line that never stops must not keep it from ending.
func TestABackupEndsWhileFramesFlow(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	long := strings.Repeat("x", 1<<20)
	for n := range 40 {
		f.must(f.SetSetting(ctx, fmt.Sprint("ballast ", n), long))
	}
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				f.must(f.SetSetting(ctx, "beat", fmt.Sprint(n)))
			}
		}
	})
	done := make(chan error, 1)
	go func() {
		_, err := f.Backup(ctx, storage.BackupPlan{Folder: filepath.Join(t.TempDir(), "copy"), Keep: 1, Progress: func(float64) {}})
		done <- err
	}()
	select {
	case err := <-done:
		f.must(err)
	case <-time.After(30 * time.Second):
		t.Error("the backup does not end")
	}
	close(stop)
	writer.Wait()
}
