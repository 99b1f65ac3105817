package rule

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the list of types in the specification")

const page = "../../spec/rules-v1.md"

// block matches a block of code of the page.
var block = regexp.MustCompile("(?s)```(\\w+)\n(.*?)```\n")

// blocks are the page's blocks of one language.
func blocks(t testing.TB, language string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	must(t, err)
	for _, m := range block.FindAllStringSubmatch(string(text), -1) {
		if m[1] == language {
			all = append(all, m[2])
		}
	}
	return all
}

// examples are the page's expressions.
func examples(t testing.TB) []string {
	all := blocks(t, "cel")
	if len(all) < 12 {
		t.Fatalf("the page has only %d examples", len(all))
	}
	return all
}

// TestExamples: the page's examples hold of the tests' record, and are decided by what is there.
func TestExamples(t *testing.T) {
	for _, example := range examples(t) {
		out, err := compile(t, example).Eval(t.Context(), night().View())
		if err != nil || !out.Holds || len(out.Inputs) == 0 {
			t.Errorf("%s\n%v, %v, %q", example, out.Holds, err, out.Inputs)
		}
	}
}

// typeList is the page's list of types: those that the record, the signer and an attestation are made of.
func typeList() string {
	var out strings.Builder
	seen := map[string]bool{}
	var list func(name string)
	list = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		c := view().named(name)
		fmt.Fprintf(&out, "%s\n", name)
		var next []string
		for _, fieldName := range c.names() {
			f := c.fields[fieldName]
			fmt.Fprintf(&out, "  %-18s %s\n", fieldName, strings.ReplaceAll(f.celType.String(), "google.protobuf.Timestamp", "timestamp"))
			if f.element != nil {
				next = append(next, typeName(f.element))
			}
		}
		out.WriteString("\n")
		for _, n := range next {
			list(n)
		}
	}
	for _, name := range []string{recordType, signerType, attestationType} {
		list(name)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// TestSpecification: the page explains every variable and function, and lists every type as it is.
func TestSpecification(t *testing.T) {
	data, err := os.ReadFile(page)
	must(t, err)
	text := string(data)
	listed := blocks(t, "types")
	if len(listed) != 1 {
		t.Fatalf("the page has %d lists of types", len(listed))
	}
	if want := typeList(); listed[0] != want {
		if !*update {
			t.Error("the page's list of types is not the program's; look at the difference and run with -update")
		} else {
			must(t, os.WriteFile(page, []byte(strings.Replace(text, "```types\n"+listed[0], "```types\n"+want, 1)), 0o644))
		}
	}
	for name := range variableTypes() {
		if !strings.Contains(text, "| `"+name+"` |") {
			t.Errorf("the page does not explain the variable %s", name)
		}
	}
	for _, name := range []string{"metric(record, NAME)", "check(record, NAME)", "within(URI, ROOTS)", "TEXT.lowerAscii()", "TEXT.trim()", "TEXT.split(SEPARATOR)"} {
		if !strings.Contains(text, "| `"+name+"` |") {
			t.Errorf("the page does not explain the function %s", name)
		}
	}
	for _, limit := range []string{"4 KiB", "250,000", "64 KiB", "64 deep", "1000 steps"} {
		if !strings.Contains(text, limit) {
			t.Errorf("the page does not tell the limit %s", limit)
		}
	}
	if MaxSize != 4<<10 || MaxCost != 250_000 || maxSplit != 64<<10 || maxNesting != 64 || maxPattern != 1000 {
		t.Error("a limit is not the page's")
	}
}
