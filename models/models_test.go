package models_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"loupe/models"
	"loupe/storage"
	"loupe/vision"
	"loupe/vision/engine"
	"loupe/vision/plates"
	"loupe/vision/pool"
	"loupe/vision/wire"
	"loupe/vision/worker"
)

// TestMain lets the test's own binary be a vision worker, so that the tests run
// against real processes that can be killed.
func TestMain(m *testing.M) {
	if os.Getenv("LOUPE_TEST_WORKER") != "" {
		os.Exit(work())
	}
	if os.Getenv("LOUPE_TEST_TRY") != "" {
		if err := worker.Try(engine.Choice{}, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if err := os.RemoveAll(taughtFolder); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func work() int {
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	err := worker.Run(ctx, worker.Settings{
		NATSURL: os.Getenv("LOUPE_TEST_NATS"), Access: wire.Access{Token: os.Getenv("LOUPE_TEST_TOKEN")}, BlobsURL: os.Getenv("LOUPE_TEST_BLOBS"),
		ID: os.Getenv("LOUPE_TEST_WORKER"), Threads: 1, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// plant is a data folder with everything that works on it, as a server has it.
type plant struct {
	*testing.T
	folder     string
	db         *storage.DB
	crew       *pool.Pool
	features   *models.Extractor
	registry   *models.Registry
	similar    *models.PooledCache
	learner    *models.Learner
	dispatcher *models.Dispatcher

	run  context.Context
	stop context.CancelFunc
	all  sync.WaitGroup
}

// open opens a data folder with so many worker processes. Nothing learns or
// judges yet.
func open(t *testing.T, folder string, workers int) *plant {
	t.Helper()
	return openAt(t, folder, workers, time.Now)
}

// openAt is open with a clock.
func openAt(t *testing.T, folder string, workers int, now func() time.Time) *plant {
	t.Helper()
	p := &plant{T: t, folder: folder}
	var err error
	if p.db, err = storage.Open(t.Context(), storage.Settings{Folder: folder, Now: now}); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	if p.crew, err = pool.Open(pool.Settings{Log: log}); err != nil {
		t.Fatal(err)
	}
	p.features = models.NewExtractor(p.db, p.crew, filepath.Join(folder, "cache", "features"), log)
	p.registry = models.NewRegistry(p.db, p.crew)
	p.similar = models.NewPooledCache(p.db, p.features, p.registry)
	p.learner = models.NewLearner(p.db, p.registry, p.features, log)
	p.dispatcher = models.NewDispatcher(p.db, p.crew, models.NewPictures(p.crew, filepath.Join(folder, "cache", "pictures")), p.similar, log)
	p.crew.OnWorkerUp(func(pool.Worker) { p.dispatcher.Nudge() })
	p.run, p.stop = context.WithCancel(context.Background())
	t.Cleanup(p.close)
	p.hire(workers)
	return p
}

// hire starts worker processes and waits until they are there.
func (p *plant) hire(workers int) {
	p.Helper()
	self, err := os.Executable()
	if err != nil {
		p.Fatal(err)
	}
	p.crew.StartLocal(workers, func(id string) *exec.Cmd {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), "LOUPE_TEST_WORKER="+id, "LOUPE_TEST_NATS="+p.crew.URL(),
			"LOUPE_TEST_TOKEN="+p.crew.Access().Token, "LOUPE_TEST_BLOBS="+p.db.Blobs.URL())
		cmd.Stderr = os.Stderr
		return cmd
	})
	p.eventually("all workers are there", func() bool { return len(p.crew.Workers()) == workers })
}

// learns starts the learner and the extractor.
func (p *plant) learns() {
	p.all.Go(func() {
		if err := p.features.Run(p.run); err != nil {
			p.Error(err)
		}
	})
	p.all.Go(func() {
		if err := p.learner.Run(p.run); err != nil && p.run.Err() == nil {
			p.Error(err)
		}
	})
}

// judges starts the dispatcher.
func (p *plant) judges() { p.all.Go(func() { p.dispatcher.Run(p.run) }) }

// close ends everything as a server that stops does.
func (p *plant) close() {
	if p.stop == nil {
		return
	}
	p.stop()
	p.all.Wait()
	if err := errors.Join(p.crew.Close(), p.db.Close()); err != nil {
		p.Error(err)
	}
	p.stop = nil
}

func (p *plant) eventually(what string, ok func() bool) {
	p.Helper()
	for start := time.Now(); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > 30*time.Second {
			p.Fatalf("in half a minute: not that %s", what)
		}
	}
}

// must gives a value, or ends the test by its error.
func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// kinds of drawn plates that the tests' recipes tell apart; kind is their class.
var kinds = []plates.Kind{plates.Good, plates.Stain, plates.MissingHole}

func classes() []vision.Class {
	return []vision.Class{
		{Name: string(plates.Good), Pass: true, Color: "#5b8c5a", Key: "1"},
		{Name: string(plates.Stain), Color: "#b9770e", Key: "2"},
		{Name: string(plates.MissingHole), Color: "#1f618d", Key: "3"},
	}
}

var drawn sync.Map // pictures by kind and number

// draw gives the JPEG file of the n-th plate of a kind.
func draw(t testing.TB, kind plates.Kind, n int) []byte {
	t.Helper()
	name := fmt.Sprint(kind, n)
	if data, ok := drawn.Load(name); ok {
		return data.([]byte)
	}
	img, _ := plates.Draw(rand.New(rand.NewPCG(uint64(slices.Index(plates.Kinds(), kind)), uint64(n))), kind)
	data := must(plates.JPEG(img))(t)
	drawn.Store(name, data)
	return data
}

// picture stores the n-th plate of a kind and gives what a frame says of it.
func (p *plant) picture(kind plates.Kind, n int) storage.Frame {
	p.Helper()
	data := draw(p.T, kind, n)
	key := must(p.db.Blobs.PutContent(p.Context(), "frames", data))(p)
	return storage.Frame{BlobKey: key, Format: "jpeg", Bytes: int64(len(data)), Width: plates.Width, Height: plates.Height, Orientation: 1}
}

// send lets a picture arrive, to be judged by the recipe.
func (p *plant) send(recipeID int64, f storage.Frame) storage.Frame {
	p.Helper()
	f.RecipeID = recipeID
	f, _, err := p.db.AddFrame(p.Context(), f)
	if err != nil {
		p.Fatal(err)
	}
	return f
}

// label imports the plates of every kind numbered from..to-1, each under its kind.
func (p *plant) label(recipeID int64, from, to int) {
	p.Helper()
	var all []storage.Import
	for n := from; n < to; n++ {
		for _, kind := range kinds {
			all = append(all, storage.Import{Frame: p.picture(kind, n), Class: string(kind)})
		}
	}
	if n := must(p.db.Import(p.Context(), recipeID, all))(p); n.Added != len(all) {
		p.Fatalf("%d of %d pictures imported", n.Added, len(all))
	}
}

// recipe adds a recipe that learns and changes its champion by people alone.
func (p *plant) recipe(name string) storage.Recipe {
	p.Helper()
	r := storage.NewRecipe(name, classes())
	r.Learn.After, r.Promote.Auto, r.Mirror = 0, false, false
	return must(p.db.AddRecipe(p.Context(), "qa", r))(p)
}

// ended waits until a job has ended.
func (p *plant) ended(id int64) storage.Job {
	p.Helper()
	var j storage.Job
	p.eventually("the job has ended", func() bool {
		j = must(p.db.Job(p.Context(), id))(p)
		return j.State.Ended()
	})
	return j
}

// train has a version trained to its end.
func (p *plant) train(recipeID int64) storage.Version {
	p.Helper()
	j := p.ended(must(p.learner.Train(p.Context(), "qa", recipeID))(p).ID)
	if j.State != storage.JobDone {
		p.Fatalf("the training is %s: %s", j.State, j.Message)
	}
	return must(p.db.VersionByJob(p.Context(), j.ID))(p)
}

// perKind is how many plates of each kind the taught recipe learned from and
// was tested on.
const perKind = 10

var (
	taughtOnce   sync.Once
	taughtFolder string
)

// taught gives a new data folder with one recipe, whose champion was trained on
// perKind plates of each kind.
func taught(t *testing.T) string {
	t.Helper()
	taughtOnce.Do(func() {
		taughtFolder = must(os.MkdirTemp("", "loupe-models-test-"))(t)
		p := open(t, filepath.Join(taughtFolder, "plant"), 2)
		p.learns()
		r := p.recipe("plates")
		p.label(r.ID, 0, perKind)
		p.train(r.ID)
		p.close()
	})
	folder := filepath.Join(t.TempDir(), "plant")
	if err := os.CopyFS(folder, os.DirFS(filepath.Join(taughtFolder, "plant"))); err != nil {
		t.Fatal(err)
	}
	return folder
}

// plates is the taught recipe.
func (p *plant) plates() storage.Recipe {
	p.Helper()
	return must(p.db.RecipeByName(p.Context(), "plates"))(p)
}

func (p *plant) champion() storage.Version {
	p.Helper()
	return must(p.db.Version(p.Context(), p.plates().ChampionID))(p)
}

// frames gives the labelled frames of the taught recipe on one side of the split.
func (p *plant) frames(share string) []storage.LabelledFrame {
	p.Helper()
	all := must(p.db.DataSet(p.Context(), p.plates().ID))(p)
	return slices.DeleteFunc(all, func(f storage.LabelledFrame) bool { return f.Share != share })
}
