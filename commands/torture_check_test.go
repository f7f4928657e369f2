package commands

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"time"

	"loupe/storage"
)

// look opens the database for the checks alone.
func (p *tortured) look() *sql.DB {
	p.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(p.folder, "loupe.db")+"?mode=ro&_busy_timeout=20000")
	if err != nil {
		p.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	return db
}

// checkNow is what holds after each fault, with frames still under way: what
// was acknowledged is in the database and its picture is whole, and the
// database is sound.
func (p *tortured) checkNow() {
	p.Helper()
	p.ledger.mu.Lock()
	fresh := p.ledger.fresh
	p.ledger.fresh = nil
	p.ledger.mu.Unlock()
	db := p.look()
	defer db.Close()
	for _, key := range fresh {
		p.checkFrame(db, key)
	}
	p.sound(db)
}

// checkFrame gives whether an acknowledged frame is stored, with its picture.
func (p *tortured) checkFrame(db *sql.DB, key string) bool {
	p.Helper()
	p.ledger.mu.Lock()
	want := p.ledger.received[key]
	p.ledger.mu.Unlock()
	var blob string
	if err := db.QueryRow(`SELECT blob_key FROM frames WHERE idempotency_key = ?`, key).Scan(&blob); err != nil {
		p.Errorf("LOST: %s was acknowledged: %v", key, err)
		return false
	}
	data, err := os.ReadFile(filepath.Join(p.folder, "blobs", filepath.FromSlash(blob)))
	if err != nil || storage.Digest(data) != want || filepath.Base(blob) != want {
		p.Errorf("LOST: the picture of %s is not what was sent: %s, %d bytes, %v", key, blob, len(data), err)
		return false
	}
	return true
}

// sound asks SQLite itself, and that nothing is judged which is not there, or
// by a version that never was champion.
func (p *tortured) sound(db *sql.DB) {
	p.Helper()
	var verdict string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
		p.Errorf("integrity_check: %s, %v", verdict, err)
	}
	for what, query := range map[string]string{
		"rows break a foreign key":                   `SELECT count(*) FROM pragma_foreign_key_check`,
		"inspections have no frame":                  `SELECT count(*) FROM inspections i LEFT JOIN frames f ON f.id = i.frame_id WHERE f.id IS NULL`,
		"inspections are of a frame not judged":      `SELECT count(*) FROM inspections i JOIN frames f ON f.id = i.frame_id WHERE f.state <> 'judged'`,
		"judged frames have no inspection":           `SELECT count(*) FROM frames f LEFT JOIN inspections i ON i.frame_id = f.id WHERE f.state = 'judged' AND i.id IS NULL`,
		"inspections are by a version never in use":  `SELECT count(*) FROM inspections i WHERE NOT EXISTS (SELECT 1 FROM promotions p WHERE p.version_id = i.version_id AND p.recipe_id = i.recipe_id AND p.at <= i.judged_at)`,
		"verdicts do not fit their version":          `SELECT count(*) FROM inspections i JOIN versions v ON v.id = i.version_id WHERE i.verdict <> CASE v.number WHEN 1 THEN 'OK' ELSE 'NG' END`,
		"good frames were set aside as bad pictures": `SELECT count(*) FROM frames WHERE state = 'quarantined' AND deaths < 3`,
	} {
		var n int
		if err := db.QueryRow(query).Scan(&n); err != nil || n != 0 {
			p.Errorf("%d %s, %v", n, what, err)
		}
	}
}

// finish lets everything be judged, puts back what was set aside, and prints
// and checks the sums.
func (p *tortured) finish() {
	p.Helper()
	s, err := storage.Open(p.Context(), storage.Settings{Folder: p.folder})
	if err != nil {
		p.Fatal(err)
	}
	defer s.Close()
	db := p.look()
	defer db.Close()
	p.drain(s)
	judged, lost, doubled := 0, 0, 0
	for key := range p.ledger.received {
		if !p.checkFrame(db, key) {
			lost++
			continue
		}
		var frames, inspections int
		err := db.QueryRow(`SELECT count(DISTINCT f.id), count(i.id) FROM frames f LEFT JOIN inspections i ON i.frame_id = f.id WHERE f.idempotency_key = ?`, key).Scan(&frames, &inspections)
		switch {
		case err != nil:
			p.Error(err)
		case frames > 1 || inspections > 1:
			doubled++
		case inspections == 0:
			lost++
		default:
			judged++
		}
	}
	p.sound(db)
	p.Logf("faults: %v", p.count)
	p.Logf("killed by SIGKILL: %v, together %d", p.killed, p.kills())
	p.Logf("frames sent %d, acknowledged %d, judged %d, lost %d, doubled %d", len(p.ledger.sent), len(p.ledger.received), judged, lost, doubled)
	p.Logf("posts tried again %d, acknowledged frames posted twice %d, frames set aside after three deaths and put back %d",
		p.ledger.retries.Load(), p.ledger.repeated.Load(), p.released)
	if lost != 0 || doubled != 0 || judged != len(p.ledger.received) {
		p.Error("the server lost or doubled what it acknowledged")
	}
	if p.kills() < leastKills || judged < 20 {
		p.Errorf("%d kills and %d frames test nothing", p.kills(), judged)
	}
}

// drain waits until no frame waits, and gives those another chance that three
// workers died over: here that is the suite's fault, not theirs.
func (p *tortured) drain(s *storage.DB) {
	p.Helper()
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > 3*time.Minute {
			w, _ := s.Waiting(p.Context())
			p.Fatalf("in three minutes not everything was judged: %+v; the server says: %s", w, tail(p.server.err.String()))
		}
		w, err := s.Waiting(p.Context())
		if err != nil {
			p.Fatal(err)
		}
		if w.Pending == 0 && w.Quarantined == 0 {
			return
		}
		aside, err := s.QuarantinedFrames(p.Context(), 100)
		if err != nil {
			p.Fatal(err)
		}
		for _, f := range aside {
			if err := s.Release(p.Context(), "test", f.ID); err != nil {
				p.Fatal(err)
			}
			p.released++
		}
	}
}

// tail is the end of what a program said.
func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}
