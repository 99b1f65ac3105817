package git

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/sourcetest"
	"golang.org/x/mod/sumdb/dirhash"
)

func TestGitCommit(t *testing.T) {
	f := committedRepo(t)
	f.git("remote", "add", "origin", "https://dev.azure.com/contoso/ml/_git/mortgage")
	c := collect(t, f.source())

	if c.ID.Hex() != f.git("rev-parse", "HEAD") || c.Tree.Hex() != f.git("rev-parse", "HEAD^{tree}") {
		t.Errorf("commit %s, tree %s", c.ID, c.Tree)
	}
	want := provenance.Commit{
		Grounds:    c.Grounds,
		Repository: "https://dev.azure.com/contoso/ml/_git/mortgage", Ref: "refs/heads/main",
		ID: c.ID, Tree: c.Tree, Files: c.Files, Subject: "Weight recent applications", Signature: "none",
		Author:    provenance.Person{Name: "Ada Lovelace", Email: "ada@contoso.com"},
		Authored:  time.Unix(1795363800, 0).UTC(),
		Committer: provenance.Person{Name: "Grace Hopper", Email: "grace@contoso.com"},
		Committed: time.Unix(1795367400, 0).UTC(),
		Remotes:   []string{"origin https://dev.azure.com/contoso/ml/_git/mortgage"},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	for fact, basis := range map[string]provenance.Basis{"id": "observed", "tree": "observed", "files": "observed",
		"dirty": "observed", "author": "declared", "subject": "declared", "remotes": "declared", "ref": "declared"} {
		if got := c.Of(fact); got != basis {
			t.Errorf("%s is %s, want %s", fact, got, basis)
		}
	}
}

// TestGitDirHash compares with Go's own implementation, over the files that git checks out.
func TestGitDirHash(t *testing.T) {
	f := committedRepo(t)
	f.write("bin/\xff\xfe name", "not UTF-8\n")
	f.write("src.txt", "sorts between src and src/\n")
	f.commitAll("More")
	got := collect(t, f.source()).Files

	f.git("checkout-index", "-a", "--prefix="+filepath.Join(t.TempDir(), "out")+"/")
	f.remove(".git")
	f.remove("latest")
	f.write("latest", "src/train.py") // a link counts with its target's name
	h1, err := dirhash.HashDir(f.dir, "", dirhash.Hash1)
	if err != nil {
		t.Fatal(err)
	}
	if want := sourcetest.HexOfH1(t, h1); got.String() != "dirHash:"+want {
		t.Errorf("dirHash %s, want %s", got, want)
	}
}

// worktreeCases change the work tree of a repository; the lists say what must be found.
var worktreeCases = []struct {
	name      string
	prepare   func(*fixture)
	changed   []string
	untracked []string
	ignored   int
	assumed   []string
	skipped   []string
}{
	{name: "nothing", prepare: func(f *fixture) {}},
	{name: "touched", prepare: func(f *fixture) {
		f.must(os.Chtimes(f.path("README"), time.Now(), time.Now().Add(time.Hour)))
	}},
	{name: "content of the same size and time", prepare: func(f *fixture) {
		info, err := os.Stat(f.path("README"))
		f.must(err)
		f.write("README", "ABOUT\n")
		f.must(os.Chtimes(f.path("README"), info.ModTime(), info.ModTime()))
	}, changed: []string{"README"}},
	{name: "staged", prepare: func(f *fixture) { f.write("README", "x\n"); f.git("add", "README") }, changed: []string{"README"}},
	{name: "staged, then written back", prepare: func(f *fixture) {
		f.write("README", "x\n")
		f.git("add", "README")
		f.write("README", "about\n")
	}, changed: []string{"README"}},
	{name: "new file staged", prepare: func(f *fixture) { f.write("new", ""); f.git("add", "new") }, changed: []string{"new"}},
	{name: "intent to add", prepare: func(f *fixture) { f.write("new", "x"); f.git("add", "-N", "new") }, changed: []string{"new"}},
	{name: "taken out of the index", prepare: func(f *fixture) { f.git("rm", "-q", "--cached", "README") },
		changed: []string{"README"}, untracked: []string{"README"}},
	{name: "deleted", prepare: func(f *fixture) { f.remove("README") }, changed: []string{"README"}},
	{name: "folder deleted", prepare: func(f *fixture) { f.remove("src/deep") }, changed: []string{"src/deep/model.py"}},
	{name: "folder instead of a file", prepare: func(f *fixture) { f.remove("README"); f.write("README/x", "") },
		changed: []string{"README"}, untracked: []string{"README/x"}},
	{name: "file instead of a folder", prepare: func(f *fixture) { f.remove("src/deep"); f.write("src/deep", "") },
		changed: []string{"src/deep/model.py"}, untracked: []string{"src/deep"}},
	{name: "made executable", prepare: func(f *fixture) { f.chmod("README", 0o755) }, changed: []string{"README"}},
	{name: "made executable, modes ignored", prepare: func(f *fixture) {
		f.git("config", "core.fileMode", "false")
		f.chmod("README", 0o755)
	}},
	{name: "link to elsewhere", prepare: func(f *fixture) { f.remove("latest"); f.symlink("README", "latest") },
		changed: []string{"latest"}},
	{name: "link instead of a file of equal content", prepare: func(f *fixture) {
		f.rename("README", ".git/README")
		f.symlink(".git/README", "README")
	}, changed: []string{"README"}},
	{name: "file instead of a link", prepare: func(f *fixture) { f.remove("latest"); f.write("latest", "src/train.py") },
		changed: []string{"latest"}},
	{name: "file instead of a link, no links here", prepare: func(f *fixture) {
		f.git("config", "core.symlinks", "false")
		f.remove("latest")
		f.write("latest", "src/train.py")
	}},
	{name: "folder behind a link", prepare: func(f *fixture) {
		f.rename("src/deep", ".git/deep")
		f.symlink("../.git/deep", "src/deep")
	}, changed: []string{"src/deep/model.py"}, untracked: []string{"src/deep"}},
	{name: "untracked", prepare: func(f *fixture) { f.write("new", ""); f.write("src/also", "") }, untracked: []string{"new", "src/also"}},
	{name: "a name that differs in case", prepare: func(f *fixture) {
		f.git("config", "core.ignoreCase", "true")
		f.write("readme", "")
		f.write("SRC/train.py", "")
	}, untracked: []string{"SRC/train.py", "readme"}},
	{name: "a repository inside", prepare: func(f *fixture) { f.git("init", "-q", "inner"); f.write("inner/x", "") }, untracked: []string{"inner/"}},
	{name: "ignored", prepare: func(f *fixture) { f.write("a.log", ""); f.write("src/b.log", "") }, ignored: 2},
	{name: "ignored by the repository's own list", prepare: func(f *fixture) {
		f.write(".git/info/exclude", "secret.py\n")
		f.write("secret.py", "")
	}, untracked: []string{"secret.py"}},
	{name: "ignored by a list that the configuration names", prepare: func(f *fixture) {
		f.write(".git/list", "*\n")
		f.git("config", "core.excludesFile", f.path(".git/list"))
		f.write("secret.py", "")
		f.write("a.log", "")
	}, untracked: []string{"secret.py"}, ignored: 1},
	{name: "ignored by a list that ignores itself", prepare: func(f *fixture) {
		f.write("numpy/.gitignore", "*\n")
		f.write("numpy/deep/a.py", "")
		f.write("a.log", "")
	}, untracked: []string{"numpy/.gitignore", "numpy/deep/a.py"}, ignored: 1},
	{name: "ignored by an untracked list", prepare: func(f *fixture) {
		f.write("src/.gitignore", "*.py\n")
		f.write("src/deep/a.py", "")
		f.write("src/b.log", "")
		f.write("a.log", "")
	}, untracked: []string{"src/.gitignore", "src/deep/a.py"}, ignored: 2},
	{name: "ignored by a changed list", prepare: func(f *fixture) {
		f.write(".gitignore", "*.log\nsecret.py\n")
		f.write("src/secret.py", "")
	}, changed: []string{".gitignore"}, untracked: []string{"src/secret.py"}},
	{name: "ignored by a staged list", prepare: func(f *fixture) {
		f.write("src/.gitignore", "*\n")
		f.git("add", "-f", "src/.gitignore")
		f.write("src/secret.py", "")
	}, changed: []string{"src/.gitignore"}, untracked: []string{"src/secret.py"}},
	{name: "ignored by a staged list that is not on disk", prepare: func(f *fixture) {
		f.write("src/.gitignore", "*\n")
		f.git("add", "-f", "src/.gitignore")
		f.git("update-index", "--skip-worktree", "src/.gitignore")
		f.remove("src/.gitignore")
		f.write("src/secret.py", "")
	}, changed: []string{"src/.gitignore"}, untracked: []string{"src/secret.py"}, skipped: []string{"src/.gitignore"}},
	{name: "ignored by a committed list further down", prepare: func(f *fixture) {
		f.write("src/.gitignore", "*.tmp\n")
		f.commitAll("More rules")
		f.write("src/deep/a.tmp", "")
	}, ignored: 1},
	{name: "assume-unchanged, and so it is", prepare: func(f *fixture) { f.git("update-index", "--assume-unchanged", "README") },
		assumed: []string{"README"}},
	{name: "assume-unchanged, and changed", prepare: func(f *fixture) {
		f.git("update-index", "--assume-unchanged", "README")
		f.write("README", "x\n")
	}, assumed: []string{"README"}, changed: []string{"README"}},
	{name: "skip-worktree, and absent", prepare: func(f *fixture) {
		f.git("update-index", "--skip-worktree", "README")
		f.remove("README")
	}, skipped: []string{"README"}},
	{name: "skip-worktree, and changed", prepare: func(f *fixture) {
		f.git("update-index", "--skip-worktree", "README")
		f.write("README", "x\n")
	}, skipped: []string{"README"}, changed: []string{"README"}},
	{name: "both marks, and changed", prepare: func(f *fixture) {
		f.git("update-index", "--skip-worktree", "README")
		f.git("update-index", "--assume-unchanged", "README")
		f.write("README", "x\n")
	}, assumed: []string{"README"}, skipped: []string{"README"}, changed: []string{"README"}},
	{name: "sparse checkout", prepare: func(f *fixture) { f.git("sparse-checkout", "set", "--sparse-index", "src") },
		skipped: nil},
	{name: "sparse folders", prepare: func(f *fixture) { f.git("sparse-checkout", "set", "--no-cone", "/README") },
		skipped: []string{".gitignore", "latest", "run.sh", "src/deep/model.py", "src/train.py"}},
	{name: "merge conflict", prepare: func(f *fixture) {
		f.git("checkout", "-q", "-b", "other")
		f.write("README", "other\n")
		f.commitAll("Other")
		f.git("checkout", "-q", "main")
		f.write("README", "main\n")
		f.commitAll("Main")
		f.git("read-tree", "-m", "HEAD~1", "HEAD", "other")
	}, changed: []string{"README"}},
}

func TestGitWorkTree(t *testing.T) {
	for _, c := range worktreeCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := committedRepo(t)
			c.prepare(f)
			got := collect(t, f.source())
			if !slices.Equal(got.Changed, c.changed) || !slices.Equal(got.Untracked, c.untracked) || got.IgnoredCount != c.ignored ||
				len(got.Ignored) != c.ignored || !slices.Equal(got.AssumeUnchanged, c.assumed) || !slices.Equal(got.SkipWorktree, c.skipped) {
				t.Errorf("changed %q, untracked %q, %d ignored %q, assumed %q, skipped %q",
					got.Changed, got.Untracked, got.IgnoredCount, got.Ignored, got.AssumeUnchanged, got.SkipWorktree)
			}
			if dirty := len(c.changed)+len(c.untracked) > 0; got.Dirty != dirty {
				t.Errorf("dirty is %v, want %v", got.Dirty, dirty)
			}
		})
	}
}

