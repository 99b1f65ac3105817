package folder

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-3480f271/provenance/provenance/internal/blobdouble"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

func TestParseShard(t *testing.T) {
	for text, want := range map[string]Shard{"1/1": {1, 1}, "2/7": {2, 7}, "7/7": {7, 7}} {
		if got, err := ParseShard(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1", "0/1", "8/7", "-1/7", "+1/7", "01/7", "1/7/", "a/b", "1/100001", "1/9999999999", " 1/2", "0/0"} {
		_, err := ParseShard(text)
		wantMisused(t, err, "shard")
	}
	if (Shard{}).String() != "1/1" {
		t.Errorf("the whole folder is shard %s", Shard{})
	}
	_, f := tree(t, files)
	_, err := Hash(t.Context(), f, Options{Dir: t.TempDir(), Shard: Shard{3, 2}})
	wantMisused(t, err, "no shard 3 of 2")
}

// TestShardOfAName: the values are those of Python, 1 + int.from_bytes(sha256(name).digest()[:8], "big") % 7.
func TestShardOfAName(t *testing.T) {
	for name, want := range map[string]int{"a": 5, "a/b.csv": 2, "ü": 3} {
		for i := 1; i <= 7; i++ {
			if got := (Shard{i, 7}).has(name); got != (i == want) {
				t.Errorf("%s is in shard %d of 7: %v", name, i, got)
			}
		}
	}
}

// layouts are the folders of these tests, local and in both namespaces of Azure.
func layouts(t *testing.T) map[string]storage.Folder {
	t.Helper()
	many := map[string]string{}
	for i := range 500 {
		many[fmt.Sprintf("part=%d/%d/%d.csv", i%7, i%3, i)] = fmt.Sprint(i)
	}
	_, scripts := tree(t, files)
	_, nested := tree(t, many)
	dir, few := tree(t, smaller())
	all := map[string]storage.Folder{"scripts": scripts, "nested": nested, "few": few, "single file": open(t, dir+"/a-b")}
	for _, hns := range []bool{false, true} {
		s := blobdouble.New(t)
		s.HNS, s.PageSize = hns, 7
		for name, text := range files {
			s.PutText("data", "p/"+name, text)
		}
		all[fmt.Sprintf("Azure, hierarchical %v", hns)] = open(t, s.URL+"/data/p/")
	}
	return all
}

// writeShard hashes a shard and writes its digest file.
func writeShard(t testing.TB, f storage.Folder, s Shard) string {
	t.Helper()
	r, err := Hash(t.Context(), f, Options{Dir: t.TempDir(), Shard: s})
	must(t, err)
	path := filepath.Join(t.TempDir(), "digests.jsonl")
	file, err := os.Create(path)
	must(t, err)
	must(t, WriteDigestFile(file, r))
	must(t, file.Close())
	return path
}

func writeShards(t testing.TB, f storage.Folder, n int) (paths []string) {
	t.Helper()
	for i := range n {
		paths = append(paths, writeShard(t, f, Shard{i + 1, n}))
	}
	return paths
}

// TestShardsMergeToTheSameDigest, which coreutils compute, too; and the merged file is that of the folder.
func TestShardsMergeToTheSameDigest(t *testing.T) {
	for name, f := range layouts(t) {
		t.Run(name, func(t *testing.T) {
			want := hashed(t, f)
			checkDirHash(t, f, want)
			for _, n := range []int{1, 2, 7} {
				m, err := Merge(t.Context(), writeShards(t, f, n), scratch(t))
				must(t, err)
				if m.Digest != want.Digest || m.Files != want.Files || m.Bytes != want.Bytes || m.Listing != want.Listing ||
					m.URI != want.URI || !m.Newest.Equal(want.Newest) || len(m.Parts) != n {
					t.Errorf("%d shards: got %+v", n, m.Result)
				}
				if got := readStored(t, m.Manifest()); got != readStored(t, want.Manifest()) {
					t.Errorf("%d shards: the manifest is %s", n, got)
				}
			}
		})
	}
}

// checkDirHash compares with Go's dirhash and with coreutils, on a local copy.
func checkDirHash(t *testing.T, f storage.Folder, r *Result) {
	t.Helper()
	dir := t.TempDir()
	for e, err := range r.Lines().Entries() {
		must(t, err)
		body, err := f.Open(t.Context(), objectNamed(t, f, e.Name))
		must(t, err)
		write(t, filepath.Join(dir, filepath.FromSlash(e.Name)), readAll(t, body))
	}
	if want := goDirHash(t, dir); r.Digest.Hex() != want {
		t.Errorf("got %s, Go's dirhash says %s", r.Digest, want)
	}
	if want := coreutils(t, dir); r.Digest.Hex() != want {
		t.Errorf("got %s, coreutils say %s", r.Digest, want)
	}
}

func objectNamed(t *testing.T, f storage.Folder, name string) (found storage.Object) {
	t.Helper()
	must(t, f.List(t.Context(), func(o storage.Object) error {
		if o.Name == name {
			found = o
		}
		return nil
	}))
	return found
}

func TestShardKnowsNoDigestOfTheFolder(t *testing.T) {
	_, f := tree(t, files)
	var last Progress
	r, err := Hash(t.Context(), f, Options{Dir: t.TempDir(), Shard: Shard{2, 3}, Progress: func(now Progress) { last = now }})
	must(t, err)
	whole := hashed(t, f)
	if !r.Digest.IsZero() || r.Files != whole.Files || r.Bytes != whole.Bytes || r.Listing != whole.Listing || r.Entries >= r.Files || r.Entries == 0 {
		t.Errorf("got %+v", r)
	}
	if last.Files != r.Entries || last.ListedFiles != r.Entries || last.Bytes != last.ListedBytes || !last.Listed {
		t.Errorf("got %+v of %d files", last, r.Entries)
	}
	_, err = r.Folder("train")
	wantMisused(t, err, "shard 2/3 of "+f.URI()+" is not the whole folder")
}
