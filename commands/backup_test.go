package commands

import (
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"loupe/storage"
	"loupe/web/client"
)

// verdicts is the verdict list of a server from an inspection on, page by page,
// with the digest of each picture.
func (c *caller) verdicts(last int64) (pages []string, pictures map[int64][sha256.Size]byte) {
	c.t.Helper()
	pictures = map[int64][sha256.Size]byte{}
	for next := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "i%d", last+1)); next != ""; {
		status, text := c.call(http.MethodGet, "/api/v1/inspections?limit=7&cursor="+next, "", "application/json")
		if status != http.StatusOK {
			c.t.Fatalf("the list answers %d: %s", status, text)
		}
		var page struct {
			Inspections []struct {
				FrameID int64 `json:"frame_id"`
			}
			Next string
		}
		if err := json.Unmarshal([]byte(text), &page); err != nil {
			c.t.Fatal(err)
		}
		for _, i := range page.Inspections {
			status, picture := c.call(http.MethodGet, fmt.Sprintf("/frames/%d/original", i.FrameID), "", "image/*")
			if status != http.StatusOK {
				c.t.Fatalf("the picture of frame %d answers %d: %s", i.FrameID, status, picture)
			}
			pictures[i.FrameID] = sha256.Sum256([]byte(picture))
		}
		pages, next = append(pages, text), page.Next
	}
	return pages, pictures
}

// stream posts drawn parts over some connections until stop is called.
func (s *site) stream(posted *atomic.Int64) (stop func()) {
	var all sync.WaitGroup
	done := make(chan struct{})
	for line := range 3 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(line), 4))
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				picture := encodePart(s.t, drawPart(rng, []string{"good", "stain"}[n%2]))
				if _, err := s.station.PostFrame(s.t.Context(), client.Frame{Image: picture, Serial: fmt.Sprint(line, "-", n)}, time.Minute); err != nil {
					s.t.Error(err)
					return
				}
				posted.Add(1)
			}
		})
	}
	return sync.OnceFunc(func() { close(done); all.Wait() })
}

// ends runs the program and fails the test unless it ends with the code and says
// what is wanted on standard error.
func (p *program) ends(t *testing.T, code int, says ...string) {
	t.Helper()
	got := p.code(t)
	for _, want := range says {
		if !strings.Contains(p.err.String(), want) {
			t.Errorf("loupe %s does not say %q: %s", strings.Join(p.Args[1:], " "), want, p.err.String())
		}
	}
	if got != code {
		t.Fatalf("loupe %s: exit code %d, want %d: %s", strings.Join(p.Args[1:], " "), got, code, p.err.String())
	}
}

func TestWhatIsRestoredAnswersByteForByteAsTheServerThatFramesFlowedInto(t *testing.T) {
	s := startTaught(t)
	original := s.signInAs(storage.QA)
	s.post(rand.New(rand.NewPCG(9, 9)), "good", "first")
	var posted atomic.Int64
	stop := s.stream(&posted)
	defer stop()
	eventually(t, "twenty frames", func() bool { return posted.Load() >= 20 })
	backups := filepath.Join(t.TempDir(), "backups")
	for round := range 2 {
		before := posted.Load()
		newProgram(t, "backup", backups, "--data", s.DB.Folder()).ends(t, 0, "is complete and checked")
		if posted.Load() == before {
			t.Fatalf("no frame came during backup %d: that tests nothing", round+1)
		}
	}
	stop()
	all, err := storage.Snapshots(backups)
	if err != nil || len(all) != 2 {
		t.Fatalf("%v, %v", all, err)
	}
	for _, snapshot := range all {
		folder := filepath.Join(t.TempDir(), "restored")
		newProgram(t, "restore", backups, "--data", folder, "--at", snapshot.Name).ends(t, 0, snapshot.Name)
		_, url := serve(t, folder, "--workers", "0")
		restored := *original // its session is in the snapshot
		restored.base = url
		_, newest := restored.call(http.MethodGet, "/api/v1/inspections?limit=1", "", "application/json")
		var page struct{ Inspections []struct{ ID int64 } }
		if err := json.Unmarshal([]byte(newest), &page); err != nil || len(page.Inspections) != 1 {
			t.Fatalf("%s, %v", newest, err)
		}
		last := page.Inspections[0].ID
		wantPages, wantPictures := original.verdicts(last)
		gotPages, gotPictures := restored.verdicts(last)
		if len(wantPages) < 2 || len(gotPages) != len(wantPages) || len(gotPictures) != len(wantPictures) {
			t.Fatalf("%d pages with %d pictures, want %d with %d", len(gotPages), len(gotPictures), len(wantPages), len(wantPictures))
		}
		for n := range wantPages {
			if gotPages[n] != wantPages[n] {
				t.Errorf("page %d differs:\n%s\nwant\n%s", n+1, gotPages[n], wantPages[n])
			}
		}
		for frame, want := range wantPictures {
			if gotPictures[frame] != want {
				t.Errorf("the picture of frame %d differs", frame)
			}
		}
		t.Logf("%s: %d verdicts on %d pages and their pictures are equal", snapshot.Name, len(wantPictures), len(wantPages))
	}
}