const lfsContent = "a large file\n"

// lfsPointerText stands for lfsContent.
const lfsPointerText = "version https://git-lfs.github.com/spec/v1\noid sha256:" +
	"bb9f8b6bfc1f21e9915abe2b08ddd222b3aaf691c70247316243566576ea7930" + "\nsize 13\n"

var attributeCases = []struct {
	name, attributes, autoCRLF string
	inCommit, onDisk           string
	dirty                      bool
}{
	{"CRLF under text", "*.x text", "", "a\nb\n", "a\r\nb\r\n", false},
	{"CRLF under text=auto", "*.x text=auto", "", "a\nb\n", "a\r\nb\r\n", false},
	{"CRLF under eol=crlf", "*.x eol=crlf", "", "a\nb\n", "a\r\nb\r\n", false},
	{"CRLF under the old crlf", "*.x crlf", "", "a\nb\n", "a\r\nb\r\n", false},
	{"CRLF under core.autocrlf", "", "true", "a\nb\n", "a\r\nb\r\n", false},
	{"CRLF under core.autocrlf=input", "", "input", "a\nb\n", "a\r\nb\r\n", false},
	{"CRLF under nothing", "", "", "a\nb\n", "a\r\nb\r\n", true},
	{"CRLF under -text", "*.x -text", "true", "a\nb\n", "a\r\nb\r\n", true},
	{"CRLF in a binary under text=auto", "*.x text=auto", "", "a\n\x00\n", "a\r\n\x00\r\n", true},
	{"CRLF in both", "*.x -text", "", "a\r\n", "a\r\n", false},
	{"a lone CR stays", "*.x text", "", "a\rb\n\r", "a\rb\r\n\r", false},
	{"another change beside CRLF", "*.x text", "", "a\nb\n", "a\r\nc\r\n", true},
	{"LFS, as a pointer", "*.x filter=lfs", "", lfsPointerText, lfsPointerText, false},
	{"LFS, checked out", "*.x filter=lfs -text", "", lfsPointerText, lfsContent, false},
	{"LFS, changed", "*.x filter=lfs -text", "", lfsPointerText, "another file\n", true},
	{"LFS's pointer without its attribute", "", "", lfsPointerText, lfsContent, true},
	{"LFS, a pointer without a digest", "*.x filter=lfs -text", "", "version https://git-lfs.github.com/spec/v1\nsize 13\n", lfsContent, true},
	{"another filter", "*.x filter=other", "", "a\n", "A\n", true},
}

