package folder

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance/storage"
)

// generated is a folder of many small blobs.
type generated struct {
	storage.Folder
	files   int
	changed int // every so many have another ETag; 0: none
}

func (g generated) List(ctx context.Context, yield func(storage.Object) error) error {
	modified := at(1)()
	for i := range g.files {
		n := i ^ 63 // not quite sorted, as Azure's order of names is not that of bytes
		o := storage.Object{Name: fmt.Sprintf("mortgages/year=2026/month=%02d/part-%08d.snappy.parquet", 12*n/g.files+1, n), Size: 8,
			ETag: fmt.Sprintf("0x%015X", n), Modified: modified, Created: modified}
		if g.changed > 0 && n%g.changed == 0 {
			o.ETag += "0"
		}
		if err := yield(o); err != nil {
			return err
		}
	}
	return nil
}

func (g generated) Open(_ context.Context, o storage.Object) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(o.Name[len(o.Name)-8:])), nil
}

func (g generated) Workers() int { return 8 }
func (g generated) URI() string  { return "https://acct.blob.core.windows.net/data/p/" }

// peakHeap is the largest heap while do runs, in bytes.
func peakHeap(do func()) uint64 {
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	var peak uint64
	end, ended := make(chan struct{}), sync.WaitGroup{}
	ended.Go(func() {
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
			select {
			case <-end:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	do()
	close(end)
	ended.Wait()
	return peak
}

// TestMillionFilesInBoundedMemory hashes them, reads the index, hashes them again with it, and looks what changed.
func TestMillionFilesInBoundedMemory(t *testing.T) {
	const files, limit = 1 << 20, 96 << 20
	var first *Result
	step := func(name string, do func()) {
		start := time.Now()
		peak := peakHeap(do)
		t.Logf("%s: %.1f s, at most %d MiB", name, time.Since(start).Seconds(), peak>>20)
		if peak > limit {
			t.Errorf("%s took %d MiB of memory, more than %d", name, peak>>20, limit>>20)
		}
	}
	step("first night", func() {
		var err error
		first, err = Hash(t.Context(), generated{files: files}, scratch(t))
		must(t, err)
	})
	previous := &Previous{Statement: statement("first")}
	step("reading the index", func() {
		text, err := first.Index().Open()
		must(t, err)
		defer text.Close()
		previous.Index, err = ReadIndex(text, t.TempDir(), first.Digest)
		must(t, err)
	})
	step("second night", func() {
		o := scratch(t)
		o.Previous = previous
		second, err := Hash(t.Context(), generated{files: files, changed: 100}, o)
		must(t, err)
		if second.Digest != first.Digest || second.Files != files || second.Reused.Files != files-files/100-1 {
			t.Errorf("got %+v, reused %+v", second, second.Reused)
		}
	})
	step("recheck", func() {
		c, err := Recheck(t.Context(), generated{files: files, changed: 1}, first.Lines(), RecheckListing, scratch(t))
		must(t, err)
		if c.Total().Modified != files || len(c.Modified) != MaxNamed {
			t.Errorf("got %+v", c.Total())
		}
	})
	step("shared files", func() {
		shared, err := Shared(t.Context(), t.TempDir(), []Role{{"train", "a", first.Lines()}, {"test", "b", first.Lines()}})
		must(t, err)
		if shared[0][0].Files != files {
			t.Errorf("got %+v", shared)
		}
	})
}
