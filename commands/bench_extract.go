package commands

import (
	"context"
	"errors"
	"slices"
	"time"

	"loupe/storage"
	"loupe/vision"
)

// extractionResult says how fast the features of pictures are computed.
type extractionResult struct {
	Pictures int     `json:"pictures"`
	Workers  int     `json:"workers"`
	OneS     float64 `json:"one_worker_s"`
	AllS     float64 `json:"all_workers_s"`
	Speedup  float64 `json:"speedup"` // of all workers over one
}

// extractTurn is how many pictures one server takes before the other does.
const extractTurn = 60

// extraction has two servers compute the features of the train half in turns, one
// with a single worker.
func (b *Bench) extraction(pictures []picture, classes []string) (*extractionResult, error) {
	ctx, stop := interruptible()
	defer stop()
	train, _ := choose(pictures, b.PerClass, b.Seed)
	r := &extractionResult{Pictures: len(train), Workers: b.Workers}
	var servers []*benchServer
	var err error
	for _, workers := range []int{1, b.Workers} {
		one := *b
		one.Workers = workers
		var s *benchServer
		if s, err = one.startServer(ctx, b.choice()); err != nil {
			break
		}
		servers = append(servers, s)
	}
	if err == nil {
		r.OneS, r.AllS, err = extractInTurns(ctx, servers, train, classes)
		r.Speedup = r.OneS / r.AllS
	}
	for _, s := range servers {
		err = errors.Join(err, s.close())
	}
	return r, err
}

// extractInTurns gives the seconds that each of two servers takes.
func extractInTurns(ctx context.Context, servers []*benchServer, train []picture, classes []string) (first, second float64, err error) {
	bar := newBar(2*len(train), "features")
	frames := make([][]storage.LabelledFrame, len(servers))
	for i, s := range servers {
		if err := s.bring(ctx, train, classes); err != nil {
			return 0, 0, err
		}
		if frames[i], err = s.app.DB.DataSet(ctx, s.recipe.ID); err != nil {
			return 0, 0, err
		}
		if err := s.warm(ctx, frames[i]); err != nil {
			return 0, 0, err
		}
	}
	var took [2]float64
	for from := 0; from < len(frames[0]); from += extractTurn {
		for i, s := range servers {
			some := frames[i][from:min(from+extractTurn, len(frames[i]))]
			began := time.Now()
			if err := s.app.extractor.Fill(ctx, vision.Preparation{Size: s.Size}, some); err != nil {
				return 0, 0, err
			}
			took[i] += time.Since(began).Seconds()
			_ = bar.Add(len(some))
		}
	}
	return took[0], took[1], nil
}

// warm waits for the workers and has each load the network, by the features of
// another input region than the one that is timed.
func (s *benchServer) warm(ctx context.Context, frames []storage.LabelledFrame) error {
	for end := time.Now().Add(30 * time.Second); len(s.app.Crew.Workers()) < s.Workers; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) || ctx.Err() != nil {
			return errors.New("the workers do not come")
		}
	}
	other := vision.Preparation{Size: s.Size, Region: vision.Region{W: 0.5, H: 0.5}}
	return s.app.extractor.Fill(ctx, other, slices.Clone(frames[:min(len(frames), 8*s.Workers)]))
}
