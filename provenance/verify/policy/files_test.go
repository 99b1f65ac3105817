package policy

import (
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
)

// TestFiles: what a policy names by its path is what the policy says it is, or the policy is none.
func TestFiles(t *testing.T) {
	a, b := newKey(t), newKey(t)
	read := func(path string) ([]byte, error) {
		return []byte(map[string]string{"a.pub": a, "keys/b.pub": b}[path]), nil
	}
	sum := func(text string) string { return provenance.SumSHA256([]byte(text)).String() }
	const builders = "version: 1\nbuilders: [{id: x, keys: [a.pub, keys/b.pub]}, {id: y, keys: [a.pub]}]\n"
	for text, want := range map[string]string{
		builders + "files: {a.pub: \"" + sum(b) + "\"}":                          "p.yaml:3:16: a.pub is " + sum(a) + ", and the policy wants " + sum(b),
		builders + "files: {b.pub: \"" + sum(b) + "\"}":                          "p.yaml:3:16: the policy names no key and no trusted root b.pub",
		builders + "files: {a.pub: abc}":                                         `p.yaml:3:16: "abc" is no sha256 digest`,
		builders + "files: {a.pub: \"dirHash:" + strings.Repeat("0", 64) + "\"}": "is no sha256 digest",
		builders + "files: [a.pub]":                                              "p.yaml:3:8: files is a list",
		builders + "files: {}":                                                   "p.yaml:3:8: files is empty",
	} {
		if _, err := Parse("p.yaml", []byte(text), read); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %q", text, err, want)
		}
	}
	some, err := Parse("p.yaml", []byte("files: {keys/b.pub: \""+sum(b)+"\"}\n"+builders), read)
	if err != nil {
		t.Fatal(err)
	}
	if paths, files := some.Unpinned(); len(some.Files) != 2 || len(paths) != 1 || paths[0] != "a.pub" || files != `files: {"a.pub": "`+sum(a)+`"}` {
		t.Errorf("%+v: %q %q", some.Files, paths, files)
	}
	all, err := Parse("p.yaml", []byte(builders+"files:\n  a.pub: "+sum(a)+"\n  keys/b.pub: "+sum(b)), read)
	if err != nil {
		t.Fatal(err)
	}
	if paths, _ := all.Unpinned(); paths != nil {
		t.Errorf("%q is not pinned", paths)
	}
}
