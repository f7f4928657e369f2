package pool_test

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"loupe/vision/picturetest"
	"loupe/vision/pool"
)

// pids are the workers' process numbers.
func (c *crew) pids() []int {
	var all []int
	for _, w := range c.Workers() {
		all = append(all, w.PID)
	}
	return all
}

// busy is the worker that holds a frame.
func (c *crew) busy() pool.Worker {
	c.T.Helper()
	all := c.Workers()
	i := slices.IndexFunc(all, func(w pool.Worker) bool { return w.Busy > 0 })
	if i < 0 {
		c.Fatal("no worker is busy")
	}
	return all[i]
}

func TestWorkerKilledInMidFrameIsReplacedAndAnotherServes(t *testing.T) {
	c := open(t, pool.Settings{})
	c.hire(2)
	good, _ := c.versions()
	path := c.trap("trap.jpg")
	died := c.judge(c.request("trap.jpg", good))
	c.caught(path)
	victim := c.busy()
	reason := make(chan error, 1)
	c.OnWorkerLost(func(_ pool.Worker, err error) { reason <- err })
	if err := syscall.Kill(victim.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if o := <-died; o.err != pool.ErrWorkerDied {
		t.Errorf("the frame's call: %v", o.err)
	}
	if err := <-reason; strings.Contains(err.Error(), "silent") {
		t.Errorf("its death was noticed by its silence only: %v", err)
	}
	r, err := c.Judge(t.Context(), c.request("part.jpg", good))
	if err != nil || r.Worker == victim.Name {
		t.Fatalf("the next frame, by %q: %v", r.Worker, err)
	}
	judged(t, r, true)
	c.eventually("a new worker is there", func() bool { return len(c.Workers()) == 2 })
	if pids := c.pids(); slices.Contains(pids, victim.PID) || alive(victim.PID) {
		t.Errorf("workers %v after %d was killed", pids, victim.PID)
	}
}

// A corrupt model with the right digest ends a worker for real: OpenCV throws.
func TestRequestThatKillsEveryWorkerIsAnswered(t *testing.T) {
	c := open(t, pool.Settings{})
	c.hire(1)
	good, _ := c.versions()
	file, err := certain(true)
	if err != nil {
		t.Fatal(err)
	}
	corrupt := c.put("corrupt.onnx", append(file[:len(file)/2:len(file)/2], "corrupt"...))
	seen := c.pids()
	for death := range 3 {
		if _, err := c.Judge(t.Context(), c.request("part.jpg", corrupt)); err != pool.ErrWorkerDied {
			t.Fatalf("death %d: %v", death+1, err)
		}
		c.eventually("a new worker is there", func() bool { return len(c.Workers()) == 1 })
		pid := c.pids()[0]
		if slices.Contains(seen, pid) {
			t.Errorf("worker %d again", pid)
		}
		seen = append(seen, pid)
	}
	r, err := c.Judge(t.Context(), c.request("part.jpg", good))
	if err != nil {
		t.Fatal(err)
	}
	judged(t, r, true)
}

func TestWorkerThatHangsIsEndedAndReplaced(t *testing.T) {
	c := open(t, pool.Settings{FrameLimit: 300 * time.Millisecond})
	c.hire(1)
	good, _ := c.versions()
	pid := c.pids()[0]
	path := c.trap("trap.jpg")
	hung := c.judge(c.request("trap.jpg", good))
	c.caught(path)
	if o := <-hung; o.err != pool.ErrTimeout {
		t.Errorf("the frame's call: %v", o.err)
	}
	c.eventually("it is gone", func() bool { return !alive(pid) })
	c.eventually("a new worker is there", func() bool { return len(c.Workers()) == 1 })
	if err := c.Load(t.Context(), good); err != nil {
		t.Errorf("the new one: %v", err)
	}
}

func TestStoppedPoolLeavesNoProcess(t *testing.T) {
	c := open(t, pool.Settings{})
	c.hire(2)
	good, _ := c.versions()
	path := c.trap("trap.jpg")
	hung := c.judge(c.request("trap.jpg", good))
	pipe := c.caught(path) // one hangs and does not end by itself
	pids := c.pids()
	began := time.Now()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
	select {
	case o := <-hung:
		if o.err == nil {
			t.Error("the hanging frame was judged")
		}
	case <-time.After(5 * time.Second):
		t.Error("a call outlives its pool")
	}
	if err := c.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if _, err := c.Judge(t.Context(), c.request("part.jpg", good)); err == nil {
		t.Error("a closed pool judges")
	}
	pipe.Close()
}

// What a worker has taken it finishes before it ends.
func TestPoolThatIsStoppedLosesNoFrameUnderWay(t *testing.T) {
	c := open(t, pool.Settings{})
	c.hire(1)
	good, _ := c.versions()
	if err := c.Load(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	path := c.trap("trap.jpg")
	first := c.judge(c.request("trap.jpg", good))
	pipe := c.caught(path)
	second := c.judge(c.request("part.jpg", good))
	c.eventually("it holds both", func() bool { return c.Workers()[0].Busy == 2 })
	time.Sleep(20 * time.Millisecond) // for the second to reach it
	closed := make(chan error, 1)
	go func() { closed <- c.Close() }()
	time.Sleep(50 * time.Millisecond) // for the worker to be told
	if _, err := pipe.Write(picturetest.JPEG(t, picturetest.Quarters(320, 240))); err != nil {
		t.Fatal(err)
	}
	pipe.Close()
	for _, done := range []<-chan outcome{first, second} {
		o := <-done
		if o.err != nil {
			t.Fatal(o.err)
		}
		judged(t, o.JudgeResult, true)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
