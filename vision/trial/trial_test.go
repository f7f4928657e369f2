package trial

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// shell runs a line in place of the process of a trial.
func shell(line string, limit time.Duration) *Bench {
	return New(Settings{Limit: limit, Command: func() *exec.Cmd { return exec.Command("/bin/sh", "-c", line) }})
}

func TestAProcessIsNeverBelievedMoreThanIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		line   string
		reason Reason // "" for trouble that is not the file's
		says   string
	}{
		"it could not begin":        {"echo no memory file >&2; exit 1", "", "no memory file"},
		"it says nothing":           {"exit 0", "", "read what the process"},
		"it says no JSON":           {"echo hello", "", "read what the process"},
		"it says a lot":             {"yes hello | head -c 30000000", "", "read what the process"},
		"it complains a lot":        {"yes complaint | head -c 30000000 >&2; exit 2", Crashes, "exit status 2"},
		"it is killed":              {"kill -9 $$", Memory, "memory"},
		"it hangs":                  {"sleep 60", Hangs, "within 1s"},
		"it leaves somebody behind": {"sleep 60 & exit 3", Crashes, "exit status 3"},
		"it is slow":                {`echo '{"opencv":"4.6.0","forward_ms":8000}'`, Hangs, "takes 8.0 s"},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			_, err := shell(c.line, time.Second).Try(t.Context(), make([]byte, 1<<20), 224, []string{"a", "b"})
			var f *Failure
			if errors.As(err, &f) != (c.reason != "") || f != nil && f.Reason != c.reason || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 1000 {
				t.Errorf("%.500v", err)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}
