package delta

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-3480f271/provenance/provenance/storage"
)

// removeLog removes a file of the log.
func removeLog(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, logDir, name)); err != nil {
		t.Fatal(err)
	}
}

// protocolLine is a protocol action with features.
func protocolLine(reader int, features ...string) string {
	return line("protocol", map[string]any{"minReaderVersion": reader, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features})
}

// TestBrokenLogs spoils a table of the versions 0 to 8, and opens its newest version.
func TestBrokenLogs(t *testing.T) {
	commit := func(lines ...string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { commitTo(t, dir, 9, lines...) }
	}
	const meta = `{"metaData":{"id":"other","format":{"provider":"parquet"},"schemaString":"","partitionColumns":[],"configuration":{%s}}}`
	for name, c := range map[string]struct {
		spoil func(t *testing.T, dir string)
		want  string
	}{
		"missing commit":       {func(t *testing.T, dir string) { removeLog(t, dir, pad(4)+".json") }, "the commit of version 4 is missing"},
		"missing first commit": {func(t *testing.T, dir string) { removeLog(t, dir, pad(0)+".json") }, "no version of it can be read"},
		"empty commit":         {func(t *testing.T, dir string) { writeLog(t, dir, pad(9)+".json", "") }, "is empty"},
		"cut off commit":       {func(t *testing.T, dir string) { writeLog(t, dir, pad(9)+".json", `{"add":{"path":"x`) }, "line 1 of " + pad(9) + ".json in the log cannot be read"},
		"key twice":            {commit(`{"add":{"path":"x","size":1,"size":2}}`), `"size" stands twice`},
		"too deep":             {commit(strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)), "nested deeper"},
		"two actions":          {commit(`{"add":{"path":"x","size":1},"remove":{"path":"y"}}`), "several actions"},
		"no size":              {commit(`{"add":{"path":"x"}}`), "has no size"},
		"negative size":        {commit(`{"add":{"path":"x","size":-2}}`), "has no size"},
		"no path":              {commit(`{"add":{"size":1}}`), "a file without a path"},
		"path in other case":   {commit(`{"add":{"Path":"x","size":1}}`), "a file without a path"},
		"remove without path":  {commit(`{"remove":{}}`), "a file without a path"},
		"size as text":         {commit(`{"add":{"path":"x","size":"1"}}`), "size"},
		"not an object":        {commit(`{"add":[]}`), "add"},
		"array":                {commit(`[]`), "cannot be read"},
		"added twice":          {commit(`{"add":{"path":"x","size":1}}`, `{"add":{"path":"x","size":1}}`), "version 9 adds the same file twice"},
		"added and removed":    {commit(`{"add":{"path":"x","size":1}}`, `{"remove":{"path":"x"}}`), "version 9 adds and removes the same file"},
		"removed and added":    {commit(`{"remove":{"path":"x"}}`, `{"add":{"path":"x","size":1}}`), "version 9 adds and removes the same file"},
		"two protocols":        {commit(protocolLine(3), protocolLine(3)), "several protocols"},
		"sidecar in a commit":  {commit(`{"sidecar":{"path":"x.parquet","sizeInBytes":1}}`), "an action of a checkpoint"},
		"absolute URI":         {commit(`{"add":{"path":"abfss://c@other.dfs.core.windows.net/t/x.parquet","size":1}}`), "abfss://c@other.dfs.core.windows.net/t/x.parquet is absolute"},
		"absolute path":        {commit(`{"add":{"path":"/etc/passwd","size":1}}`), "/etc/passwd is absolute"},
		"fragment":             {commit(`{"add":{"path":"x.parquet#1","size":1}}`), "has a query or a fragment"},
		"query":                {commit(`{"add":{"path":"y.parquet?1","size":1}}`), "has a query or a fragment"},
		"encoded slash":        {commit(`{"add":{"path":"%2Fetc/passwd","size":1}}`), "is absolute"},
		"climbs out":           {commit(`{"add":{"path":"a/../../x","size":1}}`), "a/../../x leads out of the table"},
		"climbs out, encoded":  {commit(`{"add":{"path":"%2e%2E/x","size":1}}`), "leads out of the table"},
		"not plain":            {commit(`{"add":{"path":"a//x","size":1}}`), "is no plain path"},
		"not percent-encoded":  {commit(`{"add":{"path":"100%","size":1}}`), "is no percent-encoded path"},
		"not text":             {commit(`{"add":{"path":"%ff","size":1}}`), "is no text"},
		"in the log":           {commit(`{"add":{"path":"_delta_log/x","size":1}}`), "lies in the log"},
		"unknown feature":      {commit(protocolLine(3, "deletionVectors", "futureThing")), `the reader feature "futureThing", which is not known`},
		"future reader":        {commit(protocolLine(4)), "asks for readers of version 4"},
		"no reader version":    {commit(`{"protocol":{"minWriterVersion":2}}`), "asks for readers of version 0"},
		"features missing":     {commit(`{"protocol":{"minReaderVersion":3,"minWriterVersion":7}}`), "names no readerFeatures"},
		"catalog":              {commit(protocolLine(3, "catalogManaged")), "the table has the feature catalogManaged"},
		"coordinator":          {commit(fmt.Sprintf(meta, `"delta.coordinatedCommits.commitCoordinator-preview":"dynamodb"`)), "commitCoordinator-preview"},
		"no id":                {commit(`{"metaData":{"configuration":{}}}`), "without an id"},
		"too many features":    {commit(protocolLine(3, strings.Split(strings.Repeat("x,", maxFeatures+1), ",")...)), "too many features"},
		"long feature":         {commit(protocolLine(3, strings.Repeat("x", maxText+1))), "name too long"},
		"staged commit": {func(t *testing.T, dir string) { writeLog(t, dir, stagedDir+pad(9)+"."+uuid+".json", "{}") },
			"it has the staged commit _staged_commits/" + pad(9)},
		"version beyond numbers": {func(t *testing.T, dir string) { writeLog(t, dir, strings.Repeat("9", 20)+".json", "{}") }, "cannot be"},
		"checksum of fewer files": {func(t *testing.T, dir string) {
			writeLog(t, dir, pad(8)+".crc", `{"numFiles":2,"tableSizeBytes":1}`)
		}, pad(8) + ".crc and the log disagree: 2 files and 3 files"},
		"checksum of other bytes": {func(t *testing.T, dir string) {
			writeLog(t, dir, pad(8)+".crc", `{"numFiles":3,"tableSizeBytes":1}`)
		}, "1 bytes and "},
		"checksum of vectors": {func(t *testing.T, dir string) {
			writeLog(t, dir, pad(8)+".crc", checksumOf(t, dir, `,"numDeletionVectorsOpt":7`))
		}, "7 deletion vectors and 0"},
		"checksum without counts": {func(t *testing.T, dir string) { writeLog(t, dir, pad(8)+".crc", `{}`) }, "is missing"},
		"checksum cut off":        {func(t *testing.T, dir string) { writeLog(t, dir, pad(8)+".crc", `{"numFiles":`) }, pad(8) + ".crc in the log cannot be read"},
		"sizes of one file": {commit(protocolLine(3, "deletionVectors"), `{"add":{"path":"x","size":1}}`,
			`{"add":{"path":"x","size":2,"deletionVector":{"storageType":"i","pathOrInlineDv":"abcde","sizeInBytes":4,"cardinality":1}}}`), "two sizes of one file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := table(t, "plain")
			c.spoil(t, dir)
			_, err := openTable(t, dir, At{})
			wantRefused(t, err, c.want)
		})
	}
}

