package delta

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
)

// FuzzAction: what is parsed has what the rest relies on.
func FuzzAction(f *testing.F) {
	seeds := []string{
		`{"add":{"path":"a%20b","size":1,"deletionVector":{"storageType":"u","pathOrInlineDv":"ab^-aqEH.-t@S}K{vb[*k^","offset":4,"sizeInBytes":40}}}`,
		`{"add":{"path":"x","size":1,"partitionValues":{"a":null,"b":"","c":"1","d":2}}}`, metaLine(someSchema, []string{"a"}, nil),
		`{"remove":{"path":"x"}}`, inCommitProtocol, enable, vectorProtocol,
		`{"commitInfo":{"timestamp":1,"inCommitTimestamp":2,"operation":"x"}}`,
		`{"sidecar":{"path":"x.parquet","sizeInBytes":7}}`, `{"checkpointMetadata":{"version":3}}`, `{"add":null}`, `{}`, `null`, `[]`, `{"add":{"path":"\ud800"}}`,
	}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	if len(seeds) < 10 {
		f.Fatal("no seeds")
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		a, err := parseAction(line)
		if err != nil {
			return
		}
		s := newState()
		s.begin(0)
		if s.apply(a) != nil || s.end() != nil {
			return
		}
		if a.add != nil && (s.active.len() != 1 || a.add.size < 0 || a.add.path == "") {
			t.Fatalf("%s: %+v", line, a.add)
		}
		if files, err := s.files(); err == nil && a.add != nil && len(files) == 0 {
			t.Fatalf("%s: no file", line)
		}
	})
}

// FuzzPath: a name that is accepted lies inside the table, and outside its log.
func FuzzPath(f *testing.F) {
	seeds := []string{"a", "p=50%2525/x.parquet", "..", "%2e%2e/x", "a/./b", "/a", "file:///a", "_delta_log/x", "a%00b", "%ff", "a:b", "ä/x"}
	for _, s := range seeds {
		f.Add(s)
	}
	if len(seeds) < 10 {
		f.Fatal("no seeds")
	}
	f.Fuzz(func(t *testing.T, uri string) {
		name, wrong := decodePath(uri)
		if wrong != "" {
			return
		}
		inside := filepath.IsLocal(name) || strings.ContainsAny(name, `\:`) // of which Windows has its own idea
		if !inside || name == "." || strings.HasPrefix(name, logDir+"/") || strings.ContainsRune(name, 0) {
			t.Fatalf("%q is the name %q", uri, name)
		}
	})
}

// FuzzSpell: the one spelling of a value is one of its spellings, where it is not a spelling of its own.
func FuzzSpell(f *testing.F) {
	seeds := []string{"", "1", "-007.50", "1e-99", "1E99", "NaN", "-Infinity", "0.1", "TRUE", "2020-1-1", "2020-01-01T00:00:00.1234567Z", "2020-02-30", "2020-01-01 1:2:3+0100", `\u0061`}
	for _, s := range seeds {
		for kind := range normal {
			f.Add(kind, s)
		}
	}
	if len(seeds)*len(normal) < 100 {
		f.Fatal("no seeds")
	}
	f.Fuzz(func(t *testing.T, kind, s string) {
		once := spell(kind, s)
		if strings.HasPrefix(once, "=") && kind != "binary" && kind != "decimal" && kind != "string" {
			if twice := spell(kind, once[1:]); twice != once {
				t.Fatalf("%s %q is spelled %q, and then %q", kind, s, once, twice)
			}
		}
		r := &reading{types: map[string]string{"c": kind}}
		if a, b := r.sum(values{"c": s}), r.sum(values{"c": s}); a != b || a == unknownValues || a == noValues {
			t.Fatalf("%s %q has the sums %x and %x", kind, s, a, b)
		}
	})
}

