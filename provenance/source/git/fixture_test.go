package git

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
)

// fixture is a repository that a test plays with, by the real git.
type fixture struct {
	t   *testing.T
	dir string
}

// newRepo makes an empty repository.
func newRepo(t *testing.T, args ...string) *fixture {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t, dir}
	f.git(append([]string{"init", "-q", "-b", "main"}, args...)...)
	return f
}

// committedRepo has one commit with files of several kinds.
func committedRepo(t *testing.T) *fixture {
	f := newRepo(t)
	f.write("README", "about\n")
	f.write("src/train.py", "print('train')\n")
	f.write("src/deep/model.py", "pass\n")
	f.write("run.sh", "#!/bin/sh\n")
	f.chmod("run.sh", 0o755)
	f.symlink("src/train.py", "latest")
	f.write(".gitignore", "*.log\n")
	f.commitAll("Weight recent applications")
	return f
}

// git runs git in the fixture, for setting the scene: with the test's own identity and no other configuration.
func (f *fixture) git(args ...string) string {
	f.t.Helper()
	return f.gitIn(nil, args...)
}

func (f *fixture) gitIn(stdin []byte, args ...string) string {
	f.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "protocol.file.allow=always", "-c", "commit.gpgSign=false"}, args...)...)
	cmd.Dir = f.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + f.t.TempDir(), "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Ada Lovelace", "GIT_AUTHOR_EMAIL=ada@contoso.com", "GIT_AUTHOR_DATE=1795363800 +0100",
		"GIT_COMMITTER_NAME=Grace Hopper", "GIT_COMMITTER_EMAIL=grace@contoso.com", "GIT_COMMITTER_DATE=1795367400 -0500"}
	cmd.Stdin = bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		f.t.Fatalf("git %q: %v\n%s", args, err, stderr.String())
	}
	return strings.TrimSpace(stdout.String())
}

func (f *fixture) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) write(name, content string) {
	f.t.Helper()
	f.must(os.MkdirAll(filepath.Dir(f.path(name)), 0o755))
	f.must(os.WriteFile(f.path(name), []byte(content), 0o644))
}

func (f *fixture) chmod(name string, mode os.FileMode) {
	f.t.Helper()
	f.must(os.Chmod(f.path(name), mode))
}
func (f *fixture) remove(name string) { f.t.Helper(); f.must(os.RemoveAll(f.path(name))) }
func (f *fixture) symlink(target, name string) {
	f.t.Helper()
	f.must(os.Symlink(target, f.path(name)))
}
func (f *fixture) rename(from, to string) { f.t.Helper(); f.must(os.Rename(f.path(from), f.path(to))) }

// commitAll commits everything and returns the commit's name.
func (f *fixture) commitAll(message string) string {
	f.t.Helper()
	f.git("add", "-A")
	f.git("commit", "-q", "--allow-empty", "-m", message)
	return f.git("rev-parse", "HEAD")
}

// rawCommit makes a commit object of these bytes and puts main there.
func (f *fixture) rawCommit(content string) {
	f.t.Helper()
	id := f.gitIn([]byte(content), "hash-object", "-t", "commit", "-w", "--stdin", "--literally")
	f.must(os.WriteFile(f.path(".git/refs/heads/main"), []byte(id+"\n"), 0o644))
}

// source is the source under test, for the fixture.
func (f *fixture) source() Source { return Source{Dir: f.dir, Getenv: onlyPATH} }

// onlyPATH hands in nothing but the PATH.
func onlyPATH(name string) string {
	if name == "PATH" {
		return os.Getenv("PATH")
	}
	return ""
}

// collect asks g, which must answer.
func collect(t *testing.T, g Source) provenance.Commit {
	t.Helper()
	evidence, err := g.Collect(t.Context())
	if err != nil {
		t.Fatalf("%v %q", err, provenance.Hints(err))
	}
	return evidence.(provenance.Commit)
}