// checksumOf is a right checksum of version 8, with more fields.
func checksumOf(t *testing.T, dir, more string) string {
	t.Helper()
	var bytes int64
	for _, v := range []int64{0, 1, 2} { // which version 8 restored
		bytes += int64(adds(t, dir, v)[0]["size"].(float64))
	}
	return fmt.Sprintf(`{"tableSizeBytes":%d,"numFiles":3%s}`, bytes, more)
}

func TestChecksumThatFits(t *testing.T) {
	dir := table(t, "plain")
	writeLog(t, dir, pad(8)+".crc", checksumOf(t, dir, `,"numDeletionVectorsOpt":0`))
	if _, err := openTable(t, dir, At{}); err != nil {
		t.Error(err)
	}
}

// TestPastDoesNotMatter: what was wrong, and is not in the snapshot any more.
func TestPastDoesNotMatter(t *testing.T) {
	dir := table(t, "plain")
	commitTo(t, dir, 9, protocolLine(3, "futureThing"), `{"add":{"path":"/elsewhere/x.parquet","size":1}}`)
	commitTo(t, dir, 10, protocolLine(3, "deletionVectors"), `{"remove":{"path":"/elsewhere/x.parquet"}}`)
	if _, err := openTable(t, dir, At{}); err != nil {
		t.Error(err)
	}
	if _, err := openTable(t, dir, version(9)); err == nil {
		t.Error("version 9 opened")
	}
}

