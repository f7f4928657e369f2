package commands

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"loupe/storage"
	"loupe/vision"
	"loupe/vision/picturetest"
	"loupe/vision/pool"
	"loupe/vision/wire"
)

// poisonLimit is how long a worker may take for a frame in this suite.
const poisonLimit = 10 * time.Second

// TestPoison sends damaged pictures through the gate to real workers. None may
// end this process, none may take longer than a frame may, and a worker that
// dies may cost its own frame only. LOUPE_POISON_PICTURES says how many.
func TestPoison(t *testing.T) {
	many := number(t, "LOUPE_POISON_PICTURES", 300)
	seed := uint64(number(t, "LOUPE_TORTURE_SEED", int(time.Now().UnixNano()%1e9)))
	t.Logf("seed %d: LOUPE_TORTURE_SEED repeats these pictures", seed)
	p := newPoison(t)
	p.judgesSound("before all")
	names := slices.Sorted(maps.Keys(p.corpus))
	next := make(chan poisoned)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for one := range next {
				p.send(one)
			}
		})
	}
	for _, name := range names { // undamaged
		next <- poisoned{name: name, data: p.corpus[name]}
	}
	rng := rand.New(rand.NewPCG(seed, 7))
	began := time.Now()
	for n := range many {
		name := names[rng.IntN(len(names))]
		next <- poisoned{name: fmt.Sprintf("%s, damaged, number %d", name, n), data: picturetest.Mutate(rng, p.corpus[name], p.corpus[names[rng.IntN(len(names))]])}
		if n%1000 == 999 {
			p.judgesSound(fmt.Sprint("after ", n+1))
			t.Logf("%d pictures in %v: %+v", n+1, time.Since(began).Round(time.Second), p.sums())
		}
	}
	close(next)
	all.Wait()
	p.judgesSound("after all")
	s := p.sums()
	t.Logf("mutated pictures %d, whole odd ones %d: refused by the gate %d, passed it %d; of these judged %d, bad pictures %d, killed a worker %d, took too long %d, set aside after three deaths %d; slowest %v",
		many, len(names), s.refused, s.passed, s.judged, s.bad, s.killed, s.late, s.aside, s.slowest.Round(time.Millisecond))
	if s.judged == 0 || s.refused == 0 || s.bad == 0 {
		t.Error("pictures of one kind only test nothing")
	}
	if s.judged+s.bad+s.aside != s.passed {
		t.Errorf("%d passed the gate, but not all of them were answered", s.passed)
	}
}

type poisoned struct {
	name string
	data []byte
}

// outcomes counts what became of the pictures.
type outcomes struct {
	refused, passed, judged, bad int
	killed, late, aside          int
	slowest                      time.Duration
}

type poison struct {
	*testing.T
	crew    *pool.Pool
	folder  string
	model   vision.ModelRef
	corpus  map[string][]byte
	classes []vision.Class

	mu sync.Mutex
	outcomes
}

func newPoison(t *testing.T) *poison {
	t.Helper()
	t.Setenv("LOUPE_TEST_PROGRAM", "1") // for the workers
	p := &poison{T: t, folder: t.TempDir(), corpus: picturetest.Corpus(t)}
	p.classes = []vision.Class{{Name: "good", Pass: true}, {Name: "stain"}}
	file := fixedModel(t, 224, true)
	p.put("model", file)
	p.model = vision.ModelRef{Key: "model", SHA256: storage.Digest(file), Size: 224, Classes: []string{"good", "stain"}}
	p.put("sound", p.corpus["jpeg"])
	log := slog.New(slog.DiscardHandler)
	crew, err := pool.Open(pool.Settings{FrameLimit: poisonLimit, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = crew.Close() })
	p.crew = crew
	blobs := url.URL{Scheme: "file", Path: p.folder, RawQuery: "metadata=skip"}
	command := workerCommand(AppSettings{Threads: 1}, crew.URL(), crew.Access(), blobs.String())
	crew.StartLocal(2, func(id string) *exec.Cmd {
		cmd := command(id)
		cmd.Stderr = nil // the decoders complain about every other picture
		return cmd
	})
	eventually(t, "both workers there", func() bool { return len(crew.Workers()) == 2 })
	return p
}

func (p *poison) put(key string, data []byte) {
	p.Helper()
	if err := os.WriteFile(filepath.Join(p.folder, key), data, 0o600); err != nil {
		p.Fatal(err)
	}
}

func (p *poison) sums() outcomes {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.outcomes
}

func (p *poison) add(do func(*outcomes)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do(&p.outcomes)
}

// send brings one picture as far as it comes. As the dispatcher does, it tries a
// frame over which a worker died again, alone, until it is set aside.
func (p *poison) send(one poisoned) {
	began := time.Now()
	picture, err := vision.DefaultGate.Check(one.data)
	if took := time.Since(began); took > 5*time.Second {
		p.Errorf("%s: the gate took %v", one.name, took)
	}
	if err != nil {
		if refusal := new(vision.Refusal); !errors.As(err, &refusal) {
			p.Errorf("%s: %v is no refusal", one.name, err)
		}
		p.add(func(s *outcomes) { s.refused++ })
		return
	}
	p.add(func(s *outcomes) { s.passed++ })
	key := storage.Digest(one.data)
	p.put(key, one.data)
	defer os.Remove(filepath.Join(p.folder, key))
	for deaths := 0; deaths < storage.MaxDeaths; {
		switch err := p.judge(key, picture.Orientation, deaths > 0); {
		case err == nil:
			p.add(func(s *outcomes) { s.judged++ })
			return
		case errors.As(err, new(*pool.PictureError)):
			p.add(func(s *outcomes) { s.bad++ })
			return
		case errors.Is(err, pool.ErrNoWorkers): // they are on their way back
			time.Sleep(50 * time.Millisecond)
		case errors.Is(err, pool.ErrWorkerDied):
			deaths++
			p.add(func(s *outcomes) { s.killed++ })
			p.keep(one, "killed a worker")
		case errors.Is(err, pool.ErrTimeout):
			deaths++
			p.add(func(s *outcomes) { s.late++ })
			p.keep(one, "took too long")
		default:
			p.Errorf("%s: %v", one.name, err)
			return
		}
	}
	p.add(func(s *outcomes) { s.aside++ })
}

func (p *poison) judge(key string, orientation int, alone bool) error {
	ctx, stop := context.WithTimeout(p.Context(), 10*poisonLimit)
	defer stop()
	began := time.Now()
	_, err := p.crew.Judge(ctx, wire.JudgeRequest{
		BlobKey: key, Model: p.model, Preparation: vision.Preparation{Size: 224, Orientation: orientation},
		Classes: p.classes, Thresholds: vision.DefaultThresholds, Alone: alone,
	})
	took := time.Since(began)
	p.add(func(s *outcomes) { s.slowest = max(s.slowest, took) })
	return err
}

// keep says what a picture did and, where LOUPE_POISON_KEEP names a folder,
// keeps it for a person to look at.
func (p *poison) keep(one poisoned, did string) {
	p.Logf("%s, %d bytes: %s", one.name, len(one.data), did)
	if folder := os.Getenv("LOUPE_POISON_KEEP"); folder != "" {
		if err := os.WriteFile(filepath.Join(folder, storage.Digest(one.data)[:16]), one.data, 0o600); err != nil {
			p.Error(err)
		}
	}
}

// judgesSound makes sure that the crew is well: a sound picture is judged.
func (p *poison) judgesSound(when string) {
	p.Helper()
	eventually(p.T, "a sound picture judged "+when, func() bool { return p.judge("sound", 1, false) == nil })
}
