package commands

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"loupe/storage"
	"loupe/web/client"
)

// serve runs the program on a data folder and gives its address; what it says
// is read on, so that it never waits for a reader.
func serve(t *testing.T, folder string, args ...string) (*program, string) {
	t.Helper()
	p := newProgram(t, append([]string{"serve", "--data", folder, "--listen", "127.0.0.1:0", "--workers", "2"}, args...)...)
	p.Stdout = nil
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill(); _ = p.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "Loupe serves "); ok {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return p, url
		}
	}
	t.Fatalf("it does not serve: %s", p.err.String())
	return nil, ""
}

// postAll posts the serials over several connections, each until it is
// acknowledged or ctx ends, and gives those that were. It calls half when half
// of them are.
func postAll(ctx context.Context, t *testing.T, url, token string, serials []string, picture []byte, half func()) map[string]bool {
	t.Helper()
	acknowledged := map[string]bool{}
	var mu sync.Mutex
	next := make(chan string, len(serials))
	for _, serial := range serials {
		next <- serial
	}
	close(next)
	c := client.New(url, token)
	c.Patience = time.Second
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for serial := range next {
				_, err := c.PostFrame(ctx, client.Frame{Image: picture, Serial: serial, IdempotencyKey: serial}, 0)
				if err == nil {
					mu.Lock()
					if acknowledged[serial] = true; len(acknowledged) == len(serials)/2 {
						half()
					}
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	return acknowledged
}

func TestAServerKilledInMidPostLosesNothingItAcknowledged(t *testing.T) {
	folder := t.TempDir()
	s := startTaughtIn(t, folder)
	recipe, token := s.recipe.ID, s.token
	s.stop()
	picture := encodePart(t, drawPart(rand.New(rand.NewPCG(3, 3)), "good"))
	var serials []string
	for n := range 150 {
		serials = append(serials, fmt.Sprintf("K-%03d", n))
	}
	p, url := serve(t, folder)
	ctx, cancel := context.WithCancel(t.Context())
	before := postAll(ctx, t, url, token, serials, picture, func() {
		_ = p.Process.Signal(syscall.SIGKILL)
		cancel()
	})
	_ = p.Wait()
	if len(before) == 0 || len(before) == len(serials) {
		t.Fatalf("%d of %d were acknowledged before the kill: that tests nothing", len(before), len(serials))
	}
	_, url = serve(t, folder)
	if after := postAll(t.Context(), t, url, token, serials, picture, func() {}); len(after) != len(serials) {
		t.Fatalf("%d of %d acknowledged in the end", len(after), len(serials))
	}
	db, err := storage.Open(t.Context(), storage.Settings{Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	eventually(t, "everything judged", func() bool {
		w, err := db.Waiting(t.Context())
		return err == nil && w.Pending == 0
	})
	for _, serial := range serials {
		found, err := db.Inspections(t.Context(), storage.InspectionFilter{RecipeID: recipe, Serial: serial}, 0, 10)
		if err != nil || len(found) != 1 {
			t.Errorf("%s: %d inspections, %v; acknowledged before the kill: %v", serial, len(found), err, before[serial])
		}
	}
}

func TestWorkersKilledInMidFrameLoseNoFrame(t *testing.T) {
	s := startTaught(t)
	s.post(rand.New(rand.NewPCG(9, 9)), "good", "first") // a worker is there and has the model
	done := make(chan struct{})
	kills := 0
	var all sync.WaitGroup
	var mu sync.Mutex
	frames := map[int64]bool{}
	go func() {
		defer close(done)
		for range storage.MaxDeaths - 1 { // more could fall on one frame, which would be set aside
			time.Sleep(time.Second)
			for _, w := range s.Crew.Workers() {
				if syscall.Kill(w.PID, syscall.SIGKILL) == nil {
					kills++
				}
			}
		}
		eventually(t, "frames are judged after the last kill", func() bool { mu.Lock(); defer mu.Unlock(); return len(frames) >= 6 })
	}()
	for worker := range 3 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(worker), 1))
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				p, err := s.station.PostFrame(t.Context(), client.Frame{Image: encodePart(t, drawPart(rng, "stain")), Serial: fmt.Sprint(worker, "-", n)}, 30*time.Second)
				if err != nil || p.Inspection == nil {
					t.Errorf("a frame got no verdict: %v", err)
					return
				}
				mu.Lock()
				frames[p.Inspection.FrameID] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if kills < 2 || len(frames) < 5 {
		t.Fatalf("%d kills, %d frames: that tests nothing", kills, len(frames))
	}
	w, err := s.DB.Waiting(t.Context())
	if err != nil || w.Pending != 0 || w.Quarantined != 0 {
		t.Errorf("left %+v, %v", w, err)
	}
}

func TestATrainingThatKillsInterruptEndsInTheSameVersion(t *testing.T) {
	folder := t.TempDir()
	s := startSiteIn(t, folder)
	s.teachFrom(50) // enough that a training takes a second
	s.stop()
	db, err := storage.Open(t.Context(), storage.Settings{Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	jobs, err := db.Jobs(t.Context(), s.recipe.ID, 1)
	if err != nil {
		t.Fatal(err)
	}
	j, _, err := db.AddJob(t.Context(), storage.Job{Kind: jobs[0].Kind, RecipeID: s.recipe.ID, CreatedBy: "test", Params: jobs[0].Params})
	if err != nil {
		t.Fatal(err)
	}
	state := func() storage.Job {
		now, err := db.Job(t.Context(), j.ID)
		if err != nil {
			t.Fatal(err)
		}
		return now
	}
	for range 2 {
		p, _ := serve(t, folder)
		eventually(t, "training", func() bool { return state().Progress > 0.5 || state().State.Ended() })
		_ = p.Process.Signal(syscall.SIGKILL)
		_ = p.Wait()
		if now := state(); now.State != storage.JobRunning {
			t.Fatalf("the kill found the job %s: that tests nothing", now.State)
		}
	}
	serve(t, folder)
	eventually(t, "trained", func() bool { return state().State.Ended() })
	versions, err := db.Versions(t.Context(), s.recipe.ID, 10)
	if err != nil || state().State != storage.JobDone || len(versions) != 2 {
		t.Fatalf("the job is %s: %s; %d versions, %v", state().State, state().Message, len(versions), err)
	}
	if versions[0].ModelSHA != versions[1].ModelSHA {
		t.Error("the interrupted training made another model than the uninterrupted one of the same data")
	}
}
