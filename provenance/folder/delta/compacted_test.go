package delta

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// rangeLog is a compacted log of the versions 2 to 4.
var rangeLog = pad(2) + "." + pad(4) + ".compacted.json"

// compactedTable has the versions 0 to 5. The versions 2 to 4 add, add again, and remove; version 4 changes the schema.
func compactedTable(t testing.TB) string {
	t.Helper()
	dir := valuedTable(t, "", valued)
	changed := metaLine(someSchema, []string{"a"}, map[string]string{"k": "v"})
	commitTo(t, dir, 1, addLine(name(1), nil), addLine("stays", nil))
	commitTo(t, dir, 2, addLine("x", pointers(first)), addLine("y", pointers(first)), removeLine(name(1)))
	commitTo(t, dir, 3, removeLine("x"), addLine(name(0), pointers(first))) // which was there
	commitTo(t, dir, 4, removeLine(name(0)), addLine("z", nil), changed, protocolLine(3, "deletionVectors"))
	return dir
}

// honest is what the commits 2 to 4 come to, by the rules of the protocol.
func honest() []string {
	return []string{addLine("y", pointers(first)), addLine("z", nil), removeLine("x"), removeLine(name(0)), removeLine(name(1)),
		metaLine(someSchema, []string{"a"}, map[string]string{"k": "v"}), protocolLine(3, "deletionVectors")}
}

func TestCompactedLogs(t *testing.T) {
	replaced := func(i int, line string) []string { return slices.Replace(honest(), i, i+1, line) }
	changed := func(column, value string) []string {
		values := pointers(first)
		set(column, value)(values)
		return replaced(0, addLine("y", values))
	}
	for name, c := range map[string]struct {
		lines []string
		want  string // of a refusal
	}{
		"honest":                     {honest(), ""},
		"without what came and went": {slices.Delete(honest(), 2, 3), ""},
		"with a commitInfo":          {append(honest(), `{"commitInfo":{"timestamp":1}}`), ""},
		"a file too few":             {slices.Delete(honest(), 0, 1), "they have other files"},
		"a file too many":            {append(honest(), addLine("poison", nil)), "they have other files"},
		"a file that was removed":    {slices.Delete(honest(), 3, 4), "they have other files"},
		"another that was removed":   {slices.Delete(honest(), 4, 5), "they have other files"},
		"a file removed":             {append(honest(), removeLine("stays")), "they have other files"},
		"removes twice":              {append(honest(), removeLine(name(0))), "removes the same file twice"},
		"other size":                 {replaced(0, strings.Replace(addLine("y", pointers(first)), `"size":5`, `"size":6`, 1)), "they have other files"},
		"other values":               {changed("s", "c"), "partition values"},
		"other schema":               {replaced(5, metaLine("{}", []string{"a"}, map[string]string{"k": "v"})), "their protocols or metaData differ"},
		"old schema":                 {slices.Delete(honest(), 5, 6), "their protocols or metaData differ"},
		"other protocol":             {replaced(6, protocolLine(3)), "their protocols or metaData differ"},
		"old protocol":               {slices.Delete(honest(), 6, 7), "their protocols or metaData differ"},
		"adds twice":                 {append(honest(), addLine("y", nil)), "contradicts itself"},
		"a sidecar":                  {append(honest(), `{"sidecar":{"path":"x","sizeInBytes":1}}`), "an action of a checkpoint"},
		"empty":                      {nil, "is empty"},
		"cut off":                    {[]string{`{"add":{`}, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := compactedTable(t)
			writeLog(t, dir, rangeLog, strings.Join(c.lines, "\n"))
			if c.want == "" {
				wantWarning(t, dir, "")
			} else {
				_, err := openTable(t, dir, At{})
				wantRefused(t, err, c.want)
			}
			if _, err := openTable(t, dir, version(3)); err != nil { // for which no reader takes it
				t.Error(err)
			}
		})
	}
}

