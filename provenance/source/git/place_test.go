package git

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/sourcetest"
)

// surrounded is a repository with another one in its folder s, which the outer one does not track.
func surrounded(t *testing.T) (outer *fixture) {
	t.Helper()
	outer = committedRepo(t)
	outer.git("clone", "-q", ".", "s")
	return outer
}

// placeRefusals are folders of which the repository that git finds says nothing.
var placeRefusals = []struct {
	name    string
	prepare func(*fixture) (dir string) // the outer repository, with an inner one in s
	code    string
	says    string
}{
	{"the work tree is another repository's", func(f *fixture) string {
		f.git("-C", "s", "config", "core.worktree", f.dir)
		return "s"
	}, "commit.worktree", "which belongs to another repository"},
	{"the work tree is another repository's, by an included file", func(f *fixture) string {
		f.write("s/.git/more", "[core]\nworktree = "+f.dir+"\n")
		f.git("-C", "s", "config", "include.path", "more")
		return "s"
	}, "commit.worktree", "neither a submodule nor a linked work tree"},
	{"the work tree is its own, but said so", func(f *fixture) string {
		f.git("-C", "s", "config", "core.worktree", f.path("s"))
		return "s"
	}, "commit.worktree", "neither a submodule nor a linked work tree"},
	{"both .git files name one repository", func(f *fixture) string {
		f.rename(".git", "s/real")
		f.remove("s/.git")
		f.write(".git", "gitdir: s/real\n")
		f.write("s/.git", "gitdir: real\n")
		f.git("--git-dir=s/real", "config", "core.worktree", f.dir)
		return "s"
	}, "commit.outside", "has a .git of its own"},
	{"lost its .git", func(f *fixture) string { f.remove("s/.git"); return "s" }, "commit.outside", "whose commit has no file in it"},
	{"lost its .git, and is ignored", func(f *fixture) string {
		f.remove("s/.git")
		f.write(".git/info/exclude", "s\n")
		return "s/src"
	}, "commit.outside", "whose commit has no file in it"},
	{"lost its .git, and is staged only", func(f *fixture) string {
		f.remove("s/.git")
		f.git("add", "s")
		return "s"
	}, "commit.outside", "whose commit has no file in it"},
	{"its .git is broken", func(f *fixture) string { f.remove("s/.git/HEAD"); return "s/src" }, "commit.outside", "s has a .git of its own"},
	{"ignored by a committed rule, with a tracked file", func(f *fixture) string {
		f.remove("s/.git")
		f.write(".gitignore", "s/\n")
		f.git("add", "-f", "s/README")
		f.git("commit", "-q", "-a", "-m", "One file of s")
		return "s"
	}, "commit.outside", "whose repository ignores it"},
	{"ignored by the repository's own list, with a tracked file", func(f *fixture) string {
		f.write(".git/info/exclude", "deep\n")
		return "src/deep"
	}, "commit.outside", "whose repository ignores it"},
	{"a submodule that lost its .git", func(f *fixture) string {
		f.git("submodule", "--quiet", "add", "file://"+f.dir, "lib")
		f.commitAll("With a submodule")
		f.remove("lib/.git")
		return "lib"
	}, "commit.outside", "whose commit has no file in it"},
}

func TestGitPlaceRefusals(t *testing.T) {
	for _, c := range placeRefusals {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := surrounded(t)
			dir := f.path(c.prepare(f))
			evidence, err := Source{Dir: dir, Getenv: onlyPATH}.Collect(t.Context())
			if err == nil || evidence != nil || sourcetest.KindOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("evidence %v, error %v, want %s with %q", evidence, err, c.code, c.says)
			}
			if len(provenance.Hints(err)) == 0 {
				t.Errorf("no hint for %v", err)
			}
		})
	}
}

// TestGitProperPlaces: what the refusals must not touch.
func TestGitProperPlaces(t *testing.T) {
	for name, place := range map[string]func(*fixture) (dir string){
		"a repository in another": func(f *fixture) string { return "s" },
		"a folder of a repository in another": func(f *fixture) string {
			f.write(".git/info/exclude", "s\n")
			return "s/src/deep"
		},
		"a folder whose name looks like a pattern": func(f *fixture) string {
			f.write(":(exclude)*/a[b", "")
			f.commitAll("x")
			return ":(exclude)*"
		},
		"a folder that is let in again": func(f *fixture) string {
			f.write(".gitignore", "/*\n!/src/\n")
			f.git("commit", "-q", "-a", "-m", "x")
			return "src/deep"
		},
		"a second work tree of a submodule": func(f *fixture) string {
			f.git("submodule", "--quiet", "add", "file://"+f.dir, "lib")
			f.git("-C", "lib", "worktree", "add", "-q", f.path("second"))
			return "second/src"
		},
		"a .git file to a folder elsewhere": func(f *fixture) string {
			f.git("clone", "-q", "--separate-git-dir", filepath.Join(f.t.TempDir(), "git"), ".", "apart")
			return "apart/src"
		},
		"a folder in a submodule, through a link": func(f *fixture) string {
			f.git("submodule", "--quiet", "add", "file://"+f.dir, "lib")
			f.must(os.Symlink("lib/src", f.path("to")))
			return "to"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := surrounded(t)
			if c := collect(t, Source{Dir: f.path(place(f)), Getenv: onlyPATH}); c.ID.IsZero() {
				t.Errorf("%+v", c)
			}
		})
	}
}

// TestGitPlaceUndecided: whether a folder is ignored must be known.
func TestGitPlaceUndecided(t *testing.T) {
	f := committedRepo(t)
	g := interposed(f, "check-ignore", "exit 3")
	g.Dir = f.path("src")
	if evidence, err := g.Collect(t.Context()); err == nil || evidence != nil || sourcetest.KindOf(err) != "" || !strings.Contains(err.Error(), "git check-ignore: ") {
		t.Errorf("evidence %v, error %v", evidence, err)
	}
}
