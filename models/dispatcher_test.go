package models_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"loupe/storage"
	"loupe/vision"
	"loupe/vision/plates"
	"loupe/vision/pool"
)

// judged waits until no frame waits and gives the recipe's inspections, oldest first.
func (p *plant) judged(recipeID int64, n int) []storage.Inspection {
	p.Helper()
	var all []storage.Inspection
	p.eventually("every frame is judged", func() bool {
		all = must(p.db.Inspections(p.Context(), storage.InspectionFilter{RecipeID: recipeID}, 0, n+1))(p)
		return len(all) >= n
	})
	if len(all) > n {
		p.Errorf("more than %d inspections", n)
	}
	slices.Reverse(all)
	return all
}

// probability is what an inspection gives a class.
func probability(i storage.Inspection, class string) float64 {
	for _, p := range i.Probabilities {
		if p.Class == class {
			return p.P
		}
	}
	return math.NaN()
}

// agrees fails unless a frame was judged as the evaluation of the version judged
// it. The evaluation works on features in half precision.
func agrees(t testing.TB, i storage.Inspection, v storage.Version, r storage.Result) {
	t.Helper()
	for c, class := range v.Classes {
		if got := probability(i, class); !(math.Abs(got-r.Probabilities[c]) < 0.01) {
			t.Errorf("frame %d: %s has probability %g, in the evaluation %g", i.FrameID, class, got, r.Probabilities[c])
		}
	}
}

func TestPendingFramesAreJudgedInOrderByTheChampion(t *testing.T) {
	p := open(t, taught(t), 1)
	v := p.champion()
	results := must(p.db.Results(t.Context(), v.ID))(t)
	var sent []storage.Frame
	for n := range 18 { // the test plates, whose judgement is known, three times
		known := must(p.db.Frame(t.Context(), results[n%6].FrameID))(t)
		sent = append(sent, p.send(v.RecipeID, storage.Frame{BlobKey: known.BlobKey, Format: known.Format, Width: known.Width, Height: known.Height, Orientation: 1}))
	}
	p.judges()
	for rank, i := range p.judged(v.RecipeID, len(sent)) {
		n := slices.IndexFunc(sent, func(f storage.Frame) bool { return f.ID == i.FrameID })
		// A worker holds two frames; those two may change places.
		if n < rank-2 || n > rank+2 {
			t.Errorf("frame %d of the queue was judged as the %d.", n, rank)
		}
		if i.VersionID != v.ID || i.Verdict != results[n%6].Verdict || i.Class != results[n%6].Predicted {
			t.Errorf("frame %d: version %d says %s, %s; in the evaluation %s, %s", n, i.VersionID, i.Verdict, i.Class, results[n%6].Verdict, results[n%6].Predicted)
		}
		agrees(t, i, v, results[n%6])
		if f := must(p.db.Frame(t.Context(), i.FrameID))(t); f.State != storage.Judged || f.Deaths != 0 {
			t.Errorf("frame %d is %s after %d deaths", n, f.State, f.Deaths)
		}
	}
	if n := must(p.db.CountPending(t.Context()))(t); n != 0 {
		t.Errorf("%d frames are left", n)
	}
}

