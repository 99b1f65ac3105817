package folder

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance/storage"
)

// The folders of the benchmarks, as the facts were measured on.
const (
	smallFiles, smallSize = 20_000, 4 << 10
	largeFiles, largeSize = 32, 64 << 20
)

// benchFolder makes a folder of files of the same size, none with the content of another.
func benchFolder(b *testing.B, files, size int) string {
	b.Helper()
	dir := b.TempDir()
	content := bytes.Repeat([]byte("mortgage"), size/8)
	for i := range files {
		copy(content, fmt.Sprintf("%08d", i))
		name := filepath.Join(dir, fmt.Sprintf("%03d", i%200), fmt.Sprintf("%06d.csv", i))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(name, content, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

// hashFolder hashes a folder as the program does: listing, hashing, listing again.
func hashFolder(b *testing.B, dir string, files int) {
	f, err := storage.Open(b.Context(), dir, storage.Options{})
	if err != nil {
		b.Fatal(err)
	}
	r, err := Hash(b.Context(), f, scratch(b))
	if err != nil || r.Files != int64(files) {
		b.Fatalf("hashed %v, %v", r, err)
	}
}

// BenchmarkHashSmall hashes 20,000 files of 4 KiB. Its metric x-xargs is how many times faster it is than
// xargs -P2 sha256sum on the same folder, measured beside it.
func BenchmarkHashSmall(b *testing.B) {
	dir := benchFolder(b, smallFiles, smallSize)
	hashFolder(b, dir, smallFiles)
	xargs(b, dir) // both have the folder in the page cache
	b.SetBytes(smallFiles * smallSize)
	var other time.Duration
	for b.Loop() {
		hashFolder(b, dir, smallFiles)
		b.StopTimer()
		other += xargs(b, dir)
		b.StartTimer()
	}
	b.ReportMetric(float64(other)/float64(b.Elapsed()), "x-xargs")
}

// xargs is how long coreutils take on two cores.
func xargs(b *testing.B, dir string) time.Duration {
	b.Helper()
	cmd := exec.Command("sh", "-c", "find . -type f -print0 | xargs -0 -P2 sha256sum -- | wc -l")
	cmd.Dir = dir
	start := time.Now()
	out, err := cmd.Output()
	if took := time.Since(start); err == nil && string(bytes.TrimSpace(out)) == fmt.Sprint(smallFiles) {
		return took
	}
	b.Fatalf("xargs: %q, %v", out, err)
	return 0
}

// BenchmarkHashLarge hashes files of 64 MiB. Its metric of-cores is its rate as a part of what all cores together could
// hash in memory, by the rate of one core measured beside it.
func BenchmarkHashLarge(b *testing.B) {
	dir := benchFolder(b, largeFiles, largeSize)
	hashFolder(b, dir, largeFiles)
	b.SetBytes(largeFiles * largeSize)
	var alone time.Duration
	block := make([]byte, largeSize)
	for b.Loop() {
		hashFolder(b, dir, largeFiles)
		b.StopTimer()
		alone += inMemory(block, largeFiles)
		b.StartTimer()
	}
	b.ReportMetric(float64(alone)/float64(runtime.GOMAXPROCS(0))/float64(b.Elapsed()), "of-cores")
}

// inMemory is how long one core takes for so many blocks.
func inMemory(block []byte, blocks int) time.Duration {
	start := time.Now()
	hash := sha256.New()
	for range blocks {
		hash.Write(block)
	}
	hash.Sum(nil)
	return time.Since(start)
}
