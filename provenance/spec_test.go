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
	for _, m := range regexp.MustCompile(`"provenance_(\w+)"`).FindAllStringSubmatch(got, -1) {
		if !strings.Contains(before, "`"+m[1]+"`") && !strings.Contains(before, "`provenance_"+m[1]+"`") {
			t.Errorf("the page does not explain the annotation %s", m[1])
		}
	}
}
