package folder

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/blobdouble"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// tomorrow is a clock by which every file of a test has been at rest.
func tomorrow() time.Time { return time.Now().Add(24 * time.Hour) }

// broken is a folder of which one file cannot be read.
type broken struct {
	*reading
	name string
}

var errBroken = errors.New("the agent was taken away")

func (b broken) Open(ctx context.Context, o storage.Object) (io.ReadCloser, error) {
	if o.Name == b.name {
		return nil, errBroken
	}
	return b.reading.Open(ctx, o)
}

// interrupted hashes a folder up to the file called name, and returns where its state lies.
func interrupted(t *testing.T, f *reading, name string) (state string) {
	t.Helper()
	state = filepath.Join(t.TempDir(), "state")
	_, err := Hash(t.Context(), broken{f, name}, Options{Dir: t.TempDir(), Workers: 1, State: state, Now: tomorrow})
	if !errors.Is(err, errBroken) {
		t.Fatalf("got %v", err)
	}
	f.read()
	return state
}

func resume(t *testing.T, f *reading, state string) *Result {
	t.Helper()
	r, err := Hash(t.Context(), f, Options{Dir: t.TempDir(), Workers: 1, State: state, Now: tomorrow})
	must(t, err)
	if fresh := hashed(t, f.Folder); r.Digest != fresh.Digest || r.Listing != fresh.Listing {
		t.Errorf("got %+v, want %+v", r, fresh)
	}
	return r
}

// abcd are four files, local and in Azure.
func abcd(t *testing.T) map[string]*reading {
	t.Helper()
	s := blobdouble.New(t)
	local := map[string]string{}
	for _, name := range []string{"a", "b", "c", "d"} {
		s.PutText("data", "p/"+name, name)
		local[name] = name
	}
	_, f := tree(t, local)
	return map[string]*reading{"local": {Folder: f}, "Azure": {Folder: open(t, s.URL+"/data/p/")}}
}

func TestInterruptedIsResumed(t *testing.T) {
	for place, f := range abcd(t) {
		state := interrupted(t, f, "c")
		r := resume(t, f, state)
		if got := f.read(); got != "c d" || r.Resumed != 2 || r.digestBasis() != provenance.Declared {
			t.Errorf("%s: read %s, resumed %d", place, got, r.Resumed)
		}
		if r := resume(t, f, state); f.read() != "" || r.Resumed != 4 {
			t.Errorf("%s: finished and started again, resumed %d", place, r.Resumed)
		}
		must(t, ClearState(state))
		wantEmpty(t, state)
		if r := resume(t, f, state); f.read() != "a b c d" || r.Resumed != 0 || r.digestBasis() != provenance.Observed {
			t.Errorf("%s: cleared, and resumed %d", place, r.Resumed)
		}
	}
	must(t, ClearState(filepath.Join(t.TempDir(), "none")))
}

func TestUnchanged(t *testing.T) {
	now := time.Now()
	local := IndexEntry{Name: "a", Size: 1, Modified: now, changed: now.UnixNano(), inode: 7, HashedAt: now.Add(2 * settled)}
	blob := IndexEntry{Name: "a", Size: 1, ETag: "0x1", Modified: now, HashedAt: now}
	like := func(e IndexEntry, change func(o *storage.Object)) storage.Object {
		o := storage.Object{Name: e.Name, Size: e.Size, ETag: e.ETag, Modified: e.Modified, Changed: e.changed, Inode: e.inode}
		change(&o)
		return o
	}
	for name, c := range map[string]struct {
		was    IndexEntry
		change func(o *storage.Object)
		want   bool
	}{
		"local":                        {local, func(*storage.Object) {}, true},
		"blob":                         {blob, func(*storage.Object) {}, true},
		"local, of another size":       {local, func(o *storage.Object) { o.Size++ }, false},
		"local, modified":              {local, func(o *storage.Object) { o.Modified = now.Add(1) }, false},
		"local, changed":               {local, func(o *storage.Object) { o.Changed++ }, false},
		"local, without a change time": {local, func(o *storage.Object) { o.Changed = 0 }, false},
		"local, another in its place":  {local, func(o *storage.Object) { o.Inode++ }, false},
		"local, without an inode":      {local, func(o *storage.Object) { o.Inode = 0 }, false},
		"blob, of another size":        {blob, func(o *storage.Object) { o.Size++ }, false},
		"blob, modified":               {blob, func(o *storage.Object) { o.Modified = now.Add(1) }, false},
		"blob, rewritten":              {blob, func(o *storage.Object) { o.ETag = "0x2" }, false},
	} {
		if got := unchanged(c.was, like(c.was, c.change)); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
	local.HashedAt = now.Add(settled / 2)
	if unchanged(local, like(local, func(*storage.Object) {})) {
		t.Error("a file that had just changed when it was read is resumed")
	}
}

// onlyJournal is the path of the one journal of a state.
func onlyJournal(t *testing.T, state string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(state, "*"+journalSuffix))
	if err != nil || len(found) != 1 {
		t.Fatalf("got %v, %v", found, err)
	}
	return found[0]
}

