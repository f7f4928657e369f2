package storage_test

import (
	"fmt"
	"sync"
	"testing"

	"loupe/storage"
)

func (f *folder) job(kind string, recipe int64) storage.Job {
	f.t.Helper()
	j, _, err := f.AddJob(f.t.Context(), storage.Job{Kind: kind, RecipeID: recipe, Params: []byte(`{"seed":1}`), CreatedBy: "ada"})
	f.must(err)
	return j
}

func TestAnInterruptedJobStartsAgainAfterARestart(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	first, second := f.job("train", r.ID), f.job("export", r.ID)
	j, err := f.StartJob(ctx)
	if err != nil || j.ID != first.ID || j.State != storage.JobRunning || j.StartedAt.IsZero() {
		t.Fatalf("started %+v, %v", j, err)
	}
	if running, err := f.MoveJob(ctx, j.ID, 0.4, "fitting", map[string]int{"pass": 3}); err != nil || !running {
		t.Errorf("running %v, %v", running, err)
	}
	f.reopen()
	if now, err := f.Job(ctx, j.ID); err != nil || now.Progress != 0.4 || now.Message != "fitting" || string(now.Result) != `{"pass":3}` {
		t.Errorf("after a restart %+v, %v", now, err)
	}
	f.must(f.RequeueJobs(ctx))
	for _, want := range []int64{first.ID, second.ID} { // the interrupted one is older and goes first
		if j, err = f.StartJob(ctx); err != nil || j.ID != want || j.Progress != 0 || string(j.Params) != `{"seed":1}` {
			t.Errorf("started %+v, want %d, %v", j, want, err)
		}
		f.must(f.EndJob(ctx, j.ID, storage.JobDone, "done", nil))
	}
	f.must(f.RequeueJobs(ctx)) // leaves what has ended alone
	_, err = f.StartJob(ctx)
	f.refused(err, storage.NotFound)
	if now, err := f.Job(ctx, first.ID); err != nil || now.State != storage.JobDone || now.Progress != 1 || now.FinishedAt.IsZero() {
		t.Errorf("ended as %+v, %v", now, err)
	}
}

func TestACancelledJobStaysCancelled(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	r := f.recipe("caps")
	running, queued := f.job("train", r.ID), f.job("export", r.ID)
	_, err := f.StartJob(ctx)
	f.must(err)
	for _, j := range []storage.Job{running, queued} {
		f.must(f.CancelJob(ctx, "grace", j.ID))
		if open, err := f.MoveJob(ctx, j.ID, 0.9, "fitting", nil); err != nil || open {
			t.Errorf("job %d goes on: %v, %v", j.ID, open, err)
		}
		f.must(f.EndJob(ctx, j.ID, storage.JobDone, "done after all", nil))
		if now, err := f.Job(ctx, j.ID); err != nil || now.State != storage.JobCancelled || now.Message != "cancelled by grace" || !now.State.Ended() {
			t.Errorf("%+v, %v", now, err)
		}
		f.refused(f.CancelJob(ctx, "grace", j.ID), storage.Conflict)
	}
	f.must(f.RequeueJobs(ctx))
	_, err = f.StartJob(ctx)
	f.refused(err, storage.NotFound)
	f.refused(f.CancelJob(ctx, "grace", 999), storage.NotFound)
}

// Ten people who press Train at once want one training; another may wait while
// one runs, for it sees corrections that the running one does not.
func TestOneTrainingWaitsARecipe(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	caps, lids := f.recipe("caps"), f.recipe("lids")
	var all sync.WaitGroup
	fresh := make([]bool, 10)
	for n := range fresh {
		all.Go(func() {
			var err error
			if _, fresh[n], err = f.AddJob(ctx, storage.Job{Kind: "train", RecipeID: caps.ID, CreatedBy: "ada"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	n := 0
	for _, one := range fresh {
		if one {
			n++
		}
	}
	if jobs, err := f.Jobs(ctx, caps.ID, 100); err != nil || len(jobs) != 1 || n != 1 {
		t.Errorf("%d jobs, %d of them said to be new, %v", len(jobs), n, err)
	}
	started, err := f.StartJob(ctx)
	f.must(err)
	again, lid := f.job("train", caps.ID), f.job("train", lids.ID)
	if again.ID == started.ID || lid.ID == again.ID {
		t.Errorf("jobs %d, %d and %d are one", started.ID, again.ID, lid.ID)
	}
	jobs, err := f.Jobs(ctx, 0, 2)
	if err != nil || len(jobs) != 2 || fmt.Sprint(jobs[0].ID, jobs[1].ID) != fmt.Sprint(lid.ID, again.ID) {
		t.Errorf("the newest two are %v, %v", jobs, err)
	}
}

// Two runners never get the same job.
func TestEachJobStartsOnce(t *testing.T) {
	f := open(t)
	r := f.recipe("caps")
	for n := range 12 {
		f.job(fmt.Sprint("kind ", n), r.ID)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	started := map[int64]int{}
	for range 4 {
		all.Go(func() {
			for {
				j, err := f.StartJob(t.Context())
				if err != nil {
					f.refused(err, storage.NotFound)
					return
				}
				mu.Lock()
				started[j.ID]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if len(started) != 12 {
		t.Errorf("%d of 12 jobs started", len(started))
	}
	for id, n := range started {
		if n != 1 {
			t.Errorf("job %d started %d times", id, n)
		}
	}
}
