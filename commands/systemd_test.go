package commands

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestUnitFilesAreSound(t *testing.T) {
	folder := t.TempDir()
	p := newProgram(t, "systemd", folder)
	if code := p.code(t); code != 0 {
		t.Fatalf("code %d: %s", code, p.err.String())
	}
	units, err := filepath.Glob(filepath.Join(folder, "loupe*"))
	if err != nil || len(units) != 4 {
		t.Fatalf("%v, %v", units, err)
	}
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		if self, _ := os.Executable(); strings.Contains(string(text), "ExecStart") && !strings.Contains(string(text), self) {
			t.Errorf("%s does not name this program", unit)
		}
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not here to check them")
	}
	out, err := exec.Command("systemd-analyze", append([]string{"verify", "--man=no"}, units...)...).CombinedOutput()
	if text := strings.TrimSpace(string(out)); err != nil || text != "" {
		t.Errorf("systemd-analyze verify: %v\n%s", err, text)
	}
}

func TestSystemdHearsOfStartLifeAndEnd(t *testing.T) {
	folder := t.TempDir()
	socket := filepath.Join(folder, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	said := make(chan string, 1000)
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			said <- string(b[:n])
		}
	}()
	hears := func(want string) {
		t.Helper()
		limit := time.After(time.Minute)
		for {
			select {
			case text := <-said:
				if text == want {
					return
				}
			case <-limit:
				t.Fatalf("never said %s", want)
			}
		}
	}
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", "300000")
	p, _ := serve(t, filepath.Join(folder, "data"), "--workers", "0")
	hears("READY=1")
	for range 3 {
		hears("WATCHDOG=1")
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	hears("STOPPING=1")
}