// FuzzSchema: a schema is the same as itself, written in another way.
func FuzzSchema(f *testing.F) {
	seeds := 0
	for _, c := range schemaCases {
		f.Add(c.schema)
		seeds++
	}
	if seeds < 10 {
		f.Fatal("no seeds")
	}
	f.Fuzz(func(t *testing.T, schema string) {
		var tree any
		d := decoder(schema)
		if strictjson.Check([]byte(schema), 50) != nil || d.Decode(&tree) != nil {
			return
		}
		again, err := json.MarshalIndent(tree, "", "\t") // with sorted keys
		if err != nil || !sameSchema(schema, string(again)) {
			t.Fatalf("%s is not %s, %v", schema, again, err)
		}
	})
}

// parquetSeeds are checkpoints of every kind that the tests write, and one of deltalake.
func parquetSeeds(t testing.TB) [][]byte {
	t.Helper()
	dir := t.TempDir()
	writeLog(t, dir, pad(0)+".json", `{"metaData":{"id":"x","configuration":{"a":"b"}}}`+"\n"+`{"add":{"path":"a","size":1}}`+"\n"+
		`{"add":{"path":"b","size":1}}`+"\n"+`{"add":{"path":"c","size":1}}`)
	rows := addRows(t, dir, 0)
	offset := int32(4)
	rows[1].PartitionValues = pointers(first)
	rows[0].DeletionVector = &vectorRow{"u", vectorUUID, &offset, 40, 6}
	var seeds [][]byte
	for _, kind := range checkpointKinds {
		kind.write(t, dir, rows)
	}
	for _, o := range []parquet.WriterOption{parquet.DataPageVersion(1), parquet.Compression(&parquet.Snappy), parquet.DefaultEncoding(&parquet.Plain),
		parquet.DefaultEncoding(&parquet.RLEDictionary)} {
		writeRows(t, dir, "x"+string(rune('a'+len(seeds)))+".parquet", rowsOf(rows), o)
		seeds = append(seeds, nil)
	}
	seeds = seeds[:0]
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if filepath.Ext(path) == ".parquet" {
			data, err := os.ReadFile(path)
			seeds = append(seeds, data)
			return err
		}
		return err
	})
	if err != nil || len(seeds) < 9 {
		t.Fatalf("%d seeds, %v", len(seeds), err)
	}
	return seeds
}

// maxMemory is what reading a small checkpoint may allocate, however hostile.
const maxMemory = 1 << 30

// FuzzParquet: a hostile checkpoint ends in an error, and in bounded memory.
func FuzzParquet(f *testing.F) {
	for _, seed := range parquetSeeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		readHostile(t, data)
	})
}

// readHostile reads what may be no Parquet.
func readHostile(t *testing.T, data []byte) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_ = readParquet(context.Background(), bytes.NewReader(data), int64(len(data)), func(action) error { return nil })
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > maxMemory {
		t.Fatalf("%d bytes of Parquet took %d bytes of memory", len(data), grown)
	}
}

// TestChangedBytesOfCheckpoints changes one byte after the other, which reaches all that sizes are read from.
func TestChangedBytesOfCheckpoints(t *testing.T) {
	for i, seed := range parquetSeeds(t) {
		if err := readParquet(context.Background(), bytes.NewReader(seed), int64(len(seed)), func(action) error { return nil }); err != nil {
			t.Fatalf("seed %d: %v", i, err)
		}
		for at := i % stride; at < len(seed); at += stride {
			hostile := bytes.Clone(seed)
			hostile[at] ^= 0xff
			readHostile(t, hostile)
		}
	}
}

// stride spares time: every few bytes are changed, others in each seed.
const stride = 9

// FuzzThrift: the walk ends inside the data.
func FuzzThrift(f *testing.F) {
	seeds := [][]byte{{0}, {0x15, 2, 0}, {0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x0f}, {0x1b, 0xff, 0xff, 3, 0x5c}, bytes.Repeat([]byte{0x1c}, 100), {0x18, 3, 1, 2, 3, 0}}
	for _, s := range seeds {
		f.Add(s)
	}
	for _, s := range parquetSeeds(f) {
		f.Add(s[4:])
	}
	if len(seeds) < 5 {
		f.Fatal("no seeds")
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if n, err := thriftLength(data); err == nil && (n <= 0 || n > len(data)) {
			t.Fatalf("%d bytes of %d", n, len(data))
		}
	})
}
