package commands

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"loupe/storage"
	"loupe/web/client"
)

// TestTorture is the fault suite. Stations post at full rate through a real
// server with a real database, an outside NATS server and real workers, while
// faults fall on all of them. What the server acknowledged must be there
// afterwards, judged once. LOUPE_TORTURE_KILLS says how many processes are
// killed; without it a short form runs, as part of the ordinary tests. The
// faults that need root are left out, loudly, for other users.
func TestTorture(t *testing.T) {
	kills := number(t, "LOUPE_TORTURE_KILLS", 6)
	seed := uint64(number(t, "LOUPE_TORTURE_SEED", int(time.Now().UnixNano()%1e9)))
	t.Logf("seed %d: LOUPE_TORTURE_SEED repeats its choice of faults", seed)
	p := buildPlant(t, rand.New(rand.NewPCG(seed, 0)))
	p.serve()
	ctx, stop := context.WithCancel(t.Context())
	var posting sync.WaitGroup
	posting.Go(func() { p.watchQueue(ctx) })
	for n, token := range p.tokens {
		for lane := range 2 {
			posting.Go(func() {
				p.post(ctx, token, fmt.Sprintf("T-%d-%d", n, lane), rand.New(rand.NewPCG(seed, uint64(2*n+lane+1))))
			})
		}
	}
	p.breathe(time.Second)
	for began := time.Now(); p.kills() < kills; {
		if kills < 20 && p.kills() >= leastKills && time.Since(began) > 18*time.Second {
			break // the short form has to stay short on a slow machine
		}
		f := p.nextFault()
		f.strike()
		p.count[f.name]++
		p.breathe(200 * time.Millisecond)
		p.checkNow()
		if t.Failed() {
			t.Logf("after the fault %q", f.name)
			break
		}
		if n := p.faults(); n%25 == 0 {
			t.Logf("%d faults, %d kills, %d frames acknowledged, in %v", n, p.kills(), p.ledger.acknowledged(), time.Since(began).Round(time.Second))
		}
	}
	p.breathe(time.Second)
	stop()
	posting.Wait()
	p.finish()
}

// leastKills is below how many killed processes a run tests nothing.
const leastKills = 3

// number reads a whole number from the environment.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s must be a whole number above 0, not %q", name, text)
	}
	return n
}

// ledger is what the stations know: each frame sent, and whether the server
// acknowledged it.
type ledger struct {
	mu       sync.Mutex
	sent     map[string]bool   // by idempotency key
	received map[string]string // acknowledged: key to the SHA-256 of the picture
	fresh    []string          // acknowledged since the last check
	repeated atomic.Int64      // acknowledged frames that were posted again
	retries  atomic.Int64
}

func (l *ledger) acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.received)
}

// post is one lane of a station: it posts frame after frame, each until it is
// acknowledged or ctx ends. Now and then it posts one again, as a station does
// that missed the answer.
func (p *tortured) post(ctx context.Context, token, lane string, rng *rand.Rand) {
	c := client.New(p.url, token)
	c.Pause, c.Patience, c.Attempt = 20*time.Millisecond, 300*time.Millisecond, 15*time.Second
	c.Retried = func(error, time.Duration) { p.ledger.retries.Add(1) }
	for n := 0; ctx.Err() == nil; n++ {
		key := fmt.Sprintf("%s-%06d", lane, n)
		picture := p.picture(rng)
		f := client.Frame{Image: picture, Serial: key, Lot: lane, IdempotencyKey: key}
		p.ledger.mu.Lock()
		p.ledger.sent[key] = true
		p.ledger.mu.Unlock()
		var wait time.Duration
		if rng.IntN(6) == 0 { // most do not wait for the verdict
			wait = time.Second
		}
		for p.queue.Load() > longestQueue && ctx.Err() == nil {
			time.Sleep(20 * time.Millisecond)
		}
		if !p.insist(ctx, c, f, wait) {
			return
		}
		p.ledger.mu.Lock()
		p.ledger.received[key] = storage.Digest(picture)
		p.ledger.fresh = append(p.ledger.fresh, key)
		p.ledger.mu.Unlock()
		if rng.IntN(10) == 0 {
			if _, err := c.PostFrame(ctx, f, 0); err == nil {
				p.ledger.repeated.Add(1)
			}
		}
	}
}

// longestQueue is how many frames may wait before the stations pause, so that
// the suite does not end in an hour of judging.
const longestQueue = 200

// watchQueue counts the frames that wait.
func (p *tortured) watchQueue(ctx context.Context) {
	db := p.look()
	defer db.Close()
	for ctx.Err() == nil {
		var n int64
		if err := db.QueryRow(`SELECT count(*) FROM frames WHERE state = 'pending'`).Scan(&n); err == nil {
			p.queue.Store(n)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// insist posts a frame until it is acknowledged; false when ctx ends before.
func (p *tortured) insist(ctx context.Context, c *client.Client, f client.Frame, wait time.Duration) bool {
	for ctx.Err() == nil {
		answer, err := c.PostFrame(ctx, f, wait)
		if err == nil {
			if i := answer.Inspection; i != nil && i.Verdict != "OK" && i.Verdict != "NG" {
				p.Errorf("%s is %q: the two versions know no doubt", f.Serial, i.Verdict)
			}
			return true
		}
		p.ledger.retries.Add(1)
		time.Sleep(50 * time.Millisecond)
	}
	return false
}

// picture is a small picture that no other frame has.
func (p *tortured) picture(rng *rand.Rand) []byte {
	data := append([]byte(nil), p.blank...)
	for at := 54; at+8 <= len(data); at += 256 { // the pixels of a BMP
		binary.LittleEndian.PutUint64(data[at:], rng.Uint64())
	}
	return data
}

// breathe lets the plant work undisturbed for a while.
func (p *tortured) breathe(d time.Duration) { time.Sleep(d) }

// kills is how many processes were killed with SIGKILL, faults how many faults
// there were of all kinds.
func (p *tortured) kills() int {
	return p.killed["server"] + p.killed["worker"] + p.killed["remote worker"]
}

func (p *tortured) faults() int {
	n := 0
	for _, c := range p.count {
		n += c
	}
	return n
}

// kill ends a process by SIGKILL and counts it.
func (p *tortured) kill(pid int, kind string) {
	if err := syscall.Kill(pid, syscall.SIGKILL); err == nil {
		p.killed[kind]++
	}
}
