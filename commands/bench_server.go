package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/gonum/stat"

	"loupe/storage"
	"loupe/vision"
	"loupe/vision/engine"
)

// serverResult is what bench --http prints.
type serverResult struct {
	Frames        int       `json:"frames"`
	Workers       int       `json:"workers"`
	Threads       int       `json:"threads"` // of each worker
	Engine        string    `json:"engine"`
	FramesPerS    float64   `json:"frames_per_s"`
	RawForwardS   float64   `json:"raw_forward_per_s"` // of as many processes, in turns with the frames
	Ratio         float64   `json:"ratio"`
	AnswerMS      quantiles `json:"answer_ms"`      // from post to verdict
	ServerCPUMS   float64   `json:"server_cpu_ms"`  // processor time a frame, of the server with the stations that post
	WorkersCPUMS  float64   `json:"workers_cpu_ms"` // processor time a frame, of all workers
	MemoryMB      float64   `json:"memory_mb"`      // of server and workers after the last frame
	MemoryAt2000  float64   `json:"memory_mb_at_2000,omitempty"`
	Accuracy      float64   `json:"accuracy"`
	LearnS        []float64 `json:"learn_s,omitempty"` // correction accepted until the new champion's first verdict
	LearnMedianS  float64   `json:"learn_median_s,omitempty"`
	LearnOnFrames int       `json:"learn_on_frames,omitempty"`
}

// benchServer is a whole server in a folder of its own.
type benchServer struct {
	*Bench
	app     *App
	engine  engine.Choice
	close   func() error
	recipe  storage.Recipe
	station string // token
	result  serverResult
}

// server measures a whole server: it imports and trains the train half, posts
// the test half as stations do, and measures the bare network in the same run.
func (b *Bench) server(pictures []picture, classes []string) (*serverResult, error) {
	ctx, stop := interruptible()
	defer stop()
	s, err := b.startServer(ctx, b.choice())
	if err != nil {
		return nil, err
	}
	err = s.measure(ctx, pictures, classes)
	return &s.result, errors.Join(err, s.close())
}

// startServer runs a server whose workers have the engine.
func (b *Bench) startServer(ctx context.Context, c engine.Choice) (*benchServer, error) {
	folder, err := os.MkdirTemp("", "loupe-bench-")
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	threads := max(1, b.Threads)
	app, err := OpenApp(ctx, AppSettings{Folder: folder, Listener: l, Workers: b.Workers, Threads: threads, Engine: c, Gate: vision.DefaultGate, Log: quiet})
	if err != nil {
		return nil, errors.Join(err, l.Close(), os.RemoveAll(folder))
	}
	run, end := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- app.Run(run, false) }()
	s := &benchServer{Bench: b, app: app, engine: c, result: serverResult{Workers: b.Workers, Threads: threads, Engine: c.Name}}
	s.close = func() error {
		end()
		return errors.Join(<-ended, app.Close(), os.RemoveAll(folder))
	}
	return s, nil
}

func (s *benchServer) measure(ctx context.Context, pictures []picture, classes []string) error {
	train, test := choose(pictures, s.PerClass, s.Seed)
	if err := s.prepare(ctx, train, classes); err != nil {
		return err
	}
	if err := s.compare(ctx, test); err != nil {
		return err
	}
	if s.Learn {
		return s.learn(ctx, test)
	}
	return nil
}

// rawEvery is after how many frames the bare network is timed again: a machine
// that others share is not equally fast for long.
const rawEvery = 1000

// compare posts the frames in turns with the bare network.
func (s *benchServer) compare(ctx context.Context, test []picture) error {
	p, err := s.newPosting(test)
	if err != nil {
		return err
	}
	var raw []float64
	for {
		rate, err := s.rawForward(ctx)
		if err != nil {
			return err
		}
		raw = append(raw, rate)
		if p.done() {
			break
		}
		if err := p.post(ctx, rawEvery); err != nil {
			return err
		}
	}
	s.conclude(p, raw)
	return nil
}