// trap makes a frame's blob a pipe, on which a worker that reads the picture
// hangs until the pipe is written.
func (p *plant) trap(f storage.Frame) (path string) {
	p.Helper()
	path = filepath.Join(p.db.Blobs.Folder(), filepath.FromSlash(f.BlobKey))
	if err := os.Remove(path); err != nil {
		p.Fatal(err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		p.Fatal(err)
	}
	return path
}

// kill waits until the only worker reads the trapped frame, and kills it there.
func (p *plant) kill(path string, before func()) {
	p.Helper()
	pipe := must(os.OpenFile(path, os.O_WRONLY, 0))(p) // opens when the worker has opened it too
	workers := p.crew.Workers()
	if len(workers) != 1 {
		p.Fatalf("%d workers", len(workers))
	}
	before()
	if err := syscall.Kill(workers[0].PID, syscall.SIGKILL); err != nil {
		p.Fatal(err)
	}
	p.eventually("the worker is gone", func() bool {
		return !slices.ContainsFunc(p.crew.Workers(), func(w pool.Worker) bool { return w.ID == workers[0].ID })
	})
	if err := pipe.Close(); err != nil {
		p.Fatal(err)
	}
}

func TestFrameOfAKilledWorkerIsJudgedOnTheSecondTry(t *testing.T) {
	p := open(t, taught(t), 1)
	r := p.plates()
	f := p.send(r.ID, p.picture(plates.Stain, 50))
	path := p.trap(f)
	p.judges()
	p.kill(path, func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		p.picture(plates.Stain, 50) // the picture is there again
	})
	i := p.judged(r.ID, 1)[0]
	if again := must(p.db.Frame(t.Context(), f.ID))(t); i.FrameID != f.ID || again.State != storage.Judged || again.Deaths != 1 {
		t.Errorf("the frame is %s after %d deaths", again.State, again.Deaths)
	}
}

func TestFrameThatKillsThreeWorkersIsQuarantined(t *testing.T) {
	p := open(t, taught(t), 1)
	r := p.plates()
	bad := p.send(r.ID, p.picture(plates.Good, 50))
	var others []storage.Frame
	for n := range 4 {
		others = append(others, p.send(r.ID, p.picture(kinds[n%3], 60+n)))
	}
	path := p.trap(bad)
	p.judges()
	for deaths := 1; deaths <= storage.MaxDeaths; deaths++ {
		p.kill(path, func() {
			if f := must(p.db.Frame(t.Context(), bad.ID))(t); f.State != storage.Pending || f.Deaths != deaths-1 {
				t.Errorf("before death %d the frame is %s after %d deaths", deaths, f.State, f.Deaths)
			}
		})
	}
	p.judged(r.ID, len(others))
	p.eventually("the frame is quarantined", func() bool {
		return must(p.db.Frame(t.Context(), bad.ID))(t).State == storage.Quarantined
	})
	all := must(p.db.QuarantinedFrames(t.Context(), 10))(t)
	if len(all) != 1 || all[0].ID != bad.ID || all[0].Deaths != 3 || all[0].Trouble != "the vision worker died over it" {
		t.Errorf("in quarantine: %+v", all)
	}
	for _, f := range others {
		// One of them shared the worker when it died for the first time; from then
		// on the frames that a worker died over are judged alone.
		if f = must(p.db.Frame(t.Context(), f.ID))(t); f.State != storage.Judged || f.Deaths > 1 {
			t.Errorf("frame %d is %s after %d deaths", f.ID, f.State, f.Deaths)
		}
	}
	if n := must(p.db.CountPending(t.Context()))(t); n != 0 {
		t.Errorf("%d frames are left", n)
	}
}

func TestDamagedPictureIsQuarantinedAtOnce(t *testing.T) {
	p := open(t, taught(t), 1)
	r := p.plates()
	f := p.picture(plates.Good, 50)
	f.BlobKey = must(p.db.Blobs.PutContent(t.Context(), "frames", []byte("no picture")))(t)
	bad, good := p.send(r.ID, f), p.send(r.ID, p.picture(plates.Good, 50))
	p.judges()
	if i := p.judged(r.ID, 1)[0]; i.FrameID != good.ID {
		t.Errorf("frame %d was judged", i.FrameID)
	}
	p.eventually("the damaged picture is out of the queue", func() bool { return must(p.db.CountPending(t.Context()))(t) == 0 })
	bad = must(p.db.Frame(t.Context(), bad.ID))(t)
	if bad.State != storage.Quarantined || bad.Deaths != 0 || len(bad.Trouble) < len("the picture cannot be judged: ")+5 {
		t.Errorf("the frame is %s after %d deaths: %q", bad.State, bad.Deaths, bad.Trouble)
	}
}

