package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStory runs the whole demo: it checks the exit status of every command itself.
func TestStory(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	printed := capture(t, func() {
		if err := story(t.TempDir()); err != nil {
			t.Error(err)
		}
	})
	if got := strings.Count(printed, "(exit status 1)"); got != 9 {
		t.Errorf("%d commands were refused, want 9:\n%s", got, printed)
	}
	for _, want := range []string{"signature.key", "signature.invalid", "subject.mismatch", "signature.none", "recheck.changed", "source.branch",
		"the model is not in", "removed by a later one", "the pipeline builds commit"} {
		if !strings.Contains(printed, want) {
			t.Errorf("nothing was refused for %q", want)
		}
	}
}

// capture returns what a function prints, on both streams.
func capture(t *testing.T, print func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = w, w
	defer func() { os.Stdout, os.Stderr = stdout, stderr }()
	done := make(chan string)
	go func() {
		data, _ := io.ReadAll(r) // what is missing is missed below
		done <- string(data)
	}()
	print()
	w.Close()
	return <-done
}