// conclude fills in what the posting and the rates of the bare network say.
func (s *benchServer) conclude(p *posting, raw []float64) {
	s.result.RawForwardS = stat.Mean(raw, nil)
	s.result.Frames, s.result.FramesPerS = len(p.times), float64(len(p.times))/p.took.Seconds()
	s.result.Ratio = s.result.FramesPerS / s.result.RawForwardS
	s.result.AnswerMS, s.result.Accuracy = quantilesOf(p.times), float64(p.right.Load())/float64(len(p.times))
	s.result.ServerCPUMS, s.result.WorkersCPUMS = p.serverCPU/float64(len(p.times)), p.workersCPU/float64(len(p.times))
	s.result.MemoryMB, s.result.MemoryAt2000 = s.memory(), p.memoryAt2000
}

// prepare imports the train half, makes a station and trains the first version.
func (s *benchServer) prepare(ctx context.Context, train []picture, classes []string) error {
	db := s.app.DB
	if err := s.bring(ctx, train, classes); err != nil {
		return err
	}
	_, token, err := db.AddStation(ctx, "bench", storage.Station{Name: "bench", RecipeID: s.recipe.ID})
	if err != nil {
		return err
	}
	s.station = token
	if err := s.train(ctx, s.recipe.ID); err != nil {
		return err
	}
	s.recipe, err = db.Recipe(ctx, s.recipe.ID)
	return err
}

// bring makes the recipe and imports the train half.
func (s *benchServer) bring(ctx context.Context, train []picture, classes []string) error {
	db := s.app.DB
	r := storage.NewRecipe("bench", newClasses(classes, s.Pass))
	r.Size, r.Mirror = s.Size, s.Mirror
	r.Learn.After = 0
	r.Promote.Margin = 0.5 // what is measured is the time to the new champion, not the gate
	r, err := db.AddRecipe(ctx, "bench", r)
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(train, importBatch) {
		var ready []storage.Import
		for _, one := range batch {
			data, err := os.ReadFile(one.path)
			if err != nil {
				return usage("%v", err)
			}
			f, err := storePicture(ctx, db, data, one.path)
			if err != nil {
				return usage("%s: %v", one.path, err)
			}
			ready = append(ready, storage.Import{Frame: f, Class: one.class})
		}
		if _, err := db.Import(ctx, r.ID, ready); err != nil {
			return err
		}
	}
	s.recipe = r
	return nil
}

// train runs a training to its end.
func (s *benchServer) train(ctx context.Context, recipe int64) error {
	j, err := s.app.Learner.Train(ctx, "bench", recipe)
	if err != nil {
		return err
	}
	bar := percentBar("training")
	for !j.State.Ended() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		if j, err = s.app.DB.Job(ctx, j.ID); err != nil {
			return err
		}
		bar(j.Progress)
	}
	if j.State != storage.JobDone {
		return fmt.Errorf("the training ended as %s: %s", j.State, j.Message)
	}
	return nil
}

// memory is what server and workers have in memory, in MB: their proportional
// share where the system says it, so that common libraries count once.
func (s *benchServer) memory() float64 {
	total := residentMB(os.Getpid())
	for _, w := range s.app.Crew.Workers() {
		total += residentMB(w.PID)
	}
	return total
}

// processor is the processor time that this process and the workers took, in ms.
// Unlike the time that passes it says the same on a machine that others use too.
func (s *benchServer) processor() (server, workers float64) {
	for _, w := range s.app.Crew.Workers() {
		workers += processorMS(w.PID)
	}
	return processorMS(os.Getpid()), workers
}

// processorMS reads the ticks of a process, of which the system counts 100 a second.
func processorMS(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ") // after the name, which may hold spaces
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return 10 * (user + system)
}

func residentMB(pid int) float64 {
	for _, file := range []struct{ name, key string }{{"smaps_rollup", "Pss:"}, {"status", "VmRSS:"}} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file.name))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, file.key); ok {
				kb, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
				return kb / 1024
			}
		}
	}
	return 0
}
