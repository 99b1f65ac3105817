package folder

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
)

// inTotoManifest and inTotoDigest are the detailed example of the specification of dirHash.
// Source: https://github.com/in-toto/attestation/blob/main/spec/v1/digest_set.md
const (
	inTotoManifest = `3a137eef6458bfb76bb2c63fc29ffc7166604d2d2e09ed9d8250a534122a8364  github.com/marklodato/go-hello-world@v0.0.1/README.md
28e7c942a036902d981759d0bf5704d2bfc7cb500caf68b84711b234af01c6a5  github.com/marklodato/go-hello-world@v0.0.1/go.mod
ddc4da627d9a9f45fb29641a1b185d6f53287ecfd921aacbf4fe54b7a86fe8d1  github.com/marklodato/go-hello-world@v0.0.1/main.go
`
	inTotoDigest = "2a1bb6127fb481c60f67692e22285fb306f3c6ffe62075e0ccf674d7c3adcb8f"
)

func TestInTotoVector(t *testing.T) {
	path := filepath.Join(t.TempDir(), "manifest")
	write(t, path, inTotoManifest)
	merged, err := Merge(t.Context(), []string{path}, scratch(t))
	must(t, err)
	if merged.Digest.Hex() != inTotoDigest || merged.Digest.Algorithm() != provenance.DirHash || merged.Files != 3 {
		t.Errorf("got %s of %d files", merged.Digest, merged.Files)
	}
}

// parseManifest reads a manifest into memory.
func parseManifest(text string) (entries []IndexEntry, err error) {
	err = eachManifestLine(strings.NewReader(text), func(e IndexEntry) error {
		entries = append(entries, e)
		return nil
	})
	return entries, err
}

const zeros = "0000000000000000000000000000000000000000000000000000000000000000"

// badManifests are one mistake each.
var badManifests = map[string]string{
	"":                                "is empty",
	zeros + "  a":                     "ends in the middle of line 1",
	zeros + "  \n":                    "too long or not UTF-8",
	zeros + "  caf\xe9\n":             "too long or not UTF-8",
	zeros + " a\n":                    "no two spaces",
	zeros + " *a\n":                   "no two spaces",
	"\n":                              "no two spaces",
	zeros[1:] + "  a\n":               "is not a sha256 digest",
	strings.Repeat("A", 64) + "  a\n": "is not a sha256 digest",
	zeros + "  b\n" + zeros + "  a\n": "line 2 of the manifest: \"a\" is not sorted",
	zeros + "  a\n" + zeros + "  a\n": "twice in it",
	zeros + "  a\n\n":                 "line 2",
	zeros + "  " + strings.Repeat("a", maxLine): "more than 32768 bytes",
}

func TestParseManifestIsStrict(t *testing.T) {
	for text, part := range badManifests {
		if _, err := parseManifest(text); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%.80q: got %v, want %q", text, err, part)
		}
	}
	broken := errors.New("cut")
	if err := eachManifestLine(iotest.ErrReader(broken), nil); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	files, err := parseManifest(zeros + "  a  b\r\n")
	if err != nil || files[0].Name != "a  b\r" {
		t.Errorf("got %v, %v", files, err)
	}
}

const goodIndex = `{"name":"a","size":"1","etag":"0x8DE","modified":"2026-11-01T00:00:01Z","created":"2026-11-01T00:00:00Z","sha256":"` + zeros + `","hashedAt":"2026-11-23T00:00:00Z"}
{"name":"ü <&> \u2028","size":"9007199254740993","modified":"2026-11-01T00:00:01.000000001Z","sha256":"` + zeros + `","by":"` + zeros + `"}
`

// manifestOf is the digest of the manifest that belongs to an index.
func manifestOf(entries []IndexEntry) provenance.Digest {
	var text []byte
	for _, e := range entries {
		text, _ = appendManifestLine(text, e)
	}
	digest, _ := provenance.NewDigest(provenance.DirHash, provenance.SumSHA256(text).Hex())
	return digest
}

// parseIndex reads the lines of an index into memory, as ReadIndex does.
func parseIndex(data []byte) (entries []IndexEntry, err error) {
	var order ascending
	err = eachLine(bytes.NewReader(data), "index", func(line []byte) error {
		e, err := parseLine(line, true)
		entries = append(entries, e)
		return cmp.Or(err, order.next(e.Name))
	})
	return entries, err
}