func TestFramesWaitForAWorker(t *testing.T) {
	p := open(t, taught(t), 0)
	r := p.plates()
	f := p.send(r.ID, p.picture(plates.Good, 50))
	p.judges()
	time.Sleep(50 * time.Millisecond)
	if f = must(p.db.Frame(t.Context(), f.ID))(t); f.State != storage.Pending || f.Deaths != 0 {
		t.Fatalf("without a worker the frame is %s after %d deaths", f.State, f.Deaths)
	}
	p.hire(1)
	p.judged(r.ID, 1)
}

func TestFramesWaitForTheFirstVersion(t *testing.T) {
	p := open(t, taught(t), 2)
	r := p.recipe("a new product")
	var sent []int64
	for n := range 3 {
		sent = append(sent, p.send(r.ID, p.picture(kinds[n], 50)).ID)
	}
	known := p.send(p.plates().ID, p.picture(plates.Good, 50))
	p.judges()
	p.judged(p.plates().ID, 1) // those of other recipes are not held up
	for _, id := range sent {
		if f := must(p.db.Frame(t.Context(), id))(t); f.State != storage.Pending || f.Deaths != 0 || f.Trouble != "" {
			t.Errorf("without a version the frame is %s: %s", f.State, f.Trouble)
		}
	}
	p.label(r.ID, 0, 4)
	p.learns()
	v := p.train(r.ID)
	for _, i := range p.judged(r.ID, 3) {
		if !slices.Contains(sent, i.FrameID) || i.FrameID == known.ID || i.VersionID != v.ID || len(i.Probabilities) != 3 {
			t.Errorf("frame %d was judged by version %d: %v", i.FrameID, i.VersionID, i.Probabilities)
		}
	}
}

// swapped trains a version that takes stains for missing holes and the other way round.
func (p *plant) swapped() storage.Version {
	p.Helper()
	other := map[string]string{string(plates.Stain): string(plates.MissingHole), string(plates.MissingHole): string(plates.Stain)}
	var all []storage.Correction
	for _, f := range p.frames(storage.TrainShare) {
		if to := other[f.Class]; to != "" {
			all = append(all, storage.Correction{FrameID: f.FrameID, Class: to, Person: "ann", Source: "page"})
		}
	}
	must(p.db.CorrectMany(p.Context(), p.plates().ID, all))(p)
	return p.train(p.plates().ID)
}

func TestChampionChangesWhileFramesFlow(t *testing.T) {
	p := open(t, taught(t), 2)
	p.learns()
	versions := []storage.Version{p.champion(), p.swapped()}
	known := map[int64]map[string]storage.Result{} // by version and blob
	for _, v := range versions {
		known[v.ID] = map[string]storage.Result{}
		for _, r := range must(p.db.Results(t.Context(), v.ID))(t) {
			known[v.ID][must(p.db.Frame(t.Context(), r.FrameID))(t).BlobKey] = r
		}
	}
	held := p.frames(storage.TestShare)
	recipe := versions[0].RecipeID
	p.judges()
	const frames = 60
	var line sync.WaitGroup
	line.Go(func() {
		for n := range frames {
			p.send(recipe, storage.Frame{BlobKey: held[n%6].BlobKey, Format: "jpeg", Width: plates.Width, Height: plates.Height, Orientation: 1})
			time.Sleep(8 * time.Millisecond)
		}
	})
	for n := range 8 {
		v := must(p.registry.Promote(t.Context(), "qa", versions[(n+1)%2].ID, "to and fro"))(t)
		if v.State != storage.Champion {
			t.Errorf("after promoting it is %s", v.State)
		}
	}
	line.Wait()
	seen, judgedBy := map[int64]bool{}, map[int64]int{}
	for _, i := range p.judged(recipe, frames) {
		if seen[i.FrameID] {
			t.Errorf("frame %d was judged twice", i.FrameID)
		}
		seen[i.FrameID] = true
		judgedBy[i.VersionID]++
		blob := must(p.db.Frame(t.Context(), i.FrameID))(t).BlobKey
		v := versions[slices.IndexFunc(versions, func(v storage.Version) bool { return v.ID == i.VersionID })]
		agrees(t, i, v, known[v.ID][blob])
	}
	if len(judgedBy) != 2 || judgedBy[versions[0].ID] == 0 {
		t.Errorf("judged by %v", judgedBy)
	}
}

