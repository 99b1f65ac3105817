package delta

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// valued are the partition columns of a table with one of nearly every type.
var valued = map[string]string{"s": "string", "b": "boolean", "i": "integer", "l": "long", "m": "decimal(10,2)", "f": "float", "d": "double",
	"day": "date", "ts": "timestamp", "tn": "timestamp_ntz", "x": "binary"}

// first are the values of its first file; the others have null everywhere.
var first = map[string]string{"s": "a b", "b": "true", "i": "-7", "l": "1152921504606846976", "m": "1.50", "f": "0.1", "d": "1e+20", "day": "2020-01-01",
	"ts": "2020-01-01 00:00:00", "tn": "2020-01-01 12:30:00.5", "x": "ab"}

// schemaOf is a schema with some columns.
func schemaOf(columns map[string]string) string {
	fields := []any{}
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		fields = append(fields, map[string]any{"name": name, "type": columns[name], "nullable": true, "metadata": map[string]any{}})
	}
	schema, err := json.Marshal(map[string]any{"type": "struct", "fields": fields})
	if err != nil {
		panic(err)
	}
	return string(schema)
}

func metaLine(schema string, partition []string, configuration map[string]string) string {
	return line("metaData", map[string]any{"id": "valued", "format": map[string]any{"provider": "parquet", "options": map[string]string{}},
		"schemaString": schema, "partitionColumns": partition, "configuration": configuration})
}

func addLine(name string, values map[string]*string) string {
	return line("add", map[string]any{"path": name, "size": 5, "modificationTime": 1, "dataChange": true, "partitionValues": values})
}

func removeLine(name string) string {
	return line("remove", map[string]any{"path": name, "deletionTimestamp": 1, "dataChange": true})
}

// valuedTable has the versions 0 to 5, each of which adds one file. It may have the feature v2Checkpoint.
func valuedTable(t testing.TB, kind string, columns map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	protocol := `{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}`
	if strings.HasPrefix(kind, "V2") {
		protocol = protocolLine(3, "v2Checkpoint")
	}
	values := pointers(first)
	for v := range int64(6) {
		lines := []string{addLine(name(v), values)}
		if v == 0 {
			lines = append(lines, protocol, metaLine(schemaOf(columns), slices.Sorted(maps.Keys(columns)), map[string]string{}))
		}
		commitTo(t, dir, v, lines...)
		values = map[string]*string{}
		for column := range columns {
			values[column] = nil
		}
	}
	return dir
}

func name(v int64) string { return "part-" + string(rune('0'+v)) + ".parquet" }

func pointers(in map[string]string) map[string]*string {
	out := map[string]*string{}
	for k, v := range in {
		out[k] = &v
	}
	return out
}

// wantWarning opens the newest version, and wants it to be read with one warning, or without any.
func wantWarning(t testing.TB, dir, want string) {
	t.Helper()
	table, err := openTable(t, dir, At{})
	switch {
	case err != nil:
		t.Error(err)
	case want == "" && len(table.Warnings()) > 0:
		t.Errorf("warnings %q", table.Warnings())
	case want != "" && (len(table.Warnings()) != 1 || !strings.Contains(table.Warnings()[0], want)):
		t.Errorf("warnings %q, want %q", table.Warnings(), want)
	}
}

// set is a change of the first file's values.
func set(column, value string) func(map[string]*string) {
	return func(v map[string]*string) { v[column] = &value }
}

