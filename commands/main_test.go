package commands

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"loupe/web/browsertest"
)

// TestMain lets the test's own binary be the program, so that tests run real
// processes with real signals and exit codes.
func TestMain(m *testing.M) {
	if os.Getenv("LOUPE_TEST_PROGRAM") == "1" {
		os.Exit(Main(os.Args[1:]))
	}
	if kind := os.Getenv("LOUPE_TEST_NODE"); kind != "" {
		os.Exit(runNode(kind))
	}
	code := m.Run()
	browsertest.Close()
	forget()
	os.Exit(code)
}

// program is a process of Loupe.
type program struct {
	*exec.Cmd
	out, err bytes.Buffer
}

func newProgram(t *testing.T, args ...string) *program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{Cmd: exec.CommandContext(t.Context(), self, args...)}
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "LOUPE_") {
			p.Env = append(p.Env, setting)
		}
	}
	p.Env = append(p.Env, "LOUPE_TEST_PROGRAM=1")
	p.Stdout, p.Stderr = &p.out, &p.err
	return p
}

// startIn starts the program in a network namespace. The command that enters it
// becomes the program by exec: the process number stays.
func (p *program) startIn(space string) error {
	ip, err := exec.LookPath("ip")
	if err != nil {
		return err
	}
	p.Args = append([]string{"ip", "netns", "exec", space, p.Path}, p.Args[1:]...)
	p.Path = ip
	return p.Start()
}

// childrenOf lists the processes that a process started and that still run.
func childrenOf(pid int) (children []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(pid) && fields[0] != "Z" {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			children = append(children, child)
		}
	}
	return children
}

// code runs the program to its end.
func (p *program) code(t *testing.T) int {
	t.Helper()
	if err := p.Run(); err != nil && p.ProcessState == nil {
		t.Fatal(err)
	}
	return p.ProcessState.ExitCode()
}

func TestBadInputIsOneLineAndExitCode2(t *testing.T) {
	empty := t.TempDir()
	for _, c := range []struct {
		args string
		says string
	}{
		{"staton", `did you mean "station"`},
		{"station --foo", "loupe station --help"},
		{"station --token x", "<folder|camera>"},
		{"station parts", "--token"},
		{"station no-such-folder --token x", "no folder no-such-folder"},
		{"station " + empty + " --token x", "has no pictures"},
		{"station 97 --token x", "97 cannot be opened"},
		{"station " + empty + " --token x --to plant:8080", "http://host:8080"},
		{"station " + empty + " --token x --every=-1s", "must not be negative"},
		{"station " + empty + " --token x --every soon", "--every"},
		{"worker", "--blobs"},
		{"worker --blobs /srv/blobs", "file:///srv/loupe/blobs"},
		{"version --log-level loud", "--log-level"},
	} {
		p := newProgram(t, strings.Fields(c.args)...)
		if code := p.code(t); code != 2 {
			t.Errorf("loupe %s: exit code %d, want 2", c.args, code)
		}
		text := p.err.String()
		if strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "loupe: ") || !strings.Contains(text, c.says) {
			t.Errorf("loupe %s: says %q, want one line with %q", c.args, text, c.says)
		}
		if p.out.Len() > 0 {
			t.Errorf("loupe %s: writes %q on standard output", c.args, p.out.String())
		}
	}
}

func TestHelpTeaches(t *testing.T) {
	p := newProgram(t)
	if code := p.code(t); code != 0 {
		t.Fatalf("exit code %d: %s", code, p.err.String())
	}
	for _, name := range []string{"station", "worker", "version"} {
		if !strings.Contains(p.out.String(), "\n  "+name+" ") {
			t.Errorf("the help does not list %s", name)
		}
		help := newProgram(t, name, "--help")
		if code := help.code(t); code != 0 || !strings.Contains(help.out.String(), "Usage: loupe "+name) {
			t.Errorf("loupe %s --help: exit code %d, %q", name, code, help.out.String())
		}
		if name != "version" && !strings.Contains(help.out.String(), "Examples:\n") {
			t.Errorf("loupe %s --help has no examples", name)
		}
	}
}

func TestVersionNamesWhatItIsBuiltFrom(t *testing.T) {
	p := newProgram(t, "version")
	if code := p.code(t); code != 0 {
		t.Fatalf("exit code %d: %s", code, p.err.String())
	}
	for _, want := range []string{"loupe ", "go1.", "OpenCV 4."} {
		if !strings.Contains(p.out.String(), want) {
			t.Errorf("%q does not name %q", p.out.String(), want)
		}
	}
}
