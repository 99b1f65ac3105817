package delta

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// deltalake does not write deletion vectors, and no other writer runs without a network. The tables here are tables of
// deltalake that are extended by hand, as the protocol says, and deltalake reads them.

// vectorProtocol lets a table have deletion vectors.
const vectorProtocol = `{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],"writerFeatures":["deletionVectors"]}}`

// vectorName is the file of vectorUUID, in Z85; both are of the protocol's example.
const (
	vectorUUID = "^-aqEH.-t@S}K{vb[*k^"
	vectorName = "deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin"
)

// bitmap is a deletion vector: rows in the "portable" format of a 64-bit roaring bitmap, with one array container.
// Source: https://github.com/delta-io/delta/blob/master/PROTOCOL.md#deletion-vector-format
func bitmap(rows ...uint16) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 1681511377)
	b = le.AppendUint64(b, 1)     // one bucket,
	b = le.AppendUint32(b, 0)     // of the rows from 0 on
	b = le.AppendUint32(b, 12346) // no container is of runs
	b = le.AppendUint32(b, 1)
	b = le.AppendUint16(b, 0)
	b = le.AppendUint16(b, uint16(len(rows)-1))
	b = le.AppendUint32(b, 16) // where the container begins
	for _, row := range rows {
		b = le.AppendUint16(b, row)
	}
	return b
}

// vectorsFile is a file of deletion vectors, and the offset of each.
func vectorsFile(vectors ...[]byte) (file []byte, offsets []int) {
	file = []byte{1}
	for _, v := range vectors {
		offsets = append(offsets, len(file))
		file = binary.BigEndian.AppendUint32(file, uint32(len(v)))
		file = append(file, v...)
		file = binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(v))
	}
	return file, offsets
}

// entry is what the log says of a file, to say it again in another way.
type entry map[string]any

// adds are the add actions of a version's commit.
func adds(t testing.TB, dir string, version int64) []entry {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, logDir, pad(version)+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var out []entry
	for line := range strings.Lines(string(data)) {
		var a struct{ Add entry }
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		if a.Add != nil {
			out = append(out, a.Add)
		}
	}
	if len(out) == 0 {
		t.Fatalf("version %d adds nothing", version)
	}
	return out
}

// with is the entry with one field changed.
func (e entry) with(name string, value any) entry {
	out := entry{}
	for k, v := range e {
		out[k] = v
	}
	out[name] = value
	return out
}

func line(kind string, e any) string {
	data, err := json.Marshal(map[string]any{kind: e})
	if err != nil {
		panic(err)
	}
	return string(data)
}

// vectorOf is the deletionVector of an add.
func vectorOf(storage, path string, offset, size, rows int) entry {
	return entry{"storageType": storage, "pathOrInlineDv": path, "offset": offset, "sizeInBytes": size, "cardinality": rows}
}

// commitTo writes the commit of a version.
func commitTo(t testing.TB, dir string, version int64, lines ...string) {
	t.Helper()
	info := `{"commitInfo":{"timestamp":1795492897831,"operation":"DELETE"}}`
	writeLog(t, dir, pad(version)+".json", strings.Join(append([]string{info}, lines...), "\n")+"\n")
}

