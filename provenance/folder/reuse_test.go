package folder

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/blobdouble"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// reading is a folder that notes what is read of it.
type reading struct {
	storage.Folder
	mu    sync.Mutex
	names []string
}

func (r *reading) Open(ctx context.Context, o storage.Object) (io.ReadCloser, error) {
	r.mu.Lock()
	r.names = append(r.names, o.Name)
	r.mu.Unlock()
	return r.Folder.Open(ctx, o)
}

// read is what was read since it was asked last, sorted.
func (r *reading) read() string {
	slices.Sort(r.names)
	all := strings.Join(r.names, " ")
	r.names = nil
	return all
}

// statement is a statement's digest.
func statement(text string) provenance.Digest { return provenance.SumSHA256([]byte(text)) }

// at is a clock.
func at(day int) func() time.Time {
	return func() time.Time { return time.Date(2026, 11, day, 1, 2, 3, 4, time.UTC) }
}

// night is one run, whose digests the next may reuse.
type night struct {
	*testing.T
	folder   *reading
	previous *Previous
}

func (n *night) run(day int) *Result {
	n.Helper()
	r, err := Hash(n.Context(), n.folder, Options{Dir: n.TempDir(), Now: at(day), Previous: n.previous})
	must(n, err)
	fresh := hashed(n, n.folder.Folder)
	if r.Digest != fresh.Digest || r.Listing != fresh.Listing || r.Bytes != fresh.Bytes {
		n.Errorf("day %d: got %+v, want %+v", day, r, fresh)
	}
	return r
}

// publish writes an index and reads it, as the next night does.
func (n *night) publish(r *Result, name string) {
	n.Helper()
	index, err := ReadIndex(strings.NewReader(readStored(n.T, r.Index())), n.TempDir(), r.Digest)
	must(n, err)
	n.previous = &Previous{Index: index, Statement: statement(name)}
}

func TestNightsReadWhatIsNew(t *testing.T) {
	s := blobdouble.New(t)
	for _, name := range []string{"a", "b", "c"} {
		s.PutText("data", "p/"+name, "content of "+name)
	}
	n := &night{T: t, folder: &reading{Folder: open(t, s.URL+"/data/p/")}}
	r := n.run(1)
	if n.folder.read() != "a b c" || r.Reused != nil || r.digestBasis() != provenance.Observed {
		t.Errorf("first night: got %+v", r)
	}
	n.publish(r, "first")
	s.PutText("data", "p/b", "new content") // and another ETag
	s.PutText("data", "p/d", "d")
	s.Delete("data", "p/c")
	r = n.run(2)
	want := provenance.Reused{Files: 1, Bytes: 12, ReadSince: at(1)().Truncate(time.Second), Previous: statement("first")}
	if got := n.folder.read(); got != "b d" || *r.Reused != want || r.digestBasis() != provenance.Signed {
		t.Errorf("second night: read %s, reused %+v", got, r.Reused)
	}
	n.publish(r, "second")
	r = n.run(3)
	if got := n.folder.read(); got != "" || r.Reused.Files != 3 || !r.Reused.ReadSince.Equal(want.ReadSince) || r.Reused.Previous != statement("second") {
		t.Errorf("third night: read %s, reused %+v", got, r.Reused)
	}
	for i, by := range []string{"first", "second", "second"} {
		if e := linesOf(t, r)[i]; e.By != statement(by) {
			t.Errorf("%s was read by %s", e.Name, e.By)
		}
	}
	noun, err := r.Folder("train")
	must(t, err)
	if noun.Of("digest") != provenance.Signed || noun.Reused.Files != 3 || noun.Of("files") != provenance.Observed {
		t.Errorf("got %+v", noun)
	}
}

func TestDigestsThatAreNotReused(t *testing.T) {
	s := blobdouble.New(t)
	s.PutText("data", "p/a", "1")
	n := &night{T: t, folder: &reading{Folder: open(t, s.URL+"/data/p/")}}
	for name, spoil := range map[string]func(e *IndexEntry, p *Previous){
		"too old":       func(_ *IndexEntry, p *Previous) { p.NotBefore = at(2)() },
		"age unknown":   func(e *IndexEntry, _ *Previous) { e.HashedAt = time.Time{} },
		"another ETag":  func(e *IndexEntry, _ *Previous) { e.ETag += "0" },
		"another size":  func(e *IndexEntry, _ *Previous) { e.Size++ },
		"another time":  func(e *IndexEntry, _ *Previous) { e.Modified = e.Modified.Add(time.Second) },
		"another name":  func(e *IndexEntry, _ *Previous) { e.Name += "a" },
		"appends grow":  func(e *IndexEntry, p *Previous) { e.Size, p.Immutable = e.Size-1, provenance.GradeLockedAppend },
		"could be made": func(e *IndexEntry, p *Previous) { e.ETag, p.Immutable = e.ETag+"0", provenance.GradeUnlocked },
	} {
		n.previous = nil
		r := n.run(1)
		n.folder.read()
		e, p := linesOf(t, r)[0], &Previous{Statement: statement("first")}
		spoil(&e, p)
		p.Index = indexOf(t, e)
		n.previous = p
		if r := n.run(3); n.folder.read() != "a" || r.Reused != nil || r.digestBasis() != provenance.Observed {
			t.Errorf("%s: reused %+v", name, r.Reused)
		}
	}
	_, f := tree(t, map[string]string{"a": "1"})
	local := &night{T: t, folder: &reading{Folder: f}}
	local.publish(local.run(1), "first")
	local.folder.read()
	if r := local.run(2); local.folder.read() != "a" || r.Reused != nil {
		t.Errorf("a local file was reused: %+v", r.Reused)
	}
}

