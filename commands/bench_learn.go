package commands

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"loupe/storage"
	"loupe/web/client"
)

// corrections is how often the way from a correction to a new champion is timed.
const corrections = 10

// learn corrects frames while the station goes on posting, and times how long
// after each accepted correction the new champion gives its first verdict.
func (s *benchServer) learn(ctx context.Context, test []picture) error {
	counts, err := s.app.DB.ClassCounts(ctx, s.recipe.ID)
	if err != nil {
		return err
	}
	for _, c := range counts {
		s.result.LearnOnFrames += c.Train + c.Test
	}
	judged := make(chan storage.Inspection, 1024)
	s.app.DB.Listen(func(e storage.Event) {
		if e.Kind == storage.InspectionMade {
			select {
			case judged <- *e.Inspection:
			default:
			}
		}
	})
	posting, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.keepPosting(posting, test) }()
	for range corrections {
		took, err := s.learnOnce(ctx, judged)
		if err != nil {
			stop()
			return errors.Join(err, <-ended)
		}
		s.result.LearnS = append(s.result.LearnS, took)
	}
	stop()
	sorted := slices.Sorted(slices.Values(s.result.LearnS))
	s.result.LearnMedianS = (sorted[corrections/2-1] + sorted[corrections/2]) / 2
	return <-ended
}

// keepPosting posts five frames a second.
func (s *benchServer) keepPosting(ctx context.Context, test []picture) error {
	c := client.New(s.app.URL, s.station)
	beat := time.NewTicker(200 * time.Millisecond)
	defer beat.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
		}
		data, _, err := readPicture(test[n%len(test)].path)
		if err != nil {
			return err
		}
		if _, err := c.PostFrame(ctx, client.Frame{Image: data, Serial: "L" + strconv.Itoa(n)}, 0); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

func (s *benchServer) learnOnce(ctx context.Context, judged <-chan storage.Inspection) (float64, error) {
	i, err := next(ctx, judged)
	if err != nil {
		return 0, err
	}
	if _, _, err := s.app.DB.Correct(ctx, storage.Correction{FrameID: i.FrameID, Class: s.recipe.Classes[0].Name, Person: "bench", Source: "api"}); err != nil {
		return 0, err
	}
	accepted := time.Now()
	old, err := s.app.DB.Recipe(ctx, s.recipe.ID)
	if err != nil {
		return 0, err
	}
	if _, err := s.app.Learner.Train(ctx, "bench", s.recipe.ID); err != nil {
		return 0, err
	}
	for {
		if i, err = next(ctx, judged); err != nil {
			return 0, err
		}
		if i.VersionID > old.ChampionID {
			return time.Since(accepted).Seconds(), nil
		}
		if time.Since(accepted) > time.Minute {
			return 0, errors.New("no new champion judged within a minute of the correction")
		}
	}
}

func next(ctx context.Context, judged <-chan storage.Inspection) (storage.Inspection, error) {
	select {
	case i := <-judged:
		return i, nil
	case <-ctx.Done():
		return storage.Inspection{}, ctx.Err()
	case <-time.After(time.Minute):
		return storage.Inspection{}, errors.New("no frame was judged within a minute")
	}
}
