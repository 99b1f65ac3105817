package folder

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
)

// roleOf is a folder of a role, with these contents by name.
func roleOf(t *testing.T, role string, contents map[string]string) Role {
	t.Helper()
	var entries []IndexEntry
	for name, content := range contents {
		entries = append(entries, IndexEntry{Name: name, Size: int64(len(content)), SHA256: provenance.SumSHA256([]byte(content))})
	}
	return Role{role, "/lake/" + role + fmt.Sprint(len(contents)) + "/", indexOf(t, entries...)}
}

func TestShared(t *testing.T) {
	folders := []Role{
		roleOf(t, "train", map[string]string{"a": "1", "b": "2", "again": "1", "empty": "", "own": "train"}),
		roleOf(t, "train", map[string]string{"a": "1", "c": "3"}), // of the same role as the first
		roleOf(t, "test", map[string]string{"x": "1", "y": "3", "empty": "", "own": "test"}),
		roleOf(t, "other", map[string]string{"a": "1"}),
		roleOf(t, "validation", map[string]string{"v": "2"}),
	}
	got, err := Shared(t.Context(), t.TempDir(), folders)
	must(t, err)
	shared := func(i int, names ...string) provenance.Shared {
		return provenance.Shared{Role: folders[i].Role, URI: folders[i].URI, Files: int64(len(names)), Names: names}
	}
	want := map[int][]provenance.Shared{
		0: {shared(2, "a", "again"), shared(4, "b")},
		1: {shared(2, "a", "c")},
		2: {shared(0, "x"), shared(1, "x", "y")},
		4: {shared(0, "v")},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestSharedNamesTheFirst(t *testing.T) {
	train, test := map[string]string{}, map[string]string{"one": "same"}
	for i := range 3 * provenance.MaxListed {
		train[fmt.Sprintf("same-%03d", i)] = "same"
		train[fmt.Sprintf("%03d", i)], test[fmt.Sprintf("test-%03d", i)] = fmt.Sprint(i), fmt.Sprint(i)
	}
	got, err := Shared(t.Context(), t.TempDir(), []Role{roleOf(t, "train", train), roleOf(t, "test", test)})
	must(t, err)
	names := got[0][0].Names
	if got[0][0].Files != 6*provenance.MaxListed || len(names) != provenance.MaxListed || names[0] != "000" || names[19] != "019" {
		t.Errorf("got %+v", got[0])
	}
	if got[1][0].Files != 3*provenance.MaxListed+1 || got[1][0].Names[0] != "one" {
		t.Errorf("got %+v", got[1])
	}
}

func TestSharedFails(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	folders := []Role{roleOf(t, "train", map[string]string{"a": "1"}), roleOf(t, "test", map[string]string{"b": "2"})}
	if _, err := Shared(ctx, t.TempDir(), folders); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got, err := Shared(t.Context(), t.TempDir(), folders[:1]); err != nil || len(got) > 0 {
		t.Errorf("got %v, %v", got, err)
	}
}
