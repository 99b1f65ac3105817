package storage

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
)

func text(s string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

// testKeeper writes into any kind of folder.
func testKeeper(t *testing.T, uri string, o Options) {
	t.Helper()
	k, err := OpenKeeper(t.Context(), uri, o)
	must(t, err)
	sum := func(s string) provenance.Digest { return provenance.SumSHA256([]byte(s)) }
	large := strings.Repeat("0123456789abcdef", 1<<18) // 4 MiB: several blocks
	for name, content := range map[string]string{"a.json": "{}", "sub/b c ü.txt": "b", "empty": "", "large": large} {
		must(t, k.Put(t.Context(), name, sum(content), text(content)))
		must(t, k.Put(t.Context(), name, sum(content), text(content))) // again
		wantRefused(t, k.Put(t.Context(), name, sum(content+"x"), text(content+"x")), "evidence.differs", name+" holds something else")
	}
	got := contents(t, open(t, uri, o))
	if len(got) != 4 || got["a.json"] != "{}" || got["sub/b c ü.txt"] != "b" || got["empty"] != "" || got["large"] != large {
		t.Errorf("kept %q", sortedNames(got))
	}
	if err := k.Put(t.Context(), "wrong", sum("something"), text("else")); err == nil || !strings.Contains(err.Error(), "the bytes changed") {
		t.Errorf("bytes that are not as announced: %v", err)
	}
}

func TestKeepLocally(t *testing.T) {
	dir := t.TempDir()
	testKeeper(t, dir+"/", Options{})
	info, err := os.Stat(filepath.Join(dir, "a.json"))
	must(t, err)
	if info.Mode().Perm() != 0o444 {
		t.Errorf("mode %v", info.Mode())
	}
	left, err := filepath.Glob(filepath.Join(dir, ".keep-*"))
	must(t, err)
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	_, err = OpenKeeper(t.Context(), filepath.Join(dir, "a.json"), Options{})
	wantMisused(t, err, "name a folder")
	_, err = OpenKeeper(t.Context(), filepath.Join(dir, "nosuch"), Options{})
	wantMisused(t, err, "does not exist")
	k, err := OpenKeeper(t.Context(), dir, Options{})
	must(t, err)
	if p, err := k.Protection(t.Context()); p != nil || err != nil {
		t.Errorf("protection %+v, %v", p, err)
	}
	outside := t.TempDir()
	elsewhere := filepath.Join(t.TempDir(), "x")
	must(t, os.WriteFile(elsewhere, []byte("x"), 0o600))
	must(t, os.Symlink(elsewhere, filepath.Join(dir, "link")))
	wantRefused(t, k.Put(t.Context(), "link", provenance.SumSHA256([]byte("x")), text("x")), "evidence.differs", "link is no regular file, but L")
	must(t, os.Symlink(outside, filepath.Join(dir, "out")))
	for _, name := range []string{"out/x", "out/deeper/x"} {
		if err := k.Put(t.Context(), name, provenance.SumSHA256([]byte("x")), text("x")); err == nil {
			t.Errorf("%s was written through a link out of the folder", name)
		}
	}
	written, err := os.ReadDir(outside)
	must(t, err)
	if len(written) > 0 {
		t.Errorf("written outside: %v", written)
	}
}
