package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"loupe/vision"
	"loupe/web/client"
)

// Station posts pictures as a station would.
type Station struct {
	Source string `arg:"" name:"folder|camera" help:"A folder of pictures, a camera's number (0 is the first), its URL (rtsp://…), or a video file."`

	To       string        `help:"Address of the Loupe server." default:"http://127.0.0.1:8080" env:"LOUPE_URL" placeholder:"URL"`
	Token    string        `help:"The station's token, shown once when the station was made." required:"" env:"LOUPE_TOKEN"`
	Every    time.Duration `help:"Time from one picture to the next; 0s posts as fast as the server answers." default:"1s"`
	Wait     time.Duration `help:"How long to wait for each verdict." default:"5s"`
	Loop     bool          `help:"Begin again after the last picture of a folder or video."`
	Count    int           `help:"Stop after so many pictures; 0 means all." default:"0" placeholder:"N"`
	Lot      string        `help:"Lot of all pictures."`
	Patience time.Duration `help:"How long to try a picture again when the server does not answer." default:"10m"`
	JSON     bool          `help:"Print each answer as JSON, one object a line."`
}

// Help teaches the command.
func (Station) Help() string {
	return `Posts pictures and prints a line for each verdict: the pictures of a folder in the
order of their names, subfolders too, or what a camera sees. A file's name is its
part's serial number. When the server or the network is away, the picture is
posted again until it is there, and is one frame however often it was sent.

Examples:

  export LOUPE_TOKEN=…
  loupe station parts/                                a picture a second
  loupe station parts/ --every 0s --json > out.jsonl  as fast as possible
  loupe station 0 --to http://plant:8080 --every 2s   the first camera
  loupe station rtsp://10.0.0.7/stream                a network camera

The token comes from Set-up, Stations.`
}

// Validate refuses settings that cannot work.
func (s *Station) Validate() error {
	switch {
	case s.Every < 0 || s.Wait < 0 || s.Patience < 0:
		return usage("--every, --wait and --patience must not be negative")
	case s.Count < 0:
		return usage("--count must be 0 or more")
	case !strings.HasPrefix(s.To, "http://") && !strings.HasPrefix(s.To, "https://"):
		return usage("--to %q is not a server's address; it looks like http://host:8080", s.To)
	}
	return nil
}

// Run posts until the pictures end or it is interrupted.
func (s *Station) Run(log *slog.Logger) error {
	ctx, stop := interruptible()
	defer stop()
	pictures, err := openPictures(s.Source, s.Loop, log)
	if err != nil {
		return err
	}
	defer pictures.close()
	c := client.New(s.To, s.Token)
	c.Patience = s.Patience
	away := false
	c.Retried = func(err error, pause time.Duration) {
		if !away {
			log.Warn("the server does not answer; the picture is posted again until it does", "error", err)
		}
		away = true
	}
	r := newReport(s, pictures.count())
	for n := 1; s.Count == 0 || n <= s.Count; n++ {
		start := time.Now()
		p, err := pictures.next(ctx)
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			break
		}
		if err != nil {
			r.end()
			return err
		}
		posted, err := c.PostFrame(ctx, client.Frame{Image: p.data, Serial: p.serial, Lot: s.Lot, TakenAt: p.taken}, s.Wait)
		if ctx.Err() != nil {
			break
		}
		if away && err == nil {
			log.Info("the server answers again")
			away = false
		}
		if err := r.add(p, posted, err); err != nil {
			r.end()
			return err
		}
		if !pause(ctx, s.Every-time.Since(start)) {
			break
		}
	}
	r.end()
	if r.refused > 0 {
		return fmt.Errorf("%d of %d pictures were refused", r.refused, r.posted+r.refused)
	}
	return nil
}

// pause waits unless ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// report prints answers on standard output and progress on standard error.
type report struct {
	json            bool
	bar             *progressbar.ProgressBar // nil where the lines themselves show the progress
	posted, refused int
	verdicts        map[vision.Verdict]int
	pending         int
}

func newReport(s *Station, count int) *report {
	r := &report{json: s.JSON, verdicts: map[vision.Verdict]int{}}
	if s.Count > 0 && (count < 0 || s.Count < count || s.Loop) {
		count = s.Count
	} else if s.Loop {
		count = -1
	}
	what := "pictures"
	if count >= 0 {
		what = fmt.Sprintf("%d pictures", count)
	}
	fmt.Fprintf(os.Stderr, "Posting %s of %s to %s, one every %v. Ctrl-C stops.\n", what, s.Source, s.To, s.Every)
	if term.IsTerminal(int(os.Stderr.Fd())) && !term.IsTerminal(int(os.Stdout.Fd())) {
		r.bar = newBar(count, "posting", progressbar.OptionSetItsString("pictures"))
	}
	return r
}

// answer is a line of --json.
type answer struct {
	Source     string             `json:"source"`
	Serial     string             `json:"serial,omitempty"`
	Inspection *client.Inspection `json:"inspection,omitempty"`
	Pending    string             `json:"pending,omitempty"` // where the inspection will be
	Refused    string             `json:"refused,omitempty"`
	Status     int                `json:"status,omitempty"`
}

// add reports one answer. A picture that the server refuses does not stop the
// line; a token that it refuses, or its absence, does.
func (r *report) add(p picked, posted *client.Posted, err error) error {
	a := answer{Source: p.source, Serial: p.serial}
	var problem *client.Problem
	switch {
	case errors.As(err, &problem) && (problem.Status == http.StatusUnauthorized || problem.Status == http.StatusForbidden):
		return usage("the server refuses the token: %v", err)
	case errors.As(err, &problem) && (problem.Status == http.StatusBadRequest || problem.Status == http.StatusRequestEntityTooLarge ||
		problem.Status == http.StatusUnsupportedMediaType || problem.Status == http.StatusUnprocessableEntity):
		r.refused++
		a.Refused, a.Status = problem.Detail, problem.Status
		if a.Refused == "" {
			a.Refused = problem.Title
		}
	case err != nil:
		return err
	case posted.Inspection == nil:
		r.posted, r.pending = r.posted+1, r.pending+1
		a.Pending = posted.Location
	default:
		r.posted++
		r.verdicts[posted.Inspection.Verdict]++
		a.Inspection = posted.Inspection
	}
	if r.bar != nil {
		_ = r.bar.Add(1)
	}
	return r.print(a)
}

func (r *report) print(a answer) error {
	if r.json {
		return json.NewEncoder(os.Stdout).Encode(a)
	}
	name := filepath.ToSlash(a.Source)
	var err error
	switch {
	case a.Refused != "":
		_, err = fmt.Printf("%-8s %-28s %s\n", "refused", name, a.Refused)
	case a.Inspection == nil:
		_, err = fmt.Printf("%-8s %-28s not judged yet\n", "pending", name)
	default:
		i := a.Inspection
		_, err = fmt.Printf("%-8s %-28s %s %.0f %%, inspection %d, %.0f ms\n", i.Verdict, name, i.Class, 100*i.Score, i.ID, i.Timings.Total)
	}
	return err
}

// end prints the sum.
func (r *report) end() {
	if r.bar != nil {
		_ = r.bar.Exit()
		fmt.Fprintln(os.Stderr)
	}
	fmt.Fprintf(os.Stderr, "%d posted: %d OK, %d NG, %d Unsure, %d not judged yet; %d refused.\n",
		r.posted, r.verdicts[vision.OK], r.verdicts[vision.NG], r.verdicts[vision.Unsure], r.pending, r.refused)
}