func writeLog(t testing.TB, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, logDir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// withVectors is a table of which version 9 to 11 delete rows, by two vectors in one file, the first of which is replaced.
func withVectors(t *testing.T) string {
	dir := table(t, "plain")
	newest := int64(9)
	first, second := bitmap(1), bitmap(0, 2)
	file, at := vectorsFile(first, second)
	if err := os.MkdirAll(filepath.Join(dir, "ab"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ab/" + vectorName, vectorName} {
		if err := os.WriteFile(filepath.Join(dir, name), file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := adds(t, dir, 0)[0]
	one := a.with("deletionVector", vectorOf("u", "ab"+vectorUUID, at[0], len(first), 1))
	two := a.with("deletionVector", vectorOf("u", vectorUUID, at[1], len(second), 2))
	commitTo(t, dir, newest, vectorProtocol, line("remove", a), line("add", one))
	commitTo(t, dir, newest+1, line("add", two), line("remove", one))
	return dir
}

func TestDeletionVectors(t *testing.T) {
	dir := withVectors(t)
	sameAsDeltalake(t, dir)
	for v, want := range map[int64]string{8: "", 9: "ab/" + vectorName, 10: vectorName} {
		table, err := openTable(t, dir, version(v))
		if err != nil {
			t.Fatal(err)
		}
		data, _, err := listed(t, table)
		if err != nil {
			t.Fatal(err)
		}
		vectors := slices.DeleteFunc(data, func(name string) bool { return !strings.HasSuffix(name, ".bin") })
		if strings.Join(vectors, " ") != want {
			t.Errorf("version %d has the vectors %v, want %s", v, vectors, want)
		}
		if n := table.Noun().DeletionVectors; n != int64(len(vectors)) {
			t.Errorf("version %d: recorded %d vectors", v, n)
		}
	}
	var rows map[string]int
	if err := json.Unmarshal(python(t, "rows", dir), &rows); err != nil || len(rows) != 1 {
		t.Fatalf("deltalake reads the vectors of %v, %v", rows, err)
	}
	for name, n := range rows {
		if n != 2 {
			t.Errorf("deltalake takes %d rows of %s to be deleted, want 2", n, name)
		}
	}
}

// vectorCase is a version 9 with one vector that is wrong.
func TestWrongVectors(t *testing.T) {
	for _, c := range []struct {
		name     string
		vector   entry
		protocol string
		want     string
	}{
		{"absolute", vectorOf("p", "abfss://c@a.dfs.core.windows.net/t/x.bin", 1, 40, 1), vectorProtocol, "abfss://c@a.dfs.core.windows.net/t/x.bin is the absolute path of a deletion vector"},
		{"unknown kind", vectorOf("x", "abc", 1, 40, 1), vectorProtocol, "unknown kind"},
		{"no UUID", vectorOf("u", "abc", 1, 40, 1), vectorProtocol, "too short"},
		{"not Z85", vectorOf("u", strings.Repeat("~", 20), 1, 40, 1), vectorProtocol, "not Z85"},
		{"Z85 beyond 32 bits", vectorOf("u", strings.Repeat("#", 20), 1, 40, 1), vectorProtocol, "not Z85"},
		{"climbs out", vectorOf("u", "../"+vectorUUID, 1, 40, 1), vectorProtocol, "leads out of the table"},
		{"negative offset", vectorOf("u", vectorUUID, -1, 40, 1), vectorProtocol, "cannot be"},
		{"negative size", vectorOf("u", vectorUUID, 1, -40, 1), vectorProtocol, "cannot be"},
		{"no path", vectorOf("u", "", 1, 40, 1), vectorProtocol, "without a path"},
		{"a feature before features", vectorOf("i", "abcde", 1, 40, 1), protocolLine(1, "deletionVectors"), "has not the feature deletionVectors"},
		{"a feature of writers", vectorOf("i", "abcde", 1, 40, 1), protocolLine(2, "deletionVectors"), "has not the feature deletionVectors"},
		{"not a feature of the table", vectorOf("i", "abcde", 1, 40, 1), "", "has not the feature deletionVectors"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := table(t, "plain")
			a := adds(t, dir, 0)[0]
			commitTo(t, dir, 9, c.protocol, line("remove", a), line("add", a.with("deletionVector", c.vector)))
			_, err := openTable(t, dir, At{})
			wantRefused(t, err, c.want)
		})
	}
}

func TestInlineVectorHasNoFile(t *testing.T) {
	dir := table(t, "plain")
	a := adds(t, dir, 0)[0]
	vector := vectorOf("i", "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", 0, 40, 6)
	delete(vector, "offset")
	commitTo(t, dir, 9, vectorProtocol, line("remove", a), line("add", a.with("deletionVector", vector)))
	table, err := openTable(t, dir, At{})
	if err != nil {
		t.Fatal(err)
	}
	data, _, err := listed(t, table)
	if err != nil || len(data) != 3 {
		t.Errorf("%v, %v: want the three data files", data, err)
	}
	if n := table.Noun(); n.DeletionVectors != 1 || n.DataFiles != 3 {
		t.Errorf("%+v", n)
	}
}

func TestVectorFileHasToBeLongEnough(t *testing.T) {
	dir := withVectors(t)
	if err := os.Truncate(filepath.Join(dir, vectorName), 60); err != nil {
		t.Fatal(err)
	}
	table, err := openTable(t, dir, At{})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = listed(t, table)
	wantRefused(t, err, fmt.Sprintf("%s has 60 bytes, not at least ", vectorName))
	if err := os.Remove(filepath.Join(dir, vectorName)); err != nil {
		t.Fatal(err)
	}
	_, _, err = listed(t, table)
	wantRefused(t, err, "files are gone: "+vectorName)
}

func TestVectorFile(t *testing.T) {
	got, err := vectorFile("ab" + vectorUUID) // of the protocol's example
	if err != nil || got != "ab/"+vectorName {
		t.Errorf("%s, %v", got, err)
	}
}
