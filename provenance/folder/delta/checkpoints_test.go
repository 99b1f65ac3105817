package delta

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// deltalake writes classic checkpoints only. The others are written here, of the files of its table "compacted", which has
// six versions that only add; deltalake reads them.

// row is a row of a checkpoint.
type row struct {
	Add      *addRow      `parquet:"add,optional"`
	Remove   *removeRow   `parquet:"remove,optional"`
	MetaData *metaRow     `parquet:"metaData,optional"`
	Protocol *protocolRow `parquet:"protocol,optional"`
	Sidecar  *sidecarRow  `parquet:"sidecar,optional"`
	Version  *versionRow  `parquet:"checkpointMetadata,optional"`
}

type addRow struct {
	Path             string             `parquet:"path"`
	PartitionValues  map[string]*string `parquet:"partitionValues"`
	Size             int64              `parquet:"size"`
	ModificationTime int64              `parquet:"modificationTime"`
	DataChange       bool               `parquet:"dataChange"`
	DeletionVector   *vectorRow         `parquet:"deletionVector,optional"`
}

type vectorRow struct {
	StorageType    string `parquet:"storageType"`
	PathOrInlineDv string `parquet:"pathOrInlineDv"`
	Offset         *int32 `parquet:"offset,optional"`
	SizeInBytes    int32  `parquet:"sizeInBytes"`
	Cardinality    int64  `parquet:"cardinality"`
}

type removeRow struct {
	Path       string `parquet:"path"`
	DataChange bool   `parquet:"dataChange"`
}

type metaRow struct {
	ID     string `parquet:"id"`
	Format struct {
		Provider string            `parquet:"provider"`
		Options  map[string]string `parquet:"options"`
	} `parquet:"format"`
	SchemaString     string            `parquet:"schemaString"`
	PartitionColumns []string          `parquet:"partitionColumns,list"`
	Configuration    map[string]string `parquet:"configuration"`
}

type protocolRow struct {
	MinReaderVersion int32    `parquet:"minReaderVersion"`
	MinWriterVersion int32    `parquet:"minWriterVersion"`
	ReaderFeatures   []string `parquet:"readerFeatures,optional,list"`
	WriterFeatures   []string `parquet:"writerFeatures,optional,list"`
}

type sidecarRow struct {
	Path             string            `parquet:"path" json:"path"`
	SizeInBytes      int64             `parquet:"sizeInBytes" json:"sizeInBytes"`
	ModificationTime int64             `parquet:"modificationTime" json:"modificationTime"`
	Tags             map[string]string `parquet:"tags" json:"tags"`
}

type versionRow struct {
	Version int64 `parquet:"version" json:"version"`
}

// sidecarFile is a row of a sidecar.
type sidecarFile struct {
	Add    *addRow    `parquet:"add,optional"`
	Remove *removeRow `parquet:"remove,optional"`
}

const uuid = "80a083e8-7026-4e79-81be-64bd76c43a11"

var v2Protocol = &protocolRow{3, 7, []string{"v2Checkpoint"}, []string{"v2Checkpoint"}}

// metaOf is the metaData of a table's version 0.
func metaOf(t testing.TB, dir string) (raw string, r *metaRow) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, logDir, pad(0)+".json"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var a struct{ MetaData *metaRow }
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		if a.MetaData != nil {
			return strings.TrimSpace(line), a.MetaData
		}
	}
	t.Fatal("no metaData")
	return "", nil
}

// addRows are the files of the versions 0 to last.
func addRows(t testing.TB, dir string, last int64) []*addRow {
	t.Helper()
	var out []*addRow
	for v := range last + 1 {
		for _, a := range adds(t, dir, v) {
			out = append(out, &addRow{Path: a["path"].(string), Size: int64(a["size"].(float64)), DataChange: true, PartitionValues: valuesOf(a)})
		}
	}
	return out
}

// valuesOf are the partition values of an add.
func valuesOf(add map[string]any) map[string]*string {
	out := map[string]*string{}
	in, _ := add["partitionValues"].(map[string]any)
	for column, value := range in {
		out[column] = nil
		if text, ok := value.(string); ok {
			out[column] = &text
		}
	}
	return out
}

func rowsOf(adds []*addRow) (rows []row) {
	for _, a := range adds {
		rows = append(rows, row{Add: a})
	}
	return rows
}