// TestCompactedLogOfAnotherType: a column was a date when its values were compared, and is a string by the version that is read.
// What is one date in two spellings is two strings.
func TestCompactedLogOfAnotherType(t *testing.T) {
	dir, text, spelled := t.TempDir(), "2020-01-01", "2020-1-1"
	date := metaLine(schemaOf(map[string]string{"p": "date"}), []string{"p"}, map[string]string{})
	asString := metaLine(schemaOf(map[string]string{"p": "string"}), []string{"p"}, map[string]string{})
	add := func(name, value string) string { return addLine(name, map[string]*string{"p": &value}) }
	commitTo(t, dir, 0, protocolLine(1), date, add("x", text))
	commitTo(t, dir, 1, add("y", text))
	writeLog(t, dir, pad(0)+"."+pad(1)+".compacted.json", strings.Join([]string{protocolLine(1), date, add("x", spelled), add("y", text)}, "\n"))
	commitTo(t, dir, 2, asString, removeLine("x"), removeLine("y"), add("z", text))
	commitTo(t, dir, 3, add("w", text))
	rows := addRows(t, dir, 3)[:0]
	for name, value := range map[string]string{"z": spelled, "w": text} {
		rows = append(rows, &addRow{Path: name, Size: 5, PartitionValues: map[string]*string{"p": &value}})
	}
	_, meta := metaOf(t, dir)
	meta.SchemaString = schemaOf(map[string]string{"p": "string"})
	writeRows(t, dir, pad(3)+".checkpoint.parquet", append(rowsOf(rows), row{MetaData: meta}, row{Protocol: &protocolRow{1, 2, nil, nil}}))
	if _, err := openTable(t, dir, At{}); err == nil {
		t.Error("two strings are taken as one")
	}
}

// TestCompactedLogWithoutMetaData is refused where nothing before it has one.
func TestCompactedLogWithoutMetaData(t *testing.T) {
	dir := valuedTable(t, "", valued)
	writeLog(t, dir, pad(0)+"."+pad(2)+".compacted.json", addLine("x", nil))
	_, err := openTable(t, dir, At{})
	wantRefused(t, err, "compacted")
}

// TestValuesOfCompactedLogs: the same cases as in checkpoints.
func TestValuesOfCompactedLogs(t *testing.T) {
	for name, c := range valueCases {
		t.Run(name, func(t *testing.T) {
			dir := valuedTable(t, "", valued)
			values := pointers(first)
			c.change(values)
			writeLog(t, dir, pad(0)+"."+pad(1)+".compacted.json", strings.Join([]string{addLine("part-0.parquet", values), addLine("part-1.parquet", nil),
				`{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}`, metaLine(schemaOf(valued), slices.Sorted(maps.Keys(valued)), nil)}, "\n"))
			if c.want == "!" {
				_, err := openTable(t, dir, At{})
				wantRefused(t, err, "partition values")
				return
			}
			wantWarning(t, dir, strings.Replace(c.want, "?", "partition values could not be compared between the compacted log", 1))
		})
	}
}

// TestCompactedLogsBelong: a reader may take them, so that they are among the files of the version.
func TestCompactedLogsBelong(t *testing.T) {
	dir := table(t, "compacted")
	for v, want := range map[int64]bool{3: false, 4: true, 5: true} {
		opened, err := openTable(t, dir, version(v))
		if err != nil || len(opened.Warnings()) > 0 {
			t.Fatalf("%v, %v", opened.Warnings(), err)
		}
		_, log, err := listed(t, opened)
		if err != nil || slices.Contains(log, compactedLog) != want {
			t.Errorf("version %d: %v, %v", v, log, err)
		}
	}
	checkpointKinds[0].write(t, dir, addRows(t, dir, 4))
	opened, err := openTable(t, dir, At{})
	if err != nil {
		t.Fatal(err)
	}
	if _, log, err := listed(t, opened); err != nil || len(log) != 2 {
		t.Errorf("after a checkpoint: %v, %v", log, err)
	}
}

// TestCompactedLogOfNothing: a range that ends before it begins.
func TestCompactedLogOfNothing(t *testing.T) {
	dir := compactedTable(t)
	writeLog(t, dir, pad(4)+"."+pad(2)+".compacted.json", addLine("poison", nil))
	wantWarning(t, dir, "")
}

// TestForgedCompactedLog of deltalake.
func TestForgedCompactedLog(t *testing.T) {
	dir := table(t, "compacted")
	appendLog(t, dir, compactedLog, addLine("poison.parquet", nil))
	_, err := openTable(t, dir, At{})
	wantRefused(t, err, "the compacted log "+compactedLog+" and the commits of the versions 1 to 4 disagree")
}
