package azuredevops

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance/source/internal/sourcetest"
	"golang.org/x/mod/sumdb/dirhash"
)

// TestZipDirHash: the digest is that of the artifact's files, wherever the zip has its folder.
func TestZipDirHash(t *testing.T) {
	want := zipDirHashOf(t, map[string]string{"a b.txt": "1", "c/d": "2", "ä": ""})
	for name, data := range map[string][]byte{
		"with the folder":    storedZip(t, "model/", "", "model/c/", "", "model/c/d", "2", "model/a b.txt", "1", "model/ä", ""),
		"without the folder": storedZip(t, "ä", "", "a b.txt", "1", "c/d", "2"),
	} {
		digest, files, err := zipDirHash(data, "model")
		if err != nil || digest != want || files != 3 {
			t.Errorf("%s: %s of %d files (%v), want %s", name, digest, files, err, want)
		}
	}
	if digest, files, err := zipDirHash(storedZip(t), "model"); err != nil || files != 0 || digest != zipDirHashOf(t, nil) {
		t.Errorf("nothing: %s of %d files (%v)", digest, files, err)
	}
}

func TestZipNames(t *testing.T) {
	var held *notHeldArtifact
	for _, name := range []string{"../x", "a/../b", "/etc/passwd", "a\nb", "a\rb", "C:/x", `a\b`, "a//b", "./a", ".", "..", "a\x00b", "\xff"} {
		if _, _, err := zipDirHash(storedZip(t, "fine", "", name, ""), "model"); !errors.As(err, &held) || strings.ContainsAny(err.Error(), "\n\x00") {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, twice := range [][]string{{"a", "1", "a", "2"}, {"a/", "", "a", ""}} {
		if _, _, err := zipDirHash(storedZip(t, twice...), "model"); !errors.As(err, &held) || !strings.Contains(err.Error(), "twice") {
			t.Errorf("%q: %v", twice, err)
		}
	}
}

// TestZipBomb: what unpacks to more than its bound is not unpacked.
func TestZipBomb(t *testing.T) {
	var buffer bytes.Buffer
	w := zip.NewWriter(&buffer)
	for _, name := range []string{"a", "b"} {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(f, zeros{}, maxZip/2+1); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if buffer.Len() > 1<<20 {
		t.Fatalf("the bomb is %d bytes long", buffer.Len())
	}
	if _, _, err := zipDirHash(buffer.Bytes(), "model"); !errors.Is(err, errLargeZip) {
		t.Errorf("the bomb: %v", err)
	}
	k := &logKeeper{left: maxLogs}
	if err := k.unzip(buffer.Bytes()); err != nil || !k.cut || k.out.Len() > 1000 {
		t.Errorf("the bomb as logs: %d bytes, cut %t (%v)", k.out.Len(), k.cut, err)
	}
}

// TestZipOfManyFiles: a directory without end is not read into memory, whatever the records at the zip's end say of it.
func TestZipOfManyFiles(t *testing.T) {
	const files = 1_000_000
	entry := append([]byte("PK\x01\x02"), make([]byte, 42)...)
	for name, declared := range map[string]uint16{"honest, as far as it goes": files % (1 << 16), "one": 1, "zip64": 0xffff} {
		end := append([]byte("PK\x05\x06"), make([]byte, 18)...)
		binary.LittleEndian.PutUint16(end[8:], declared)
		binary.LittleEndian.PutUint16(end[10:], declared)
		binary.LittleEndian.PutUint32(end[12:], uint32(files*len(entry)))
		data := bytes.Repeat(entry, files)
		if declared == 0xffff {
			data = append(data, zip64End(files, files*len(entry))...)
		}
		data = append(data, end...)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := zipDirHash(data, "model")
		logs := &logKeeper{left: maxLogs}
		failed := logs.unzip(data)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, errManyFiles) || failed != nil || !logs.cut || used > 1<<20 {
			t.Errorf("%s: %v; as logs %v, cut %t; with %d bytes", name, err, failed, logs.cut, used)
		}
	}
}

// zip64End are the records of a large zip that stand before its last one.
// Source: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT (4.3.14, 4.3.15)
func zip64End(files, size int) []byte {
	end := append([]byte("PK\x06\x06"), make([]byte, 52)...)
	binary.LittleEndian.PutUint64(end[4:], 44)
	binary.LittleEndian.PutUint64(end[24:], uint64(files))
	binary.LittleEndian.PutUint64(end[32:], uint64(files))
	binary.LittleEndian.PutUint64(end[40:], uint64(size))
	locator := append([]byte("PK\x06\x07"), make([]byte, 16)...)
	binary.LittleEndian.PutUint64(locator[8:], uint64(size))
	binary.LittleEndian.PutUint32(locator[16:], 1)
	return append(end, locator...)
}

// zeros never end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestLogs: logs are cut at their bound, at a line that is too long, and between files that are too many.
func TestLogs(t *testing.T) {
	long := strings.Repeat("x", maxLogLine+10)
	k := &logKeeper{left: maxLogs}
	if err := k.unzip(storedZip(t, "b.log", "1\n"+long+"\n3", "a/", "", "a.log", "")); err != nil {
		t.Fatal(err)
	}
	if got, want := k.out.String(), "==== a.log ====\n==== b.log ====\n1\n(a line of more than 64 KiB)\n3\n"; got != want || k.cut {
		t.Errorf("%q, cut %t", got, k.cut)
	}
	k = &logKeeper{left: 3}
	if err := k.unzip(storedZip(t, "a", "12345", "b", "6")); err != nil || k.out.String() != "==== a ====\n123\n" || !k.cut {
		t.Errorf("%q, cut %t (%v)", k.out.String(), k.cut, err)
	}
	var many []string
	for range maxLogFiles + 1 {
		many = append(many, "a", "")
	}
	k = &logKeeper{left: maxLogs}
	if err := k.unzip(storedZip(t, many...)); err != nil || !k.cut || strings.Count(k.out.String(), "\n") != maxLogFiles {
		t.Errorf("%d lines, cut %t (%v)", strings.Count(k.out.String(), "\n"), k.cut, err)
	}
}

// FuzzZipDirHash: what is summed is what Go's dirhash makes of the same zip, names included.
func FuzzZipDirHash(f *testing.F) {
	seeds := [][]byte{storedZip(f, "model/a", "1"), storedZip(f, "a", "1", "b/c", "2"), storedZip(f, "a", "", "a", ""), []byte("PK\x05\x06"), nil}
	if len(seeds) < 5 {
		f.Fatal("no seeds")
	}
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		digest, files, err := zipDirHash(data, "\x00no folder")
		if err != nil {
			return
		}
		archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		byName := map[string]*zip.File{}
		for _, file := range archive.File {
			if !strings.HasSuffix(file.Name, "/") {
				names = append(names, file.Name)
				byName[file.Name] = file
			}
		}
		h1, err := dirhash.Hash1(names, func(name string) (io.ReadCloser, error) { return byName[name].Open() })
		if err != nil || sourcetest.HexOfH1(t, h1) != digest.Hex() || files != int64(len(names)) {
			t.Errorf("%s of %d files, want %s (%v)", digest, files, h1, err)
		}
	})
}