func TestReusedIsKnownNoBetterThanBefore(t *testing.T) {
	s := blobdouble.New(t)
	s.PutText("data", "p/a", "1")
	n := &night{T: t, folder: &reading{Folder: open(t, s.URL+"/data/p/")}}
	n.publish(n.run(1), "first")
	for was, want := range map[provenance.Basis]provenance.Basis{"": provenance.Signed, provenance.Observed: provenance.Signed,
		provenance.Signed: provenance.Signed, provenance.Declared: provenance.Declared} {
		n.previous.Basis = was
		if got := n.run(2).digestBasis(); got != want {
			t.Errorf("%s: got %s, want %s", was, got, want)
		}
	}
}

func TestOverwrittenIsRefused(t *testing.T) {
	for grade, until := range map[string]string{provenance.GradeLocked: " until 2026-11-10T01:02:03Z", provenance.GradeLegalHold: ""} {
		s := blobdouble.New(t)
		s.PutText("data", "p/a", "1")
		s.PutText("data", "p/b", "1")
		n := &night{T: t, folder: &reading{Folder: open(t, s.URL+"/data/p/")}}
		n.publish(n.run(1), "first")
		n.previous.Immutable = grade
		if until != "" {
			n.previous.Until = at(10)()
		}
		n.run(2)
		s.PutText("data", "p/a", "1") // the same bytes, another ETag
		for _, shard := range []Shard{{}, {1, 2}, {2, 2}} {
			_, err := Hash(t.Context(), n.folder, Options{Dir: t.TempDir(), Previous: n.previous, Now: at(2), Shard: shard})
			wantRefused(t, err, "data.overwritten", "the file a was overwritten, though it was recorded as immutable ("+grade+")")
		}
		s.Delete("data", "p/a")
		_, err := Hash(t.Context(), n.folder, Options{Dir: t.TempDir(), Previous: n.previous, Now: at(2)})
		wantRefused(t, err, "data.overwritten", "1 file is gone that was recorded as immutable ("+grade+")"+until+": a")
		n.previous.Partial = true
		n.run(2) // a version of a table need not have the files of another
		n.previous.Partial = false
		if until != "" {
			n.run(11) // retention has ended
			n.previous.Until = time.Time{}
		}
		_, err = Hash(t.Context(), n.folder, Options{Dir: t.TempDir(), Previous: n.previous, Now: at(11)}) // nobody knows when it ends
		wantRefused(t, err, "data.overwritten", "1 file is gone that was recorded as immutable ("+grade+"): a")
		n.previous.CompareOnly = true
		_, err = Hash(t.Context(), n.folder, Options{Dir: t.TempDir(), Previous: n.previous, Now: at(11)})
		wantRefused(t, err, "data.overwritten", "1 file is gone")
	}
}

// TestOverwritingIsAllowed where the protection that was recorded does not rule it out.
func TestOverwritingIsAllowed(t *testing.T) {
	for name, was := range map[string]Previous{
		"a version stays, the name moves on": {Immutable: provenance.GradeVersionWORM, Until: at(10)()},
		"the hold lets files grow":           {Immutable: provenance.GradeLegalHold, Appends: true},
		"the policy lets files grow":         {Immutable: provenance.GradeLockedAppend, Until: at(10)()},
		"the time is up, in a table":         {Immutable: provenance.GradeLocked, Until: at(1)(), Partial: true},
	} {
		s := blobdouble.New(t)
		s.PutText("data", "p/a", "1")
		s.PutText("data", "p/b", "1")
		n := &night{T: t, folder: &reading{Folder: open(t, s.URL+"/data/p/")}}
		n.publish(n.run(1), "first")
		n.folder.read()
		was.Index, was.Statement = n.previous.Index, n.previous.Statement
		n.previous = &was
		s.PutText("data", "p/a", "2")
		s.Delete("data", "p/b")
		if n.run(2); n.folder.read() != "a" {
			t.Errorf("%s: a was not read anew", name)
		}
	}
}

// TestDeclaredDigestsAreComparedOnly: they are not taken over.
func TestDeclaredDigestsAreComparedOnly(t *testing.T) {
	s := blobdouble.New(t)
	s.PutText("data", "p/a", "1")
	n := &night{T: t, folder: &reading{Folder: open(t, s.URL+"/data/p/")}}
	n.publish(n.run(1), "first")
	n.folder.read()
	n.previous.CompareOnly, n.previous.Immutable = true, provenance.GradeLocked
	if r := n.run(2); n.folder.read() != "a" || r.Reused != nil || r.digestBasis() != provenance.Observed {
		t.Errorf("reused %+v", r.Reused)
	}
}
