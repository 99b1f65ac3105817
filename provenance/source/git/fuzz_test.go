package git

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

var commitSeeds = []string{
	"tree " + strings.Repeat("ab", 20) + "\nparent " + strings.Repeat("cd", 20) + "\nauthor A <a@b> 1700000000 +0100\ncommitter B <c@d> 1 -0500\n\nSubject\n\nbody\n",
	"tree " + strings.Repeat("ab", 20) + "\nauthor \xff <> 9223372036854775807 +9999\ngpgsig x\n y\nencoding latin1\n\n\x00\x1b",
	"tree " + strings.Repeat("ab", 20), "tree x\n\n", "\n\n", "",
}

// FuzzParseCommit: what is read can be written as JSON, is valid text, and names a tree.
func FuzzParseCommit(f *testing.F) {
	if len(commitSeeds) < 5 {
		f.Fatal("no seeds")
	}
	for _, seed := range commitSeeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseCommit(data)
		if err != nil {
			return
		}
		if checkObjectName(c.tree) != nil || !utf8.ValidString(c.subject) || strings.ContainsAny(c.subject, "\n\r\x00\x1b") || len(c.subject) > foreign.MaxText+4 {
			t.Errorf("tree %q, subject %q", c.tree, c.subject)
		}
		if _, err := json.Marshal([]any{c.author.when, c.committer.when}); err != nil {
			t.Error(err)
		}
	})
}

var treeSeeds = []string{
	"100644 a\x00" + strings.Repeat("\x01", 20) + "40000 b\x00" + strings.Repeat("\x02", 20),
	"160000 sub\x00" + strings.Repeat("\x00", 20), "100644 ..\x00" + strings.Repeat("\x01", 20),
	"100644 a\x00short", "100644", "",
}

// FuzzParseTree: no name leads out of its folder, and every entry is accounted for.
func FuzzParseTree(f *testing.F) {
	if len(treeSeeds) < 5 {
		f.Fatal("no seeds")
	}
	for _, seed := range treeSeeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := parseTree(data)
		size := 0
		for _, e := range entries {
			size += len(e.mode) + 1 + len(e.name) + 1 + 20
			if strings.ContainsAny(e.name, "/\x00") || e.name == ".." || len(e.id) != 40 {
				t.Errorf("%q", e)
			}
		}
		if err == nil && size != len(data) {
			t.Errorf("%d bytes of %d are read", size, len(data))
		}
	})
}

var indexSeeds = []string{
	"H 100644 " + strings.Repeat("ab", 20) + " 0\tsrc/a file\twith a tab", "h 160000 " + strings.Repeat("0", 40) + " 2\tx",
	"S 120000 x 0\t", "H 100644 x 0", "", "\t",
}

// FuzzParseIndexEntry: an entry has a path, and writing it again gives what was read.
func FuzzParseIndexEntry(f *testing.F) {
	if len(indexSeeds) < 5 {
		f.Fatal("no seeds")
	}
	for _, seed := range indexSeeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, record string) {
		e, err := parseIndexEntry(record)
		if err == nil && (e.path == "" || !strings.HasSuffix(record, "\t"+e.path)) {
			t.Errorf("%q is read as %q", record, e)
		}
	})
}

// FuzzEachRecord: records never hold a NUL, and a listing that is cut off is an error.
func FuzzEachRecord(f *testing.F) {
	seeds := []string{"a\x00b\x00", "", "\x00", "cut off", strings.Repeat("x", maxName) + "\x00"}
	if len(seeds) < 5 {
		f.Fatal("no seeds")
	}
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		var all strings.Builder
		err := eachRecord(strings.NewReader(in), func(record string) error {
			all.WriteString(record + "\x00")
			return nil
		})
		if err == nil && all.String() != in {
			t.Errorf("%q is read as %q", in, all.String())
		}
	})
}
