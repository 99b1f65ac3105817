package git

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-3480f271/provenance/provenance/source/internal/sourcetest"
)

// TestGitFiles: what is read is the commit's, whatever lies in the work tree.
func TestGitFiles(t *testing.T) {
	f := newRepo(t)
	f.write("notebooks/train.py", "first\r\n")
	f.write("a.txt", "a")
	f.symlink("a.txt", "link")
	f.chmod("a.txt", 0o755)
	f.write(".gitattributes", "*.py text eol=lf filter=evil\n")
	head := f.commitAll("files")
	f.write("notebooks/train.py", "changed")
	f.remove("a.txt")
	files := f.source().Files()
	if commit, err := files.Commit(t.Context()); err != nil || commit != head {
		t.Errorf("commit %s, error %v, want %s", commit, err, head)
	}
	names, err := files.Names(t.Context())
	if want := []string{".gitattributes", "a.txt", "notebooks/train.py"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("names %q, error %v", names, err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if data, err := files.Read(t.Context(), "notebooks/train.py"); err != nil || strings.TrimSpace(string(data)) != "first" {
				t.Errorf("%q, %v", data, err)
			}
		})
	}
	group.Wait()
	for _, name := range []string{"link", "missing", "notebooks", "../a.txt", ""} {
		if _, err := files.Read(t.Context(), name); err == nil {
			t.Errorf("%q was read", name)
		}
	}
}

func TestGitFilesErrors(t *testing.T) {
	files := Source{Dir: t.TempDir(), Getenv: os.Getenv}.Files()
	if _, err := files.Names(t.Context()); sourcetest.KindOf(err) != "misused" {
		t.Error(err)
	}
	f := newRepo(t)
	if _, err := f.source().Files().Commit(t.Context()); sourcetest.KindOf(err) != "commit.none" {
		t.Error(err)
	}
	f.write("large.bin", strings.Repeat("x", MaxCommitFile+1))
	f.commitAll("large")
	if _, err := f.source().Files().Read(t.Context(), "large.bin"); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Error(err)
	}
}