// valueCases are what a checkpoint, or a compacted log, says instead of first.
var valueCases = map[string]struct {
	change func(map[string]*string)
	want   string // empty: the same; "?": cannot be told; or else a refusal
}{
	"same":                     {func(map[string]*string) {}, ""},
	"another text":             {set("s", "a c"), "!"},
	"text with a space":        {set("s", "a b "), "!"},
	"null":                     {func(v map[string]*string) { v["s"] = nil }, "!"},
	"empty":                    {set("s", ""), "!"},
	"left out":                 {func(v map[string]*string) { delete(v, "s") }, "!"},
	"a column of nobody":       {set("nobody", "1"), "!"},
	"a null column of nobody":  {func(v map[string]*string) { v["nobody"] = nil }, ""},
	"boolean in capitals":      {set("b", "TRUE"), ""},
	"another boolean":          {set("b", "false"), "!"},
	"no boolean":               {set("b", "1"), "!"},
	"padded integer":           {set("i", "-07.0"), ""},
	"another integer":          {set("i", "7"), "!"},
	"another long":             {set("l", "1152921504606846977"), "!"},
	"decimal":                  {set("m", "1.5"), ""},
	"decimal with exponent":    {set("m", "15E-1"), ""},
	"decimal as a fraction":    {set("m", "3/2"), "!"},
	"another decimal":          {set("m", "1.51"), "!"},
	"float":                    {set("f", "1.0E-1"), ""},
	"widened float":            {set("f", "0.10000000149011612"), ""},
	"hexadecimal float":        {set("f", "0x1.99999ap-4"), "!"},
	"another float":            {set("f", "0.2"), "!"},
	"double":                   {set("d", "1.0E20"), ""},
	"double in full":           {set("d", "100000000000000000000"), ""},
	"another double":           {set("d", "1e21"), "!"},
	"date":                     {set("day", "2020-1-1"), ""},
	"date with time":           {set("day", "2020-01-01 00:00:00"), ""},
	"date in a zone":           {set("day", "2019-12-31T14:00:00-10:00"), "!"},
	"another date":             {set("day", "2020-01-02"), "!"},
	"timestamp with fraction":  {set("ts", "2020-01-01 00:00:00.000000"), ""},
	"timestamp in UTC":         {set("ts", "2020-01-01T00:00:00.000000Z"), ""},
	"timestamp in a zone":      {set("ts", "2020-01-01T01:00:00+01:00"), ""},
	"timestamp of some zone":   {set("ts", "2020-01-01T05:00:00.000000Z"), "?"},
	"another timestamp":        {set("ts", "2020-01-01 00:00:01"), "!"},
	"no timestamp":             {func(v map[string]*string) { v["ts"] = nil }, "!"},
	"doubt, and another text":  {func(v map[string]*string) { set("ts", "2020-01-01T05:00:00Z")(v); set("s", "c")(v) }, "!"},
	"local timestamp":          {set("tn", "2020-01-01T12:30:00.500000"), ""},
	"local time in a zone":     {set("tn", "2020-01-01T17:30:00.5+05:00"), "!"},
	"another local timestamp":  {set("tn", "2020-01-01 12:30:00.500001"), "!"},
	"binary":                   {set("x", `\u0061\u0062`), ""},
	"binary that is something": {set("x", `\u00ff`), "?"},
	"another binary":           {set("x", "cd"), "!"},
}

// TestValuesOfCheckpoints compares every case, in every kind of checkpoint.
func TestValuesOfCheckpoints(t *testing.T) {
	for _, kind := range checkpointKinds {
		for name, c := range valueCases {
			t.Run(kind.name+" "+name, func(t *testing.T) {
				dir := valuedTable(t, kind.name, valued)
				rows := addRows(t, dir, 4)
				c.change(rows[0].PartitionValues)
				kind.write(t, dir, rows)
				if c.want == "!" {
					_, err := openTable(t, dir, At{})
					wantRefused(t, err, "partition values differ in the files part-0.parquet")
					return
				}
				wantWarning(t, dir, strings.Replace(c.want, "?", "the partition values of 1 files could not be compared", 1))
			})
		}
	}
}

// TestNullsOfCheckpoints: null, empty, and missing are one.
func TestNullsOfCheckpoints(t *testing.T) {
	empty := ""
	dir := valuedTable(t, "", valued)
	rows := addRows(t, dir, 4)
	rows[1].PartitionValues["s"] = &empty
	delete(rows[2].PartitionValues, "s")
	rows[3].PartitionValues = nil
	checkpointKinds[0].write(t, dir, rows)
	wantWarning(t, dir, "")
	forged := "a"
	for _, row := range rows[1:] {
		row.PartitionValues = map[string]*string{"s": &forged}
	}
	checkpointKinds[0].write(t, dir, rows)
	_, err := openTable(t, dir, At{})
	wantRefused(t, err, "partition values differ in the files part-1.parquet, part-2.parquet, part-3.parquet and 1 more")
}

// TestUnknownType: what a later type means cannot be told.
func TestUnknownType(t *testing.T) {
	dir := valuedTable(t, "", map[string]string{"s": "string", "i": "moon"})
	rows := addRows(t, dir, 4)
	set("i", "waxing")(rows[0].PartitionValues)
	checkpointKinds[0].write(t, dir, rows)
	wantWarning(t, dir, "they are spelled differently, and may be the same")
	set("s", "forged")(rows[0].PartitionValues)
	checkpointKinds[0].write(t, dir, rows)
	_, err := openTable(t, dir, At{})
	wantRefused(t, err, "partition values differ")
}

