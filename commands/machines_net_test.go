package commands

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3afero"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/spf13/afero"
)

// plantNet is a network of hosts, each a network namespace with one address.
type plantNet struct {
	t    *testing.T
	name string // of bridge and namespaces
}

// newPlantNet needs an administrator; without one the test is skipped.
func newPlantNet(t *testing.T) *plantNet {
	t.Helper()
	n := &plantNet{t: t, name: fmt.Sprintf("lp%d", os.Getpid()%10000)}
	if out, err := exec.Command("ip", "link", "add", n.name, "type", "bridge").CombinedOutput(); err != nil {
		t.Skipf("network namespaces cannot be made here (run as root with iproute2): %v %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", n.name).Run() })
	n.ip("addr", "add", "10.77.0.1/24", "dev", n.name)
	n.ip("link", "set", n.name, "up")
	return n
}

func (n *plantNet) ip(args ...string) {
	n.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		n.t.Fatalf("ip %s: %v %s", strings.Join(args, " "), err, out)
	}
}

// host makes one with the address 10.77.0.last.
func (n *plantNet) host(last int) *host {
	n.t.Helper()
	h := &host{net: n, space: fmt.Sprintf("%sh%d", n.name, last), link: fmt.Sprintf("%sv%d", n.name, last), address: fmt.Sprintf("10.77.0.%d", last)}
	n.ip("netns", "add", h.space)
	n.t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", h.space).Run() })
	n.ip("link", "add", h.link, "type", "veth", "peer", "name", "eth0", "netns", h.space)
	n.ip("link", "set", h.link, "master", n.name, "up")
	n.ip("-n", h.space, "addr", "add", h.address+"/24", "dev", "eth0")
	n.ip("-n", h.space, "link", "set", "eth0", "up")
	n.ip("-n", h.space, "link", "set", "lo", "up")
	return h
}

// host is a machine that runs one process at a time.
type host struct {
	net                  *plantNet
	space, link, address string
	run                  func() *program // makes the process
	process              *program
	ended                chan struct{}
}

// start runs the host's process; it is killed when the test ends.
func (h *host) start() {
	h.net.t.Helper()
	p := h.run()
	if err := p.startIn(h.space); err != nil {
		h.net.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = p.Wait(); close(ended) }()
	h.process, h.ended = p, ended
	h.net.t.Cleanup(func() { _ = p.Process.Kill(); <-ended })
}

func (h *host) kill() {
	_ = h.process.Process.Signal(syscall.SIGKILL)
	<-h.ended
}

func (h *host) cut()  { h.net.ip("link", "set", h.link, "down") }
func (h *host) heal() { h.net.ip("link", "set", h.link, "up") }

// runNode is a process of the plant that is not Loupe's: a NATS server of a
// cluster, or an S3-compatible server.
func runNode(kind string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	address := os.Getenv("LOUPE_TEST_ADDRESS")
	switch kind {
	case "nats":
		s, err := server.NewServer(&server.Options{
			ServerName: address, Host: address, Port: 4222, Authorization: "plant secret", MaxPayload: 32 << 20, MaxPending: 128 << 20, NoSigs: true,
			Cluster: server.ClusterOpts{Name: "plant", Host: address, Port: 6222}, Routes: server.RoutesFromStr(os.Getenv("LOUPE_TEST_ROUTES")),
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		s.Start()
		<-ctx.Done()
		s.Shutdown()
	case "s3":
		backend, err := s3afero.MultiBucket(afero.NewBasePathFs(afero.NewOsFs(), os.Getenv("LOUPE_TEST_FOLDER")))
		if err == nil {
			if there, _ := backend.BucketExists("plant"); !there {
				err = backend.CreateBucket("plant")
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		err = http.ListenAndServe(address+":9000", gofakes3.New(backend).Server()) //nolint:gosec // a test
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// node makes a process for runNode.
func node(t *testing.T, kind string, env ...string) *program {
	p := newProgram(t)
	for i, one := range p.Env {
		if one == "LOUPE_TEST_PROGRAM=1" {
			p.Env[i] = "LOUPE_TEST_NODE=" + kind
		}
	}
	p.Env = append(p.Env, env...)
	return p
}

// folderFiles lists the files below a folder, relative to it, with slashes.
func folderFiles(t *testing.T, folder string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			rel, _ := filepath.Rel(folder, path)
			all = append(all, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// metricOf finds a metric without labels in what /metrics says, -1 for none.
func metricOf(text io.Reader, name string) float64 {
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			if v, err := strconv.ParseFloat(rest, 64); err == nil {
				return v
			}
		}
	}
	return -1
}