// writeRows writes a Parquet file into the log, and says how long it is.
func writeRows[R any](t testing.TB, dir, name string, rows []R, o ...parquet.WriterOption) int64 {
	t.Helper()
	path := filepath.Join(dir, logDir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := parquet.WriteFile(path, rows, o...); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// sidecars writes two, and returns their actions.
func sidecars(t testing.TB, dir string, adds []*addRow) []*sidecarRow {
	t.Helper()
	var out []*sidecarRow
	for i, part := range [][]*addRow{adds[:2], adds[2:]} {
		var rows []sidecarFile
		for _, a := range part {
			rows = append(rows, sidecarFile{Add: a})
		}
		name := []string{"016ae953-37a9-438e-8683-9a9a4a79a395.parquet", "3a0d65cd-4056-49b8-937b-95f9e3ee90e5.parquet"}[i]
		size := writeRows(t, dir, sidecarDir+name, rows)
		out = append(out, &sidecarRow{Path: name, SizeInBytes: size})
	}
	return out
}

// checkpointKinds write a checkpoint of version 4 whose files are adds.
var checkpointKinds = []struct {
	name  string
	write func(t testing.TB, dir string, adds []*addRow)
	parts int // files of the log that a version 4 has, its own commit aside
}{
	{"classic", func(t testing.TB, dir string, adds []*addRow) {
		_, meta := metaOf(t, dir)
		writeRows(t, dir, pad(4)+".checkpoint.parquet", append(rowsOf(adds), row{MetaData: meta}, row{Protocol: &protocolRow{1, 2, nil, nil}},
			row{Remove: &removeRow{Path: "removed.parquet"}}), parquet.Compression(&parquet.Gzip), parquet.MaxRowsPerRowGroup(3))
	}, 1},
	{"multi-part", func(t testing.TB, dir string, adds []*addRow) {
		_, meta := metaOf(t, dir)
		name := func(i string) string {
			return pad(4) + ".checkpoint." + strings.Repeat("0", 9) + i + ".0000000002.parquet"
		}
		writeRows(t, dir, name("1"), append(rowsOf(adds[:1]), row{MetaData: meta}))
		writeRows(t, dir, name("2"), append([]row{{Protocol: &protocolRow{1, 2, nil, nil}}}, rowsOf(adds[1:])...))
	}, 2},
	{"V2 JSON", func(t testing.TB, dir string, adds []*addRow) {
		raw, _ := metaOf(t, dir)
		lines := []string{`{"checkpointMetadata":{"version":4}}`, raw,
			`{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["v2Checkpoint"],"writerFeatures":["v2Checkpoint"]}}`}
		for _, s := range sidecars(t, dir, adds) {
			lines = append(lines, line("sidecar", s))
		}
		writeLog(t, dir, pad(4)+".checkpoint."+uuid+".json", strings.Join(lines, "\n"))
	}, 3},
	{"V2 Parquet", func(t testing.TB, dir string, adds []*addRow) {
		writeV2(t, dir, pad(4)+".checkpoint."+uuid+".parquet", adds)
	}, 3},
	{"V2 with a classic name", func(t testing.TB, dir string, adds []*addRow) {
		writeV2(t, dir, pad(4)+".checkpoint.parquet", adds)
	}, 3},
}

func writeV2(t testing.TB, dir, name string, adds []*addRow) {
	_, meta := metaOf(t, dir)
	rows := []row{{Version: &versionRow{4}}, {MetaData: meta}, {Protocol: v2Protocol}}
	for _, s := range sidecars(t, dir, adds) {
		rows = append(rows, row{Sidecar: s})
	}
	writeRows(t, dir, name, rows, parquet.Compression(&parquet.Zstd))
}

// v2Table is the table "compacted", with the feature v2Checkpoint from version 2 on, if the kind needs it.
func v2Table(t *testing.T, kind string) string {
	dir := table(t, "compacted")
	if strings.HasPrefix(kind, "V2") {
		appendLog(t, dir, pad(2)+".json", protocolLine(3, "v2Checkpoint"))
		appendLog(t, dir, compactedLog, protocolLine(3, "v2Checkpoint"))
	}
	return dir
}

// compactedLog is that of the table "compacted".
var compactedLog = pad(1) + "." + pad(4) + ".compacted.json"

// appendLog adds a line to a file of the log.
func appendLog(t testing.TB, dir, name, line string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, logDir, name))
	if err != nil {
		t.Fatal(err)
	}
	writeLog(t, dir, name, strings.TrimSpace(string(data))+"\n"+line+"\n")
}

