package delta

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
)

// largeTable is a table of n files: half of them in a checkpoint and in the commits before it, half in one later commit.
// The files themselves are not there.
func largeTable(t testing.TB, n int) string {
	t.Helper()
	dir := t.TempDir()
	const commits = 10
	head := `{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}` + "\n" + `{"metaData":{"id":"large","configuration":{}}}` + "\n"
	for v := range int64(commits) {
		writeAdds(t, dir, v, head, int(v)*n/2/commits, int(v+1)*n/2/commits)
		head = ""
	}
	writeAdds(t, dir, commits, "", n/2, n)
	path := filepath.Join(dir, logDir, pad(commits-1)+".checkpoint.parquet")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	rows := parquet.NewGenericWriter[row](file, parquet.Compression(&parquet.Snappy), parquet.MaxRowsPerRowGroup(100_000))
	write := func(r row) {
		if _, err := rows.Write([]row{r}); err != nil {
			t.Fatal(err)
		}
	}
	write(row{Protocol: &protocolRow{1, 2, nil, nil}})
	write(row{MetaData: &metaRow{ID: "large"}})
	for i := range n / 2 {
		day := fmt.Sprintf("2026-11-%02d", i%30)
		write(row{Add: &addRow{Path: largeName(i), Size: int64(i), PartitionValues: map[string]*string{"day": &day}}})
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func largeName(i int) string {
	return fmt.Sprintf("day=2026-11-%02d/part-%05d-3935a07c-416b-4344-ad97-%012d.c000.snappy.parquet", i%30, i%1000, i)
}

func writeAdds(t testing.TB, dir string, version int64, head string, from, to int) {
	t.Helper()
	writeLog(t, dir, pad(version)+".json", "")
	file, err := os.Create(filepath.Join(dir, logDir, pad(version)+".json"))
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(file)
	fmt.Fprint(w, head)
	for i := from; i < to; i++ {
		fmt.Fprintf(w, `{"add":{"path":%q,"partitionValues":{"day":"2026-11-%02d"},"size":%d,"modificationTime":1795492897774,"dataChange":true,`+
			`"stats":"{\"numRecords\":1,\"minValues\":{\"id\":2},\"maxValues\":{\"id\":2},\"nullCount\":{\"id\":0}}"}}`+"\n", largeName(i), i%30, i)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

// peak measures the live heap while f runs: the most that any collection found in use. What was allocated since does not count, so
// that a busy machine makes no difference.
func peak(f func()) uint64 {
	live := func() uint64 {
		runtime.GC()
		sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	before := live()
	done, highest := make(chan struct{}), make(chan uint64)
	go func() {
		most := before
		for {
			most = max(most, live())
			select {
			case <-done:
				highest <- most
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	f()
	close(done)
	return <-highest - before
}

// TestMemory: 70 MiB and what buffers take, for each million files.
func TestMemory(t *testing.T) {
	const n = 100_000
	dir := largeTable(t, n)
	var table *Table
	used := peak(func() {
		var err error
		if table, err = openTable(t, dir, At{}); err != nil {
			t.Fatal(err)
		}
	})
	const buffers = 10 << 20 // lines of commits, pages of Parquet
	if limit := uint64(n*70<<20/1_000_000 + buffers); used > limit {
		t.Errorf("%d files took %d MiB, want at most %d", n, used>>20, limit>>20)
	}
	t.Logf("%d files: %d MiB", n, used>>20)
	if got := table.Noun(); got.DataFiles != n || got.Checkpoint != "9" {
		t.Errorf("%+v", got)
	}
}

// BenchmarkOpen opens a table of a million files, half of which are read twice, to compare the checkpoint.
func BenchmarkOpen(b *testing.B) {
	dir := largeTable(b, 1_000_000)
	for b.Loop() {
		if _, err := openTable(b, dir, At{}); err != nil {
			b.Fatal(err)
		}
	}
}
