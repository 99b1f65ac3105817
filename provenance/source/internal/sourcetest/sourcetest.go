// Package sourcetest helps the tests of the sources.
package sourcetest

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
)

// KindOf is the code of a refusal, "misused", or empty for undecided.
func KindOf(err error) string {
	var refused *provenance.Refused
	var misused *provenance.Misused
	switch {
	case errors.As(err, &refused):
		return refused.Code
	case errors.As(err, &misused):
		return "misused"
	}
	return ""
}

// Stored reads the stored answer, and checks what is said of it.
func Stored(t *testing.T, s provenance.Stored) []byte {
	t.Helper()
	r, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil || provenance.SumSHA256(data) != s.Digest || int64(len(data)) != s.Size {
		t.Fatalf("stored %d bytes, said %d with %s (%v)", len(data), s.Size, s.Digest, err)
	}
	return data
}

// HexOfH1 turns Go's h1: form into hex.
func HexOfH1(t *testing.T, h1 string) string {
	t.Helper()
	encoded, found := strings.CutPrefix(h1, "h1:")
	sum, err := base64.StdEncoding.DecodeString(encoded)
	if !found || err != nil {
		t.Fatalf("%q: %v", h1, err)
	}
	return hex.EncodeToString(sum)
}

func FixedToken(value string) ask.Token {
	return func(context.Context) (string, error) { return value, nil }
}

// Gather collects, and gives the nouns without the functions that open what is stored; what is stored comes as texts by name.
func Gather(t *testing.T, s provenance.Source) (b *provenance.Build, v *provenance.Review, l *provenance.Release, stored map[string]string) {
	t.Helper()
	evidence, err := s.Collect(t.Context())
	if err != nil {
		t.Fatalf("%v %q", err, provenance.Hints(err))
	}
	all, isSeveral := evidence.(provenance.Several)
	if !isSeveral {
		all = provenance.Several{evidence}
	}
	stored = map[string]string{}
	read := func(s *provenance.Stored) {
		if s.Open != nil {
			stored[s.Name] = textOf(t, *s)
			s.Open = nil
		}
	}
	for _, e := range all {
		switch e := e.(type) {
		case provenance.Build:
			b = &e
			read(&b.Answer)
		case provenance.Review:
			v = &e
			read(&v.Answer)
		case provenance.Release:
			l = &e
			read(&l.Answer)
			read(&l.Logs)
		}
	}
	return b, v, l, stored
}

// textOf reads what is stored, and checks what is said of it.
func textOf(t *testing.T, s provenance.Stored) string {
	t.Helper()
	r, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil || provenance.SumSHA256(data) != s.Digest || int64(len(data)) != s.Size {
		t.Fatalf("stored %d bytes, said %d with %s (%v)", len(data), s.Size, s.Digest, err)
	}
	return string(data)
}

func ClockAt(hour, minute int) time.Time {
	return time.Date(2026, 11, 23, hour, minute, 0, 0, time.UTC)
}

func SameNoun(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		g, _ := json.MarshalIndent(got, "", " ")
		w, _ := json.MarshalIndent(want, "", " ")
		t.Errorf("got  %s\nwant %s", g, w)
	}
}

func QuickClient() ask.Client {
	return ask.Client{Wait: time.Microsecond, Patience: time.Second, MaxBody: 1 << 20, AttemptTimeout: 10 * time.Second,
		Now: func() time.Time { return WhenAsked }}
}

// WaveCounter tells how many requests were under way at the same time.
type WaveCounter struct {
	Next      http.RoundTripper
	mu        sync.Mutex
	now, Most int
}

func (w *WaveCounter) RoundTrip(req *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.now++
	w.Most = max(w.Most, w.now)
	w.mu.Unlock()
	defer func() { w.mu.Lock(); w.now--; w.mu.Unlock() }()
	return w.Next.RoundTrip(req)
}

// DebugLines keeps debug lines, which come from many goroutines.
type DebugLines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (d *DebugLines) Add(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.text.WriteString(line + "\n")
}

func (d *DebugLines) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}

// WhenAsked is when everything is asked, by the clock of the tests.
var WhenAsked = time.Date(2026, 11, 23, 2, 31, 0, 5, time.UTC)
