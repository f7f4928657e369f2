package commands

import (
	"database/sql"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const natsSecret = "torture secret"

// outsideNATS is a NATS server that can be stopped and comes back at its address.
type outsideNATS struct {
	t    *testing.T
	port int
	now  *server.Server
}

func newOutsideNATS(t *testing.T) *outsideNATS {
	t.Helper()
	_, text, _ := net.SplitHostPort(freeAddress(t))
	n := &outsideNATS{t: t}
	n.port, _ = strconv.Atoi(text)
	n.start()
	t.Cleanup(func() { n.now.Shutdown() })
	return n
}

func (n *outsideNATS) url() string { return "nats://127.0.0.1:" + strconv.Itoa(n.port) }

func (n *outsideNATS) start() {
	n.t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: n.port, Authorization: natsSecret, MaxPayload: 32 << 20, MaxPending: 128 << 20, NoLog: true, NoSigs: true})
	if err != nil {
		n.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		n.t.Fatal("NATS does not start")
	}
	n.now = s
}

// freeAddress is one on which nobody listens just now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// smallDisk mounts a disk of so many MB on a folder; only an administrator may.
func smallDisk(t *testing.T, folder string, mb int) bool {
	t.Helper()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size="+strconv.Itoa(mb)+"m"); err != nil {
		return false
	}
	t.Cleanup(func() { _ = syscall.Unmount(folder, syscall.MNT_DETACH) })
	return true
}

// kill ends the server as a power cut would, and its workers with it.
func (x *torture) kill() {
	x.mu.Lock()
	p := x.server
	x.mu.Unlock()
	_ = p.Process.Signal(syscall.SIGKILL)
	_ = p.Wait()
}

func (x *torture) killServer() string {
	x.kill()
	x.sound()
	x.start()
	return "kill -9 of the server"
}

// worker gives one of the server's workers, 0 while there is none.
func (x *torture) worker() int {
	x.mu.Lock()
	pid := x.server.Process.Pid
	x.mu.Unlock()
	all := childrenOf(pid)
	if len(all) == 0 {
		return 0
	}
	return all[x.rng.IntN(len(all))]
}

func (x *torture) killWorker() string {
	if pid := x.worker(); pid != 0 {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	return "kill -9 of a worker"
}

// pauseWorker stops a worker for longer than it may be silent.
func (x *torture) pauseWorker() string {
	if pid := x.worker(); pid != 0 {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
		time.Sleep(time.Duration(1000+x.rng.IntN(4000)) * time.Millisecond)
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	return "a worker stands still"
}

func (x *torture) stopNATS() string {
	x.nats.now.Shutdown()
	x.nats.now.WaitForShutdown()
	time.Sleep(time.Duration(200+x.rng.IntN(3000)) * time.Millisecond)
	x.nats.start()
	return "NATS is stopped and started"
}

// busyDatabase holds the write lock of the database from outside.
func (x *torture) busyDatabase() string {
	x.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(x.folder, "loupe.db")+"?_busy_timeout=20000&_txlock=immediate")
	if err != nil {
		x.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		x.Fatal(err)
	}
	time.Sleep(time.Duration(500+x.rng.IntN(3000)) * time.Millisecond)
	_ = tx.Rollback()
	return "the database is busy"
}

// fillDisk leaves no byte for some seconds.
func (x *torture) fillDisk() string {
	x.Helper()
	rubbish := filepath.Join(x.folder, "rubbish")
	fill(x.T, rubbish)
	time.Sleep(time.Duration(500+x.rng.IntN(2000)) * time.Millisecond)
	if err := os.Remove(rubbish); err != nil {
		x.Fatal(err)
	}
	return "the disk is full"
}