func TestGitAttributes(t *testing.T) {
	for _, c := range attributeCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newRepo(t)
			f.write("f.x", c.inCommit) // committed before there are attributes: nothing is converted
			f.commitAll("The file")
			f.write(".gitattributes", c.attributes+"\n")
			f.git("add", ".gitattributes")
			f.git("commit", "-q", "-m", "The attributes")
			if c.autoCRLF != "" {
				f.git("config", "core.autocrlf", c.autoCRLF)
			}
			f.write("f.x", c.onDisk)
			if got := collect(t, f.source()); got.Dirty != c.dirty {
				t.Errorf("dirty is %v (%q), want %v", got.Dirty, got.Changed, c.dirty)
			}
		})
	}
}

func TestGitListsOnlyTheFirst(t *testing.T) {
	f := committedRepo(t)
	for i := range 30 {
		f.write("new"+string(rune('a'+i/26))+string(rune('a'+i%26)), "")
		f.write("x"+string(rune('a'+i/26))+string(rune('a'+i%26))+".log", "")
	}
	c := collect(t, f.source())
	if len(c.Untracked) != provenance.MaxListed || len(c.Ignored) != provenance.MaxListed || c.IgnoredCount != 30 || c.Untracked[0] != "newaa" {
		t.Errorf("%d untracked from %q, %d of %d ignored", len(c.Untracked), c.Untracked[0], len(c.Ignored), c.IgnoredCount)
	}
}