// TestTornStateIsReadUpToTheTear tears a journal at each of its bytes.
func TestTornStateIsReadUpToTheTear(t *testing.T) {
	f := abcd(t)["Azure"]
	state := interrupted(t, f, "d")
	journal := onlyJournal(t, state)
	whole, err := os.ReadFile(journal)
	must(t, err)
	last := int64(0)
	for n := range len(whole) {
		var read int64
		must(t, readJournal(bytes.NewReader(whole[:n]), journal, f.URI(), func(IndexEntry) error { read++; return nil }))
		if read < last || read > 2 {
			t.Errorf("%d of %d bytes hold %d files, fewer hold %d", n, len(whole), read, last)
		}
		last = read
	}
	must(t, os.WriteFile(journal, whole[:len(whole)-1], 0o600))
	if r := resume(t, f, state); f.read() != "c d" || r.Resumed != 2 {
		t.Errorf("resumed %d", r.Resumed)
	}
}

// TestDamagedStateIsReadAgain turns each bit of the last frame.
func TestDamagedStateIsReadAgain(t *testing.T) {
	f := abcd(t)["Azure"]
	whole, err := os.ReadFile(onlyJournal(t, interrupted(t, f, "d")))
	must(t, err)
	for bit := range 8 * 100 {
		damaged := bytes.Clone(whole)
		damaged[len(damaged)-100+bit/8] ^= 1 << (bit % 8)
		var read int
		must(t, readJournal(bytes.NewReader(damaged), "", f.URI(), func(IndexEntry) error { read++; return nil }))
		if read > 2 {
			t.Fatalf("bit %d is wrong, and %d files are read", bit, read)
		}
	}
}

func TestForeignStateIsRefused(t *testing.T) {
	f, other := abcd(t)["Azure"], abcd(t)["local"]
	state := interrupted(t, f, "c")
	journal := onlyJournal(t, state)
	moved := filepath.Join(state, journalPrefix(other.URI())+"1"+journalSuffix)
	must(t, os.Rename(journal, moved))
	_, err := Hash(t.Context(), other, Options{Dir: t.TempDir(), State: state})
	wantRefused(t, err, "data.state", "is no state of "+other.URI())
	_, err = Hash(t.Context(), other, Options{Dir: t.TempDir(), State: moved})
	wantMisused(t, err, "the state cannot be kept")
	if r := resume(t, f, state); r.Resumed != 0 { // what lies there is not its own
		t.Errorf("resumed %d", r.Resumed)
	}
}

func TestStateThatCannotBeWritten(t *testing.T) {
	f := abcd(t)["Azure"]
	s, err := openState(t.TempDir(), t.TempDir(), f.URI())
	must(t, err)
	must(t, s.journal.Close())
	if err := s.append(IndexEntry{Name: "a"}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v", err)
	}
	s.close()
}

func FuzzJournal(f *testing.F) {
	const uri = "abfss://data@contoso.dfs.core.windows.net/p/"
	entry := IndexEntry{Name: "a/ü", Size: 7, ETag: "0x8DE", Modified: at(1)(), Created: at(1)(), HashedAt: at(2)(), SHA256: statement("x"), changed: 5, inode: 1 << 63}
	first := appendFrame(nil, []byte(journalMagic+uri))
	payload := append(binary.AppendUvarint(nil, uint64(len(entry.Name))), entry.Name...)
	seed := appendFrame(bytes.Clone(first), appendEntry(payload, entry))
	read := func(data []byte) (entries []IndexEntry, err error) {
		err = readJournal(bytes.NewReader(data), "journal", uri, func(e IndexEntry) error { entries = append(entries, e); return nil })
		return entries, err
	}
	if got, err := read(seed); err != nil || len(got) != 1 || got[0] != entry {
		f.Fatalf("the seeds are wrong: %v, %v", got, err)
	}
	f.Add(payload)
	f.Add(appendEntry(payload, entry))
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		read(data) // must end
		entries, err := read(appendFrame(bytes.Clone(first), data))
		if err != nil || len(entries) > 1 {
			t.Fatalf("got %v, %v", entries, err)
		}
		for _, e := range entries {
			if again, err := readEntry(e.Name, appendEntry(nil, e)); err != nil || again != e {
				t.Errorf("%+v was written as %+v: %v", e, again, err)
			}
			if _, err := provenance.NewDigest(provenance.SHA256, e.SHA256.Hex()); err != nil {
				t.Error(err)
			}
		}
	})
}
