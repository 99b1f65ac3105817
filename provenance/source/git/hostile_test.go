package git

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/sourcetest"
)

// trapped is a repository whose own configuration starts a program wherever git lets it, and a marker that the program
// leaves behind.
func trapped(t *testing.T) (f *fixture, marker string) {
	f = committedRepo(t)
	marker = filepath.Join(t.TempDir(), "ran")
	trap := f.path(".git/trap")
	f.write(".git/trap", "#!/bin/sh\necho \"$0 $*\" >> '"+marker+"'\ncat\n")
	f.chmod(".git/trap", 0o755)
	for _, key := range []string{"filter.trap.clean", "filter.trap.smudge", "filter.trap.process", "core.fsmonitor", "core.sshCommand",
		"core.pager", "core.editor", "core.askPass", "core.gitProxy", "credential.helper", "diff.external", "diff.trap.textconv",
		"diff.trap.command", "gpg.program", "merge.trap.driver", "pager.ls-files", "pager.config", "pager.rev-parse", "uploadpack.packObjectsHook",
		"remote.origin.uploadpack", "core.alternateRefsCommand"} {
		f.git("config", key, trap)
	}
	for _, name := range []string{"rev-parse", "ls-files", "cat-file", "config", "check-attr", "symbolic-ref"} {
		f.git("config", "alias."+name, "!"+trap)
	}
	f.git("config", "remote.origin.promisor", "true")
	f.git("config", "remote.origin.url", "ext::"+trap)
	f.git("config", "extensions.partialClone", "origin")
	f.git("config", "protocol.ext.allow", "always")
	for _, hook := range []string{"fsmonitor-watchman", "post-index-change", "reference-transaction", "pre-commit", "query-watchman"} {
		f.write(".git/hooks/"+hook, "#!/bin/sh\nexec '"+trap+"'\n")
		f.chmod(".git/hooks/"+hook, 0o755)
	}
	f.write(".git/info/attributes", "* filter=trap diff=trap merge=trap\n")
	f.write("README", "changed\n")
	return f, marker
}

// TestGitRunsNothing: nothing that the repository configures is run, though stock git does run it.
func TestGitRunsNothing(t *testing.T) {
	f, marker := trapped(t)
	if c := collect(t, f.source()); !slices.Equal(c.Changed, []string{"README"}) {
		t.Errorf("changed %q", c.Changed)
	}
	id := f.git("rev-parse", "HEAD:run.sh")
	f.remove(".git/objects/" + id[:2] + "/" + id[2:]) // now git would fetch it
	if _, err := f.source().Collect(t.Context()); err == nil {
		t.Error("a missing object was no error")
	}
	if ran, err := os.ReadFile(marker); err == nil {
		t.Fatalf("programs of the repository were run:\n%s", ran)
	}

	stock := exec.Command("git", "status", "--porcelain") // the control: the traps are armed
	stock.Dir = f.dir
	out, err := stock.CombinedOutput()
	if _, missing := os.Stat(marker); missing != nil {
		t.Fatalf("stock git ran no trap, so this test shows nothing: %v\n%s", err, out)
	}
}

// TestGitIgnoresTheEnvironment: GIT_* variables of the caller lead nowhere.
func TestGitIgnoresTheEnvironment(t *testing.T) {
	f, other := committedRepo(t), committedRepo(t)
	want := collect(t, f.source())
	other.commitAll("Another repository")
	for name, value := range map[string]string{
		"GIT_DIR": other.path(".git"), "GIT_WORK_TREE": other.dir, "GIT_INDEX_FILE": other.path(".git/index"),
		"GIT_OBJECT_DIRECTORY": other.path(".git/objects"), "GIT_NAMESPACE": "x", "GIT_CEILING_DIRECTORIES": "/",
		"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.bare", "GIT_CONFIG_VALUE_0": "true",
		"GIT_CONFIG_PARAMETERS": "'core.bare=true'", "GIT_TRACE": "2", "HOME": other.dir, "LC_ALL": "de_DE.UTF-8",
	} {
		t.Setenv(name, value)
	}
	got := collect(t, f.source())
	if got.ID != want.ID || got.Dirty || got.Subject != want.Subject {
		t.Errorf("read %s %q, dirty %v", got.ID, got.Subject, got.Dirty)
	}
}

