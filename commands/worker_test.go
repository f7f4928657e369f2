package commands

import (
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for start := time.Now(); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > 2*time.Minute { // a slow machine under the race detector
			t.Fatalf("in two minutes: not %s", what)
		}
	}
}

func startNATS(t *testing.T) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, Authorization: "nats secret", NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(s.Shutdown)
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("NATS does not start")
	}
	return s
}

func TestWorkerOnALeashEndsWithItsServerAndNotByCtrlC(t *testing.T) {
	s := startNATS(t)
	blobs := (&url.URL{Scheme: "file", Path: t.TempDir()}).String()
	p := newProgram(t, "worker", "--leash", "--nats", s.ClientURL(), "--blobs", blobs, "--threads", "1")
	p.Env = append(p.Env, "LOUPE_NATS_TOKEN=nats secret")
	stdin, err := p.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Wait() }()
	eventually(t, "connected", func() bool { return s.NumClients() == 1 })
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		t.Fatalf("Ctrl-C ended it: %v: %s", err, p.err.String())
	case <-time.After(500 * time.Millisecond):
	}
	stdin.Close()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("%v: %s", err, p.err.String())
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it outlives its server")
	}
}

func TestWorkerWithoutALeashStopsByCtrlC(t *testing.T) {
	s := startNATS(t)
	blobs := (&url.URL{Scheme: "file", Path: t.TempDir()}).String()
	p := newProgram(t, "worker", "--nats", s.ClientURL(), "--token", "nats secret", "--blobs", blobs, "--threads", "1")
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "connected", func() bool { return s.NumClients() == 1 })
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("%v: %s", err, p.err.String())
	}
}

func TestWorkerThatIsNotLetInSaysWhyAndEnds(t *testing.T) {
	s := startNATS(t)
	blobs := (&url.URL{Scheme: "file", Path: t.TempDir()}).String()
	p := newProgram(t, "worker", "--nats", s.ClientURL(), "--token", "guessed", "--blobs", blobs, "--threads", "1")
	if err := p.Run(); err == nil || p.ProcessState.ExitCode() != 2 {
		t.Errorf("it ended with %v", err)
	}
	if text := p.err.String(); !strings.Contains(text, "does not let this worker in") || strings.Contains(text, "goroutine") {
		t.Errorf("it says %q", text)
	}
}
