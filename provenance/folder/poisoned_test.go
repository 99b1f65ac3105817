package folder

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/blobdouble"
)

// TestStateThatIsNoFile: a link, or anything else that is called like a journal, is not opened.
func TestStateThatIsNoFile(t *testing.T) {
	f := abcd(t)["Azure"]
	for what, put := range map[string]func(path string) error{
		"link":   func(path string) error { return os.Symlink("/dev/zero", path) },
		"folder": func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		state := t.TempDir()
		must(t, put(filepath.Join(state, journalPrefix(f.URI())+"1"+journalSuffix)))
		_, err := Hash(t.Context(), f, Options{Dir: t.TempDir(), State: state})
		wantRefused(t, err, "data.state", "is no file")
		if f.read() != "" {
			t.Errorf("%s: something was read", what)
		}
	}
}

// TestClearStateLeavesOthers: whoever names a folder as state does not lose what else lies in it.
func TestClearStateLeavesOthers(t *testing.T) {
	state := interrupted(t, abcd(t)["Azure"], "c")
	for _, name := range []string{"system.journal", "notes", "0123.journal"} {
		must(t, os.WriteFile(filepath.Join(state, name), []byte("mine"), 0o600))
	}
	must(t, ClearState(state))
	left, err := os.ReadDir(state)
	must(t, err)
	if len(left) != 3 {
		t.Errorf("left are %v", left)
	}
}

// TestDigestsOfTheFutureAreReadAgain: a time of reading that is yet to come would never be too old.
func TestDigestsOfTheFutureAreReadAgain(t *testing.T) {
	s := blobdouble.New(t)
	s.PutText("data", "p/a", "a")
	n := &night{T: t, folder: &reading{Folder: open(t, s.URL+"/data/p/")}}
	n.publish(n.run(20), "first")
	n.folder.read()
	if r := n.run(10); n.folder.read() != "a" || r.Reused != nil {
		t.Errorf("got %+v", r)
	}
}

// TestOverwrittenAfterItsProtection: a blob may be removed when its retention has ended, and written again.
func TestOverwrittenAfterItsProtection(t *testing.T) {
	s := blobdouble.New(t)
	s.PutText("data", "p/a", "a")
	n := &night{T: t, folder: &reading{Folder: open(t, s.URL+"/data/p/")}}
	n.publish(n.run(1), "first")
	n.previous.Immutable, n.previous.Until = provenance.GradeLocked, at(5)()
	s.PutText("data", "p/a", "b")
	_, err := Hash(t.Context(), n.folder, Options{Dir: t.TempDir(), Now: at(4), Previous: n.previous})
	wantRefused(t, err, "data.overwritten", "the file a was overwritten")
	n.folder.read()
	if n.run(6); n.folder.read() != "a" {
		t.Error("the new blob was not read")
	}
}
