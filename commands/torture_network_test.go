package commands

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// remoteHost is a second host: a network namespace with a worker of its own,
// joined to the plant by a pair of network devices.
type remoteHost struct {
	plant  *tortured
	space  string
	device string // this host's end
	worker *program
}

// newRemoteHost makes the second host, or says that it cannot.
func newRemoteHost(p *tortured) *remoteHost {
	p.Helper()
	id := os.Getpid() % 60000
	h := &remoteHost{plant: p, space: fmt.Sprintf("loupe-%d", id), device: fmt.Sprintf("lpa%d", id)}
	far := fmt.Sprintf("lpb%d", id)
	here, there := fmt.Sprintf("10.213.%d.1", id%250), fmt.Sprintf("10.213.%d.2", id%250)
	for _, args := range []string{
		"netns add " + h.space,
		"link add " + h.device + " type veth peer name " + far,
		"link set " + far + " netns " + h.space,
		"addr add " + here + "/24 dev " + h.device,
		"link set " + h.device + " up",
		"-n " + h.space + " addr add " + there + "/24 dev " + far,
		"-n " + h.space + " link set " + far + " up",
	} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			p.Logf("NOT COVERED: a cut network between hosts: ip %s: %v %s", args, err, out)
			_ = exec.Command("ip", "netns", "del", h.space).Run()
			return nil
		}
	}
	p.Cleanup(func() {
		h.end()
		_ = exec.Command("ip", "link", "del", h.device).Run()
		_ = exec.Command("ip", "netns", "del", h.space).Run()
	})
	h.start(here)
	return h
}

// start runs a worker on the second host.
func (h *remoteHost) start(here string) {
	p := h.plant
	w := newProgram(p.T, "worker", "--nats", fmt.Sprintf("nats://%s:%d", here, p.natsPort), "--blobs", p.blobs(), "--threads", "1", "--name", "far host")
	w.Env = append(w.Env, "LOUPE_NATS_TOKEN="+tortureToken)
	if err := w.startIn(h.space); err != nil {
		p.Fatal(err)
	}
	h.worker = w
}

func (h *remoteHost) end() {
	if h.worker != nil {
		_ = h.worker.Process.Kill()
		_ = h.worker.Wait()
		h.worker = nil
	}
}

// kill ends the far worker and starts another.
func (h *remoteHost) kill() {
	here := fmt.Sprintf("10.213.%d.1", os.Getpid()%60000%250)
	h.plant.kill(h.worker.Process.Pid, "remote worker")
	_ = h.worker.Wait()
	h.start(here)
	h.plant.breathe(h.plant.some(100*time.Millisecond, time.Second))
}

// cut takes the network between the hosts away for a while: shorter or longer
// than a worker may be silent.
func (h *remoteHost) cut() {
	set := func(state string) {
		if out, err := exec.Command("ip", "link", "set", h.device, state).CombinedOutput(); err != nil {
			h.plant.Fatalf("%v: %s", err, out)
		}
	}
	set("down")
	h.plant.breathe(h.plant.some(300*time.Millisecond, 6*time.Second))
	set("up")
}
