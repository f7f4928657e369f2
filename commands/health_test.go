package commands

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"loupe/storage"
)

func TestHealthSaysWhatIsSo(t *testing.T) {
	s := startTaught(t)
	rng := rand.New(rand.NewPCG(1, 8))
	for _, kind := range []string{"good", "stain", "good"} {
		s.post(rng, kind, kind)
	}
	if resp, _ := postOnce(t, s.URL, s.token, "no picture", []byte("no picture"), 0); resp.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("no picture: %d", resp.StatusCode)
	}
	if status, text := s.signInless("/readyz"); status != http.StatusOK {
		t.Errorf("not ready: %d %s", status, text)
	}
	qa := s.signInAs(storage.QA)
	_, page := qa.call("GET", "/health", "", "text/html")
	for _, want := range []string{"Frames are accepted and judged.", "The last 3 frames.", "Never"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, w := range s.Crew.Workers() {
		if !strings.Contains(page, w.Name) {
			t.Errorf("the page does not name %s", w.Name)
		}
	}
	record := storage.BackupRecord{Folder: "/mnt/nas", Snapshot: "loupe-20261125-021000Z.db", Seconds: 541, Snapshots: 3, Tally: storage.Tally{Copied: 421, Sized: 17_300}}
	if err := s.DB.RecordBackup(t.Context(), record, nil); err != nil {
		t.Fatal(err)
	}
	_, page = qa.call("GET", "/health", "", "text/html")
	for _, want := range []string{"/mnt/nas", record.Snapshot, "421", "17\u202f300", "9 min"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q of the backup", want)
		}
	}
	_, metrics := s.signInless("/metrics")
	for name, want := range map[string]float64{"loupe_workers": 2, "loupe_frames_pending": 0, "loupe_frames_quarantined": 0, "loupe_disk_days_left": -1} {
		if got := metricOf(strings.NewReader(metrics), name); got != want {
			t.Errorf("%s is %g, want %g", name, got, want)
		}
	}
	at := metricOf(strings.NewReader(metrics), "loupe_last_backup_timestamp_seconds")
	if at < 1e9 || metricOf(strings.NewReader(metrics), "loupe_last_backup_ok") != 1 || metricOf(strings.NewReader(metrics), "loupe_last_backup_duration_seconds") != 541 {
		t.Error("the metrics do not know of the backup")
	}
	usesKnownMetrics(t, metrics)

	if err := s.DB.RecordBackup(t.Context(), storage.BackupRecord{Folder: "/mnt/nas"}, errors.New("the disk of /mnt/nas is full")); err != nil {
		t.Fatal(err)
	}
	if _, page := qa.call("GET", "/health", "", "text/html"); !strings.Contains(page, "the disk of /mnt/nas is full") {
		t.Error("the page does not say why the backup failed")
	}
	_, metrics = s.signInless("/metrics")
	if metricOf(strings.NewReader(metrics), "loupe_last_backup_timestamp_seconds") != at || metricOf(strings.NewReader(metrics), "loupe_last_backup_ok") != 0 {
		t.Error("a failed backup hides when the last sound one was")
	}

	for _, w := range s.Crew.Workers() {
		_ = syscall.Kill(w.PID, syscall.SIGSTOP)
		defer func() { _ = syscall.Kill(w.PID, syscall.SIGCONT) }()
	}
	eventually(t, "it is not ready without workers", func() bool {
		status, text := s.signInless("/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(text, `"code":"no_worker"`)
	})
	if _, page := qa.call("GET", "/health", "", "text/html"); !strings.Contains(page, "No vision worker is there.") {
		t.Error("the page does not say that there is no worker")
	}
}

// usesKnownMetrics fails unless each metric of the dashboard is one that the
// server has.
func usesKnownMetrics(t *testing.T, metrics string) {
	t.Helper()
	text, err := os.ReadFile("../static/grafana-loupe.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&board); err != nil || len(board.Panels) < 10 {
		t.Fatalf("%d panels, %v", len(board.Panels), err)
	}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			names := regexp.MustCompile(`\b(loupe|go|process)_\w+`).FindAllString(target.Expr, -1)
			if len(names) == 0 {
				t.Errorf("%s asks for nothing of the server", p.Title)
			}
			for _, name := range names {
				if name = strings.TrimSuffix(name, "_bucket"); !strings.Contains(metrics, "# TYPE "+name+" ") {
					t.Errorf("%s asks for %s, which there is not", p.Title, name)
				}
			}
		}
	}
}

// A frame that waits too long means that frames are not judged, whatever the
// workers say.
func TestServerWithAStuckFrameIsNotReady(t *testing.T) {
	folder := t.TempDir()
	s := startTaughtIn(t, folder)
	token := s.token
	s.stop()
	db, err := storage.Open(t.Context(), storage.Settings{Folder: folder, Now: func() time.Time { return time.Now().Add(-2 * time.Minute) }})
	if err != nil {
		t.Fatal(err)
	}
	station, err := db.StationByToken(t.Context(), token)
	if err == nil {
		_, _, err = db.AddFrame(t.Context(), storage.Frame{StationID: station.ID, RecipeID: station.RecipeID, BlobKey: "frames/00/none", Format: "png", Width: 1, Height: 1, Orientation: 1})
	}
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	_, url := serve(t, folder, "--workers", "0")
	resp, err := http.Get(url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}
