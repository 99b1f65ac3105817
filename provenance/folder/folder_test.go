package folder

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/dirhash"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/blobdouble"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tree writes files into a new folder and opens it.
func tree(t testing.TB, files map[string]string) (string, storage.Folder) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(dir, filepath.FromSlash(name)), text)
	}
	return dir, open(t, dir)
}

func write(t testing.TB, path, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o644))
}

func open(t testing.TB, uri string) storage.Folder {
	t.Helper()
	f, err := storage.Open(t.Context(), uri, storage.Options{})
	must(t, err)
	return f
}

// scratch are options with a folder for temporary files.
func scratch(t testing.TB) Options { return Options{Dir: t.TempDir()} }

func hashed(t testing.TB, f storage.Folder) *Result {
	t.Helper()
	r, err := Hash(t.Context(), f, scratch(t))
	must(t, err)
	return r
}

func wantRefused(t *testing.T, err error, code, part string) {
	t.Helper()
	var refused *provenance.Refused
	if !errors.As(err, &refused) || refused.Code != code || !strings.Contains(err.Error(), part) {
		t.Errorf("got %v, want a refusal %s with %q", err, code, part)
	}
}

func wantMisused(t *testing.T, err error, part string) {
	t.Helper()
	var misused *provenance.Misused
	if !errors.As(err, &misused) || !strings.Contains(err.Error(), part) {
		t.Errorf("got %v, want a misuse with %q", err, part)
	}
}

// files have names in many scripts, of which listings in any order differ from the order of bytes.
var files = map[string]string{
	"0": "1", "a-b": "2", "a/b": "3", "a.b": "4", "A/dat1": "5", "A-B": "6", "Z": "7", "ü": "8", "z": "9", "\U0001F3E0/\uFB00": "10", "\uFB00": "11",
	"данные/файл.csv": "12", "数据/训练.csv": "13", "الرهن": "14", "with space": "15", "it's \"quoted\"": "16", ".hidden": "17", "empty": "",
	"-rf": "18", "100%": "19", "sub/deep/er/x": "20", "trailing ": "21", "$HOME": "22", "tab\t": "23",
}

// filesBytes is the size of all files.
const filesBytes = 9 + 2*14

func TestDirHashIsGosAndCoreutils(t *testing.T) {
	dir, f := tree(t, files)
	r := hashed(t, f)
	if want := goDirHash(t, dir); r.Digest.Hex() != want || r.Digest.Algorithm() != provenance.DirHash {
		t.Errorf("got %s, Go's dirhash says %s", r.Digest, want)
	}
	if got := coreutils(t, dir); got != r.Digest.Hex() {
		t.Errorf("got %s, coreutils say %s", r.Digest, got)
	}
	if r.Bytes != filesBytes || r.Files != int64(len(files)) || r.Entries != r.Files || len(linesOf(t, r)) != len(files) {
		t.Errorf("got %d bytes in %d files", r.Bytes, r.Files)
	}
}

// coreutils is the digest that the documented line computes.
func coreutils(t *testing.T, dir string) string {
	t.Helper()
	line := `find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0r sha256sum -- | sha256sum`
	digest, _, _ := strings.Cut(shell(t, dir, line), " ")
	return digest
}

// goDirHash is the digest that Go's own package computes.
func goDirHash(t *testing.T, dir string) string {
	h1, err := dirhash.HashDir(dir, "", dirhash.Hash1)
	must(t, err)
	sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(h1, "h1:"))
	must(t, err)
	return hex.EncodeToString(sum)
}

func shell(t *testing.T, dir, line string) string {
	t.Helper()
	cmd := exec.Command("bash", "-o", "pipefail", "-c", line)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}