// TestGitPlaces reads the same commit from every kind of place that a work tree can be.
func TestGitPlaces(t *testing.T) {
	for name, place := range map[string]func(*fixture) (g Source, check func(provenance.Commit) bool){
		"a folder in it": func(f *fixture) (Source, func(provenance.Commit) bool) {
			f.write("outside", "") // a change outside the folder counts, too
			return Source{Dir: f.path("src/deep")}, func(c provenance.Commit) bool { return c.Dirty && c.Ref == "refs/heads/main" }
		},
		"detached": func(f *fixture) (Source, func(provenance.Commit) bool) {
			f.git("checkout", "-q", "--detach")
			return Source{Dir: f.dir}, func(c provenance.Commit) bool { return c.Detached && c.Ref == "HEAD" }
		},
		"detached, the pipeline knows better": func(f *fixture) (Source, func(provenance.Commit) bool) {
			f.git("checkout", "-q", "--detach")
			return Source{Dir: f.dir, Ref: "refs/heads/release", Expect: strings.ToUpper(f.git("rev-parse", "HEAD"))},
				func(c provenance.Commit) bool { return c.Detached && c.Ref == "refs/heads/release" }
		},
		"a second work tree": func(f *fixture) (Source, func(provenance.Commit) bool) {
			dir := filepath.Join(f.t.TempDir(), "second")
			f.git("worktree", "add", "-q", dir, "HEAD", "-b", "side")
			return Source{Dir: dir}, func(c provenance.Commit) bool { return !c.Dirty && c.Ref == "refs/heads/side" }
		},
		"shallow": func(f *fixture) (Source, func(provenance.Commit) bool) {
			dir := filepath.Join(f.t.TempDir(), "shallow")
			f.git("commit", "-q", "--allow-empty", "-m", "Second")
			f.git("clone", "-q", "--depth", "1", "file://"+f.dir, dir)
			return Source{Dir: dir}, func(c provenance.Commit) bool {
				return c.Shallow && !c.Dirty && len(c.Parents) == 1 && c.Repository == "file://"+f.dir
			}
		},
		"a partial clone": func(f *fixture) (Source, func(provenance.Commit) bool) {
			dir := filepath.Join(f.t.TempDir(), "partial")
			f.git("config", "uploadpack.allowFilter", "true")
			f.git("clone", "-q", "--filter=blob:none", "file://"+f.dir, dir)
			return Source{Dir: dir}, func(c provenance.Commit) bool { return !c.Dirty }
		},
		"no remote": func(f *fixture) (Source, func(provenance.Commit) bool) {
			return Source{Dir: f.dir}, func(c provenance.Commit) bool {
				return c.Repository == filepath.ToSlash(f.dir) && c.Remotes == nil
			}
		},
		"a path with spaces and a link to it": func(f *fixture) (Source, func(provenance.Commit) bool) {
			link := filepath.Join(f.t.TempDir(), "a link")
			f.must(os.Symlink(f.dir, link))
			return Source{Dir: link}, func(c provenance.Commit) bool { return !c.Dirty }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := committedRepo(t)
			g, check := place(f)
			g.Getenv = onlyPATH
			if c := collect(t, g); !check(c) || c.ID.IsZero() || c.Subject == "" {
				t.Errorf("%+v", c)
			}
		})
	}
}

