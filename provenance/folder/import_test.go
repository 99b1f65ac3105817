package folder

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/blobdouble"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// aAndB is a folder in Azure.
func aAndB(t *testing.T) (*blobdouble.Server, storage.Folder) {
	t.Helper()
	s := blobdouble.New(t)
	s.PutText("data", "p/a", "1")
	s.PutText("data", "p/b", "22")
	return s, open(t, s.URL+"/data/p/")
}

// withoutETags is a digest file as a job writes it that sees the folder through a mount: no ETags, and the listing's digest
// is over what it saw.
func withoutETags(t *testing.T, f storage.Folder) string {
	t.Helper()
	sorter := newSorter(t.TempDir())
	for _, e := range linesOf(t, hashed(t, f)) {
		e.ETag = ""
		must(t, sorter.addEntry(e))
	}
	r, err := build(t.TempDir(), sorter)
	must(t, err)
	r.URI, r.Listed = f.URI(), at(1)()
	var text bytes.Buffer
	must(t, WriteDigestFile(&text, r))
	return text.String()
}

func TestImport(t *testing.T) {
	_, f := aAndB(t)
	want := hashed(t, f)
	shards, err := Merge(t.Context(), writeShards(t, f, 2), scratch(t))
	must(t, err)
	mounted, err := mergeTexts(t, withoutETags(t, f))
	must(t, err)
	manifest, err := mergeTexts(t, readStored(t, want.Manifest()))
	must(t, err)
	read := &reading{Folder: f}
	for name, m := range map[string]*Merged{"shards": shards, "without ETags": mounted, "manifest": manifest} {
		for sealedBy, basis := range map[string]provenance.Basis{"": provenance.Declared, "sha256:0c2f": provenance.Signed} {
			if name == "manifest" { // it does not say when the files were hashed, so nothing ties it to what they are now
				basis = provenance.Declared
			}
			r, err := Import(t.Context(), read, m, sealedBy, scratch(t))
			must(t, err)
			noun, err := r.Folder("train")
			must(t, err)
			if imported := (provenance.Imported{Files: 2, Parts: len(m.Parts), SealedBy: sealedBy, ReadSince: noun.Imported.ReadSince}); *noun.Imported != imported || noun.Of("digest") != basis {
				t.Errorf("%s: got %+v, %s", name, noun.Imported, noun.Of("digest"))
			}
			if known := !noun.Imported.ReadSince.IsZero(); known != (name != "manifest") || noun.Imported.ReadSince.After(noun.Listed) {
				t.Errorf("%s: read since %v", name, noun.Imported.ReadSince)
			}
			if noun.Digest != want.Digest || noun.Bytes != want.Bytes || r.Listing != want.Listing || !noun.Newest.Equal(want.Newest) ||
				!noun.Oldest.Equal(want.Oldest) || noun.Listed.IsZero() || read.read() != "" {
				t.Errorf("%s: got %+v", name, noun)
			}
			index, err := ReadIndex(strings.NewReader(readStored(t, noun.Index)), t.TempDir(), noun.Digest)
			must(t, err)
			if got := recheck(t, f, index, RecheckListing) + recheck(t, f, index, RecheckContent); got != "" {
				t.Errorf("%s: rechecked, it is %s", name, got)
			}
		}
	}
}

func TestImportRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change         func(s *blobdouble.Server)
		parts, mounted string
	}{
		"extra file":   {func(s *blobdouble.Server) { s.PutText("data", "p/c", "") }, "1 added (c)", "1 added (c)"},
		"missing file": {func(s *blobdouble.Server) { s.Delete("data", "p/b") }, "1 removed (b)", "1 removed (b)"},
		"size differs": {func(s *blobdouble.Server) { s.PutText("data", "p/a", "longer") }, "1 modified (a)", "1 modified (a)"},
		"ETag differs": {func(s *blobdouble.Server) { s.PutText("data", "p/a", "1") }, "1 modified (a)", "1 modified (a)"}, // and newer
	} {
		s, f := aAndB(t)
		parts, err := Merge(t.Context(), writeShards(t, f, 2), scratch(t))
		must(t, err)
		mounted, err := mergeTexts(t, withoutETags(t, f))
		must(t, err)
		c.change(s)
		_, err = Import(t.Context(), f, parts, "", scratch(t))
		wantRefused(t, err, "data.manifest", "is not what its digests were computed of: "+c.parts)
		_, err = Import(t.Context(), f, mounted, "", scratch(t))
		wantRefused(t, err, "data.manifest", c.mounted)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func TestImportOfAnotherFolderIsRefused(t *testing.T) {
	s, f := aAndB(t)
	m, err := mergeTexts(t, withoutETags(t, f))
	must(t, err)
	s.PutText("data", "q/a", "1")
	_, err = Import(t.Context(), open(t, s.URL+"/data/q/"), m, "", scratch(t))
	wantRefused(t, err, "data.manifest", "the digest files are of "+f.URI()+", not of ")
	manifest, err := mergeTexts(t, readStored(t, hashed(t, f).Manifest()))
	must(t, err)
	_, err = Import(t.Context(), open(t, s.URL+"/data/q/"), manifest, "", scratch(t))
	wantRefused(t, err, "data.manifest", "1 removed (b)")
	down := errors.New("the network is down")
	if _, err := Import(t.Context(), listings{err: down}, manifest, "", scratch(t)); err != down {
		t.Errorf("got %v", err)
	}
	if _, err := Import(t.Context(), f, m, "", Options{}); err == nil {
		t.Error("no folder for temporary files, and no error")
	}
}

// writeListing takes a listing and writes it to a file.
func writeListing(t *testing.T, f storage.Folder) string {
	t.Helper()
	l, err := TakeListing(t.Context(), f, Options{Dir: t.TempDir(), Now: at(1)})
	must(t, err)
	var text bytes.Buffer
	must(t, l.Write(&text))
	path := filepath.Join(t.TempDir(), "listing.jsonl")
	write(t, path, text.String())
	return path
}

func TestListingBeforeTraining(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(s *blobdouble.Server)
		changes string
	}{
		"nothing":   {func(*blobdouble.Server) {}, ""},
		"added":     {func(s *blobdouble.Server) { s.PutText("data", "p/c", "") }, "1 added (c)"},
		"removed":   {func(s *blobdouble.Server) { s.Delete("data", "p/b") }, "1 removed (b)"},
		"rewritten": {func(s *blobdouble.Server) { s.PutText("data", "p/a", "1") }, "1 modified (a)"},
	} {
		s, f := aAndB(t)
		path := writeListing(t, f)
		l, err := ReadListing(t.Context(), path, scratch(t))
		must(t, err)
		text, err := os.ReadFile(path)
		must(t, err)
		if l.File != provenance.SumSHA256(text) || l.Files != 2 || l.Bytes != 3 || l.URI != f.URI() {
			t.Errorf("got %+v", l)
		}
		c.change(s)
		r := hashed(t, f)
		before, err := CompareListing(l, "sha256:0c2f", r)
		must(t, err)
		want := provenance.Before{Listed: at(1)(), Listing: l.Digest, Same: c.changes == "", Changes: c.changes, SealedBy: "sha256:0c2f"}
		if before != want || before.Same != (l.Digest == r.Listing) {
			t.Errorf("%s: got %+v, want %+v", name, before, want)
		}
	}
}

func TestListingOfTimesDiffers(t *testing.T) {
	_, f := tree(t, files)
	l, err := TakeListing(t.Context(), f, scratch(t))
	must(t, err)
	later := at(1)().AddDate(100, 0, 0)
	must(t, os.Chtimes(filepath.Join(f.URI(), "z"), later, later))
	before, err := CompareListing(l, "", hashed(t, f))
	must(t, err)
	if before.Same || before.Changes != "1 modified (z)" {
		t.Errorf("got %+v", before)
	}
}

func TestListingRefuses(t *testing.T) {
	s, f := aAndB(t)
	data, err := os.ReadFile(writeListing(t, f))
	must(t, err)
	read := func(text string) error {
		path := filepath.Join(t.TempDir(), "listing")
		write(t, path, text)
		l, err := ReadListing(t.Context(), path, scratch(t))
		if err == nil {
			_, err = CompareListing(l, "", hashed(t, f))
		}
		return err
	}
	must(t, read(string(data)))
	for pattern, c := range map[string]struct{ with, part string }{
		`"size":"1"`:         {`"size":"2"`, "its lines are not what its header says"},
		`"bytes":"3"`:        {`"bytes":"4"`, "its lines are not what its header says"},
		`"name":"b"`:         {`"name":"c"`, "its lines are not what its header says"},
		`"name":"a"`:         {`"name":"c"`, "not sorted"},
		`"entries":"2"`:      {`"entries":"1"`, "the header says that 1 lines follow"},
		`"shard":"listing"`:  {`"shard":"1/1"`, "is no listing"},
		`,"created":"[^"]*"`: {`,"sha256":"` + zeros + `"`, "a listing has no digests"},
		`\n$`:                {"", "ends in the middle"},
		`/p/`:                {"/q/", "the listing from before training is of"},
	} {
		wantRefused(t, read(regexp.MustCompile(pattern).ReplaceAllString(string(data), c.with)), "data.listing", c.part)
	}
	_, err = ReadListing(t.Context(), filepath.Join(t.TempDir(), "none"), scratch(t))
	wantMisused(t, err, "does not exist")
	s.Delete("data", "p/a")
	s.Delete("data", "p/b")
	_, err = TakeListing(t.Context(), f, scratch(t))
	wantRefused(t, err, "data.empty", "holds no files")
	down := errors.New("the network is down")
	if _, err := TakeListing(t.Context(), listings{err: down}, scratch(t)); err != down {
		t.Errorf("got %v", err)
	}
}