func TestKnownFeatures(t *testing.T) {
	dir := table(t, "plain")
	commitTo(t, dir, 9, protocolLine(3, readerFeatures...))
	table, err := openTable(t, dir, At{})
	if err != nil {
		t.Fatal(err)
	}
	if n := table.Noun(); n.MinReader != 3 || n.MinWriter != 7 || len(n.ReaderFeatures) != len(readerFeatures) {
		t.Errorf("%+v", n)
	}
}

func TestManyFilesOutside(t *testing.T) {
	dir := table(t, "plain")
	var lines []string
	for i := range maxOutside + 10 {
		lines = append(lines, fmt.Sprintf(`{"add":{"path":"s3://b/%04d","size":1}}`, i))
	}
	commitTo(t, dir, 9, lines...)
	_, err := openTable(t, dir, At{})
	wantRefused(t, err, "s3://b/0000 is absolute, s3://b/0001 is absolute, s3://b/0002 is absolute and 998 more")
}

func TestVersionsThatAreNotThere(t *testing.T) {
	for _, c := range []struct {
		table   string
		version int64
		want    string
	}{
		{"plain", 9, "the table has no version 9 (any more, or yet): it has the versions 0 to 8"},
		{"plain", -1, "it has the versions 0 to 8"},
		{"cleaned", 4, "it has the versions 5 to 7"},
	} {
		_, err := openTable(t, table(t, c.table), version(c.version))
		wantRefused(t, err, c.want)
	}
}