func writeIndex(t testing.TB, entries []IndexEntry) (text []byte) {
	t.Helper()
	for _, e := range entries {
		var err error
		text, err = appendLine(text, e)
		must(t, err)
	}
	return text
}

func TestIndexRoundTrip(t *testing.T) {
	parsed, err := parseIndex([]byte(goodIndex))
	must(t, err)
	index, err := ReadIndex(strings.NewReader(goodIndex), t.TempDir(), manifestOf(parsed))
	must(t, err)
	var entries []IndexEntry
	for e, err := range index.Entries() {
		must(t, err)
		entries = append(entries, e)
	}
	if e := entries[1]; e.Name != "ü <&> \u2028" || e.Size != 9007199254740993 || e.ETag != "" || !e.Created.IsZero() || e.Modified.Nanosecond() != 1 ||
		!e.HashedAt.IsZero() || e.By.Hex() != zeros {
		t.Errorf("got %+v", e)
	}
	if again := writeIndex(t, entries); string(again) != goodIndex {
		t.Errorf("got %s\nwant %s", again, goodIndex)
	}
	for range index.Entries() {
		break // may end early
	}
	if _, err := appendLine(nil, IndexEntry{Name: "a", Modified: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}); err == nil {
		t.Error("a date that JSON cannot hold was written")
	}
}

// badIndexes each replace one part of goodIndex by another.
var badIndexes = []struct{ old, new, part string }{
	{`"name":"a"`, `"name":"a","more":1`, "unknown field"},
	{`"name":"a"`, `"name":"a","Name":"b"`, "line 1"},
	{`"name":"a"`, `"NAME":"b","name":"b"`, "line 1"},
	{`"name":"a"`, `"name":""`, "missing or wrong"},
	{`"name":"a"`, `"name":"a\nb"`, "missing or wrong"},
	{`"name":"a"`, `"name":"z\u0000","etag":[["deep"]]`, "line 1"},
	{`"name":"a"`, `"name":"ü <&> \u2028"`, "line 2 of the index: \"ü <&> \\u2028\" is not sorted, or twice"},
	{`"size":"1"`, `"size":1`, "line 1"},
	{`"size":"1"`, `"size":"-1"`, "missing or wrong"},
	{`"size":"1",`, ``, "missing or wrong"},
	{`"modified":"2026-11-01T00:00:01Z",`, ``, "missing or wrong"},
	{`"hashedAt":"2026-11-23T00:00:00Z"`, `"hashedAt":"9999-12-31T23:00:00-23:00"`, "missing or wrong"},
	{`"etag":"0x8DE"`, `"etag":"0x 8DE"`, "an ETag"},
	{`"by":"0`, `"by":"`, "is not a sha256 digest"},
	{`"sha256":"` + zeros + `","h`, `"h`, "is not a sha256 digest"},
	{`"name":"a"`, `"name":"` + strings.Repeat("a", maxName+1) + `"`, "missing or wrong"},
	{`"hashedAt":"2026-11-23T00:00:00Z"`, `"hashedAt":"yesterday"`, "line 1"},
	{`"created":"2026-11-01T00:00:00Z"`, `"created":"9999-12-31T23:00:00-23:00"`, "missing or wrong"},
	{`"created":"2026-11-01T00:00:00Z"`, `"created":"0000-01-01T00:00:00+23:00"`, "missing or wrong"},
	{`"sha256":"0`, `"sha256":"`, "is not a sha256 digest"},
	{"}\n", "} {}\n", "line 1"},
	{"}\n", "}\n\n", "line 2"},
	{goodIndex, "", "the index is empty"},
}

func TestReadIndexIsStrict(t *testing.T) {
	dir := t.TempDir()
	for _, bad := range badIndexes {
		text := strings.Replace(goodIndex, bad.old, bad.new, 1)
		if text == goodIndex {
			t.Fatalf("%q is not in the good index", bad.old)
		}
		if _, err := ReadIndex(strings.NewReader(text), dir, provenance.Digest{}); err == nil || !strings.Contains(err.Error(), bad.part) {
			t.Errorf("%q: got %v, want %q", bad.new, err, bad.part)
		}
	}
	wantEmpty(t, dir)
}