// A promotion that comes while the dispatcher reads who the champion is must not
// be lost on it. A recipe of very many classes takes long enough to read for that.
func TestPromotionHoldsForTheNextFrame(t *testing.T) {
	p := open(t, taught(t), 1)
	r := storage.NewRecipe("catalogue", nil)
	for n := range 10_000 {
		r.Classes = append(r.Classes, vision.Class{Name: fmt.Sprint("class ", n), Color: "#5b8c5a"})
	}
	r = must(p.db.AddRecipe(t.Context(), "qa", r))(t)
	var versions [2]storage.Version
	for n := range versions {
		v := p.champion()
		v.RecipeID, v.JobID, v.ParentID = r.ID, 0, 0
		versions[n] = must(p.db.AddVersion(t.Context(), v, nil))(t)
	}
	old, young := versions[0], versions[1]
	const rounds = 8
	for n := range rounds {
		began := time.Now()
		must(p.db.Promote(t.Context(), "qa", old.ID, "to"))(t)
		takes := time.Since(began)
		p.send(r.ID, p.picture(plates.Good, 50))
		promoted := make(chan error)
		go func() {
			_, err := p.db.Promote(context.Background(), "qa", young.ID, "and fro")
			promoted <- err
		}()
		time.Sleep(takes * time.Duration(n) / rounds)
		run, stop := context.WithCancel(t.Context())
		var judging sync.WaitGroup
		judging.Go(func() { p.dispatcher.Run(run) })
		if err := <-promoted; err != nil {
			t.Fatal(err)
		}
		next := p.send(r.ID, p.picture(plates.Good, 50))
		p.judged(r.ID, 2*n+2)
		if i := must(p.db.InspectionOfFrame(t.Context(), next.ID))(t); i.VersionID != young.ID {
			t.Errorf("round %d: a frame that arrived after version %d was promoted is judged by version %d", n, young.Number, i.VersionNumber)
		}
		stop()
		judging.Wait()
	}
}

// A station that posts a hundred frames at once must not keep nine others waiting.
func TestOneGreedyStationDoesNotStarveNineModestOnes(t *testing.T) {
	p := open(t, taught(t), 1)
	v := p.champion()
	known := must(p.db.Frame(t.Context(), must(p.db.Results(t.Context(), v.ID))(t)[0].FrameID))(t)
	post := func(station int64) int64 {
		return p.send(v.RecipeID, storage.Frame{StationID: station, BlobKey: known.BlobKey, Format: known.Format, Width: known.Width, Height: known.Height, Orientation: 1}).ID
	}
	var stations []int64
	for n := range 10 {
		st, _, err := p.db.AddStation(t.Context(), "ada", storage.Station{Name: fmt.Sprint("station ", n), RecipeID: v.RecipeID})
		if err != nil {
			t.Fatal(err)
		}
		stations = append(stations, st.ID)
	}
	const many, few = 30, 2
	for range many {
		post(stations[0])
	}
	modest := map[int64]bool{}
	for _, id := range stations[1:] {
		for range few {
			modest[post(id)] = true
		}
	}
	p.judges()
	last := 0
	for rank, i := range p.judged(v.RecipeID, many+9*few) {
		if modest[i.FrameID] {
			last = rank
		}
	}
	// Two rounds of ten stations, and what a worker holds besides.
	if last > few*10+4 {
		t.Errorf("the last modest frame was the %d. to be judged", last)
	}
}