// TestGitIgnoresReplacements: a replace ref or a graft shows another commit in the place of the real one.
func TestGitIgnoresReplacements(t *testing.T) {
	f := committedRepo(t)
	want := collect(t, f.source())
	second := f.commitAll("A replacement")
	f.git("reset", "-q", "--hard", want.ID.Hex())
	f.git("replace", want.ID.Hex(), second)
	f.write(".git/info/grafts", want.ID.Hex()+" "+second+"\n")
	if stock := f.git("log", "-1", "--format=%s"); stock != "A replacement" {
		t.Fatalf("stock git says %q, so this test shows nothing", stock)
	}
	if got := collect(t, f.source()); got.Subject != want.Subject || got.Tree != want.Tree || len(got.Parents) != 0 {
		t.Errorf("read %q with parents %q", got.Subject, got.Parents)
	}
}

// TestGitForeignOwner: an agent's folder often belongs to another user, and git then refuses it unless told otherwise.
func TestGitForeignOwner(t *testing.T) {
	f := committedRepo(t)
	stock, err := exec.LookPath("git")
	f.must(err)
	wrapper := filepath.Join(t.TempDir(), "git")
	f.must(os.WriteFile(wrapper, []byte("#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec '"+stock+"' \"$@\"\n"), 0o755))
	control := exec.Command(wrapper, "rev-parse", "HEAD")
	control.Dir, control.Env = f.dir, []string{"HOME=/nonexistent", "PATH=" + os.Getenv("PATH")}
	if out, err := control.CombinedOutput(); err == nil || !strings.Contains(string(out), "dubious ownership") {
		t.Fatalf("stock git does not mind, so this test shows nothing: %s", out)
	}
	g := f.source()
	g.Program = wrapper
	if c := collect(t, g); c.Dirty || c.ID.IsZero() {
		t.Errorf("%+v", c)
	}
}

// TestGitOddCommits: headers may be as odd as they come.
func TestGitOddCommits(t *testing.T) {
	f := committedRepo(t)
	tree := f.git("rev-parse", "HEAD^{tree}")
	for name, c := range map[string]struct {
		content string
		check   func(provenance.Commit) bool
	}{
		"no names": {"author  <> 1 +0000\ncommitter <> 2 -0000\n\n", func(c provenance.Commit) bool {
			return c.Author == provenance.Person{} && c.Authored.Unix() == 1 && c.Committed.Unix() == 2 && c.Subject == ""
		}},
		"odd zones": {"author a <b> 1700000000 +051800\ncommitter a <b> 1700000000 -7\n\ns", func(c provenance.Commit) bool {
			return c.Authored.Unix() == 1700000000 && c.Committed.Unix() == 1700000000
		}},
		"no zone and no time": {"author a <b> 17\ncommitter a <b>\n\ns", func(c provenance.Commit) bool {
			return c.Authored.Unix() == 17 && c.Committed.IsZero()
		}},
		"times beyond all bounds": {"author a <b> 99999999999999 +0000\ncommitter a <b> 999999999999999999999999 +0000\n\ns",
			func(c provenance.Commit) bool { return c.Authored.IsZero() && c.Committed.IsZero() }},
		"before 1970": {"author a <b> -86400 +0000\ncommitter a <b> 0 +0000\n\ns", func(c provenance.Commit) bool {
			return c.Authored.Year() == 1969 && c.Committed.Equal(time.Unix(0, 0))
		}},
		"not UTF-8": {"author Andr\xe9 <a@b> 1 +0000\ncommitter a <b> 1 +0000\nencoding ISO-8859-1\n\nCaf\xe9\n", func(c provenance.Commit) bool {
			return c.Author.Name == "Andr\uFFFD" && c.Subject == "Caf\uFFFD"
		}},
		"angle brackets": {"author a> <b <c@d> 1 +0000\ncommitter a b 1 +0000\n\ns", func(c provenance.Commit) bool {
			return strings.Contains(c.Author.Email, "c@d") && c.Committer.Name == "a b 1 +0000"
		}},
		"signed": {"author a <b> 1 +0000\ncommitter a <b> 1 +0000\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ\n parent x\n -----END\n\nSigned\n",
			func(c provenance.Commit) bool {
				return c.Signature == "present" && c.Subject == "Signed" && len(c.Parents) == 0
			}},
		"signed by SHA-256": {"author a <b> 1 +0000\ncommitter a <b> 1 +0000\ngpgsig-sha256 x\n\nSigned\n",
			func(c provenance.Commit) bool { return c.Signature == "present" }},
		"a signature in the message only": {"author a <b> 1 +0000\ncommitter a <b> 1 +0000\n\ns\n\ngpgsig x\n",
			func(c provenance.Commit) bool { return c.Signature == "none" }},
		"hostile subject": {"author a <b> 1 +0000\ncommitter a <b> 1 +0000\n\n\n  \n\x1b[31m##vso[task.complete]\x07 \u202Ered\r\n\nbody", func(c provenance.Commit) bool {
			return c.Subject == "[31m##vso[task.complete] red"
		}},
		"endless subject": {"author a <b> 1 +0000\ncommitter a <b> 1 +0000\n\n" + strings.Repeat("é", 100000), func(c provenance.Commit) bool {
			return len(c.Subject) < 1100 && strings.HasSuffix(c.Subject, "é…")
		}},
		"a token in the subject": {"author a <b> 1 +0000\ncommitter a <b> 1 +0000\n\nUse dapi" + strings.Repeat("0a", 16) + " for now\n",
			func(c provenance.Commit) bool { return c.Subject == "Use [removed] for now" }},
	} {
		f.rawCommit("tree " + tree + "\n" + c.content)
		got := collect(t, f.source())
		if _, err := json.Marshal(got); err != nil || !c.check(got) || got.Dirty {
			t.Errorf("%s: %+v (%v)", name, got, err)
		}
	}
}