func TestManifestIsCheckedByCoreutils(t *testing.T) {
	dir, f := tree(t, files)
	r := hashed(t, f)
	m := r.Manifest()
	text := readStored(t, m)
	if m.Digest.Hex() != r.Digest.Hex() || m.Size != int64(len(text)) || m.MediaType != ManifestMediaType {
		t.Errorf("got %+v", m)
	}
	manifest := filepath.Join(t.TempDir(), "manifest")
	write(t, manifest, text)
	shell(t, dir, "sha256sum -c --quiet --strict "+manifest)
	merged, err := Merge(t.Context(), []string{manifest}, scratch(t))
	must(t, err)
	if merged.Digest != r.Digest || merged.Files != r.Files {
		t.Errorf("read again it is %s", merged.Digest)
	}
}

func readStored(t *testing.T, s provenance.Stored) string {
	t.Helper()
	body, err := s.Open()
	must(t, err)
	text := readAll(t, body)
	if provenance.SumSHA256([]byte(text)) != s.Digest || int64(len(text)) != s.Size {
		t.Errorf("%s has another digest than it says", s.Name)
	}
	return text
}

func readAll(t *testing.T, body io.ReadCloser) string {
	t.Helper()
	defer body.Close()
	data, err := io.ReadAll(body)
	must(t, err)
	return string(data)
}

func TestSymbolicLinksAreRefused(t *testing.T) {
	dir, f := tree(t, files)
	must(t, os.Symlink("0", filepath.Join(dir, "link")))
	_, err := Hash(t.Context(), f, scratch(t))
	wantRefused(t, err, "data.special", "link in "+dir)
}

func TestEmptyFolderIsRefused(t *testing.T) {
	dir, f := tree(t, nil)
	must(t, os.MkdirAll(filepath.Join(dir, "sub/sub"), 0o755))
	_, err := Hash(t.Context(), f, scratch(t))
	wantRefused(t, err, "data.empty", dir+"/ holds no files")
}

func TestNamesThatAManifestCannotHold(t *testing.T) {
	for name, part := range map[string]string{"a\nb": `"a\nb" has a newline`, "sub\n/x": "newline", "caf\xe9": "not UTF-8"} {
		_, f := tree(t, map[string]string{name: "1"})
		_, err := Hash(t.Context(), f, scratch(t))
		wantRefused(t, err, "data.name", part)
	}
}

func TestOddNamesAreWarnedAbout(t *testing.T) {
	_, f := tree(t, map[string]string{`back\slash`: "1", "carriage\r": "2", "bell\a": "3", "plain": "4"})
	var warned []string
	c, _, err := Collect(t.Context(), "train", f, Options{Dir: t.TempDir(), Warn: func(w string) { warned = append(warned, w) }})
	must(t, err)
	if c.Files != 4 || len(warned) != 3 || !strings.Contains(strings.Join(warned, "\n"), `"back\\slash" has a backslash`) {
		t.Errorf("warned %q", warned)
	}
	for _, name := range []string{"a//b", "/a", "a/./b", "../a", "a/.."} {
		if oddName(name) == "" {
			t.Errorf("%q is not odd", name)
		}
	}
	var odd oddNames
	for range 2 * provenance.MaxListed {
		odd.look("\r")
	}
	if list := odd.list(); len(list) != provenance.MaxListed+1 || !strings.Contains(list[provenance.MaxListed], "20 more") {
		t.Errorf("got %q", list)
	}
}

// hooked is a folder where something happens after a file's first bytes were read.
type hooked struct {
	storage.Folder
	name string
	hook func()
	once sync.Once
}

func (h *hooked) Open(ctx context.Context, o storage.Object) (io.ReadCloser, error) {
	body, err := h.Folder.Open(ctx, o)
	if err != nil || o.Name != h.name {
		return body, err
	}
	return &hookedBody{body, h}, nil
}

type hookedBody struct {
	io.ReadCloser
	h *hooked
}

func (b *hookedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:1])
	b.h.once.Do(b.h.hook)
	return n, err
}

func TestChangesWhileHashingAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		hook func(dir string) error
		part string
	}{
		"file grows while it is read":       {func(dir string) error { return os.WriteFile(dir+"/a", []byte("longer than before"), 0o644) }, "the file a changed"},
		"file is truncated":                 {func(dir string) error { return os.WriteFile(dir+"/a", nil, 0o644) }, "the file a shrank"},
		"another file is added":             {func(dir string) error { return os.WriteFile(dir+"/added", nil, 0o644) }, "1 added (added)"},
		"the file itself is removed":        {func(dir string) error { return os.Remove(dir + "/a") }, "1 removed (a)"},
		"the file itself is renamed":        {func(dir string) error { return os.Rename(dir+"/a", dir+"/b") }, "1 added (b), 1 removed (a)"},
		"the file itself is replaced":       {func(dir string) error { return replace(dir+"/a", "other text") }, "1 modified (a)"},
		"everything goes, and a link comes": {func(dir string) error { return errors.Join(os.Remove(dir+"/a"), os.Symlink("x", dir+"/l")) }, "l in"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, f := tree(t, map[string]string{"a": "some text"})
			h := &hooked{Folder: f, name: "a", hook: func() { must(t, c.hook(dir)) }}
			_, err := Hash(t.Context(), h, scratch(t))
			var refused *provenance.Refused
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.part) {
				t.Errorf("got %v, want a refusal with %q", err, c.part)
			}
		})
	}
}

// replace puts another file into the place of path.
func replace(path, text string) error {
	return errors.Join(os.WriteFile(path+".tmp", []byte(text), 0o644), os.Rename(path+".tmp", path))
}

// listings is a folder that lists what it is told, twice the same.
type listings struct {
	storage.Folder
	objects []storage.Object
	err     error
}

func (l listings) List(_ context.Context, yield func(storage.Object) error) error {
	for _, o := range l.objects {
		if err := yield(o); err != nil {
			return err
		}
	}
	return l.err
}

// Open gives each file its own name as content.
func (l listings) Open(_ context.Context, o storage.Object) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(o.Name)), nil
}

func (l listings) Workers() int { return 0 }
func (l listings) URI() string  { return "https://acct.blob.core.windows.net/data/p/" }

func TestFileListedTwiceIsRefused(t *testing.T) {
	_, err := Hash(t.Context(), listings{objects: []storage.Object{{Name: "a", ETag: "1"}, {Name: "b", ETag: "1"}, {Name: "a", ETag: "1"}}}, scratch(t))
	wantRefused(t, err, "data.changed", "the file a was listed twice")
}

// TestTimesThatCannotBeRecorded: anybody can set the time of a local file, and some file systems keep what no line of an index can hold.
func TestTimesThatCannotBeRecorded(t *testing.T) {
	for _, modified := range []time.Time{{}, time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		_, err := Hash(t.Context(), listings{objects: []storage.Object{{Name: "old", Modified: modified, Inode: 7}}}, scratch(t))
		wantRefused(t, err, "data.date", fmt.Sprintf(`the file "old" was modified in a year that cannot be recorded, %d`, modified.Year()))
	}
}

func TestListingThatFails(t *testing.T) {
	down := errors.New("the network is down")
	if _, err := Hash(t.Context(), listings{objects: []storage.Object{{Name: "a", ETag: "1"}}, err: down}, scratch(t)); err != down {
		t.Errorf("got %v", err)
	}
}

// TestFirstErrorStops hashes a folder whose second-last file cannot be read.
func TestFirstErrorStops(t *testing.T) {
	s := blobdouble.New(t)
	for i := range 100 {
		s.PutText("data", fmt.Sprintf("p/%02d", i), "x")
	}
	s.Fault = func(r blobdouble.Request) blobdouble.Fault {
		if r.Name == "p/98" {
			return blobdouble.Fault{Status: 403, Code: "AuthorizationPermissionMismatch"}
		}
		return blobdouble.Fault{}
	}
	_, err := Hash(t.Context(), open(t, s.URL+"/data/p/"), Options{Dir: t.TempDir(), Workers: 16})
	if err == nil || !strings.Contains(err.Error(), "98: access denied") {
		t.Errorf("got %v", err)
	}
}

