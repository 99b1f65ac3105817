package folder

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// threeShards are the digest files of a folder, as text.
func threeShards(t *testing.T, f storage.Folder) (texts []string) {
	t.Helper()
	for _, path := range writeShards(t, f, 3) {
		data, err := os.ReadFile(path)
		must(t, err)
		texts = append(texts, string(data))
	}
	return texts
}

// mergeTexts merges files with these contents.
func mergeTexts(t *testing.T, texts ...string) (*Merged, error) {
	t.Helper()
	var paths []string
	for _, text := range texts {
		paths = append(paths, filepath.Join(t.TempDir(), "part"))
		write(t, paths[len(paths)-1], text)
	}
	return Merge(t.Context(), paths, scratch(t))
}

// firstEntry is the first line after the header.
func firstEntry(text string) string { return strings.SplitAfter(text, "\n")[1] }

func edit(pattern, with string) func(string) string {
	return func(text string) string { return regexp.MustCompile(pattern).ReplaceAllString(text, with) }
}

func TestMergeRefuses(t *testing.T) {
	dir, f := tree(t, files)
	good := threeShards(t, f)
	write(t, dir+"/more", "")
	later := threeShards(t, f)
	_, other := tree(t, files)
	elsewhere := threeShards(t, other)
	var listing bytes.Buffer
	l, err := TakeListing(t.Context(), f, scratch(t))
	must(t, err)
	must(t, l.Write(&listing))
	manifest := readStored(t, hashed(t, f).Manifest())
	change := func(i int, how func(string) string) []string {
		changed := slices.Clone(good)
		changed[i] = how(changed[i])
		if changed[i] == good[i] {
			t.Fatalf("nothing was changed in %s", good[i])
		}
		return changed
	}
	for name, c := range map[string]struct {
		parts []string
		part  string
	}{
		"gap":                      {good[:2], "1 of 3 shards is missing: 3/3"},
		"large gap":                {change(0, edit(`"1/3"`, `"1/90"`))[:1], "does not belong to shard 1/90"},
		"same shard twice":         {[]string{good[0], good[1], good[1]}, "are both shard 2/3"},
		"another listing":          {[]string{good[0], good[1], later[2]}, "another listing of the folder"},
		"another folder":           {[]string{good[0], good[1], elsewhere[2]}, "but other parts are of"},
		"another number of shards": {change(2, edit(`"3/3"`, `"3/4"`)), "is shard 3/4, but another part is shard 1/3"},
		"entry in the wrong shard": {change(0, func(s string) string { return strings.Replace(s, firstEntry(s), firstEntry(good[1]), 1) }), "does not belong to shard 1/3"},
		"entry missing":            {change(0, func(s string) string { return strings.Replace(s, firstEntry(s), "", 1) }), "its header says that"},
		"entry missing, counted": {change(0, func(s string) string {
			return edit(`"entries":"\d+"`, `"entries":"`+strconv.Itoa(strings.Count(s, "\n")-2)+`"`)(strings.Replace(s, firstEntry(s), "", 1))
		}), "together have 23 files"},
		"entry too many":        {change(0, func(s string) string { return s + strings.Replace(firstEntry(s), `"name":"`, `"name":"zzz`, 1) }), "the header says that"},
		"entry twice":           {change(0, func(s string) string { return strings.Replace(s, firstEntry(s), firstEntry(s)+firstEntry(s), 1) }), "not sorted, or twice"},
		"header counts wrong":   {change(1, edit(`"entries":"\d+"`, `"entries":"1"`)), "the header says that 1 lines follow"},
		"header of other bytes": {[]string{edit(`"bytes":"\d+"`, `"bytes":"1"`)(good[0]), edit(`"bytes":"\d+"`, `"bytes":"1"`)(good[1]), edit(`"bytes":"\d+"`, `"bytes":"1"`)(good[2])}, "their headers say 24, 1 and"},
		"size edited":           {change(0, edit(`"size":"2"`, `"size":"3"`)), "together have"},
		"time edited":           {change(0, edit(`"modified":"20..`, `"modified":"1999`)), "together have 24 files"},
		"truncated":             {change(2, func(s string) string { return s[:len(s)-9] }), "ends in the middle of line"},
		"cut at a line":         {change(2, func(s string) string { return s[:strings.LastIndex(s[:len(s)-1], "\n")+1] }), "its header says that"},
		"unsorted": {change(0, func(s string) string {
			lines := strings.SplitAfter(s, "\n")
			lines[1], lines[2] = lines[2], lines[1]
			return strings.Join(lines, "")
		}), "not sorted, or twice"},
		"no digest":           {change(0, edit(`"sha256":"[^"]*",`, "")), "is not a sha256 digest"},
		"no time of hashing":  {change(0, edit(`,"hashedAt":"[^"]*"`, "")), "hashedAt is missing"},
		"somebody else's":     {change(0, edit(`"hashedAt":"([^"]*)"`, `"hashedAt":"2026-11-01T00:00:00Z","by":"`+strings.Repeat("ab", 32)+`"`)), "whoever writes a digest file has read the bytes"},
		"header with more":    {change(0, edit(`"uri"`, `"more":1,"uri"`)), "unknown field"},
		"header repeats":      {change(0, edit(`"uri"`, `"URI":"","uri"`)), "stands twice"},
		"header without uri":  {change(0, edit(`"uri":"[^"]*",`, "")), "is missing or wrong"},
		"header without date": {change(0, edit(`,"listedAt":"[^"]*"`, "")), "is missing or wrong"},
		"another format":      {change(0, edit(`folder-digest/v1`, `folder-digest/v2`)), "the format is"},
		"no shard":            {change(0, edit(`"1/3"`, `"3"`)), "is no shard"},
		"listing, not hex":    {change(0, edit(`"listing":"`, `"listing":"x`)), "is not a sha256 digest"},
		"a listing":           {[]string{listing.String()}, "is a listing, without digests"},
		"a manifest among":    {[]string{good[0], manifest}, "is no digest file, and a manifest is of a whole folder"},
		"a broken manifest":   {[]string{manifest[1:]}, "is not a sha256 digest"},
		"empty":               {[]string{""}, "is empty"},
		"something else":      {[]string{"PK\x03\x04"}, "the manifest ends in the middle"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := mergeTexts(t, c.parts...)
			wantRefused(t, err, "data.shards", c.part)
		})
	}
}

