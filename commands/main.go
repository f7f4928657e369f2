// Package commands is the command line of Loupe: a struct a command, in a file
// of its own, with its flags as fields, its Help and its Run.
package commands

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// Loupe is the whole command line. A new command is one more field.
type Loupe struct {
	LogJSON  bool       `help:"Write logs as JSON, one object a line." env:"LOUPE_LOG_JSON"`
	LogLevel slog.Level `help:"Least level to log: debug, info, warn or error." default:"info" env:"LOUPE_LOG_LEVEL" placeholder:"LEVEL"`

	Serve      Serve      `cmd:"" help:"Run the server with its workers."`
	Bench      Bench      `cmd:"" help:"Measure training and judging on labelled pictures."`
	Station    Station    `cmd:"" help:"Post the pictures of a folder or a camera, as a station would."`
	Worker     Worker     `cmd:"" help:"Judge frames for a server, here or on another machine."`
	Import     Import     `cmd:"" help:"Bring labelled pictures into a recipe."`
	Export     Export     `cmd:"" help:"Write labelled pictures for other tools: COCO, Pascal VOC, YOLO, class folders, CSV."`
	Backup     Backup     `cmd:"" help:"Copy a data folder while it is in use."`
	Restore    Restore    `cmd:"" help:"Make a data folder of a backup."`
	RawForward RawForward `cmd:"" hidden:""`
	TryModel   TryModel   `cmd:"" hidden:""`
	Systemd    Systemd    `cmd:"" help:"Write unit files for systemd."`
	Person     Person     `cmd:"" help:"List people, or give somebody a new password."`
	Version    Version    `cmd:"" help:"Print the version of Loupe, Go and OpenCV."`
}

const description = `Loupe judges pictures of parts: stations send frames, a model judges each one, people correct it, and it learns from them within seconds.

Every flag that names an environment variable can be set by it. "loupe COMMAND --help" shows examples.`

// Exit codes of Main.
const (
	failed   = 1 // the work could not be done
	badInput = 2 // what was asked for makes no sense; nothing was begun
)

// Main runs the command that the arguments name and returns the exit code. It
// writes an error on standard error in one line.
func Main(args []string) int {
	var cli Loupe
	parser, err := kong.New(&cli,
		kong.Name("loupe"), kong.Description(description), kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
	)
	if err != nil {
		return complain(err, failed)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	ctx, err := parser.Parse(args)
	if err != nil {
		return complain(fmt.Errorf("%w; try: loupe %s--help", err, commandOf(err)), badInput)
	}
	log := cli.logger()
	slog.SetDefault(log)
	err = ctx.Run(log)
	var coded kong.ExitCoder
	switch {
	case err == nil:
		return 0
	case errors.As(err, &coded):
		return complain(err, coded.ExitCode())
	}
	return complain(err, failed)
}

// commandOf is the command that a parse error belongs to, with a space, or "".
func commandOf(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if c := parse.Context.Command(); c != "" {
			name, _, _ := strings.Cut(c, " ")
			return name + " "
		}
	}
	return ""
}

func complain(err error, code int) int {
	text := strings.Join(strings.Fields(err.Error()), " ")
	fmt.Fprintln(os.Stderr, "loupe:", text)
	return code
}

// logger writes on standard error, so that standard output is for results.
func (l *Loupe) logger() *slog.Logger {
	options := &slog.HandlerOptions{Level: l.LogLevel}
	if l.LogJSON {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}

// interruptible ends with Ctrl-C or SIGTERM; a second one ends the program.
func interruptible() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