func TestCheckpoints(t *testing.T) {
	for _, kind := range checkpointKinds {
		t.Run(kind.name, func(t *testing.T) {
			dir := v2Table(t, kind.name)
			rows := addRows(t, dir, 4)
			kind.write(t, dir, rows)
			for _, v := range []int64{4, 5} {
				table, err := openTable(t, dir, version(v))
				if err != nil {
					t.Fatal(err)
				}
				if len(table.Warnings()) > 0 || table.Noun().Checkpoint != "4" {
					t.Errorf("version %d: checkpoint %q, %v", v, table.Noun().Checkpoint, table.Warnings())
				}
				_, log, err := listed(t, table)
				if err != nil || len(log) != kind.parts+1 {
					t.Errorf("version %d: log %v, %v", v, log, err)
				}
			}
			for v := range 4 {
				if err := os.Remove(filepath.Join(dir, logDir, pad(int64(v))+".json")); err != nil {
					t.Fatal(err)
				}
			}
			// Since the log begins with a checkpoint, deltalake and we read it, and nothing can be compared.
			if err := os.Remove(filepath.Join(dir, logDir, compactedLog)); err != nil {
				t.Fatal(err)
			}
			sameAsDeltalake(t, dir)
			table, err := openTable(t, dir, At{})
			if err != nil || len(table.Warnings()) != 1 || !strings.Contains(table.Warnings()[0], "could not be compared") {
				t.Errorf("%v, %v", table, err)
			}
		})
	}
}