// wantEmpty tells that nothing was left behind.
func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestForeignIndexIsRefused(t *testing.T) {
	_, f := tree(t, files)
	r := hashed(t, f)
	text := readStored(t, r.Index())
	_, err := ReadIndex(strings.NewReader(text), t.TempDir(), r.Digest)
	must(t, err)
	forged := strings.Replace(text, provenance.SumSHA256([]byte("9")).Hex(), provenance.SumSHA256([]byte("another file")).Hex(), 1)
	_, shorter, _ := strings.Cut(text, "\n")
	dir := t.TempDir()
	for _, bad := range []string{forged, shorter} {
		_, err := ReadIndex(strings.NewReader(bad), dir, r.Digest)
		wantRefused(t, err, "data.index", "recombines to")
	}
	_, err = ReadIndex(strings.NewReader(text), dir, provenance.Digest{})
	wantRefused(t, err, "data.index", "recombines to")
	wantEmpty(t, dir)
	if _, err := ReadIndex(strings.NewReader(text), "", r.Digest); err == nil {
		t.Error("no folder for temporary files, and no error")
	}
}

func FuzzManifest(f *testing.F) {
	if _, err := parseManifest(inTotoManifest); err != nil || len(badManifests) < 10 {
		f.Fatalf("the seeds are wrong: %v", err)
	}
	f.Add([]byte(inTotoManifest))
	for text := range badManifests {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := parseManifest(string(data))
		if err != nil {
			return
		}
		var again []byte
		for _, e := range entries {
			again, err = appendManifestLine(again, e)
			must(t, err)
		}
		if !bytes.Equal(again, data) {
			t.Errorf("%q was read as %q", data, again)
		}
	})
}

// FuzzReadIndex also tells that lines which are read fast are read as encoding/json reads them.
func FuzzReadIndex(f *testing.F) {
	if entries, err := parseIndex([]byte(goodIndex)); err != nil || len(entries) != 2 || len(badIndexes) < 10 {
		f.Fatalf("the seeds are wrong: %v", err)
	}
	f.Add([]byte(goodIndex))
	for _, bad := range badIndexes {
		f.Add([]byte(strings.Replace(goodIndex, bad.old, bad.new, 1)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for line := range bytes.Lines(data) {
			sameAsJSON(t, string(bytes.TrimSuffix(line, []byte("\n"))))
		}
		entries, err := parseIndex(data)
		if err != nil {
			return
		}
		text := writeIndex(t, entries)
		again, err := parseIndex(text)
		if err != nil || !slices.Equal(entries, again) || !bytes.Equal(writeIndex(t, again), text) {
			t.Errorf("%q: %v\n%v\n%v", data, err, entries, again)
		}
		if _, err := ReadIndex(bytes.NewReader(data), t.TempDir(), manifestOf(entries)); err != nil {
			t.Error(err)
		}
	})
}

func inUTC(l indexLine) indexLine {
	l.Modified, l.Created, l.HashedAt = l.Modified.UTC(), l.Created.UTC(), l.HashedAt.UTC()
	return l
}

// sameAsJSON compares parsePlain with encoding/json, and appendDigestLine, too.
func sameAsJSON(t *testing.T, line string) {
	fast, ok := parsePlain(line)
	if !ok {
		return
	}
	slow := indexLine{Size: -1}
	dec := json.NewDecoder(strings.NewReader(line))
	dec.DisallowUnknownFields()
	if err := errors.Join(strictjson.Check([]byte(line), 1), dec.Decode(&slow)); err != nil || inUTC(fast) != inUTC(slow) {
		t.Errorf("%q: %v\n%v\n%v", line, err, fast, slow)
	}
	e, err := fast.entry(true)
	if err != nil {
		return
	}
	if e.ETag != "" {
		e.changed = 0 // of local files only
	}
	if e.changed == 0 {
		e.inode = 0
	}
	var want bytes.Buffer
	enc := json.NewEncoder(&want)
	enc.SetEscapeHTML(false)
	must(t, enc.Encode(indexLine{e.Name, e.Size, e.ETag, e.Modified, e.Created, e.SHA256.Hex(), e.HashedAt, e.By.Hex(), e.changed, e.inode}))
	if got, err := appendDigestLine(nil, e); err != nil || string(got) != want.String() {
		t.Errorf("%v: got %q, want %q", err, got, want.String())
	}
}
