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
	"sync"
	"sync/atomic"
	"time"

	"loupe/storage"
	"loupe/vision"
	"loupe/web/client"
)

// connections is how many frames are under way between station and server.
const connections = 8

// serverResult is what bench --http prints.
type serverResult struct {
	Frames        int       `json:"frames"`
	Workers       int       `json:"workers"`
	Threads       int       `json:"threads"` // of each worker
	FramesPerS    float64   `json:"frames_per_s"`
	RawForwardS   float64   `json:"raw_forward_per_s"` // of as many processes, before and after
	Ratio         float64   `json:"ratio"`
	AnswerMS      quantiles `json:"answer_ms"` // from post to verdict
	MemoryMB      float64   `json:"memory_mb"` // of server and workers after the last frame
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
	recipe  storage.Recipe
	station string // token
	result  serverResult
}

// server measures a whole server: it imports and trains the train half, posts
// the test half as stations do, and measures the bare network in the same run.
func (b *Bench) server(pictures []picture, classes []string) (*serverResult, error) {
	folder, err := os.MkdirTemp("", "loupe-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	threads := max(1, b.Threads)
	ctx, stop := interruptible()
	defer stop()
	app, err := OpenApp(ctx, AppSettings{Folder: folder, Listener: l, Workers: b.Workers, Threads: threads, Gate: vision.DefaultGate, Log: quiet})
	if err != nil {
		return nil, err
	}
	s := &benchServer{Bench: b, app: app, result: serverResult{Workers: b.Workers, Threads: threads}}
	run, end := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- app.Run(run, false) }()
	err = s.measure(ctx, pictures, classes)
	end()
	return &s.result, errors.Join(err, <-ended, app.Close())
}

func (s *benchServer) measure(ctx context.Context, pictures []picture, classes []string) error {
	train, test := choose(pictures, s.PerClass, s.Seed)
	if err := s.prepare(ctx, train, classes); err != nil {
		return err
	}
	before, err := s.rawForward(ctx)
	if err != nil {
		return err
	}
	if err := s.post(ctx, test); err != nil {
		return err
	}
	after, err := s.rawForward(ctx)
	if err != nil {
		return err
	}
	s.result.RawForwardS = (before + after) / 2
	s.result.Ratio = s.result.FramesPerS / s.result.RawForwardS
	if s.Learn {
		return s.learn(ctx, test)
	}
	return nil
}

// prepare imports the train half, makes a station and trains the first version.
func (s *benchServer) prepare(ctx context.Context, train []picture, classes []string) error {
	db := s.app.DB
	r := storage.NewRecipe("bench", newClasses(classes, s.Pass))
	r.Size, r.Mirror = s.Size, s.Mirror
	r.Learn.After = 0
	r.Promote.Margin = 0.5 // what is measured is the time to the new champion, not the gate
	r, err := db.AddRecipe(ctx, "bench", r)
	if err != nil {
		return err
	}
	var all []labelled
	for _, p := range train {
		all = append(all, labelled{path: p.path, name: p.path, class: p.class})
	}
	for batch := range slices.Chunk(all, importBatch) {
		var ready []storage.Import
		for _, one := range batch {
			f, err := readFrame(ctx, db, one)
			if err != nil {
				return usage("%s: %v", one.path, err)
			}
			ready = append(ready, storage.Import{Frame: f, Class: one.class})
		}
		if _, err := db.Import(ctx, r.ID, ready); err != nil {
			return err
		}
	}
	_, token, err := db.AddStation(ctx, "bench", storage.Station{Name: "bench", RecipeID: r.ID})
	if err != nil {
		return err
	}
	s.station = token
	if err := s.train(ctx, r.ID); err != nil {
		return err
	}
	s.recipe, err = db.Recipe(ctx, r.ID)
	return err
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

// post posts the frames over several connections and waits for each verdict.
func (s *benchServer) post(ctx context.Context, test []picture) error {
	frames := max(s.Frames, len(test))
	data := make([][]byte, len(test))
	for i, p := range test {
		var err error
		if data[i], _, err = readPicture(p.path); err != nil {
			return err
		}
	}
	c := client.New(s.app.URL, s.station)
	bar := newBar(frames, "posting")
	var next, right atomic.Int64
	times := make([]float64, frames)
	errs := make([]error, connections)
	var all sync.WaitGroup
	began := time.Now()
	for worker := range connections {
		all.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= frames || ctx.Err() != nil {
					return
				}
				if n == 2000 {
					s.result.MemoryAt2000 = s.memory()
				}
				p := test[n%len(test)]
				sent := time.Now()
				answer, err := c.PostFrame(ctx, client.Frame{Image: data[n%len(test)], Serial: "B" + strconv.Itoa(n)}, 30*time.Second)
				if err != nil || answer.Inspection == nil {
					errs[worker] = errors.Join(err, errors.New("a frame got no verdict"))
					return
				}
				times[n] = since(sent)
				if answer.Inspection.Class == p.class {
					right.Add(1)
				}
				_ = bar.Add(1)
			}
		})
	}
	all.Wait()
	s.result.FramesPerS = float64(frames) / time.Since(began).Seconds()
	s.result.Frames, s.result.AnswerMS, s.result.Accuracy = frames, quantilesOf(times), float64(right.Load())/float64(frames)
	s.result.MemoryMB = s.memory()
	return errors.Join(errs...)
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