// TestGitHostileTrees: names that lead out of their folder, and trees that unfold without end.
func TestGitHostileTrees(t *testing.T) {
	f := committedRepo(t)
	blob := f.git("rev-parse", "HEAD:README")
	raw := func(id string) string {
		sum, err := hex.DecodeString(id)
		f.must(err)
		return string(sum)
	}
	tree := func(content string) string {
		return f.gitIn([]byte(content), "hash-object", "-t", "tree", "-w", "--stdin", "--literally")
	}
	bomb := tree("100644 f\x00" + raw(blob))
	for range 10 {
		var level strings.Builder
		for _, name := range strings.Split("abcdefghij", "") {
			level.WriteString("40000 " + name + "\x00" + raw(bomb))
		}
		bomb = tree(level.String())
	}
	for name, c := range map[string]struct{ tree, says string }{
		"a way out":      {tree("100644 ..\x00" + raw(blob)), "malformed"},
		"a slash":        {tree("100644 a/b\x00" + raw(blob)), "malformed"},
		".git":           {tree("100644 .GIT\x00" + raw(blob)), "malformed"},
		"no name":        {tree("100644 \x00" + raw(blob)), "malformed"},
		"a mode of none": {tree("100600 a\x00" + raw(blob)), "malformed"},
		"cut off":        {tree("100644 a\x00" + raw(blob)[:7]), "cut off"},
		"twice":          {tree("100644 a\x00" + raw(blob) + "100644 a\x00" + raw(blob)), "twice"},
		"a bomb":         {bomb, "more than 1000000 files"},
		"a tree as file": {tree("100644 a\x00" + raw(f.git("rev-parse", "HEAD^{tree}"))), "where a blob is expected"},
	} {
		f.rawCommit("tree " + c.tree + "\nauthor a <b> 1 +0000\ncommitter a <b> 1 +0000\n\nx\n")
		if _, err := f.source().Collect(t.Context()); err == nil || !strings.Contains(err.Error(), c.says) || sourcetest.KindOf(err) != "" {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

// fakeGit is a program that answers instead of git.
func fakeGit(t *testing.T, script string) Source {
	t.Helper()
	program := filepath.Join(t.TempDir(), "git")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return Source{Dir: t.TempDir(), Program: program, Getenv: onlyPATH}
}

// TestGitNonsense: a git that answers nonsense, or without end, is an error in bounded memory.
func TestGitNonsense(t *testing.T) {
	for name, c := range map[string]struct{ script, says string }{
		"nothing":          {"exit 0", "four facts"},
		"endless":          {"yes false | head -c 3000000", "prints more than"},
		"endless complain": {"yes 'fatal: x' | head -c 3000000 >&2; exit 3", "git rev-parse: fatal: x"},
		"a secret":         {"echo 'fatal: https://ada:hunter22@host/ Bearer 0123456789abcdefgh' >&2; exit 3", "[removed]"},
	} {
		_, err := fakeGit(t, c.script).Collect(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 2000 || strings.Contains(err.Error(), "hunter22") {
			t.Errorf("%s: %.300v", name, err)
		}
	}
}

// interposed is the fixture's source with a program in front of git: for calls that match pattern, script comes first.
func interposed(f *fixture, pattern, script string) Source {
	f.t.Helper()
	stock, err := exec.LookPath("git")
	f.must(err)
	wrapper := filepath.Join(f.t.TempDir(), "git")
	f.must(os.WriteFile(wrapper, []byte("#!/bin/sh\ncase \"$*\" in *'"+pattern+"'*)\n"+script+"\nesac\nexec '"+stock+"' \"$@\"\n"), 0o755))
	g := f.source()
	g.Program = wrapper
	return g
}

// TestGitBreaksDown: whatever goes wrong in the middle is an error, and never half an answer. Its cases do not run in
// parallel: a program that is being written by one cannot be started while another forks.
func TestGitBreaksDown(t *testing.T) {
	for name, c := range map[string]struct{ pattern, script, code, says string }{
		"no objects":           {"cat-file", "echo 'fatal: out of memory' >&2; exit 128", "", "git cat-file: fatal: out of memory"},
		"an object cut off":    {"cat-file", "read id; echo \"$id commit 100\"; echo short; exit 0", "", "git cat-file: "},
		"an object too long":   {"cat-file", "read id; echo \"$id commit 3\"; echo abcd; cat", "", "has no end"},
		"a size of none":       {"cat-file", "read id; echo \"$id commit many\"; cat", "", "where a size is expected"},
		"another object":       {"cat-file", "read id; echo \"x commit 1\"; cat", "", "where a commit is expected"},
		"another content":      {"cat-file", "read id; echo \"$id commit 1\"; echo x; cat >/dev/null", "", "is damaged"},
		"no name of the top":   {"--show-toplevel", "exit 5", "", "git rev-parse: exit status 5"},
		"no commit, but why":   {"--verify", "echo 'fatal: bad object' >&2; exit 128", "", "bad object"},
		"a strange commit":     {"--verify", "echo HEAD; exit 0", "", "not an object's name"},
		"no prefix":            {"--show-prefix", "exit 5", "", "git rev-parse: exit status 5"},
		"no repository":        {"--absolute-git-dir", "exit 5", "", "git rev-parse: exit status 5"},
		"no core.worktree":     {"--get-all", "exit 3", "", "git config: "},
		"no branch":            {"symbolic-ref", "exit 128", "", "git symbolic-ref: "},
		"no configuration":     {"--get-regexp", "exit 3", "", "git config: "},
		"no index":             {"ls-files -v", "exit 1", "", "git ls-files: "},
		"a strange index":      {"ls-files -v", "printf 'x\\0'; exit 0", "", "no line of its index"},
		"an index cut off":     {"ls-files -v", "printf 'H 100644'; exit 0", "", "unexpected EOF"},
		"no untracked files":   {"--others", "exit 1", "", "git ls-files: "},
		"no ignored files":     {"--ignored", "exit 1", "", "git ls-files: "},
		"no attributes":        {"check-attr", "exit 1", "", "git check-attr: "},
		"the branch goes on":   {"--ignored", "git -c user.name=a -c user.email=b commit -q --allow-empty -m x", "commit.moved", "while it was read"},
		"no room for the name": {"ls-files -v", "head -c 70000 /dev/zero | tr '\\0' x; exit 0", "", "token too long"},
	} {
		t.Run(name, func(t *testing.T) {
			f := committedRepo(t)
			f.write("README", "changed\n")
			evidence, err := interposed(f, c.pattern, c.script).Collect(t.Context())
			if err == nil || evidence != nil || sourcetest.KindOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, error %v, want %q with %q", evidence, err, c.code, c.says)
			}
		})
	}
}

// TestGitOddFiles: a mode of old, and a name that no folder on disk can hold.
func TestGitOddFiles(t *testing.T) {
	f := committedRepo(t)
	blob := f.git("rev-parse", "HEAD:README")
	sum, err := hex.DecodeString(blob)
	f.must(err)
	for name, c := range map[string]struct {
		entry string
		check func(provenance.Evidence, error) bool
	}{
		"group-writable": {"100664 README\x00", func(e provenance.Evidence, err error) bool {
			return err == nil && !slices.Contains(e.(provenance.Commit).Changed, "README")
		}},
		"too long": {"100644 " + strings.Repeat("x", 300) + "\x00", func(_ provenance.Evidence, err error) bool {
			return err != nil && strings.Contains(err.Error(), "cannot compare")
		}},
	} {
		tree := f.gitIn(append([]byte(c.entry), sum...), "hash-object", "-t", "tree", "-w", "--stdin", "--literally")
		f.rawCommit("tree " + tree + "\nauthor a <b> 1 +0000\ncommitter a <b> 1 +0000\n\nx\n")
		if evidence, err := f.source().Collect(t.Context()); !c.check(evidence, err) {
			t.Errorf("%s: %+v, %v", name, evidence, err)
		}
	}
}

// TestGitComplaintIsBounded: only its beginning is kept.
func TestGitComplaintIsBounded(t *testing.T) {
	var w tail
	for range 1000 {
		if n, err := io.Copy(&w, strings.NewReader(strings.Repeat("x", 1000))); n != 1000 || err != nil {
			t.Fatal(n, err)
		}
	}
	if len(w.kept) != maxComplaint {
		t.Errorf("%d bytes are kept", len(w.kept))
	}
}

func TestGitCancelled(t *testing.T) {
	f := committedRepo(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.source().Collect(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
