package delta

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/seed-3480f271/provenance/provenance/folder"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// TestForeignNames: what Spark takes for a part of the log, and others do not.
func TestForeignNames(t *testing.T) {
	for _, name := range []string{"1.json", "9.json", strings.Repeat("0", 21) + "1.json", "4.checkpoint.parquet", pad(4) + ".checkpoint.evil.parquet", pad(4) + ".checkpoint.evil.json",
		pad(4) + ".checkpoint.1.1.parquet", pad(4) + ".checkpoint.0000000001.parquet", "1.2.compacted.json", pad(1) + ".2.compacted.json", "8.crc", "99.json"} {
		dir := table(t, "plain")
		writeLog(t, dir, name, "{}")
		_, err := openTable(t, dir, version(8))
		wantRefused(t, err, `the log has the file "`+name+`", which some readers would read and others not`)
	}
	for _, name := range []string{"0000000000.0000000002", "0000000003.0000000002", "0000000001.0000000000"} {
		dir := table(t, "plain")
		writeLog(t, dir, pad(4)+".checkpoint."+name+".parquet", "")
		_, err := openTable(t, dir, version(8))
		wantRefused(t, err, "of a checkpoint, which cannot be")
	}
}

// TestHonestNames: what else lies in logs.
func TestHonestNames(t *testing.T) {
	dir := table(t, "plain")
	for _, name := range []string{"_last_checkpoint", "." + pad(1) + ".json.crc", "." + pad(1) + ".json." + uuid + ".tmp", "_commits/" + pad(9) + "." + uuid + ".json",
		"_commit_" + uuid + ".json.tmp", pad(3) + ".json.tmp", "_sidecars/" + uuid + ".parquet", "README.json", "_changes/1.json"} {
		writeLog(t, dir, name, "{}")
	}
	if _, err := openTable(t, dir, At{}); err != nil {
		t.Error(err)
	}
}

// TestStagedLater: commits that wait for a catalog do not matter to a version before them.
func TestStagedLater(t *testing.T) {
	dir := table(t, "plain")
	writeLog(t, dir, stagedDir+pad(9)+"."+uuid+".json", "{}")
	writeLog(t, dir, stagedDir+pad(8)+"."+uuid+".json", "{}")
	for at, want := range map[*int64]bool{version(7).Version: true, version(8).Version: false, nil: false} {
		_, err := openTable(t, dir, At{Version: at})
		if !want {
			wantRefused(t, err, "it has the staged commit _staged_commits/"+pad(8))
		} else if err != nil {
			t.Error(err)
		}
	}
	writeLog(t, dir, stagedDir+"x.json", "{}")
	_, err := openTable(t, dir, version(0))
	wantRefused(t, err, "it has the staged commit _staged_commits/x.json")
}

// TestLimitOfFiles: as many as a folder may hold.
func TestLimitOfFiles(t *testing.T) {
	if maxFiles != folder.MaxFiles {
		t.Errorf("%d files, and a folder has %d", maxFiles, folder.MaxFiles)
	}
	add := func(name string) action { return action{add: &fileAction{path: name, size: 1}} }
	remove := func(name string) action { return action{remove: &fileAction{path: name}} }
	for name, c := range map[string]struct {
		actions []action
		want    bool
	}{
		"as many":      {[]action{add("a"), add("b"), add("c")}, true},
		"more":         {[]action{add("a"), add("b"), add("c"), add("d")}, false},
		"more removed": {[]action{remove("a"), remove("b"), remove("c"), remove("d")}, false},
	} {
		s := newState()
		s.limit = 3
		s.begin(0)
		var err error
		for _, a := range c.actions {
			err = errors.Join(err, s.apply(a))
		}
		if c.want != (err == nil) || !c.want && !errors.Is(err, errLimit) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRowsOfNothing: rows that are null everywhere take no bytes, but time.
func TestRowsOfNothing(t *testing.T) {
	var file bytes.Buffer
	w := parquet.NewGenericWriter[row](&file, parquet.Compression(&parquet.Zstd))
	rows := make([]row, 100_000)
	for range 10 {
		if _, err := w.Write(rows); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	err := readParquet(t.Context(), bytes.NewReader(file.Bytes()), int64(file.Len()), func(action) error { return nil })
	if !errors.Is(err, errLimit) {
		t.Errorf("a million rows in %d bytes: %v", file.Len(), err)
	}
}

// TestColumnsInOtherCase: Spark reads them as if they were written right.
func TestColumnsInOtherCase(t *testing.T) {
	type upper struct {
		Add      *addRow      `parquet:"Add,optional"`
		MetaData *metaRow     `parquet:"metaData,optional"`
		Protocol *protocolRow `parquet:"protocol,optional"`
	}
	type both struct {
		row
		Again *addRow `parquet:"ADD,optional"`
	}
	type inner struct {
		Add *struct {
			Path  string `parquet:"path"`
			Other string `parquet:"Path"`
			Size  int64  `parquet:"size"`
		} `parquet:"add,optional"`
	}
	write := map[string]func(dir, name string){
		"Add":  func(dir, name string) { writeRows(t, dir, name, []upper{{}}) },
		"ADD":  func(dir, name string) { writeRows(t, dir, name, []both{{}}) },
		"Path": func(dir, name string) { writeRows(t, dir, name, []inner{{}}) },
	}
	for column, write := range write {
		dir := table(t, "plain")
		write(dir, pad(8)+".checkpoint.parquet")
		_, err := openTable(t, dir, At{})
		wantRefused(t, err, `some readers take its column "`+column+`" for another one`)
	}
}

// twice lists every file of a folder whose name has an end twice.
type twice struct {
	storage.Folder
	end string
}

func (f twice) List(ctx context.Context, yield func(storage.Object) error) error {
	return f.Folder.List(ctx, func(o storage.Object) error {
		err := yield(o)
		if err == nil && strings.HasSuffix(o.Name, f.end) {
			err = yield(o)
		}
		return err
	})
}

func TestListedTwice(t *testing.T) {
	for _, end := range []string{".parquet", "8.json"} {
		opened, err := openTable(t, table(t, "plain"), At{})
		if err != nil {
			t.Fatal(err)
		}
		opened.folder = twice{opened.folder, end}
		_, _, err = listed(t, opened)
		if detail := refused(t, err); !strings.Contains(detail, end+" twice") {
			t.Error(detail)
		}
	}
}
