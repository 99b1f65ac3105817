package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance/folder"
)

func TestProgressLines(t *testing.T) {
	said := make(chan string, 1)
	p := newProgress(nil, time.Millisecond, func(format string, args ...any) {
		select {
		case said <- fmt.Sprintf(format, args...):
		default: // one is enough
		}
	})
	p.of("a")(folder.Progress{Files: 1, Bytes: 1 << 20, ListedFiles: 2, ListedBytes: 3 << 20, Listed: true})
	p.of("b")(folder.Progress{Files: 3, Bytes: 1 << 20, ListedFiles: 4, ListedBytes: 2 << 20})
	line := <-said
	for !strings.HasPrefix(line, "4 of") { // it may have been said between the two
		line = <-said
	}
	if want := "4 of at least 6 files, 2.0 MiB of at least 5.0 MiB hashed, "; !strings.HasPrefix(line, want) || strings.Contains(line, "left") {
		t.Errorf("said %q, want %q first and no time left", line, want)
	}
	p.of("b")(folder.Progress{Files: 3, Bytes: 1 << 20, ListedFiles: 4, ListedBytes: 2 << 20, Listed: true})
	if line := p.line(); !strings.HasPrefix(line, "4 of 6 files, 2.0 MiB of 5.0 MiB hashed, ") || !strings.HasSuffix(line, " left") {
		t.Errorf("said %q, want the time left", line)
	}
	p.stop()
}

func TestProgressSaysNothingOfNothing(t *testing.T) {
	p := newProgress(nil, time.Hour, t.Logf)
	defer p.stop()
	if line := p.line(); line != "" {
		t.Errorf("said %q before anything was listed", line)
	}
}

// TestProgressBar draws into a file in the place of a terminal, and takes the bar away.
func TestProgressBar(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "terminal")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p := newProgress(file, time.Hour, t.Logf)
	p.of("a")(folder.Progress{Files: 1, Bytes: 1 << 20, ListedFiles: 2, ListedBytes: 3 << 20, Listed: true})
	time.Sleep(200 * time.Millisecond) // longer than between two frames
	p.of("a")(folder.Progress{Files: 1, Bytes: 2 << 20, ListedFiles: 2, ListedBytes: 3 << 20, Listed: true})
	p.stop()
	drawn := string(mustRead(t, file.Name()))
	if !strings.Contains(drawn, "1 of 2 files") || !strings.Contains(drawn, "(1.0/3.0 MiB, ") || !strings.HasSuffix(drawn, "\r") {
		t.Errorf("drawn: %q", drawn)
	}
}