func TestMergeFails(t *testing.T) {
	_, f := tree(t, files)
	o, parts := scratch(t), writeShards(t, f, 2)
	_, err := Merge(t.Context(), nil, o)
	wantMisused(t, err, "nothing to merge")
	_, err = Merge(t.Context(), []string{parts[0], o.Dir + "/none"}, o)
	wantMisused(t, err, "does not exist")
	_, err = Merge(t.Context(), []string{o.Dir}, o)
	wantMisused(t, err, "is not a file")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Merge(ctx, parts, o); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := Merge(t.Context(), parts, Options{}); err == nil {
		t.Error("no folder for temporary files, and no error")
	}
}

// TestPartsAreSealedAsTheyWereRead compares the digest of each part with that of its file.
func TestPartsAreSealedAsTheyWereRead(t *testing.T) {
	_, f := tree(t, files)
	parts := writeShards(t, f, 2)
	m, err := Merge(t.Context(), parts, scratch(t))
	must(t, err)
	for i, part := range m.Parts {
		data, err := os.ReadFile(parts[i])
		must(t, err)
		if part.Path != parts[i] || part.Digest != provenance.SumSHA256(data) {
			t.Errorf("got %+v", part)
		}
	}
}

// TestMergedIsWrittenAsAWhole merges shards, writes them as one file, and merges that.
func TestMergedIsWrittenAsAWhole(t *testing.T) {
	_, f := tree(t, files)
	m, err := mergeTexts(t, threeShards(t, f)...)
	must(t, err)
	var text bytes.Buffer
	must(t, WriteDigestFile(&text, m.Result))
	again, err := mergeTexts(t, text.String())
	must(t, err)
	if again.Digest != m.Digest || again.Listing != m.Listing || !strings.Contains(text.String(), `"shard":"1/1"`) {
		t.Errorf("got %+v", again.Result)
	}
	manifest, err := mergeTexts(t, readStored(t, m.Manifest()))
	must(t, err)
	if manifest.Digest != m.Digest || manifest.Files != m.Files {
		t.Errorf("got %+v", manifest.Result)
	}
	wantMisused(t, WriteDigestFile(&text, manifest.Result), "no sizes and times")
}

func FuzzDigestFile(f *testing.F) {
	read := func(data []byte) (header digestHeader, entries []IndexEntry, err error) {
		err = readDigestFile(bytes.NewReader(data), func(h digestHeader) error { header = h; return nil },
			func(e IndexEntry) error { entries = append(entries, e); return nil })
		return header, entries, err
	}
	seeds := digestFileSeeds(f)
	for _, seed := range seeds {
		if _, entries, err := read(seed); err != nil || len(entries) == 0 {
			f.Fatalf("the seeds are wrong: %v", err)
		}
		f.Add(seed)
		f.Add(seed[:len(seed)-1])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		header, entries, err := read(data)
		if err != nil {
			return
		}
		var text bytes.Buffer
		must(t, writeDigestFile(&text, header, indexOf(t, entries...)))
		if again, same, err := read(text.Bytes()); err != nil || again != header || !slices.Equal(entries, same) {
			t.Errorf("%q: %v\n%v\n%v", data, err, header, again)
		}
	})
}

func digestFileSeeds(f *testing.F) [][]byte {
	_, folder := tree(f, files)
	whole, err := os.ReadFile(writeShard(f, folder, Shard{}))
	must(f, err)
	part, err := os.ReadFile(writeShard(f, folder, Shard{1, 2}))
	must(f, err)
	l, err := TakeListing(f.Context(), folder, scratch(f))
	must(f, err)
	var listing bytes.Buffer
	must(f, l.Write(&listing))
	return [][]byte{whole, part, listing.Bytes()}
}
