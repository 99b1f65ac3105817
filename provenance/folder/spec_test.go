package folder

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance/storage"
)

// TestSpecification: the page's example is what the program writes, both shards merge, and the page explains every key.
func TestSpecification(t *testing.T) {
	const page = "../spec/folder-digest-v1.md"
	text, err := os.ReadFile(page)
	must(t, err)
	before, rest, found := strings.Cut(string(text), "```json\n")
	got, after, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatal("the page has no example")
	}
	want := exampleShard(t, 1)
	if *update {
		must(t, os.WriteFile(page, []byte(before+"```json\n"+want+"```\n"+after), 0o644))
		got = want
	}
	if got != want {
		t.Errorf("the page's example is not what the program writes; look at the difference and run with -update:\n%s", want)
	}
	m, err := mergeTexts(t, got, exampleShard(t, 2))
	must(t, err)
	if r, err := Hash(t.Context(), exampleFolder(), scratch(t)); err != nil || m.Digest != r.Digest || m.Entries != 3 {
		t.Errorf("merged, it is %+v", m.Result)
	}
	for _, key := range []string{"format", "uri", "shard", "listing", "files", "bytes", "entries", "listedAt",
		"name", "size", "etag", "modified", "created", "sha256", "hashedAt", "by"} {
		if !strings.Contains(after, "`"+key+"`") || key != "by" && !strings.Contains(got, `"`+key+`":`) {
			t.Errorf("the page does not explain or show %s", key)
		}
	}
}

func exampleFolder() storage.Folder {
	times := func(hour, millisecond int) time.Time {
		return time.Date(2026, 11, 22, hour, 10, 0, millisecond*1e6, time.UTC)
	}
	return listings{objects: []storage.Object{
		{Name: "part-00000.parquet", Size: 18, ETag: "0x8DE2A1B2C3D4E5F", Modified: times(16, 0), Created: times(16, 0)},
		{Name: "part-00001.parquet", Size: 18, ETag: "0x8DE2A1B2C3D4E60", Modified: times(16, 250), Created: times(15, 0)},
		{Name: "überblick.csv", Size: 14, ETag: "0x8DE2A1B2C3D4E61", Modified: times(17, 0), Created: times(17, 0)},
	}}
}

func exampleShard(t *testing.T, i int) string {
	t.Helper()
	r, err := Hash(t.Context(), exampleFolder(), Options{Dir: t.TempDir(), Shard: Shard{i, 2}, Now: at(23)})
	must(t, err)
	r.Listed = r.Listed.Truncate(time.Second)
	var text bytes.Buffer
	must(t, WriteDigestFile(&text, r))
	return text.String()
}