func TestGitSubmodules(t *testing.T) {
	inner := committedRepo(t)
	first := inner.git("rev-parse", "HEAD")
	for name, c := range map[string]struct {
		prepare func(*fixture)
		dirty   bool
		listed  []string // untracked and ignored
	}{
		"clean":            {func(f *fixture) {}, false, nil},
		"not checked out":  {func(f *fixture) { f.git("submodule", "deinit", "-q", "-f", "lib") }, false, nil},
		"removed":          {func(f *fixture) { f.remove("lib") }, true, nil},
		"a file inside":    {func(f *fixture) { f.write("lib/README", "x\n") }, true, nil},
		"untracked inside": {func(f *fixture) { f.write("lib/new", "") }, true, []string{"lib/new"}},
		"ignored inside":   {func(f *fixture) { f.write("lib/new.log", "") }, false, []string{"lib/new.log"}},
		"another commit":   {func(f *fixture) { f.git("-C", "lib", "commit", "-q", "--allow-empty", "-m", "x") }, true, nil},
		"no repository":    {func(f *fixture) { f.remove("lib/.git") }, true, nil},
		"a file instead":   {func(f *fixture) { f.remove("lib"); f.write("lib", "") }, true, nil},
		"no commit yet":    {func(f *fixture) { f.remove("lib"); f.git("init", "-q", "lib"); f.write("lib/x", "") }, true, nil},
		"another commit, and more": {func(f *fixture) {
			f.git("-C", "lib", "commit", "-q", "--allow-empty", "-m", "x")
			f.write("lib/new.log", "")
		}, true, []string{"lib/new.log"}},
		"ignored by its repository's own list": {func(f *fixture) {
			f.write(".git/modules/lib/info/exclude", "new\n")
			f.write("lib/new", "")
		}, true, []string{"lib/new"}},
		"ignored by a list that ignores itself": {func(f *fixture) {
			f.write("lib/src/.gitignore", "*\n")
			f.write("lib/src/new", "")
			f.write("lib/new.log", "")
		}, true, []string{"lib/src/.gitignore", "lib/src/new", "lib/new.log"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := committedRepo(t)
			f.git("submodule", "add", "-q", "file://"+inner.dir, "lib")
			f.commitAll("With a submodule")
			c.prepare(f)
			got := collect(t, f.source())
			if got.Dirty != c.dirty || !slices.Equal(got.Submodules, []string{"lib " + first}) {
				t.Errorf("dirty %v: %q %q; submodules %q", got.Dirty, got.Changed, got.Untracked, got.Submodules)
			}
			if listed := slices.Concat(got.Untracked, got.Ignored); !slices.Equal(listed, c.listed) || got.IgnoredCount != len(got.Ignored) {
				t.Errorf("untracked %q, %d ignored %q, want %q", got.Untracked, got.IgnoredCount, got.Ignored, c.listed)
			}
		})
	}
	t.Run("with many ignored files and marks", func(t *testing.T) {
		f := committedRepo(t)
		f.git("submodule", "add", "-q", "file://"+inner.dir, "lib")
		f.commitAll("With a submodule")
		f.write("a.log", "")
		for i := range 30 {
			f.write("lib/x"+string(rune('a'+i))+".log", "")
		}
		f.git("-C", "lib", "update-index", "--assume-unchanged", "README")
		f.git("-C", "lib", "update-index", "--skip-worktree", "run.sh")
		got := collect(t, f.source())
		if got.Dirty || got.IgnoredCount != 31 || len(got.Ignored) != provenance.MaxListed ||
			!slices.Equal(got.AssumeUnchanged, []string{"lib/README"}) || !slices.Equal(got.SkipWorktree, []string{"lib/run.sh"}) {
			t.Errorf("dirty %v, %d ignored %q, assumed %q, skipped %q", got.Dirty, got.IgnoredCount, got.Ignored, got.AssumeUnchanged, got.SkipWorktree)
		}
	})
	t.Run("read by itself", func(t *testing.T) {
		f := committedRepo(t)
		f.git("submodule", "add", "-q", "file://"+inner.dir, "lib")
		if got := collect(t, Source{Dir: f.path("lib"), Getenv: onlyPATH}); got.ID.Hex() != first || got.Dirty {
			t.Errorf("%s, dirty %v %q", got.ID, got.Dirty, got.Untracked)
		}
	})
}

