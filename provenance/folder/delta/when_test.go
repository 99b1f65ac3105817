package delta

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// day is when a version of the tests was committed: one each day.
func day(n int) time.Time { return time.Date(2026, 11, 1+n, 12, 0, 0, 0, time.UTC) }

// touch sets the modification times of commits.
func touch(t *testing.T, dir string, times map[int64]time.Time) {
	t.Helper()
	for v, at := range times {
		if err := os.Chtimes(filepath.Join(dir, logDir, pad(v)+".json"), at, at); err != nil {
			t.Fatal(err)
		}
	}
}

// daily is a table whose versions are a day apart.
func daily(t *testing.T, name string, from, to int64) string {
	dir := table(t, name)
	times := map[int64]time.Time{}
	for v := from; v <= to; v++ {
		times[v] = day(int(v))
	}
	touch(t, dir, times)
	return dir
}

// wantVersions opens a table at times.
func wantVersions(t *testing.T, dir string, want map[time.Time]int64) {
	t.Helper()
	for at, version := range want {
		table, err := openTable(t, dir, At{Before: at})
		if err != nil {
			t.Errorf("%v: %v", at, err)
		} else if n := table.Noun(); n.Version != version || n.Asked != "run start" {
			t.Errorf("%v: version %d (%s), want %d", at, n.Version, n.Asked, version)
		}
	}
}

func TestByModificationTime(t *testing.T) {
	dir := daily(t, "plain", 0, 8)
	want := map[time.Time]int64{day(100): 8}
	for v := range 9 {
		want[day(v)] = int64(v)
		want[day(v).Add(23*time.Hour)] = int64(v)
	}
	wantVersions(t, dir, want)
	_, err := openTable(t, dir, At{Before: day(0).Add(-time.Second)})
	wantRefused(t, err, "no version as old as 2026-11-01T11:59:59Z: the versions 0 to 8 were made since 2026-11-01T12:00:00Z")
}

// TestTimesAscend: a file copied later, or clocks that went back, do not make a version older than the one before it.
func TestTimesAscend(t *testing.T) {
	dir := daily(t, "plain", 0, 8)
	touch(t, dir, map[int64]time.Time{4: day(1), 5: day(3)})
	wantVersions(t, dir, map[time.Time]int64{
		day(3): 3, day(3).Add(time.Millisecond): 4, day(3).Add(2 * time.Millisecond): 5, day(5): 5, day(6): 6})
}

// TestByTimeAfterCleanUp: versions whose commit is there, and that a checkpoint leads to.
func TestByTimeAfterCleanUp(t *testing.T) {
	dir := daily(t, "cleaned", 5, 7)
	wantVersions(t, dir, map[time.Time]int64{day(5): 5, day(6): 6, day(9): 7})
	_, err := openTable(t, dir, At{Before: day(4)})
	wantRefused(t, err, "the versions 5 to 7 were made since")
	for v := range int64(3) {
		removeLog(t, dir, pad(5+v)+".json")
	}
	_, err = openTable(t, dir, At{Before: day(9)})
	wantRefused(t, err, "their commits are gone: it has the versions 5 to 5")
	table, err := openTable(t, dir, At{})
	if err != nil || len(table.Warnings()) != 2 || table.Noun().Operation != "" || !table.Noun().Log.IsZero() {
		t.Errorf("%+v, %v", table, err)
	}
}

// TestByTimeOnlyWhatCanBeRead: commits before the first checkpoint lead nowhere.
func TestByTimeOnlyWhatCanBeRead(t *testing.T) {
	dir := daily(t, "checkpointed", 0, 28)
	for v := range int64(8) {
		removeLog(t, dir, pad(v)+".json")
	}
	wantVersions(t, dir, map[time.Time]int64{day(11): 11, day(12): 12, day(40): 28})
	_, err := openTable(t, dir, At{Before: day(10)})
	wantRefused(t, err, "the versions 11 to 28 were made since 2026-11-12T12:00:00Z")
}

// inCommit is a commit with a time in it.
func inCommit(at time.Time) string {
	return fmt.Sprintf(`{"commitInfo":{"inCommitTimestamp":%d,"timestamp":1,"operation":"WRITE"}}`, at.UnixMilli())
}

const inCommitProtocol = `{"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["inCommitTimestamp"]}}`

// enable is the metaData that turns in-commit timestamps on, from version 9 on.
const enable = `{"metaData":{"id":"x","format":{"provider":"parquet"},"schemaString":"","partitionColumns":[],"configuration":` +
	`{"delta.enableInCommitTimestamps":"true","delta.inCommitTimestampEnablementVersion":"9"}}}`

