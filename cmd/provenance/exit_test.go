package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
)

// TestStatusOf: what is neither a refusal nor a mistake of the caller is undecided, however it is wrapped.
func TestStatusOf(t *testing.T) {
	refused, misused := provenance.Refuse("c", "", "x"), provenance.Misuse("", "x")
	for name, c := range map[string]struct {
		err  error
		want status
	}{
		"none":                {nil, statusDone},
		"refused":             {refused, statusRefused},
		"refused, wrapped":    {fmt.Errorf("a: %w", provenance.WithHint(refused, "h")), statusRefused},
		"misused":             {provenance.WithHint(misused, "h"), statusMisused},
		"network":             {io.ErrUnexpectedEOF, statusUndecided},
		"deadline":            {context.DeadlineExceeded, statusUndecided},
		"interrupted refusal": {errors.Join(refused, context.Canceled), statusUndecided},
	} {
		if got := statusOf(c.err); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// TestUnwrittenResultIsNoSuccess: a verdict that nobody could read was not given.
func TestUnwrittenResultIsNoSuccess(t *testing.T) {
	st := run(t.Context(), []string{"provenance", "--version"}, process{Stdout: fullDisk{}, Stderr: io.Discard, LookupEnv: func(string) (string, bool) { return "", false }})
	if st != statusUndecided {
		t.Errorf("exit status %d, want %d", st, statusUndecided)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

var configSeeds = []string{"", "image: a\n", "data: [a, b]\nkey: k\n", "image: [a]\n", "a: &x [*x]\n", "---\n---\n", "image: a\nimage: b\n", "{", "\t"}

// FuzzParseConfig: a configuration is read, or it is the caller's mistake and named.
func FuzzParseConfig(f *testing.F) {
	if len(configSeeds) < 5 {
		f.Fatal("no seeds")
	}
	for _, seed := range configSeeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var misused *provenance.Misused
		if err := parseConfig("p.yaml", []byte(text), new(config)); err != nil && (!errors.As(err, &misused) || !strings.HasPrefix(err.Error(), "p.yaml")) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
