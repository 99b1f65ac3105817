package folder

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
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
	files, err := ParseManifest(strings.NewReader(inTotoManifest))
	must(t, err)
	slices.Reverse(files) // the order does not matter
	if got := DirHash(files); got.Hex() != inTotoDigest || files[0].Path != "github.com/marklodato/go-hello-world@v0.0.1/main.go" {
		t.Errorf("got %s of %v", got, files)
	}
}

const zeros = "0000000000000000000000000000000000000000000000000000000000000000"

// badManifests are one mistake each.
var badManifests = map[string]string{
	"":                                "is empty",
	zeros + "  a":                     "ends in the middle of line 1",
	zeros + "  \n":                    "empty or not UTF-8",
	zeros + "  caf\xe9\n":             "empty or not UTF-8",
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
		if files, err := ParseManifest(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), part) || files != nil {
			t.Errorf("%.80q: got %v, want %q", text, err, part)
		}
	}
	broken := errors.New("cut")
	if _, err := ParseManifest(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	files, err := ParseManifest(strings.NewReader(zeros + "  a  b\r\n"))
	if err != nil || files[0].Path != "a  b\r" {
		t.Errorf("got %v, %v", files, err)
	}
}

const goodIndex = `{"name":"a","size":"1","etag":"0x8DE","modified":"2026-11-01T00:00:01Z","created":"2026-11-01T00:00:00Z","sha256":"` + zeros + `","hashedAt":"2026-11-23T00:00:00Z"}
{"name":"ü <&> \u2028","size":"9007199254740993","modified":"2026-11-01T00:00:01.000000001Z","sha256":"` + zeros + `","hashedAt":"2026-11-23T00:00:00Z"}
`

func TestIndexRoundTrip(t *testing.T) {
	entries, err := ParseIndex(strings.NewReader(goodIndex))
	must(t, err)
	if e := entries[1]; e.Name != "ü <&> \u2028" || e.Size != 9007199254740993 || e.ETag != "" || !e.Created.IsZero() || e.Modified.Nanosecond() != 1 {
		t.Errorf("got %+v", e)
	}
	var again bytes.Buffer
	must(t, WriteIndex(&again, entries))
	if again.String() != goodIndex {
		t.Errorf("got %s\nwant %s", again.String(), goodIndex)
	}
	if err := WriteIndex(io.Discard, []IndexEntry{{Name: "a", Modified: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}}); err == nil {
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
	{`,"hashedAt":"2026-11-23T00:00:00Z"`, ``, "missing or wrong"},
	{`"hashedAt":"2026-11-23T00:00:00Z"`, `"hashedAt":"yesterday"`, "line 1"},
	{`"created":"2026-11-01T00:00:00Z"`, `"created":"9999-12-31T23:00:00-23:00"`, "missing or wrong"},
	{`"created":"2026-11-01T00:00:00Z"`, `"created":"0000-01-01T00:00:00+23:00"`, "missing or wrong"},
	{`"sha256":"0`, `"sha256":"`, "is not a sha256 digest"},
	{"}\n", "} {}\n", "line 1"},
	{"}\n", "}\n\n", "line 2"},
	{goodIndex, "", "the index is empty"},
}

func TestParseIndexIsStrict(t *testing.T) {
	for _, bad := range badIndexes {
		text := strings.Replace(goodIndex, bad.old, bad.new, 1)
		if text == goodIndex {
			t.Fatalf("%q is not in the good index", bad.old)
		}
		if _, err := ParseIndex(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), bad.part) {
			t.Errorf("%q: got %v, want %q", bad.new, err, bad.part)
		}
	}
}

func TestCheckIndex(t *testing.T) {
	_, f := tree(t, files)
	r := hashed(t, f)
	must(t, CheckIndex(r.Entries, r.Digest))
	forged := slices.Clone(r.Entries)
	forged[3].SHA256 = provenance.SumSHA256([]byte("another file"))
	wantRefused(t, CheckIndex(forged, r.Digest), "data.index", "recombines to")
	wantRefused(t, CheckIndex(r.Entries[1:], r.Digest), "data.index", "recombines to")
	wantRefused(t, CheckIndex(r.Entries, provenance.Digest{}), "data.index", "recombines to")
}

func FuzzParseManifest(f *testing.F) {
	if _, err := ParseManifest(strings.NewReader(inTotoManifest)); err != nil || len(badManifests) < 10 {
		f.Fatalf("the seeds are wrong: %v", err)
	}
	f.Add([]byte(inTotoManifest))
	for text := range badManifests {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		files, err := ParseManifest(bytes.NewReader(data))
		if err != nil {
			return
		}
		var again bytes.Buffer
		must(t, WriteManifest(&again, files))
		if !bytes.Equal(again.Bytes(), data) || DirHash(files).Hex() != provenance.SumSHA256(data).Hex() {
			t.Errorf("%q was read as %q", data, again.Bytes())
		}
	})
}

func FuzzParseIndex(f *testing.F) {
	if entries, err := ParseIndex(strings.NewReader(goodIndex)); err != nil || len(entries) != 2 || len(badIndexes) < 10 {
		f.Fatalf("the seeds are wrong: %v", err)
	}
	f.Add([]byte(goodIndex))
	for _, bad := range badIndexes {
		f.Add([]byte(strings.Replace(goodIndex, bad.old, bad.new, 1)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := ParseIndex(bytes.NewReader(data))
		if err != nil {
			return
		}
		var text bytes.Buffer
		must(t, WriteIndex(&text, entries))
		again, err := ParseIndex(&text)
		if err != nil || !slices.EqualFunc(entries, again, sameEntry) {
			t.Errorf("%q: %v\n%v\n%v", data, err, entries, again)
		}
	})
}

func sameEntry(a, b IndexEntry) bool {
	return a.Name == b.Name && a.Size == b.Size && a.ETag == b.ETag && a.SHA256 == b.SHA256 &&
		a.Modified.Equal(b.Modified) && a.Created.Equal(b.Created) && a.HashedAt.Equal(b.HashedAt)
}
