package delta

import (
	"errors"
	"strings"
	"testing"
)

// retypedTable has one partition column, p, whose type may be another in every version.
type retypedTable struct {
	testing.TB
	dir string
}

func typed(kind string) string {
	return metaLine(schemaOf(map[string]string{"p": kind}), []string{"p"}, map[string]string{})
}

func valuedAdd(name, value string) string { return addLine(name, map[string]*string{"p": &value}) }

// compact writes a compacted log.
func (r retypedTable) compact(from, to int64, lines ...string) {
	writeLog(r, r.dir, pad(from)+"."+pad(to)+".compacted.json", strings.Join(lines, "\n"))
}

// checkpoint writes a checkpoint with the values of files.
func (r retypedTable) checkpoint(version int64, kind string, values map[string]string) {
	var rows []*addRow
	for name, value := range values {
		rows = append(rows, &addRow{Path: name, Size: 5, PartitionValues: map[string]*string{"p": &value}})
	}
	_, meta := metaOf(r, r.dir)
	meta.SchemaString = schemaOf(map[string]string{"p": kind})
	writeRows(r, r.dir, pad(version)+".checkpoint.parquet", append(rowsOf(rows), row{MetaData: meta}, row{Protocol: &protocolRow{1, 7, nil, nil}}))
}

// TestTypesOfTheVersion: values are compared by the types of the version that is read, whatever they were when it was written.
func TestTypesOfTheVersion(t *testing.T) {
	refused := errors.New("refused")
	for name, c := range map[string]struct {
		make func(retypedTable)
		want error // errTypes: nobody can tell
	}{
		"compacted, one change later": {func(r retypedTable) {
			commitTo(r, r.dir, 0, protocolLine(1), typed("integer"))
			commitTo(r, r.dir, 1, valuedAdd("x", "1"))
			r.compact(0, 1, protocolLine(1), typed("integer"), valuedAdd("x", "01"))
			commitTo(r, r.dir, 2, typed("string"))
		}, errTypes},
		"compacted, there and back": {func(r retypedTable) {
			thereAndBack(r)
			r.compact(1, 2, typed("integer"), valuedAdd("x", "01"), valuedAdd("y", "2"))
		}, errTypes},
		"checkpoint, there and back": {func(r retypedTable) {
			thereAndBack(r)
			r.checkpoint(2, "integer", map[string]string{"x": "01", "y": "2"})
		}, errTypes},
		"compacted, another file": {func(r retypedTable) {
			thereAndBack(r)
			r.compact(1, 2, typed("integer"), valuedAdd("x", "01"), valuedAdd("poison", "2"))
		}, refused},
		"a wider type, in which they differ": {func(r retypedTable) {
			widened(r)
			commitTo(r, r.dir, 2, typed("double"))
		}, errTypes},
		"a wider type that no version has yet": {widened, nil},
		"a wider type, in which they are one": {func(r retypedTable) {
			commitTo(r, r.dir, 0, protocolLine(1), typed("integer"))
			commitTo(r, r.dir, 1, valuedAdd("x", "1"))
			r.compact(0, 1, protocolLine(1), typed("integer"), valuedAdd("x", "1"))
			commitTo(r, r.dir, 2, typed("long"))
			commitTo(r, r.dir, 3, valuedAdd("y", "2"))
			r.checkpoint(3, "long", map[string]string{"x": "01", "y": "2"})
		}, nil},
		"spelled twice, before and after the change": {func(r retypedTable) {
			commitTo(r, r.dir, 0, protocolLine(1), typed("integer"))
			commitTo(r, r.dir, 1, valuedAdd("x", "1"))
			r.compact(0, 1, protocolLine(1), typed("integer"), valuedAdd("x", "+1"))
			commitTo(r, r.dir, 2, typed("long"))
			r.checkpoint(2, "long", map[string]string{"x": "01"})
		}, nil},
		"the last one is another value": {func(r retypedTable) {
			commitTo(r, r.dir, 0, protocolLine(1), typed("integer"))
			commitTo(r, r.dir, 1, valuedAdd("x", "1"))
			r.compact(0, 1, protocolLine(1), typed("integer"), valuedAdd("x", "1"))
			commitTo(r, r.dir, 2, typed("long"))
			r.checkpoint(2, "long", map[string]string{"x": "2"})
		}, refused},
	} {
		t.Run(name, func(t *testing.T) {
			r := retypedTable{t, t.TempDir()}
			c.make(r)
			if c.want == nil {
				wantWarning(t, r.dir, "")
				return
			}
			_, err := openTable(t, r.dir, At{})
			if c.want == refused {
				wantRefused(t, err, "disagree")
			} else if !errors.Is(err, c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// thereAndBack has strings, which were integers for a while.
func thereAndBack(r retypedTable) {
	commitTo(r, r.dir, 0, protocolLine(1), typed("string"))
	commitTo(r, r.dir, 1, typed("integer"), valuedAdd("x", "1"))
	commitTo(r, r.dir, 2, valuedAdd("y", "2"))
	commitTo(r, r.dir, 3, typed("string"))
}

// widened has a checkpoint that spells a float as the double next to it.
func widened(r retypedTable) {
	commitTo(r, r.dir, 0, protocolLine(1), typed("float"))
	commitTo(r, r.dir, 1, valuedAdd("x", "0.1"))
	r.checkpoint(1, "float", map[string]string{"x": "0.10000000149011612"})
}