// TestUnreadableSchema: without types, values are compared as text.
func TestUnreadableSchema(t *testing.T) {
	dir := t.TempDir()
	commitTo(t, dir, 0, `{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}`, metaLine("no schema", []string{"m"}, nil), addLine(name(0), pointers(first)))
	for v := range int64(5) {
		commitTo(t, dir, v+1, addLine(name(v+1), nil))
	}
	rows := addRows(t, dir, 4)
	checkpointKinds[0].write(t, dir, rows)
	wantWarning(t, dir, "")
	set("m", "1.5")(rows[0].PartitionValues)
	checkpointKinds[0].write(t, dir, rows)
	_, err := openTable(t, dir, At{})
	wantRefused(t, err, "partition values differ in the files part-0.parquet")
}

// TestPhysicalNames: with column mapping, values go by other names than those in the schema.
func TestPhysicalNames(t *testing.T) {
	const schema = `{"type":"struct","fields":[{"name":"day","type":"date","nullable":true,"metadata":{"delta.columnMapping.id":1,"delta.columnMapping.physicalName":"col-1"}}]}`
	dir := t.TempDir()
	commitTo(t, dir, 0, `{"protocol":{"minReaderVersion":2,"minWriterVersion":5}}`, metaLine(schema, []string{"day"}, map[string]string{"delta.columnMapping.mode": "name"}),
		addLine("a", pointers(map[string]string{"col-1": "2020-01-01"})))
	_, meta := metaOf(t, dir)
	write := func(day string) {
		a := &addRow{Path: "a", Size: 5, PartitionValues: pointers(map[string]string{"col-1": day})}
		writeRows(t, dir, pad(0)+".checkpoint.parquet", []row{{Add: a}, {MetaData: meta}, {Protocol: &protocolRow{2, 5, nil, nil}}})
	}
	write("2020-1-1")
	wantWarning(t, dir, "")
	write("2020-1-2")
	_, err := openTable(t, dir, At{})
	wantRefused(t, err, "partition values differ")
}

// TestCheckpointsBesidesDisagreeOnValues: that the commits are gone does not spare the others from being compared.
func TestCheckpointsBesidesDisagreeOnValues(t *testing.T) {
	for name, c := range map[string]struct {
		value  string
		forged bool
	}{"same": {first["m"], false}, "spelled anew": {"1.5", false}, "forged": {"2", true}} {
		t.Run(name, func(t *testing.T) {
			dir := valuedTable(t, "", valued)
			rows := addRows(t, dir, 4)
			checkpointKinds[0].write(t, dir, rows)
			set("m", c.value)(rows[0].PartitionValues)
			checkpointKinds[1].write(t, dir, rows)
			removeLog(t, dir, pad(0)+".json")
			if c.forged {
				_, err := openTable(t, dir, At{})
				wantRefused(t, err, "partition values differ")
				return
			}
			wantWarning(t, dir, "the commits before it are gone")
		})
	}
}

// parsedRow is a row of a checkpoint without partitionValues.
type parsedRow struct {
	Add *struct {
		Path   string `parquet:"path"`
		Size   int64  `parquet:"size"`
		Parsed *struct {
			S string `parquet:"s"`
		} `parquet:"partitionValues_parsed,optional"`
	} `parquet:"add,optional"`
	MetaData *metaRow     `parquet:"metaData,optional"`
	Protocol *protocolRow `parquet:"protocol,optional"`
}

// bareRow is a row of one that has partition values in no form.
type bareRow struct {
	Add *struct {
		Path string `parquet:"path"`
		Size int64  `parquet:"size"`
	} `parquet:"add,optional"`
	MetaData *metaRow     `parquet:"metaData,optional"`
	Protocol *protocolRow `parquet:"protocol,optional"`
}

func TestParsedValuesOnly(t *testing.T) {
	for name, c := range map[string]struct {
		columns map[string]string
		want    string
	}{"partitioned": {map[string]string{"s": "string"}, "the partition values of 5 files could not be compared"}, "not partitioned": {nil, ""}} {
		t.Run(name, func(t *testing.T) {
			dir := valuedTable(t, "", c.columns)
			_, meta := metaOf(t, dir)
			rows := []parsedRow{{MetaData: meta}, {Protocol: &protocolRow{1, 2, nil, nil}}}
			for _, a := range addRows(t, dir, 4) {
				var r parsedRow
				convert(t, map[string]any{"Add": map[string]any{"Path": a.Path, "Size": a.Size, "Parsed": map[string]any{"S": "a"}}}, &r)
				rows = append(rows, r)
			}
			writeRows(t, dir, pad(4)+".checkpoint.parquet", rows)
			wantWarning(t, dir, c.want)
		})
	}
}