// TestCheckpointsThatDisagree: each kind, with a file too few, too many, twice, or with another size.
func TestCheckpointsThatDisagree(t *testing.T) {
	stranger := &addRow{Path: "stranger.parquet", Size: 5}
	for _, kind := range checkpointKinds {
		for name, c := range map[string]struct {
			change func([]*addRow) []*addRow
			want   string
		}{
			"too few":  {func(a []*addRow) []*addRow { return a[1:] }, "the log has 1 files that the checkpoint has not"},
			"too many": {func(a []*addRow) []*addRow { return append(a, stranger) }, "only the checkpoint has the files stranger.parquet"},
			"twice":    {func(a []*addRow) []*addRow { return append(a, a[3]) }, "only the checkpoint has the files part-"},
			"size": {func(a []*addRow) []*addRow {
				a[2].Size++
				return a
			}, "only the checkpoint has the files part-"},
		} {
			t.Run(kind.name+" "+name, func(t *testing.T) {
				dir := v2Table(t, kind.name)
				kind.write(t, dir, c.change(addRows(t, dir, 4)))
				_, err := openTable(t, dir, At{})
				wantRefused(t, err, c.want)
				_, err = openTable(t, dir, version(3)) // which the checkpoint is not about
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestSeveralCheckpointsOfOneVersion: readers differ in which they take, so all of them have to say the same.
func TestSeveralCheckpointsOfOneVersion(t *testing.T) {
	for _, kind := range checkpointKinds[1:4] {
		t.Run(kind.name, func(t *testing.T) {
			dir := v2Table(t, kind.name)
			rows := addRows(t, dir, 4)
			if strings.HasPrefix(kind.name, "V2") {
				_, meta := metaOf(t, dir)
				writeRows(t, dir, pad(4)+".checkpoint.parquet", append(rowsOf(rows), row{MetaData: meta}, row{Protocol: v2Protocol}))
			} else {
				checkpointKinds[0].write(t, dir, rows)
			}
			kind.write(t, dir, rows)
			if _, err := openTable(t, dir, version(4)); err != nil {
				t.Fatalf("two that agree: %v", err)
			}
			kind.write(t, dir, append([]*addRow{{Path: "poison.parquet", Size: 5, DataChange: true}}, rows[1:]...))
			_, err := openTable(t, dir, version(4))
			wantRefused(t, err, "only the checkpoint has the files poison.parquet")
		})
	}
}

// TestOlderCheckpointIsCompared: without the first commits, the way from an older checkpoint is the other one.
func TestOlderCheckpointIsCompared(t *testing.T) {
	dir := table(t, "checkpointed")
	for v := range 8 {
		if err := os.Remove(filepath.Join(dir, logDir, pad(int64(v))+".json")); err != nil {
			t.Fatal(err)
		}
	}
	opened, err := openTable(t, dir, At{})
	if err != nil || len(opened.Warnings()) > 0 || opened.Noun().Checkpoint != "23" {
		t.Fatalf("%+v, %v", opened, err)
	}
	dropLine(t, dir, 22, `"add"`)
	_, err = openTable(t, dir, At{})
	wantRefused(t, err, "the checkpoint of version 23 and the log before it disagree")
}

// dropLine removes the first line of a commit in which text stands.
func dropLine(t *testing.T, dir string, version int64, text string) {
	t.Helper()
	path := filepath.Join(dir, logDir, pad(version)+".json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	i := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, text) })
	if i < 0 {
		t.Fatalf("version %d has no %s", version, text)
	}
	writeLog(t, dir, pad(version)+".json", strings.Join(slices.Delete(lines, i, i+1), "\n"))
}

func TestWrongCheckpoints(t *testing.T) {
	for name, c := range map[string]struct {
		kind  int
		spoil func(t *testing.T, dir string)
		want  string
	}{
		"cut off": {0, func(t *testing.T, dir string) { cut(t, dir, pad(4)+".checkpoint.parquet", 100) }, pad(4) + ".checkpoint.parquet in the log cannot be read"},
		"empty":   {0, func(t *testing.T, dir string) { cut(t, dir, pad(4)+".checkpoint.parquet", 0) }, "not a valid Parquet file"},
		"sidecar gone": {3, func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, logDir, sidecarDir, "016ae953-37a9-438e-8683-9a9a4a79a395.parquet")); err != nil {
				t.Fatal(err)
			}
		}, "its sidecar _sidecars/016ae953-37a9-438e-8683-9a9a4a79a395.parquet is gone"},
		"sidecar cut off": {3, func(t *testing.T, dir string) {
			cut(t, dir, sidecarDir+"016ae953-37a9-438e-8683-9a9a4a79a395.parquet", 50)
		}, "has 50 bytes"},
		"empty JSON": {2, func(t *testing.T, dir string) { cut(t, dir, pad(4)+".checkpoint."+uuid+".json", 0) }, "is empty"},
		"another version": {2, func(t *testing.T, dir string) {
			writeLog(t, dir, pad(4)+".checkpoint."+uuid+".json", `{"checkpointMetadata":{"version":3}}`)
		}, "says that it is of version 3"},
		"no protocol": {2, func(t *testing.T, dir string) {
			writeLog(t, dir, pad(4)+".checkpoint."+uuid+".json", `{"checkpointMetadata":{"version":4}}`)
		}, "0 protocols and 0 metaData"},
		"protocol differs": {0, func(t *testing.T, dir string) {
			_, meta := metaOf(t, dir)
			writeRows(t, dir, pad(4)+".checkpoint.parquet", append(rowsOf(addRows(t, dir, 4)), row{MetaData: meta}, row{Protocol: &protocolRow{1, 3, nil, nil}}))
		}, "their protocols differ"},
		"another table": {0, func(t *testing.T, dir string) {
			_, meta := metaOf(t, dir)
			meta.ID = "another"
			writeRows(t, dir, pad(4)+".checkpoint.parquet", append(rowsOf(addRows(t, dir, 4)), row{MetaData: meta}, row{Protocol: &protocolRow{1, 2, nil, nil}}))
		}, "they are of different tables"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := v2Table(t, checkpointKinds[c.kind].name)
			checkpointKinds[c.kind].write(t, dir, addRows(t, dir, 4))
			c.spoil(t, dir)
			_, err := openTable(t, dir, At{})
			wantRefused(t, err, c.want)
		})
	}
}

func cut(t *testing.T, dir, name string, size int64) {
	t.Helper()
	if err := os.Truncate(filepath.Join(dir, logDir, filepath.FromSlash(name)), size); err != nil {
		t.Fatal(err)
	}
}

// TestIncompleteMultiPart: a checkpoint with a missing part does not count, by the protocol.
func TestIncompleteMultiPart(t *testing.T) {
	dir := table(t, "compacted")
	checkpointKinds[1].write(t, dir, addRows(t, dir, 4))
	if err := os.Remove(filepath.Join(dir, logDir, pad(4)+".checkpoint.0000000001.0000000002.parquet")); err != nil {
		t.Fatal(err)
	}
	table, err := openTable(t, dir, At{})
	if err != nil || table.Noun().Checkpoint != "" {
		t.Errorf("%+v, %v", table, err)
	}
	sameAsDeltalake(t, dir)
}

// TestVectorsInCheckpoints: the columns of a vector are read, too.
func TestVectorsInCheckpoints(t *testing.T) {
	dir := withVectors(t)
	file, at := vectorsFile(bitmap(1), bitmap(0, 2))
	offset := int32(at[1])
	var rows []*addRow
	for _, v := range []int64{0, 1, 2} { // version 8 restored version 2
		a := adds(t, dir, v)[0]
		rows = append(rows, &addRow{Path: a["path"].(string), Size: int64(a["size"].(float64))})
	}
	rows[0].DeletionVector = &vectorRow{"u", vectorUUID, &offset, int32(len(bitmap(0, 2))), 2}
	_, meta := metaOf(t, dir)
	write := func() {
		writeRows(t, dir, pad(10)+".checkpoint.parquet", append(rowsOf(rows), row{MetaData: meta},
			row{Protocol: &protocolRow{3, 7, []string{"deletionVectors"}, []string{"deletionVectors"}}}))
	}
	write()
	table, err := openTable(t, dir, At{})
	if err != nil || table.Noun().Checkpoint != "10" || len(table.Warnings()) > 0 {
		t.Fatalf("%+v, %v", table, err)
	}
	if data, _, err := listed(t, table); err != nil || !slices.Contains(data, vectorName) || slices.Contains(data, "ab/"+vectorName) {
		t.Errorf("%v, %v", data, err)
	}
	offset = 1
	write()
	_, err = openTable(t, dir, At{})
	wantRefused(t, err, "disagree")
	if len(file) == 0 {
		t.Fatal("no vectors")
	}
}
