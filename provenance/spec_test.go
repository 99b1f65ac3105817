package provenance

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite golden files")

// dataKeys are all keys in the annotations of the example's folders, however deep.
func dataKeys(t *testing.T) (names []string) {
	t.Helper()
	var collect func(v any)
	collect = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, value := range v {
				names = append(names, name)
				collect(value)
			}
		case []any:
			for _, value := range v {
				collect(value)
			}
		}
	}
	record, err := gather(example(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range record.Data {
		f.Manifest, f.Index, f.ProtectionAnswer, f.Grounds = Stored{}, Stored{}, Stored{}, Grounds{}
		var fields map[string]any
		if err := remarshal(f, &fields, false); err != nil {
			t.Fatal(err)
		}
		for _, stored := range []string{"manifest", "index", "protectionAnswer", "basis", "uri", "digest"} {
			delete(fields, stored)
		}
		collect(fields)
	}
	return names
}

// TestSpecification: the page's example is what the program writes and can read, and the page explains every annotation
// and parameter in it.
func TestSpecification(t *testing.T) {
	const page = "spec/azure-pipelines-ml-v1.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, data := write(t, example(t)...)
	before, rest, found := strings.Cut(string(text), "```json\n")
	got, after, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatal("the page has no example")
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, data, "", "  "); err != nil {
		t.Fatal(err)
	}
	want := pretty.String() + "\n"
	if *update {
		if err := os.WriteFile(page, []byte(before+"```json\n"+want+"```\n"+after), 0o644); err != nil {
			t.Fatal(err)
		}
		got = want
	}
	if got != want {
		t.Error("the page's example is not what the program writes; look at the difference and run with -update")
	}
	s, err := ParseStatement([]byte(got))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Read(s); err != nil {
		t.Error(err)
	}
	for _, name := range dataKeys(t) {
		if !strings.Contains(before, "`"+name+"`") {
			t.Errorf("the page does not explain the key %s of data folders", name)
		}
	}
	for _, m := range regexp.MustCompile(`"provenance_(\w+)"`).FindAllStringSubmatch(got, -1) {
		if !strings.Contains(before, "`"+m[1]+"`") && !strings.Contains(before, "`provenance_"+m[1]+"`") {
			t.Errorf("the page does not explain the annotation %s", m[1])
		}
	}
}
