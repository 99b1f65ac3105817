package delta

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/folder"
)

// recordOf hashes a version, and says how it compares with what lies there when compare is called.
func recordOf(t *testing.T, dir string, v int64) (compare func(mode string) (folder.Changes, error)) {
	t.Helper()
	opened, err := openTable(t, dir, version(v))
	if err != nil {
		t.Fatal(err)
	}
	r, err := folder.Hash(t.Context(), opened, folder.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return func(mode string) (folder.Changes, error) {
		known, done, err := r.Lines().Names()
		if err != nil {
			t.Fatal(err)
		}
		defer done()
		wrong := Reread(t.Context(), openFolder(t, dir), v, known, t.TempDir())
		changes, err := folder.Recheck(t.Context(), Recorded(openFolder(t, dir), known), r.Lines(), mode, folder.Options{Dir: t.TempDir()})
		return changes, errors.Join(wrong, err)
	}
}

func writeData(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestAddedToTheLog: after a version was recorded, files are added to its log. Nothing that was there changes.
func TestAddedToTheLog(t *testing.T) {
	poisoned := func(rows []*addRow) []*addRow {
		return append([]*addRow{{Path: "poison.parquet", Size: 5, DataChange: true}}, rows[1:]...)
	}
	for name, c := range map[string]struct {
		add  func(t *testing.T, dir string)
		want string
	}{
		"a checkpoint that agrees":         {func(t *testing.T, dir string) { checkpointKinds[0].write(t, dir, addRows(t, dir, 4)) }, ""},
		"a checkpoint of another kind":     {func(t *testing.T, dir string) { checkpointKinds[1].write(t, dir, addRows(t, dir, 4)) }, ""},
		"a later version":                  {func(t *testing.T, dir string) { commitTo(t, dir, 6, addLine("later", nil)) }, ""},
		"a later checkpoint":               {func(t *testing.T, dir string) { writeLog(t, dir, pad(6)+".checkpoint.parquet", "") }, ""},
		"a later commit for a catalog":     {func(t *testing.T, dir string) { writeLog(t, dir, stagedDir+pad(6)+"."+uuid+".json", "{}") }, ""},
		"a forged checkpoint":              {func(t *testing.T, dir string) { checkpointKinds[0].write(t, dir, poisoned(addRows(t, dir, 4))) }, "the checkpoint of version 4 and the log before it disagree"},
		"a forged checkpoint of two parts": {func(t *testing.T, dir string) { checkpointKinds[1].write(t, dir, poisoned(addRows(t, dir, 4))) }, "the checkpoint of version 4 and the log before it disagree"},
		"a compacted log": {func(t *testing.T, dir string) {
			writeLog(t, dir, pad(4)+"."+pad(5)+".compacted.json", addLine("poison.parquet", nil))
		}, "the compacted log"},
		"a checksum":          {func(t *testing.T, dir string) { writeLog(t, dir, pad(5)+".crc", `{"numFiles":1,"tableSizeBytes":1}`) }, "disagree: 1 files"},
		"a name of another":   {func(t *testing.T, dir string) { writeLog(t, dir, "5.json", "{}") }, `the log has the file "5.json"`},
		"a commit that waits": {func(t *testing.T, dir string) { writeLog(t, dir, stagedDir+pad(5)+"."+uuid+".json", "{}") }, "staged commit"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := table(t, "compacted")
			compare := recordOf(t, dir, 5)
			writeData(t, dir, "poison.parquet")
			c.add(t, dir)
			for _, mode := range []string{"listing", "content"} {
				changes, err := compare(mode)
				if !changes.Empty() {
					t.Errorf("%s: %v", mode, changes)
				}
				if c.want != "" {
					wantRefused(t, err, c.want)
				} else if err != nil {
					t.Errorf("%s: %v", mode, err)
				}
			}
		})
	}
}

// forgedPast is a table that was recorded from its checkpoint of version 4 on. Then a past was added that its log did not
// have any more, and a checkpoint of version 5 that agrees with it: all that is compared within the log agrees.
func forgedPast(t *testing.T, rows func([]*addRow) []*addRow) func(string) (folder.Changes, error) {
	t.Helper()
	dir := table(t, "compacted")
	writeData(t, dir, "poison.parquet")
	all := addRows(t, dir, 5)
	_, meta := metaOf(t, dir)
	checkpointKinds[0].write(t, dir, all[:5])
	for v := range int64(4) {
		removeLog(t, dir, pad(v)+".json")
	}
	removeLog(t, dir, pad(4)+".json")
	removeLog(t, dir, compactedLog)
	compare := recordOf(t, dir, 5)
	past, protocol := rows(append([]*addRow{}, all[:5]...)), row{Protocol: &protocolRow{1, 2, nil, nil}}
	writeRows(t, dir, pad(3)+".checkpoint.parquet", append(rowsOf(past), row{MetaData: meta}, protocol))
	commitTo(t, dir, 4)
	writeRows(t, dir, pad(5)+".checkpoint.parquet", append(rowsOf(append(past, all[5])), row{MetaData: meta}, protocol))
	return compare
}

// TestForgedPast: what is added has to lead to what was recorded, and not only to agree with itself.
func TestForgedPast(t *testing.T) {
	day := "2026-11-01"
	for name, c := range map[string]struct {
		rows func([]*addRow) []*addRow
		want string
	}{
		"the same":         {func(a []*addRow) []*addRow { return a }, ""},
		"another file":     {func(a []*addRow) []*addRow { return append(a, &addRow{Path: "poison.parquet", Size: 5}) }, "has other files"},
		"a file less":      {func(a []*addRow) []*addRow { return a[1:] }, "has other files"},
		"another vector":   {func(a []*addRow) []*addRow { return withVector(a) }, "its protocol has not the feature deletionVectors"},
		"another spelling": {func(a []*addRow) []*addRow { return respelled(a) }, "has other files, sizes or deletion vectors"},
		"another value": {func(a []*addRow) []*addRow {
			changed := *a[0]
			changed.PartitionValues = map[string]*string{"day": &day}
			return append([]*addRow{&changed}, a[1:]...)
		}, "has other partition values"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := forgedPast(t, c.rows)("listing")
			if c.want != "" {
				wantRefused(t, err, c.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func withVector(rows []*addRow) []*addRow {
	changed := *rows[0]
	changed.DeletionVector = &vectorRow{"i", "abcde", nil, 4, 1}
	return append([]*addRow{&changed}, rows[1:]...)
}

func respelled(rows []*addRow) []*addRow {
	changed := *rows[0]
	changed.Path = strings.Replace(changed.Path, "part", "p%61rt", 1)
	return append([]*addRow{&changed}, rows[1:]...)
}

// TestRereadCannotTell: partition values that are spelled in a way that may be the same are no finding.
func TestRereadCannotTell(t *testing.T) {
	o := func(certain, style, whole uint64, warnings ...string) *outcome {
		return &outcome{files: fingerprint{certain, style, whole}, reading: &reading{}, warnings: warnings}
	}
	for name, c := range map[string]struct {
		was, now *outcome
		want     string // refused, undecided, or nothing
	}{
		"the same":                 {o(1, 1, 1, "old"), o(1, 1, 1, "old"), ""},
		"a new warning":            {o(1, 1, 1), o(1, 1, 1, "new"), "undecided"},
		"another style":            {o(1, 1, 1), o(1, 2, 2), "undecided"},
		"values in the same style": {o(1, 1, 1), o(1, 1, 2), "refused"},
		"other files":              {o(1, 1, 1), o(2, 2, 2), "refused"},
	} {
		err := c.now.compare(c.was)
		var refused *provenance.Refused
		got := ""
		switch {
		case errors.As(err, &refused):
			got = "refused"
		case err != nil:
			got = "undecided"
		}
		if got != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}