var refusals = []struct {
	name    string
	prepare func(*fixture) Source
	code    string // of a *Refused; "misused" for a *Misused; empty for undecided
	says    string
}{
	{"no folder", func(f *fixture) Source { return Source{Dir: f.path("none")} }, "misused", "is not a folder"},
	{"no repository", func(f *fixture) Source { return Source{Dir: f.t.TempDir()} }, "misused", "is not in a git repository"},
	{"bare", func(f *fixture) Source {
		f.git("clone", "-q", "--bare", ".", "bare")
		return Source{Dir: f.path("bare")}
	}, "misused", "not in its work tree"},
	{"inside .git", func(f *fixture) Source { return Source{Dir: f.path(".git")} }, "misused", "not in its work tree"},
	{"said to be bare", func(f *fixture) Source { f.git("config", "core.bare", "true"); return Source{Dir: f.dir} }, "misused", "not in its work tree"},
	{"no commit yet", func(f *fixture) Source { return Source{Dir: newRepo(f.t).dir} }, "commit.none", "has no commit yet"},
	{"SHA-256", func(f *fixture) Source {
		f = newRepo(f.t, "--object-format=sha256")
		f.commitAll("x")
		return Source{Dir: f.dir}
	}, "commit.sha256", "names its objects by sha256"},
	{"another commit", func(f *fixture) Source { return Source{Dir: f.dir, Expect: strings.Repeat("ab", 20)} }, "commit.mismatch",
		"the pipeline builds commit " + strings.Repeat("ab", 20) + ", but the work tree is at "},
	{"no commit at all expected", func(f *fixture) Source { return Source{Dir: f.dir, Expect: "C123"} }, "commit.mismatch", "commit C123"},
	{"line break in a name", func(f *fixture) Source { f.write("a\nb", ""); f.commitAll("x"); return Source{Dir: f.dir} }, "commit.name", `"a b"`},
	{"work tree elsewhere", func(f *fixture) Source {
		f.git("config", "core.worktree", f.t.TempDir())
		return Source{Dir: f.dir}
	}, "misused", "not in its work tree"},
	{"missing object", func(f *fixture) Source {
		id := f.git("rev-parse", "HEAD:README")
		f.remove(".git/objects/" + id[:2] + "/" + id[2:])
		return Source{Dir: f.dir}
	}, "", "lacks the blob"},
	{"missing commit", func(f *fixture) Source {
		f.write(".git/refs/heads/main", strings.Repeat("ab", 20)+"\n")
		return Source{Dir: f.dir}
	}, "", "lacks the commit"},
	{"HEAD names a blob", func(f *fixture) Source {
		f.git("checkout", "-q", "--detach")
		f.write(".git/HEAD", f.git("rev-parse", "HEAD:README")+"\n")
		return Source{Dir: f.dir}
	}, "", "where a commit is expected"},
	{"broken index", func(f *fixture) Source { f.write(".git/index", "garbage"); return Source{Dir: f.dir} }, "", "git ls-files: "},
	{"broken configuration", func(f *fixture) Source { f.write(".git/config", "[[["); return Source{Dir: f.dir} }, "", "bad config"},
	{"a commit without a tree", func(f *fixture) Source {
		f.rawCommit("author a <b> 1 +0000\n\nx\n")
		return Source{Dir: f.dir}
	}, "", "names no tree"},
	{"a commit without end", func(f *fixture) Source {
		f.rawCommit("tree " + f.git("rev-parse", "HEAD^{tree}") + "\nauthor a <b> 1 +0000\n\n" + strings.Repeat("x", 17<<20))
		return Source{Dir: f.dir}
	}, "", "is larger than 16777216 bytes"},
	{"two trees", func(f *fixture) Source {
		tree := "tree " + f.git("rev-parse", "HEAD^{tree}") + "\n"
		f.rawCommit(tree + tree + "author a <b> 1 +0000\n\nx")
		return Source{Dir: f.dir}
	}, "", "two trees"},
	{"work tree above", func(f *fixture) Source {
		f.git("config", "core.worktree", filepath.Dir(f.dir))
		return Source{Dir: f.dir}
	}, "misused", "in a place without .git"},
	{"no git", func(f *fixture) Source {
		return Source{Dir: f.dir, Getenv: func(string) string { return "relative" + string(filepath.ListSeparator) + f.dir }}
	}, "misused", "no git on the PATH"},
	{"git cannot start", func(f *fixture) Source { return Source{Dir: f.dir, Program: f.path("README")} }, "", "permission denied"},
}