func TestBackupAndRestoreSayWhatIsWrong(t *testing.T) {
	data, backups := t.TempDir(), filepath.Join(t.TempDir(), "backups")
	picture := encodePart(t, drawPart(rand.New(rand.NewPCG(1, 1)), "good"))
	other := encodePart(t, drawPart(rand.New(rand.NewPCG(2, 2)), "good"))
	parts := t.TempDir()
	for name, data := range map[string][]byte{"good/1.png": picture, "stain/2.png": other} {
		path := filepath.Join(parts, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	newProgram(t, "import", parts, "--recipe", "Caps", "--data", data).ends(t, 0)
	newProgram(t, "backup", data, "--data", data).ends(t, 2, "is the data folder itself")
	newProgram(t, "backup", backups, "--data", data, "--keep", "0").ends(t, 2, "at least one snapshot")
	if err := os.Remove(filepath.Join(data, "blobs", filepath.FromSlash(storage.ContentKey("frames", picture)))); err != nil {
		t.Fatal(err)
	}
	newProgram(t, "backup", backups, "--data", data).ends(t, 1, "has lost the pictures of 1 frames (1)", "1 pictures and models copied")
	newProgram(t, "restore", backups, "--data", filepath.Join(t.TempDir(), "a"), "--at", "2001-01-01").ends(t, 2, "there are: loupe-")
	restored := filepath.Join(t.TempDir(), "b")
	newProgram(t, "restore", backups, "--data", restored).ends(t, 1, "the backup does not have the pictures of 1 frames (1)")
	newProgram(t, "restore", backups, "--data", restored).ends(t, 2, "is not empty")
	newProgram(t, "person", "list", "--data", restored).ends(t, 0)
	if err := os.WriteFile(filepath.Join(restored, "restore.unfinished"), nil, 0o640); err != nil {
		t.Fatal(err)
	}
	newProgram(t, "serve", "--data", restored, "--listen", "127.0.0.1:0").ends(t, 2, "run loupe restore again")
}

// A command beside a server of another version would change the schema under it.
func TestCommandsBesideAServerLeaveTheSchemaOfAnotherLoupeAlone(t *testing.T) {
	data := t.TempDir()
	db, err := storage.Open(t.Context(), storage.Settings{Folder: data})
	if err != nil || db.Close() != nil {
		t.Fatal(err)
	}
	parts := folderOf(t, "good/1.jpg")
	commands := [][]string{
		{"backup", filepath.Join(t.TempDir(), "backups"), "--data", data}, {"import", parts, "--recipe", "Caps", "--data", data},
		{"person", "list", "--data", data}, {"person", "passwd", "admin", "--data", data},
	}
	for change, says := range map[string]string{
		`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`: "newer Loupe",
		`DELETE FROM goose_db_version WHERE version_id > 1`:                    "older Loupe",
	} {
		raw, err := sql.Open("sqlite3", filepath.Join(data, "loupe.db"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := raw.Exec(change); err != nil || raw.Close() != nil {
			t.Fatal(err)
		}
		for _, args := range commands {
			newProgram(t, args...).ends(t, 2, says)
		}
		if copies, _ := filepath.Glob(filepath.Join(data, "backups", "*")); len(copies) > 0 {
			t.Errorf("they began to migrate: %v", copies)
		}
	}
}
