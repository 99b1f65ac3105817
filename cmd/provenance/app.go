package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/report"
	"github.com/seed-3480f271/provenance/provenance/storage"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// run is the whole program: it parses args, does what they say, and returns the exit status. Nothing that it writes can
// command an Azure agent or a terminal, whatever foreign text it holds.
func run(ctx context.Context, args []string, p process) status {
	p.color = wantsColor(p)
	p.terminal = terminalOf(p.Stderr)
	p.Stdout, p.Stderr = report.Safe(p.Stdout), report.Safe(p.Stderr)
	args, err := flagsFirst(args, commands(p))
	if err == nil {
		err = application(p).RunContext(ctx, args)
	}
	st := statusOf(err)
	var exit exitError
	if errors.As(err, &exit) {
		st = exit.status
	} else if err != nil {
		report.Error(p.Stderr, err)
	}
	return st
}

// wantsColor tells whether the result goes to a terminal whose owner has nothing against colours.
// Source: https://no-color.org
func wantsColor(p process) bool {
	return terminalOf(p.Stdout) != nil && p.getenv("NO_COLOR") == "" && p.getenv("TERM") != "dumb"
}

// terminalOf is a stream's terminal, for a progress bar; nil if it is none.
func terminalOf(w io.Writer) *os.File {
	if f, isFile := w.(*os.File); isFile && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// commands are the verbs, one file each.
func commands(p process) []*cli.Command {
	return []*cli.Command{recordCommand(p), verifyCommand(p), showCommand(p), digestCommand(p), keygenCommand(p), policyCommand(p)}
}

func application(p process) *cli.App {
	app := &cli.App{
		Name:   "provenance",
		Usage:  "the signed audit trail of a machine-learning model, on its container image",
		Flags:  []cli.Flag{&cli.BoolFlag{Name: "version", Aliases: []string{"v"}, Usage: "print the version"}},
		Writer: p.Stdout, ErrWriter: p.Stderr,
		Commands:    commands(p),
		HideVersion: true,
		// A comma is part of a path, not the end of one.
		DisableSliceFlagSeparator: true,
		OnUsageError:              usageError,
		ExitErrHandler:            func(*cli.Context, error) {}, // run decides
		Action:                    noCommand,
	}
	for _, c := range app.Commands {
		prepare(c)
	}
	return app
}

// prepare gives a command, or those below it, what all have.
func prepare(c *cli.Command) {
	c.OnUsageError = usageError
	c.HideHelpCommand = true
	for _, below := range c.Subcommands {
		prepare(below)
	}
	if c.Subcommands == nil {
		c.Flags = append(c.Flags, commonFlags()...)
	}
}

func usageError(c *cli.Context, err error, _ bool) error {
	if strings.HasSuffix(err.Error(), "for flag -timeout: parse error") {
		return provenance.Misuse("a duration has a unit: 90s, 30m, 2h", "--timeout is no duration")
	}
	name := strings.TrimSpace("provenance " + c.Command.Name)
	if c.Command.Name == "provenance" {
		name = "provenance"
	}
	return provenance.Misuse(fmt.Sprintf("`%s --help` lists the flags", name), "%s", err.Error())
}

func noCommand(c *cli.Context) error {
	if c.Bool("version") {
		_, err := fmt.Fprintln(c.App.Writer, "provenance", version())
		return err
	}
	if name := c.Args().First(); name != "" {
		return provenance.Misuse("`provenance --help` lists the commands", "there is no command %q", name)
	}
	return cli.ShowAppHelp(c)
}

// version is the module's version from the build information, or what the build says of its commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value
		}
	}
	return "devel"
}

// commonFlags are the flags of every command.
func commonFlags() []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{Name: "timeout", Usage: "give up after `DURATION`; what is worth retrying is retried until then", Value: 30 * time.Minute},
		&cli.BoolFlag{Name: "quiet", Usage: "no progress and no warnings"},
		&cli.BoolFlag{Name: "debug", Usage: "show requests, without secrets"},
	}
}

// job is one run of a command: its context with the deadline, and what it says to whom.
type job struct {
	process
	c        *cli.Context
	ctx      context.Context
	quiet    bool
	identity func() (azcore.TokenCredential, error) // the Azure identity, made when it is first needed and shared
	scratch  *scratch
	workers  int       // files read at a time; 0 asks the storage
	progress *progress // of the data folders; nil: nobody is told
}

// atLeastOne is the number of positional arguments of a command that takes several.
const atLeastOne = -1

// action wraps a command's function: positional arguments are counted, and the deadline is set.
func (p process) action(wantArgs int, do func(*job) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		if err := countArgs(c, wantArgs); err != nil {
			return err
		}
		if err := checkFlags(c); err != nil {
			return err
		}
		if timeout := c.Duration("timeout"); timeout <= 0 {
			return provenance.Misuse("leave it out for 30 minutes, or give it time: 90s, 2h", "--timeout is %v, in which nothing can be done", timeout)
		}
		if err := p.checkCredentials(); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
		defer cancel()
		j := &job{process: p, c: c, ctx: ctx, quiet: c.Bool("quiet")}
		j.identity = storage.NewCredential(p.getenv, c.String("cloud"), transport())
		j.scratch = &scratch{}
		defer j.scratch.remove()
		return timely(ctx, c, do(j))
	}
}

// countArgs refuses another number of positional arguments than a command takes.
func countArgs(c *cli.Context, want int) error {
	got := c.Args().Len()
	if got == want || want == atLeastOne && got > 0 {
		return nil
	}
	given := "nothing"
	if got > 0 {
		given = fmt.Sprintf("%q", c.Args().Slice())
	}
	return provenance.Misuse(strings.TrimSpace(fmt.Sprintf("usage: %s [flags] %s", c.Command.HelpName, c.Command.ArgsUsage)),
		"%s takes %s, and was given %s", c.Command.Name, cmp.Or(c.Command.ArgsUsage, "flags only"), given)
}

// timely explains an error that came because the time was up.
func timely(ctx context.Context, c *cli.Context, err error) error {
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return interrupted(c)
	}
	if err == nil || !errors.Is(ctx.Err(), context.DeadlineExceeded) || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	hint := "--timeout gives it more time"
	if keepsState(c) {
		hint += "; with --state DIR, the next run goes on where this one was"
	}
	return provenance.WithHint(fmt.Errorf("it took longer than %v: %w", c.Duration("timeout"), err), hint)
}

// interrupted is the error of a command that somebody ended.
func interrupted(c *cli.Context) error {
	hint := "nothing was concluded"
	if keepsState(c) && c.String("state") != "" {
		hint = "run it again with the same --state: it goes on where it was"
	}
	return provenance.WithHint(fmt.Errorf("interrupted: %w", context.Canceled), hint)
}

func keepsState(c *cli.Context) bool {
	return slices.ContainsFunc(c.Command.Flags, func(f cli.Flag) bool { return f.Names()[0] == "state" })
}

// say tells people how it goes, on stderr.
func (j *job) say(format string, args ...any) {
	if !j.quiet {
		fmt.Fprintf(j.Stderr, format+"\n", args...)
	}
}

// debug is where requests are told, or nil.
func (j *job) debug() func(string) {
	if !j.c.Bool("debug") {
		return nil
	}
	return func(line string) { fmt.Fprintln(j.Stderr, "debug:", line) }
}