func TestGitRefusals(t *testing.T) {
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := c.prepare(committedRepo(t))
			if g.Getenv == nil {
				g.Getenv = onlyPATH
			}
			evidence, err := g.Collect(t.Context())
			if err == nil || evidence != nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("evidence %v, error %v, want one with %q", evidence, err, c.says)
			}
			if got := sourcetest.KindOf(err); got != c.code {
				t.Errorf("kind %q, want %q: %v", got, c.code, err)
			}
			if c.code != "" && len(provenance.Hints(err)) == 0 {
				t.Errorf("no hint for %v", err)
			}
		})
	}
}

// TestGitMismatchSaysBoth: the person must see both commits.
func TestGitMismatchSaysBoth(t *testing.T) {
	f := committedRepo(t)
	g := f.source()
	g.Expect = strings.Repeat("0", 40)
	_, err := g.Collect(t.Context())
	if err == nil || !strings.Contains(err.Error(), g.Expect) || !strings.Contains(err.Error(), f.git("rev-parse", "HEAD")) {
		t.Fatal(err)
	}
}

// TestGitSwappedObject: git itself believes a file whose name is another object's; here it is noticed.
func TestGitSwappedObject(t *testing.T) {
	f := committedRepo(t)
	readme := f.git("rev-parse", "HEAD:README")
	other := f.gitIn([]byte("a forged README\n"), "hash-object", "-w", "--stdin")
	forged, err := os.ReadFile(f.path(".git/objects/" + other[:2] + "/" + other[2:]))
	f.must(err)
	place := f.path(".git/objects/" + readme[:2] + "/" + readme[2:])
	f.must(os.Remove(place))
	f.must(os.WriteFile(place, forged, 0o444))
	f.write("README", "a forged README\n")
	if _, err = f.source().Collect(t.Context()); err == nil || sourcetest.KindOf(err) != "" {
		t.Fatal("a forged object was believed")
	}
}