func TestCancelled(t *testing.T) {
	_, f := tree(t, files)
	ctx, cancel := context.WithCancel(t.Context())
	h := &hooked{Folder: f, name: "with space", hook: cancel}
	if _, err := Hash(ctx, h, Options{Dir: t.TempDir(), Workers: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestProgress(t *testing.T) {
	_, f := tree(t, files)
	var last Progress
	_, err := Hash(t.Context(), f, Options{Dir: t.TempDir(), Workers: 4, Progress: func(now Progress) {
		if now.Files < last.Files || now.Bytes < last.Bytes || now.ListedFiles < last.ListedFiles || last.Listed && !now.Listed {
			t.Errorf("progress went back from %+v to %+v", last, now)
		}
		last = now
	}})
	must(t, err)
	if want := (Progress{int64(len(files)), filesBytes, int64(len(files)), filesBytes, true}); last != want {
		t.Errorf("got %+v, want %+v", last, want)
	}
}

// linesOf are all entries of a result.
func linesOf(t testing.TB, r *Result) []IndexEntry {
	t.Helper()
	var all []IndexEntry
	for e, err := range r.Lines().Entries() {
		must(t, err)
		all = append(all, e)
	}
	return all
}

// sameFile compares what does not depend on place and time.
func sameFile(a, b IndexEntry) bool {
	return a.Name == b.Name && a.Size == b.Size && a.SHA256 == b.SHA256
}

// TestAzureAndLocalAgree hashes the same files in both, listed in both orders of Azure.
func TestAzureAndLocalAgree(t *testing.T) {
	_, local := tree(t, files)
	want := hashed(t, local)
	for _, hns := range []bool{false, true} {
		s := blobdouble.New(t)
		s.HNS, s.PageSize = hns, 5
		for name, text := range files {
			s.PutText("data", "lake/2026/"+name, text)
		}
		s.Put("data", "lake/2026/a/sub", blobdouble.Blob{Directory: true})
		got := hashed(t, open(t, s.URL+"/data/lake/2026/"))
		if got.Digest != want.Digest || !slices.EqualFunc(linesOf(t, got), linesOf(t, want), sameFile) || got.Bytes != want.Bytes {
			t.Errorf("HNS %v: got %s, want %s", hns, got.Digest, want.Digest)
		}
	}
}

func TestBlobReplacedAfterItWasHashed(t *testing.T) {
	s := blobdouble.New(t)
	s.PutText("data", "p/a", "1")
	var started time.Time
	s.Fault = func(r blobdouble.Request) blobdouble.Fault {
		switch {
		case r.Kind == "list" && r.Try == 1:
			started = time.Now()
		case r.Kind == "list":
			s.PutText("data", "p/a", "1")
		default: // reading takes longer than listing did
			time.Sleep(20*time.Since(started) + 20*time.Millisecond)
		}
		return blobdouble.Fault{}
	}
	_, err := Hash(t.Context(), open(t, s.URL+"/data/p/"), scratch(t))
	wantRefused(t, err, "data.changed", "changed while it was hashed: 1 modified (a)")
}

func TestListAgain(t *testing.T) {
	for _, c := range []struct {
		pinned              bool
		listing, afterwards time.Duration
		want                bool
	}{
		{false, time.Hour, 0, true},
		{false, 0, 0, true},
		{true, time.Hour, time.Minute, false},
		{true, time.Minute, time.Minute, false},
		{true, time.Minute, time.Hour, true},
	} {
		if got := listAgain(c.pinned, c.listing, c.afterwards); got != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}

func TestCollect(t *testing.T) {
	dir, f := tree(t, files)
	newest := time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC)
	must(t, os.Chtimes(dir+"/z", newest, newest))
	got, _, err := Collect(t.Context(), "test", f, scratch(t))
	must(t, err)
	if got.Role != "test" || got.URI != dir+"/" || got.Digest.Hex() != goDirHash(t, dir) || int(got.Files) != len(files) || got.Bytes != filesBytes ||
		!got.Newest.Equal(newest) || got.Immutability != "unknown" || got.Manifest.Digest.Hex() != got.Digest.Hex() {
		t.Errorf("got %+v", got)
	}
	for fact, want := range map[string]provenance.Basis{"digest": provenance.Observed, "files": provenance.Observed, "bytes": provenance.Observed,
		"newest": provenance.Declared, "trainedOn": provenance.Declared, "role": provenance.Declared} {
		if got.Of(fact) != want {
			t.Errorf("%s is %s, want %s", fact, got.Of(fact), want)
		}
	}
	index, err := ReadIndex(strings.NewReader(readStored(t, got.Index)), t.TempDir(), got.Digest)
	must(t, err)
	if index.Files != got.Files || index.Bytes != got.Bytes {
		t.Errorf("the index has %d files of %d bytes", index.Files, index.Bytes)
	}
	_, _, err = Collect(t.Context(), "training", f, scratch(t))
	wantMisused(t, err, `"training" is no role of a data folder: train, validation, test, other`)
	_, empty := tree(t, nil)
	_, _, err = Collect(t.Context(), "train", empty, scratch(t))
	wantRefused(t, err, "data.empty", "holds no files")
}

func TestCollectFromAzure(t *testing.T) {
	s := blobdouble.New(t)
	s.PutText("data", "p/a", "1")
	got, _, err := Collect(t.Context(), "train", open(t, s.URL+"/data/p/"), scratch(t))
	must(t, err)
	if got.Of("newest") != provenance.Reported || got.Newest.IsZero() || got.URI != s.URL+"/data/p/" {
		t.Errorf("got %+v", got)
	}
}

func TestModel(t *testing.T) {
	dir, f := tree(t, map[string]string{"models/model.bin": "weights"})
	for path, single := range map[string]bool{"/models/model.bin": true, "/models": false} {
		m, list, err := Model(t.Context(), "mortgage", "7", open(t, dir+path), scratch(t))
		must(t, err)
		want := goDirHash(t, dir+"/models")
		if m.Name != "mortgage" || m.Version != "7" || m.Digest.Hex() != want || m.Files != 1 || m.Bytes != 7 || m.Manifest.Digest.Hex() != want {
			t.Errorf("%s: got %+v", path, m)
		}
		if m.File.IsZero() == single || single && m.File != provenance.SumSHA256([]byte("weights")) || m.Of("name") != provenance.Declared {
			t.Errorf("%s: the file's digest is %q", path, m.File)
		}
		if len(list) != 1 || list[0] != (provenance.File{Path: "model.bin", Size: 7, SHA256: provenance.SumSHA256([]byte("weights"))}) {
			t.Errorf("%s: files are %v", path, list)
		}
	}
	_, _, err := Model(t.Context(), "m", "", listings{Folder: f}, scratch(t))
	wantRefused(t, err, "data.empty", "holds no files")
}

func TestResultIsDeterministic(t *testing.T) {
	_, f := tree(t, files)
	clock := func() time.Time { return time.Date(2026, 11, 23, 1, 2, 3, 456, time.FixedZone("", 3600)) }
	var texts []string
	for _, workers := range []int{1, 2, 7} {
		r, err := Hash(t.Context(), f, Options{Dir: t.TempDir(), Workers: workers, Now: clock})
		must(t, err)
		texts = append(texts, readStored(t, r.Index())+readStored(t, r.Manifest()))
	}
	if texts[0] != texts[1] || texts[1] != texts[2] || !strings.Contains(texts[0], `"hashedAt":"2026-11-23T00:02:03Z"`) {
		t.Errorf("got %s", texts[0])
	}
}

// namesOf are the keys of a tree.
func namesOf(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
