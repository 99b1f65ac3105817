package folder

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSorterSpills sorts more than fits into memory, among them equal keys, empty ones, and ones that begin with another.
func TestSorterSpills(t *testing.T) {
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	s := newSorter(dir)
	want := []string{"=", "=\x00", "a=", "a=1", "aa="}
	for i := range 3*runRecords + 7 {
		want = append(want, fmt.Sprintf("%x=%d", random.IntN(1000*runRecords), i))
	}
	for _, i := range random.Perm(len(want)) {
		key, value, _ := strings.Cut(want[i], "=")
		must(t, s.add([]byte(key), []byte(value)))
	}
	slices.SortFunc(want, func(a, b string) int {
		return strings.Compare(strings.Replace(a, "=", "\x00", 1), strings.Replace(b, "=", "\x00", 1))
	})
	var i int
	must(t, s.each(func(key, value []byte) error {
		if got := string(key) + "=" + string(value); got != want[i] {
			t.Fatalf("record %d is %q, want %q", i, got, want[i])
		}
		i++
		return nil
	}))
	if len(s.runs) != 4 || i != len(want) {
		t.Errorf("%d records came out of %d runs", i, len(s.runs))
	}
	s.close()
	wantEmpty(t, dir)
}

// TestSorterSpillsLargeRecords spills by size.
func TestSorterSpillsLargeRecords(t *testing.T) {
	s := newSorter(t.TempDir())
	defer s.close()
	value := bytes.Repeat([]byte("v"), 1<<20)
	for i := range 20 {
		must(t, s.add(fmt.Append(nil, 99-i), value))
	}
	var keys []string
	must(t, s.each(func(key, v []byte) error {
		if !bytes.Equal(v, value) {
			t.Error("a value changed")
		}
		keys = append(keys, string(key))
		return nil
	}))
	if len(keys) != 20 || !slices.IsSorted(keys) || len(s.runs) != 3 {
		t.Errorf("got %q in %d runs", keys, len(s.runs))
	}
}

func TestSorterFails(t *testing.T) {
	stop := errors.New("stop")
	for _, records := range []int{1, runRecords} { // in memory, and spilled
		s := newSorter(t.TempDir())
		for i := range records {
			must(t, s.add(fmt.Append(nil, i), nil))
		}
		if err := s.each(func(_, _ []byte) error { return stop }); err != stop {
			t.Errorf("got %v", err)
		}
		s.close()
	}
	s := newSorter(filepath.Join(t.TempDir(), "none"))
	var err error
	for i := 0; i < runRecords && err == nil; i++ {
		err = s.add(fmt.Append(nil, i), nil)
	}
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "a temporary file") {
		t.Errorf("got %v", err)
	}
	s.close()
}

// TestTableFindsEverything looks each key up, in order and out of it, and keys between them.
func TestTableFindsEverything(t *testing.T) {
	const records = 60_000
	w, err := newTableWriter(t.TempDir())
	must(t, err)
	for i := range records {
		w.add(fmt.Appendf(nil, "%06d", 2*i+1), fmt.Appendf(nil, "value %d", i))
	}
	table, err := w.finish()
	must(t, err)
	if len(table.blocks) < 2*cachedBlocks {
		t.Fatalf("there are %d blocks", len(table.blocks))
	}
	l, err := table.lookup()
	must(t, err)
	defer l.close()
	order := rand.New(rand.NewPCG(1, 2)).Perm(records)
	for i, random := range order {
		for _, i := range []int{i, random} {
			value, place, err := l.find(fmt.Appendf(nil, "%06d", 2*i+1))
			if err != nil || place != int64(i) || string(value) != fmt.Sprintf("value %d", i) {
				t.Fatalf("record %d is %q at %d, %v", i, value, place, err)
			}
			if _, place, err := l.find(fmt.Appendf(nil, "%06d", 2*i)); err != nil || place >= 0 {
				t.Fatalf("%d was found at %d, %v", 2*i, place, err)
			}
		}
	}
	for _, key := range []string{"", "999999"} {
		if _, place, err := l.find([]byte(key)); err != nil || place >= 0 {
			t.Errorf("%q was found at %d, %v", key, place, err)
		}
	}
}

// TestTemporaryFilesThatVanish: whoever removes them gets errors, and nothing that looks like an empty folder.
func TestTemporaryFilesThatVanish(t *testing.T) {
	_, f := tree(t, files)
	o := scratch(t)
	r, err := Hash(t.Context(), f, o)
	must(t, err)
	must(t, os.Truncate(r.index.table.path, 5))
	if _, err := Recheck(t.Context(), f, r.Lines(), RecheckListing, o); err == nil {
		t.Error("a table was cut off, and nobody noticed")
	}
	must(t, os.RemoveAll(o.Dir))
	if _, err := Recheck(t.Context(), f, r.Lines(), RecheckListing, o); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	for _, err := range r.Lines().Entries() {
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	}
	if _, err := Hash(t.Context(), f, o); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := Hash(t.Context(), f, Options{}); err == nil || !strings.Contains(err.Error(), "no folder for temporary files") {
		t.Errorf("got %v", err)
	}
}