func TestGitRemotes(t *testing.T) {
	for url, want := range map[string]string{
		"https://ada:s3cretpass@dev.azure.com/contoso/ml/_git/r?token=s3cretpass": "https://dev.azure.com/contoso/ml/_git/r",
		"https://s3cretpass@dev.azure.com/contoso/ml/_git/r":                      "https://dev.azure.com/contoso/ml/_git/r",
		"git@github.com:contoso/r.git":                                            "git@github.com:contoso/r.git",
		"git:s3cretpass@github.com:contoso/r.git":                                 "github.com:contoso/r.git",
		"ssh://git@ssh.dev.azure.com/v3/contoso/ml/r":                             "ssh://git@ssh.dev.azure.com/v3/contoso/ml/r",
		"ssh://git:s3cretpass@host:2222/r.git":                                    "ssh://git@host:2222/r.git",
		"ssh://:s3cretpass@host/r.git":                                            "ssh://host/r.git",
		"/srv/git/r.git":                                                          "/srv/git/r.git",
	} {
		f := committedRepo(t)
		f.git("config", "remote.backup.url", "https://backup.example/r.git")
		f.git("config", "remote.origin.url", url)
		f.git("config", "http.https://dev.azure.com.extraheader", "AUTHORIZATION: bearer s3cretpass")
		f.git("config", "url.https://evil.example/.insteadOf", "https://dev.azure.com/")
		c := collect(t, f.source())
		if c.Repository != want || !slices.Equal(c.Remotes, []string{"backup https://backup.example/r.git", "origin " + want}) {
			t.Errorf("%s: repository %q, remotes %q", url, c.Repository, c.Remotes)
		}
		if data, err := json.Marshal(c); err != nil || strings.Contains(string(data), "s3cretpass") {
			t.Errorf("%s: the secret is in %s (%v)", url, data, err)
		}
	}
}

func TestGitMerge(t *testing.T) {
	f := committedRepo(t)
	var parents []string
	for _, branch := range []string{"a", "b", "c"} {
		f.git("checkout", "-q", "-b", branch, "main")
		f.write(branch, branch)
		parents = append(parents, f.commitAll(branch))
	}
	f.git("merge", "-q", "-m", "An octopus", "a", "b")
	c := collect(t, f.source())
	if len(c.Parents) != 3 || !slices.Contains(c.Parents, parents[0]) || c.Subject != "An octopus" {
		t.Errorf("parents %q of %q", c.Parents, c.Subject)
	}
}
