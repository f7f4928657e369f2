package commands

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"loupe/vision"
	"loupe/vision/wire"
)

// Serve runs the server with its local workers.
type Serve struct {
	Data    string `help:"Data folder; made when missing." default:"data" env:"LOUPE_DATA" type:"path"`
	Listen  string `help:"Address to serve on." default:"127.0.0.1:8080" env:"LOUPE_LISTEN" placeholder:"HOST:PORT"`
	Workers int    `help:"Vision workers to start on this machine; -1 means one a core." default:"-1" env:"LOUPE_WORKERS"`
	Threads int    `help:"Threads of each local worker; 0 shares the cores out." default:"0" env:"LOUPE_THREADS"`
	EngineFlags
	Demo  bool `help:"Set up the demonstration line if there is none, and run it." env:"LOUPE_DEMO"`
	HTTPS bool `help:"A proxy serves the pages by HTTPS: keep cookies to it." name:"https" env:"LOUPE_HTTPS"`

	NATS       string `help:"URL of a NATS cluster to use instead of the built-in server; several with commas." name:"nats" env:"LOUPE_NATS" placeholder:"URL"`
	NATSToken  string `help:"Token that workers show; made anew at each start by default." name:"nats-token" env:"LOUPE_NATS_TOKEN" placeholder:"TOKEN"`
	NATSListen string `help:"Address of the built-in NATS server, for workers on other machines; loopback and any port by default." name:"nats-listen" env:"LOUPE_NATS_LISTEN" placeholder:"HOST:PORT"`
	NATSAccess `embed:"" prefix:"nats-"`
	Blobs      string `help:"gocloud.dev/blob URL of the picture store; in the data folder by default." env:"LOUPE_BLOBS" placeholder:"URL"`

	MaxBytes  int64 `help:"Largest picture accepted, in bytes." default:"67108864" env:"LOUPE_MAX_BYTES"`
	MaxPixels int64 `help:"Largest picture accepted, in pixels." default:"64000000" env:"LOUPE_MAX_PIXELS"`
}

// Help teaches the command.
func (Serve) Help() string {
	return `The first start makes the admin and prints the password once.

Examples:

  loupe serve                              on 127.0.0.1:8080, with the data in ./data
  loupe serve --demo                       the same with the demonstration line running
  loupe serve --listen :8080 --data /srv/loupe
  loupe serve --engine onnxruntime         judges faster, where the library of ONNX Runtime is installed
  loupe serve --nats-listen 10.0.0.5:4222 --nats-token SECRET   workers may join from other machines
  loupe serve --nats-listen 10.0.0.5:4222 --nats-cert plant.pem --nats-key plant.key --nats-ca ca.pem
                                           the same by TLS, for workers that show a certificate`
}

// Validate refuses settings that cannot work.
func (s *Serve) Validate() error {
	if _, _, err := net.SplitHostPort(s.Listen); err != nil {
		return usage("--listen %q is not an address such as 127.0.0.1:8080 or :8080", s.Listen)
	}
	if s.Workers < -1 || s.Workers > 256 || s.Threads < 0 || s.Threads > 256 {
		return usage("--workers and --threads must be from 0 to 256")
	}
	if s.NATS != "" {
		if err := checkNATS(s.NATS); err != nil {
			return err
		}
	}
	if err := s.NATSAccess.check(); err != nil {
		return err
	}
	if s.MaxBytes < 1024 || s.MaxPixels < 1024 {
		return usage("--max-bytes and --max-pixels must be at least 1024")
	}
	return nil
}

// Run serves until it is interrupted.
func (s *Serve) Run(log *slog.Logger) error {
	ctx, stop := interruptible()
	defer stop()
	runs, err := chooseEngine(s.choice(), 1)
	if err != nil {
		return err
	}
	log.Info("the local workers judge", "engine", runs.Label)
	l, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return usage("cannot serve on %s: %v", s.Listen, err)
	}
	app, err := OpenApp(ctx, s.settings(l, log))
	if err != nil {
		return errors.Join(err, l.Close())
	}
	greet(app)
	err = app.Run(ctx, s.Demo)
	return errors.Join(err, app.Close())
}

func (s *Serve) settings(l net.Listener, log *slog.Logger) AppSettings {
	workers := s.Workers
	if workers < 0 {
		workers = runtime.NumCPU()
	}
	threads := s.Threads
	if threads == 0 {
		threads = max(1, runtime.NumCPU()/max(1, workers))
	}
	return AppSettings{
		Folder: s.Data, BlobsURL: s.Blobs, Listener: l, NATSURL: s.NATS, NATSAccess: s.NATSAccess.access(s.NATSToken), NATSListen: s.NATSListen,
		Workers: workers, Threads: threads, Engine: s.choice(), Gate: vision.Gate{MaxBytes: s.MaxBytes, MaxPixels: s.MaxPixels}, Secure: s.HTTPS, Log: log,
	}
}

// greet says where the pages are and how to sign in.
func greet(a *App) {
	fmt.Printf("\nLoupe serves %s\n", a.URL)
	switch {
	case a.Password != "":
		fmt.Printf("Sign in as %q with the password %q. It is not shown again; change it under My account.\n\n", a.Admin, a.Password)
	default:
		fmt.Printf("Sign in with your name and password. If the admin's is lost: loupe person passwd admin --data %s\n\n", a.DB.Folder())
	}
}

// workerCommand starts this program as a worker.
func workerCommand(a AppSettings, natsURL string, access wire.Access, blobs string) func(id string) *exec.Cmd {
	return func(id string) *exec.Cmd {
		cmd := exec.Command(ownProgram(), append([]string{"worker", "--leash", "--id", id, "--threads", strconv.Itoa(a.Threads)}, engineArgs(a.Engine)...)...)
		cmd.Env = append(accessEnvironment(access), "LOUPE_NATS="+natsURL, "LOUPE_BLOBS="+blobs)
		cmd.Stderr = os.Stderr
		return cmd
	}
}

// ownProgram is this program's file.
func ownProgram() string {
	program, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return program
}
