package pool

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os/exec"
	"sync"
	"time"
)

const (
	firstPause = 200 * time.Millisecond // before a dead worker is started again
	longPause  = 10 * time.Second
	soundAfter = 30 * time.Second // a worker that lived so long is started again at once
	stopTime   = 3 * time.Second  // for a worker to end by itself
)

// locals are the worker processes of this machine.
type locals struct {
	pool    *Pool
	command func(id string) *exec.Cmd
	ctx     context.Context
	stop    context.CancelFunc
	all     sync.WaitGroup

	mu      sync.Mutex
	running map[string]*exec.Cmd
}

// StartLocal keeps n worker processes running until Close. command makes the
// process of a worker; the pool gives it the ID, and a standard input that
// ends with this process, so that no worker outlives its server.
func (p *Pool) StartLocal(n int, command func(id string) *exec.Cmd) {
	l := &locals{pool: p, command: command, running: map[string]*exec.Cmd{}}
	l.ctx, l.stop = context.WithCancel(context.Background())
	p.mu.Lock()
	p.locals = l
	p.mu.Unlock()
	for range n {
		l.all.Go(l.keep)
	}
}

// keep runs one worker after the other.
func (l *locals) keep() {
	pause := firstPause
	for l.ctx.Err() == nil {
		began := time.Now()
		err := l.run()
		if l.ctx.Err() != nil {
			return
		}
		if time.Since(began) > soundAfter {
			pause = firstPause
		}
		l.pool.settings.Log.Warn("a worker process ended and is started again", "error", err, "pause", pause)
		select {
		case <-l.ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, longPause)
	}
}

func (l *locals) run() error {
	id := rand.Text()
	cmd := l.command(id)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	l.mu.Lock()
	l.running[id] = cmd
	l.mu.Unlock()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case <-l.ctx.Done():
		err = l.end(stdin, cmd, ended)
	}
	l.mu.Lock()
	delete(l.running, id)
	l.mu.Unlock()
	if err == nil {
		err = errors.New("it ended")
	}
	l.pool.land(id)
	l.pool.lose(id, err)
	return err
}

// end asks a worker to stop by closing its standard input, and kills it if it does not.
func (l *locals) end(stdin io.Closer, cmd *exec.Cmd, ended <-chan error) error {
	_ = stdin.Close()
	select {
	case err := <-ended:
		return err
	case <-time.After(stopTime):
	}
	_ = cmd.Process.Kill()
	return <-ended
}

func (l *locals) close() {
	l.stop()
	l.all.Wait()
}

// hung kills a worker of this machine that did not answer in time; one of
// another machine is left to its own supervisor and struck off.
func (p *Pool) hung(id string) {
	p.mu.Lock()
	l := p.locals
	p.mu.Unlock()
	if l != nil {
		l.mu.Lock()
		cmd := l.running[id]
		l.mu.Unlock()
		if cmd != nil {
			_ = cmd.Process.Kill()
		}
	}
	p.lose(id, ErrTimeout)
}
