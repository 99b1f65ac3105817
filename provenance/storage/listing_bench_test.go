package storage

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance/internal/blobdouble"
)

// BenchmarkListMillion lists a million blobs of the double. heap-MiB is the most that the process held, the double in it.
func BenchmarkListMillion(b *testing.B) {
	s := blobdouble.New(b)
	const n = 1_000_000
	s.Generate("data", n, func(i int) (string, int64) {
		return fmt.Sprintf("lake/mortgages/2026/%03d/part-%08d.parquet", i/1000, i), 4096
	})
	f, err := Open(b.Context(), s.URL+"/data/lake/?"+testSAS, Options{})
	if err != nil {
		b.Fatal(err)
	}
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapInuse)
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	for b.Loop() {
		seen := 0
		if err := f.List(b.Context(), func(Object) error { seen++; return nil }); err != nil || seen != n {
			b.Fatalf("listed %d, %v", seen, err)
		}
	}
	close(stop)
	b.ReportMetric(float64(<-peak)/(1<<20), "heap-MiB")
}
