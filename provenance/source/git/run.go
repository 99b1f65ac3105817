package git

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// runner runs the git program so that neither the environment, nor the user's or the machine's configuration, nor what
// a repository configures for itself can run another program or change what is read: no hooks, no filters, no file system
// monitor, no replaced objects, no fetching of missing ones.
type runner struct {
	program string
	dir     string
	path    string // PATH for git's own helpers
}

// safeConfig comes last and wins over the repository's own. safe.directory is honoured on the command line since git 2.38;
// it is needed because an agent's folders often belong to somebody else.
var safeConfig = []string{
	"--no-pager", "--no-replace-objects", "--no-optional-locks",
	"-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false", "-c", "core.hooksPath=" + os.DevNull,
	"-c", "core.commitGraph=false", "-c", "core.sshCommand=false", "-c", "core.askPass=", "-c", "credential.helper=",
	"-c", "protocol.allow=never", "-c", "safe.directory=*",
}

// caseConfig keeps a repository from hiding a file behind another one whose name differs in case, where both can exist.
func caseConfig() []string {
	if foldsCase() {
		return nil
	}
	return []string{"-c", "core.ignoreCase=false"}
}

// foldsCase tells whether names that differ in case are usually one file here.
func foldsCase() bool { return runtime.GOOS == "windows" || runtime.GOOS == "darwin" }

// environment is all of git's environment.
func (g runner) environment() []string {
	home := filepath.Join(string(filepath.Separator), "nonexistent")
	return []string{
		"PATH=" + g.path, "HOME=" + home, "XDG_CONFIG_HOME=" + home, "LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_ATTR_NOSYSTEM=1",
		"GIT_NO_REPLACE_OBJECTS=1", "GIT_GRAFT_FILE=" + os.DevNull, "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0",
		"GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=none",
	}
}

// findGit looks for git on the handed-in PATH, in absolute folders only.
func findGit(path string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if program, err := exec.LookPath(filepath.Join(dir, "git")); err == nil {
			return program, nil
		}
	}
	return "", provenance.Misuse("install git 2.38 or newer, or name it", "there is no git on the PATH")
}

// command prepares git with args.
func (g runner) command(ctx context.Context, args ...string) (*exec.Cmd, *tail) {
	cmd := exec.CommandContext(ctx, g.program, slices.Concat(safeConfig, caseConfig(), args)...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = g.dir, g.environment(), 5*time.Second
	stderr := &tail{}
	cmd.Stderr = stderr
	return cmd, stderr
}

// tail keeps the beginning of what git complains about.
type tail struct{ kept []byte } // no bytes.Buffer: its ReadFrom would go past the bound

// maxComplaint is how much of it is kept, in bytes.
const maxComplaint = 4096

// Write never fails: git may go on complaining.
func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p[:min(len(p), maxComplaint-len(t.kept))]...)
	return len(p), nil
}

// gitError is a git command that failed.
type gitError struct {
	command string
	stderr  string // redacted
	status  int    // -1: it did not run
	cause   error
}

func (e *gitError) Error() string {
	if e.stderr != "" {
		return fmt.Sprintf("git %s: %s", e.command, e.stderr)
	}
	return fmt.Sprintf("git %s: %s", e.command, foreign.Plain(e.cause.Error()))
}

func (e *gitError) Unwrap() error { return e.cause }

func newGitError(ctx context.Context, command string, stderr *tail, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("git %s: %w", command, ctx.Err())
	}
	e := &gitError{command, foreign.Plain(string(stderr.kept)), -1, err}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		e.status = exit.ExitCode()
	}
	return e
}

// maxOutput bounds the answer of the small commands, in bytes.
const maxOutput = 1 << 20

// output is what git prints, without the line's end.
func (g runner) output(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	err := g.stream(ctx, nil, func(r io.Reader) error {
		_, err := io.Copy(&out, io.LimitReader(r, maxOutput+1))
		return err
	}, args...)
	if err == nil && out.Len() > maxOutput {
		err = fmt.Errorf("git %s prints more than %d bytes", args[0], maxOutput)
	}
	return strings.TrimSuffix(strings.TrimSuffix(out.String(), "\n"), "\r"), err
}

// stream hands git's output to read; what read leaves is thrown away.
func (g runner) stream(ctx context.Context, in io.Reader, read func(io.Reader) error, args ...string) error {
	cmd, stderr := g.command(ctx, args...)
	cmd.Stdin = in
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return newGitError(ctx, subcommand(args), stderr, err)
	}
	readErr := read(stdout)
	if _, err := io.Copy(io.Discard, stdout); err != nil && readErr == nil {
		readErr = err
	}
	if err := cmd.Wait(); err != nil {
		return newGitError(ctx, subcommand(args), stderr, err)
	}
	return readErr
}

// subcommand is the git command of args, behind settings for it alone.
func subcommand(args []string) string {
	for len(args) > 2 && args[0] == "-c" {
		args = args[2:]
	}
	return args[0]
}

// maxName bounds one record of a listing, in bytes: mode, object name and path.
const maxName = 1 << 16

// records hands each NUL-terminated record of git's output to yield.
func (g runner) records(ctx context.Context, in io.Reader, yield func(string) error, args ...string) error {
	return g.stream(ctx, in, func(r io.Reader) error { return eachRecord(r, yield) }, args...)
}

// eachRecord splits at NUL. The last record must be complete.
func eachRecord(r io.Reader, yield func(string) error) error {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, maxName)
	scanner.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		if i := bytes.IndexByte(data, 0); i >= 0 {
			return i + 1, data[:i], nil
		}
		if atEOF && len(data) > 0 {
			return 0, nil, io.ErrUnexpectedEOF
		}
		return 0, nil, nil
	})
	for scanner.Scan() {
		if err := yield(scanner.Text()); err != nil {
			return err
		}
	}
	return scanner.Err()
}