func TestNoValuesAtAll(t *testing.T) {
	dir := valuedTable(t, "", valued)
	_, meta := metaOf(t, dir)
	rows := []bareRow{{MetaData: meta}, {Protocol: &protocolRow{1, 2, nil, nil}}}
	for _, a := range addRows(t, dir, 4) {
		var r bareRow
		convert(t, map[string]any{"Add": map[string]any{"Path": a.Path, "Size": a.Size}}, &r)
		rows = append(rows, r)
	}
	writeRows(t, dir, pad(4)+".checkpoint.parquet", rows)
	_, err := openTable(t, dir, At{})
	wantRefused(t, err, "partition values differ in the files part-0.parquet")
}

func convert(t testing.TB, from, to any) {
	t.Helper()
	data, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(data, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestValuesThatAreNoTexts: some readers take them for their text.
func TestValuesThatAreNoTexts(t *testing.T) {
	a, err := parseAction([]byte(`{"add":{"path":"x","size":1,"partitionValues":{"i":7,"b":true,"n":null,"e":"","s":"\u00e9"}}}`))
	if want := (values{"i": "7", "b": "true", "s": "é"}); err != nil || !maps.Equal(a.add.values, want) {
		t.Errorf("%v, %v", a.add, err)
	}
}

func TestWrongValues(t *testing.T) {
	many := map[string]*string{}
	for i := range maxFeatures + 1 {
		many[strconv.Itoa(i)] = nil
	}
	for _, line := range []string{`{"add":{"path":"x","size":1,"partitionValues":[]}}`, addLine("x", many)} {
		if a, err := parseAction([]byte(line)); err == nil {
			t.Errorf("%.100s: %v", line, a)
		}
	}
}

// TestWrongMaps: a map of a checkpoint that two readers could read differently.
func TestWrongMaps(t *testing.T) {
	type pairRow struct {
		Key   string `parquet:"key"`
		Value string `parquet:"value"`
	}
	type listRow struct {
		Add *struct {
			Path   string `parquet:"path"`
			Size   int64  `parquet:"size"`
			Values struct {
				Pairs []pairRow `parquet:"key_value"`
			} `parquet:"partitionValues"`
		} `parquet:"add,optional"`
	}
	var r listRow
	convert(t, map[string]any{"Add": map[string]any{"Path": "a", "Size": 1, "Values": map[string]any{"Pairs": []pairRow{{"k", "1"}, {"k", "2"}}}}}, &r)
	dir := valuedTable(t, "", nil)
	writeRows(t, dir, pad(4)+".checkpoint.parquet", []listRow{r}, parquet.Compression(&parquet.Snappy))
	_, err := openTable(t, dir, At{})
	wantRefused(t, err, `has the key "k" twice`)
}

// TestLongSchema: its page is beyond the limit.
func TestLongSchema(t *testing.T) {
	dir := valuedTable(t, "", nil)
	_, meta := metaOf(t, dir)
	meta.SchemaString = strings.Repeat("x", maxLine)
	writeRows(t, dir, pad(4)+".checkpoint.parquet", []row{{MetaData: meta}})
	if _, err := openTable(t, dir, At{}); !errors.Is(err, errLimit) {
		t.Error(err)
	}
}

// TestTimesThatOnlyGoReads are no spelling of a time.
func TestTimesThatOnlyGoReads(t *testing.T) {
	for _, text := range []string{"2020-01-01 12:30:00,5", "2020-01-01T00:00:00+24:00", "2020-01-01T00:00:00+18:30", "2020-01-01T00:00:00-23:59",
		"2020-01-01T00:00:00+0060", "2020-01-01 00:00:00.", "2020-01-01 00:00:00.0000000000", "2020-01-01\n", "2020-01-01 00:00Z"} {
		for kind, normal := range map[string]func(string) (string, bool){"timestamp": moment, "timestamp_ntz": local} {
			if spelled, ok := normal(text); ok {
				t.Errorf("%q is a %s: %s", text, kind, spelled)
			}
		}
	}
	for text, want := range map[string]string{"2020-01-01T05:00:00.5+17:59": "2019-12-31 11:01:00.5", "2020-1-1T0:0:0-1800": "2020-01-01 18:00:00", "2020-1-1 1:02": "2020-01-01 01:02:00"} {
		if got, ok := moment(text); !ok || got != want {
			t.Errorf("%q is %q, %v", text, got, ok)
		}
	}
}
