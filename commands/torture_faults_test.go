package commands

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"loupe/storage"
)

// fault is one thing that goes wrong; strike does it and heals it.
type fault struct {
	name   string
	strike func()
}

// nextFault goes through rounds of all faults, each round in a new order, so
// that none is missed by chance; the kills come most often.
func (p *tortured) nextFault() fault {
	if len(p.plan) == 0 {
		p.plan = []fault{
			{"kill the server", p.killServer}, {"kill the server", p.killServer}, {"kill workers", p.killWorkers}, {"kill workers", p.killWorkers},
			{"kill server and workers", p.killBoth}, {"stop NATS", p.stopNATS}, {"busy database", p.busyDatabase}, {"hang a worker", p.hangWorker},
		}
		if p.tmpfs {
			p.plan = append(p.plan, fault{"full disk", p.fullDisk}, fault{"kill on a full disk", p.killOnFullDisk})
		}
		if p.remote != nil {
			p.plan = append(p.plan, fault{"cut the network", p.remote.cut}, fault{"kill a remote worker", p.remote.kill})
		}
		p.rng.Shuffle(len(p.plan), func(i, j int) { p.plan[i], p.plan[j] = p.plan[j], p.plan[i] })
	}
	f := p.plan[0]
	p.plan = p.plan[1:]
	return f
}

// some is a random time between two.
func (p *tortured) some(from, to time.Duration) time.Duration {
	return from + time.Duration(p.rng.Int64N(int64(to-from)))
}

// killServer ends the server in mid-post and starts it again. Sometimes another
// version becomes the champion in between.
func (p *tortured) killServer() {
	p.breathe(p.some(0, 300*time.Millisecond))
	p.kill(p.server.Process.Pid, "server")
	_ = p.server.Wait()
	if p.rng.IntN(2) == 0 {
		p.promoteOther()
	}
	p.serve()
	p.breathe(p.some(100*time.Millisecond, 600*time.Millisecond))
}

func (p *tortured) promoteOther() {
	db, err := storage.Open(p.Context(), storage.Settings{Folder: p.folder})
	if err != nil {
		p.Fatal(err)
	}
	defer db.Close()
	r, err := db.Recipe(p.Context(), p.recipe)
	if err != nil {
		p.Fatal(err)
	}
	other := p.versions[0]
	if r.ChampionID == other {
		other = p.versions[1]
	}
	if _, err := db.Promote(p.Context(), "test", other, "to and fro"); err != nil {
		p.Fatal(err)
	}
}

func (p *tortured) killWorkers() {
	all := p.workers()
	if len(all) > 1 && p.rng.IntN(2) == 0 {
		all = all[:1]
	}
	for _, pid := range all {
		p.kill(pid, "worker")
	}
	p.breathe(p.some(100*time.Millisecond, 600*time.Millisecond))
}

func (p *tortured) killBoth() {
	p.killWorkers()
	p.killServer()
}

// stopNATS ends the NATS server and starts it again on the same port.
func (p *tortured) stopNATS() {
	p.nats.Shutdown()
	p.nats.WaitForShutdown()
	p.breathe(p.some(100*time.Millisecond, 1500*time.Millisecond))
	p.startNATS()
	p.breathe(p.some(300*time.Millisecond, time.Second))
}

// busyDatabase holds the writer's lock from another connection.
func (p *tortured) busyDatabase() {
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(p.folder, "loupe.db")+"?_busy_timeout=10000&_txlock=immediate")
	if err != nil {
		p.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		p.Fatal(err)
	}
	long := 2 * time.Second
	if p.rng.IntN(6) == 0 {
		long = 12 * time.Second // longer than the server waits for it
	}
	p.breathe(p.some(100*time.Millisecond, long))
	if err := tx.Rollback(); err != nil {
		p.Error(err)
	}
}

// hangWorker stops a worker without ending it; it comes back.
func (p *tortured) hangWorker() {
	all := p.workers()
	if len(all) == 0 {
		return
	}
	pid := all[p.rng.IntN(len(all))]
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return // it ended meanwhile
	}
	p.breathe(p.some(200*time.Millisecond, 5*time.Second))
	_ = syscall.Kill(pid, syscall.SIGCONT)
}

// fullDisk leaves the data folder a few kilobytes, then room again.
func (p *tortured) fullDisk() {
	p.squeeze()
	p.breathe(p.some(200*time.Millisecond, 1500*time.Millisecond))
	p.widen()
}

func (p *tortured) killOnFullDisk() {
	p.squeeze()
	p.breathe(p.some(50*time.Millisecond, 400*time.Millisecond))
	p.kill(p.server.Process.Pid, "server")
	_ = p.server.Wait()
	p.widen()
	p.serve()
}

func (p *tortured) squeeze() {
	for { // what is written meanwhile may make it too small to be had
		var s syscall.Statfs_t
		if err := syscall.Statfs(p.folder, &s); err != nil {
			p.Fatal(err)
		}
		used := (s.Blocks - s.Bfree) * uint64(s.Bsize)
		if err := syscall.Mount("tmpfs", p.folder, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", used+uint64(p.rng.IntN(200_000)))); err == nil {
			return
		}
	}
}

func (p *tortured) widen() {
	if err := syscall.Mount("tmpfs", p.folder, "tmpfs", syscall.MS_REMOUNT, roomy); err != nil {
		p.Fatal(err)
	}
}
