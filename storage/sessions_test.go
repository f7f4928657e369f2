package storage_test

import (
	"testing"
	"time"
)

func TestSessionsLastUntilTheyExpire(t *testing.T) {
	f := open(t)
	s := f.Sessions()
	now := f.Now()
	f.must(s.Commit("short", []byte("ada"), now.Add(10*time.Second)))
	f.must(s.Commit("long", []byte("lin"), now.Add(time.Hour)))
	f.must(s.Commit("long", []byte("lin, again"), now.Add(time.Hour)))
	f.reopen()
	s = f.Sessions()
	find := func(token, want string) {
		t.Helper()
		data, there, err := s.Find(token)
		if err != nil || there != (want != "") || string(data) != want {
			t.Errorf("%s: %q, there %v, %v", token, data, there, err)
		}
	}
	find("short", "ada")
	find("long", "lin, again")
	find("none", "")
	for f.Now().Before(now.Add(10 * time.Second)) { // the clock moves at each look
	}
	find("short", "")
	f.must(s.Delete("long"))
	find("long", "")
	f.must(s.Delete("none"))
}

func TestExpiredSessionsAreClearedAway(t *testing.T) {
	f := open(t)
	s := f.Sessions()
	f.must(s.Commit("old", []byte("ada"), f.Now()))
	f.must(s.Commit("new", []byte("lin"), f.Now().Add(time.Hour)))
	var n int
	f.must(f.raw().QueryRow("SELECT count(*) FROM sessions").Scan(&n))
	if n != 1 {
		t.Errorf("%d sessions kept", n)
	}
}