func TestByInCommitTimestamp(t *testing.T) {
	dir := daily(t, "plain", 0, 8)
	writeLog(t, dir, pad(9)+".json", inCommit(day(9))+"\n"+inCommitProtocol+"\n"+enable)
	writeLog(t, dir, pad(10)+".json", inCommit(day(10)))
	touch(t, dir, map[int64]time.Time{9: day(300), 10: day(0)}) // which says nothing
	wantVersions(t, dir, map[time.Time]int64{day(7): 7, day(8): 8, day(9): 9, day(10).Add(-1): 9, day(10): 10})
	table, err := openTable(t, dir, version(9))
	if err != nil || !table.Noun().Committed.Equal(day(9)) {
		t.Errorf("%+v, %v", table, err)
	}
	touch(t, dir, map[int64]time.Time{0: day(20), 10: day(0)}) // copied later: version 9 is from day 9 on all the same
	wantVersions(t, dir, map[time.Time]int64{day(9): 9, day(10): 10})
	_, err = openTable(t, dir, At{Before: day(8)})
	wantRefused(t, err, "no version as old as")
	touch(t, dir, map[int64]time.Time{0: day(0)})
	writeLog(t, dir, pad(11)+".json", `{"commitInfo":{"timestamp":1}}`)
	_, err = openTable(t, dir, At{Before: day(400)})
	wantRefused(t, err, "keeps the times of commits in them, and the commit of version 11 has none")
	if _, err := openTable(t, dir, At{}); err != nil {
		t.Error(err)
	}
}

// TestInCommitPropertyInCapitals: writers spell a boolean as they like, and what is none is refused.
func TestInCommitPropertyInCapitals(t *testing.T) {
	for value, want := range map[string]string{"TRUE": "", "True": "", "yes": "delta.enableInCommitTimestamps", "fal\u017fe": "delta.enableInCommitTimestamps"} {
		dir := daily(t, "plain", 0, 8)
		writeLog(t, dir, pad(9)+".json", inCommit(day(9))+"\n"+inCommitProtocol+"\n"+strings.ReplaceAll(enable, `"true"`, `"`+value+`"`))
		writeLog(t, dir, pad(10)+".json", inCommit(day(30)))
		touch(t, dir, map[int64]time.Time{9: day(9), 10: day(10)})
		if want == "" {
			wantVersions(t, dir, map[time.Time]int64{day(20): 9, day(30): 10})
			continue
		}
		_, err := openTable(t, dir, At{Before: day(20)})
		wantRefused(t, err, want)
	}
}

// TestInCommitTimestampThatDoesNotCount: a time in a commit counts where the newest metaData says so.
func TestInCommitTimestampThatDoesNotCount(t *testing.T) {
	for name, lines := range map[string]string{
		"never enabled":  inCommit(day(2)),
		"disabled again": inCommit(day(2)) + "\n" + inCommitProtocol + "\n" + strings.ReplaceAll(enable, `"true"`, `"false"`),
	} {
		t.Run(name, func(t *testing.T) {
			dir := daily(t, "plain", 0, 8)
			writeLog(t, dir, pad(9)+".json", lines)
			touch(t, dir, map[int64]time.Time{9: day(9)})
			wantVersions(t, dir, map[time.Time]int64{day(3): 3, day(8): 8, day(9): 9})
			opened, err := openTable(t, dir, At{})
			if err != nil || !opened.Noun().Committed.Equal(time.UnixMilli(1)) {
				t.Errorf("%v, %v", opened, err)
			}
		})
	}
}

func TestWrongInCommitProperties(t *testing.T) {
	const from = `,"delta.inCommitTimestampEnablementTimestamp":"%d"}`
	for name, c := range map[string][2]string{
		"no version":      {strings.Replace(enable, `"9"`, `"x"`, 1), "which is no version"},
		"no version ever": {strings.Replace(enable, `"9"`, `"9223372036854775807"`, 1), "which is no version"},
		"version to be":   {strings.Replace(enable, `"9"`, `"12"`, 1), "since version 12, which it has not"},
		"another time":    {strings.Replace(enable, `"9"}`, `"9"`+fmt.Sprintf(from, day(8).UnixMilli()), 1), "which is not the time of the commit of version 9"},
		"the right time":  {strings.Replace(enable, `"9"}`, `"9"`+fmt.Sprintf(from, day(9).UnixMilli()), 1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := daily(t, "plain", 0, 8)
			writeLog(t, dir, pad(9)+".json", inCommit(day(9))+"\n"+inCommitProtocol+"\n"+c[0])
			_, err := openTable(t, dir, At{Before: day(9)})
			if c[1] != "" {
				wantRefused(t, err, c[1])
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
