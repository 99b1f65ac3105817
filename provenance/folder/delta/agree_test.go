package delta

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDeltalakeAgreesWithItself: checkpoints and compacted logs of tables that have partition columns of every type.
func TestDeltalakeAgreesWithItself(t *testing.T) {
	for name, newest := range map[string]int64{"partitioned": 3, "typed": 9, "typed_mapped": 9, "mapped": 1, "checkpointed": 28, "compacted": 5} {
		t.Run(name, func(t *testing.T) {
			dir := table(t, name)
			for v := range newest + 1 {
				opened, err := openTable(t, dir, version(v))
				if err != nil || len(opened.Warnings()) > 0 {
					t.Errorf("version %d: %+v, %v", v, opened, err)
				}
			}
		})
	}
}

// replaceLog changes a text in a file of the log.
func replaceLog(t testing.TB, dir, name, from, to string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, logDir, name))
	if err != nil || !strings.Contains(string(data), from) {
		t.Fatalf("%s has no %s, %v", name, from, err)
	}
	writeLog(t, dir, name, strings.ReplaceAll(string(data), from, to))
}

// TestForgedCheckpointOfDeltalake: the same, with the log of another partition.
func TestForgedCheckpointOfDeltalake(t *testing.T) {
	for _, name := range []string{"typed", "typed_mapped"} {
		dir := table(t, name)
		replaceLog(t, dir, pad(1)+".json", `"day":"2020-01-01"`, `"day":"2020-01-02"`)
		removeLog(t, dir, pad(0)+"."+pad(5)+".compacted.json")
		_, err := openTable(t, dir, At{})
		wantRefused(t, err, "the checkpoint of version 2 and the log before it disagree: partition values differ in the files s=a/")
	}
}

// TestDeltalakeSpelledAnew: the same, with the log as Spark spells it.
func TestDeltalakeSpelledAnew(t *testing.T) {
	for _, name := range []string{"typed", "typed_mapped"} {
		dir := table(t, name)
		for from, to := range map[string]string{`"ts":"2020-01-01 00:00:00.000000"`: `"ts":"2020-01-01T00:00:00.000000Z"`, `"tn":"2020-01-01 00:00:00.000000"`: `"tn":"2020-01-01 00:00:00"`,
			`"d":"NaN"`: `"d":"nan"`, `"d":"inf"`: `"d":"Infinity"`, `"f":"-0"`: `"f":"-0.0"`, `"f":"100000000000000000000"`: `"f":"1.0E20"`, `"s":""`: `"s":null`, `"x":"\\u0061\\u0062\\u0063"`: `"x":"abc"`} {
			replaceLog(t, dir, pad(1)+".json", from, to)
		}
		wantWarning(t, dir, "")
	}
}