func TestNoTable(t *testing.T) {
	dir := t.TempDir()
	_, err := openTable(t, dir, At{})
	wantRefused(t, err, "is no Delta table")
	if err := os.Mkdir(filepath.Join(dir, logDir), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = openTable(t, dir, At{})
	wantRefused(t, err, "is no Delta table")
	writeLog(t, dir, "_last_checkpoint", "{}")
	_, err = openTable(t, dir, At{})
	wantRefused(t, err, "no version of it can be read")
	dir = t.TempDir()
	path := filepath.Join(dir, logDir)
	for what, make := range map[string]func() error{
		"file": func() error { return os.WriteFile(path, nil, 0o600) },
		"pipe": func() error { return syscall.Mkfifo(path, 0o600) },
		"link": func() error { return os.Symlink("/dev/null", path) },
	} {
		if err := errors.Join(os.RemoveAll(path), make()); err != nil {
			t.Fatal(err)
		}
		if is, err := Is(t.Context(), openFolder(t, dir)); is || err != nil {
			t.Errorf("a %s called like the log: %v, %v", what, is, err)
		}
		_, err = openTable(t, dir, At{})
		wantRefused(t, err, "is no Delta table: its _delta_log is no folder")
	}
}

// TestBeyondLimits: a log that may be valid is not refused, and not read either.
func TestBeyondLimits(t *testing.T) {
	dir := table(t, "plain")
	writeLog(t, dir, pad(9)+".json", `{"commitInfo":{"x":"`+strings.Repeat("x", maxLine)+`"}}`)
	if _, err := openTable(t, dir, At{}); !errors.Is(err, errLimit) {
		t.Errorf("a long line: %v", err)
	}
	removeLog(t, dir, pad(9)+".json")
	writeLog(t, dir, pad(8)+".crc", strings.Repeat(" ", maxSum+1))
	if _, err := openTable(t, dir, At{}); !errors.Is(err, errLimit) {
		t.Errorf("a long checksum: %v", err)
	}
	c := newCollector()
	c.files = maxLogFiles
	if err := c.add(storage.Object{Name: pad(0) + ".json"}); !errors.Is(err, errLimit) {
		t.Errorf("too many files: %v", err)
	}
}

func TestListSeesTheLogChange(t *testing.T) {
	dir := table(t, "plain")
	table, err := openTable(t, dir, At{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, logDir, pad(8)+".json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err = listed(t, table)
	wantRefused(t, err, "has changed while it was read")
	removeLog(t, dir, pad(8)+".json")
	_, _, err = listed(t, table)
	wantRefused(t, err, "_delta_log/"+pad(8)+".json of the log is gone")
}

func TestListSeesOtherSizes(t *testing.T) {
	dir := table(t, "checkpointed")
	table, err := openTable(t, dir, version(5))
	if err != nil {
		t.Fatal(err)
	}
	for v := range int64(5) {
		if err := os.Truncate(filepath.Join(dir, adds(t, dir, v)[0]["path"].(string)), 3); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err = listed(t, table)
	wantRefused(t, err, " has 3 bytes, not ")
	wantRefused(t, err, " and 2 more")
}

// TestGoneFilesAreNamed: three by name, and how many more; from a checkpoint, too.
func TestGoneFilesAreNamed(t *testing.T) {
	dir := v2Table(t, checkpointKinds[3].name)
	checkpointKinds[3].write(t, dir, addRows(t, dir, 4))
	table, err := openTable(t, dir, At{})
	if err != nil {
		t.Fatal(err)
	}
	var gone []string
	for v := range int64(6) {
		gone = append(gone, adds(t, dir, v)[0]["path"].(string))
		if err := os.Remove(filepath.Join(dir, gone[v])); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err = listed(t, table)
	detail := refused(t, err)
	named := 0
	for _, name := range gone {
		named += strings.Count(detail, name)
	}
	if named != shown || !strings.Contains(detail, " and 3 more") || !strings.Contains(detail, "version 5 of ") {
		t.Errorf("names %d of the files: %s", named, detail)
	}
}

func TestRecorded(t *testing.T) {
	dir := table(t, "plain")
	old, err := openTable(t, dir, version(2))
	if err != nil {
		t.Fatal(err)
	}
	data, log, err := listed(t, old)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, name := range data {
		known[name] = true
	}
	view := Recorded(openFolder(t, dir), func(name string) bool { return known[name] })
	gotData, gotLog, err := listed(t, view)
	if err != nil || strings.Join(gotData, " ") != strings.Join(data, " ") || len(gotLog) != 0 || len(log) != 3 {
		t.Errorf("%v %v, %v", gotData, gotLog, err)
	}
	if view.URI() != old.URI() || view.Workers() != old.Workers() {
		t.Errorf("%s, %d workers", view.URI(), view.Workers())
	}
}

func TestNoun(t *testing.T) {
	dir := table(t, "plain")
	table, err := openTable(t, dir, At{})
	if err != nil {
		t.Fatal(err)
	}
	n := table.Noun()
	if n.Asked != "now" || n.Version != 8 || n.Operation != "RESTORE" || n.Committed.IsZero() || n.Log.IsZero() || n.Checkpoint != "" || n.DataFiles != 3 ||
		n.MinReader != 1 || n.MinWriter != 2 {
		t.Errorf("%+v", n)
	}
}

// TestInterrupted: a context that ends is no refusal.
func TestInterrupted(t *testing.T) {
	dir := table(t, "checkpointed")
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := Open(ctx, openFolder(t, dir), At{}, t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestScratchIsNeeded: a checkpoint that cannot be copied is no refusal.
func TestScratchIsNeeded(t *testing.T) {
	dir := table(t, "mapped")
	if _, err := Open(context.Background(), openFolder(t, dir), At{}, filepath.Join(dir, "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
