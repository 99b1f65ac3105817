package delta

import (
	"strings"
	"testing"
)

const someSchema = `{"type":"struct","fields":[{"name":"a","type":"long","nullable":true,"metadata":{"x":{"n":1,"m":2}}},{"name":"b","type":"string","nullable":true,"metadata":{}}]}`

// schemaCases are schemas beside someSchema.
var schemaCases = map[string]struct {
	schema string
	same   bool
}{
	"same":             {someSchema, true},
	"other order":      {`{"fields":[{"metadata":{"x":{"m":2,"n":1}},"nullable":true,"type":"long","name":"a"},{"name":"b","type":"string","nullable":true,"metadata":{}}],"type":"struct"}`, true},
	"spaces":           {strings.ReplaceAll(someSchema, ",", " ,\n"), true},
	"no metadata":      {strings.Replace(someSchema, `,"metadata":{}`, "", 1), true},
	"escaped":          {strings.Replace(someSchema, `"b"`, `"\u0062"`, 1), true},
	"other type":       {strings.Replace(someSchema, "long", "date", 1), false},
	"other name":       {strings.Replace(someSchema, `"b"`, `"c"`, 1), false},
	"other metadata":   {strings.Replace(someSchema, `"n":1`, `"n":3`, 1), false},
	"swapped values":   {strings.Replace(someSchema, `"n":1,"m":2`, `"n":2,"m":1`, 1), false},
	"other columns":    {strings.Replace(someSchema, `{"name":"b","type":"string","nullable":true,"metadata":{}}`, "", 1), false},
	"list, not object": {"[" + someSchema + "]", false},
	"key twice":        {strings.Replace(someSchema, `"nullable":true`, `"nullable":true,"Nullable":false`, 1), false},
	"cut off":          {someSchema[:50], false},
	"none":             {"", false},
}

func TestSameSchema(t *testing.T) {
	for name, c := range schemaCases {
		if sameSchema(someSchema, c.schema) != c.same || sameSchema(c.schema, someSchema) != c.same {
			t.Errorf("%s: not %v", name, c.same)
		}
	}
	if sameSchema(`[{"name":"a"},{"name":"b"}]`, `[{"name":"b"},{"name":"a"}]`) {
		t.Error("the order of columns does not count")
	}
}

// TestSchemasOfCheckpoints: in every kind of checkpoint, and in one that lies beside another.
func TestSchemasOfCheckpoints(t *testing.T) {
	for name, c := range schemaCases {
		t.Run(name, func(t *testing.T) {
			dir := schemaTable(t)
			checkpointKinds[0].write(t, dir, addRows(t, dir, 4))
			_, meta := metaOf(t, dir)
			meta.SchemaString = c.schema
			for _, file := range []string{pad(4) + ".checkpoint.parquet", pad(4) + ".checkpoint." + uuid + ".parquet"} {
				writeRows(t, dir, file, append(rowsOf(addRows(t, dir, 4)), row{MetaData: meta}, row{Protocol: &protocolRow{1, 2, nil, nil}}))
				if c.same {
					wantWarning(t, dir, "")
				} else {
					_, err := openTable(t, dir, At{})
					wantRefused(t, err, "their schemas differ")
					checkpointKinds[0].write(t, dir, addRows(t, dir, 4)) // and then the one beside it
				}
			}
		})
	}
}

// schemaTable has someSchema.
func schemaTable(t testing.TB) string {
	dir := t.TempDir()
	commitTo(t, dir, 0, `{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}`, metaLine(someSchema, []string{"a", "b"}, nil), addLine(name(0), nil))
	for v := range int64(5) {
		commitTo(t, dir, v+1, addLine(name(v+1), nil))
	}
	return dir
}

func TestPartitionColumnsOfCheckpoints(t *testing.T) {
	for _, columns := range [][]string{nil, {"a"}, {"b", "a"}, {"a", "b", "c"}} {
		dir := schemaTable(t)
		_, meta := metaOf(t, dir)
		meta.PartitionColumns = columns
		writeRows(t, dir, pad(4)+".checkpoint.parquet", append(rowsOf(addRows(t, dir, 4)), row{MetaData: meta}, row{Protocol: &protocolRow{1, 2, nil, nil}}))
		_, err := openTable(t, dir, At{})
		wantRefused(t, err, "their partition columns differ")
	}
}

// TestOldLists: in old Parquet files the values of a list lie one level higher.
func TestOldLists(t *testing.T) {
	type oldMeta struct {
		ID               string `parquet:"id"`
		SchemaString     string `parquet:"schemaString"`
		PartitionColumns struct {
			Array []string `parquet:"array"`
		} `parquet:"partitionColumns"`
	}
	type oldRow struct {
		Add      *addRow      `parquet:"add,optional"`
		MetaData *oldMeta     `parquet:"metaData,optional"`
		Protocol *protocolRow `parquet:"protocol,optional"`
	}
	dir := schemaTable(t)
	meta := &oldMeta{ID: "valued", SchemaString: someSchema}
	meta.PartitionColumns.Array = []string{"a", "b"}
	rows := []oldRow{{MetaData: meta}, {Protocol: &protocolRow{1, 2, nil, nil}}}
	for _, a := range addRows(t, dir, 4) {
		rows = append(rows, oldRow{Add: a})
	}
	writeRows(t, dir, pad(4)+".checkpoint.parquet", rows)
	wantWarning(t, dir, "")
}
