package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance/verify"
)

// junitElement is what an element may hold. A child with a "?" may be missing, with a "*" be there many times.
type junitElement struct {
	attributes string // all of them have to be there
	children   []string
}

// junitSchema is what Ant's format and Jenkins' have in common, as far as JUnit uses it.
// Source: the documentation of Ant's XMLConstants, and
// https://github.com/jenkinsci/xunit-plugin/blob/master/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd
var junitSchema = map[string]junitElement{
	"testsuites": {"", []string{"testsuite*"}},
	"testsuite":  {"name tests failures errors time", []string{"properties", "testcase*", "system-out?"}},
	"properties": {"", []string{"property*"}},
	"property":   {"name value", nil},
	"testcase":   {"classname name time", []string{"error?", "failure?"}},
	"error":      {"message type", nil},
	"failure":    {"message type", nil},
	"system-out": {"", nil},
}

// node is any element.
type node struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Text     string     `xml:",chardata"`
	Children []node     `xml:",any"`
}

// conforms checks an element and all below it.
func conforms(n node) error {
	name := n.XMLName.Local
	rule, known := junitSchema[name]
	var attributes []string
	for _, a := range n.Attrs {
		attributes = append(attributes, a.Name.Local)
	}
	if got := strings.Join(attributes, " "); !known || n.XMLName.Space != "" || got != rule.attributes {
		return fmt.Errorf("<%s> with the attributes %q", name, got)
	}
	rest := n.Children
	for _, child := range rule.children {
		kind := strings.TrimRight(child, "?*")
		count := 0
		for len(rest) > 0 && rest[0].XMLName.Local == kind {
			count, rest = count+1, rest[1:]
		}
		if count == 0 && kind == child || count > 1 && !strings.HasSuffix(child, "*") {
			return fmt.Errorf("<%s> with %d <%s>", name, count, kind)
		}
	}
	if len(rest) > 0 {
		return fmt.Errorf("<%s> within <%s>, or there in another order", rest[0].XMLName.Local, name)
	}
	for _, child := range n.Children {
		if err := conforms(child); err != nil {
			return err
		}
	}
	return nil
}

// junit is the output for a decision, parsed, and checked against the schema.
func junit(t *testing.T, r verify.Result) (text string, suite node) {
	t.Helper()
	var out bytes.Buffer
	if err := JUnit(&out, r); err != nil {
		t.Fatal(err)
	}
	var root node
	dec := xml.NewDecoder(&out)
	text = out.String()
	if err := dec.Decode(&root); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if _, err := dec.Token(); err != io.EOF && err != nil {
		t.Fatal(err)
	}
	if err := conforms(root); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if root.XMLName.Local != "testsuites" || len(root.Children) != 1 {
		t.Fatalf("not one suite in\n%s", text)
	}
	return text, root.Children[0]
}

func attribute(n node, name string) string {
	for _, a := range n.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// cases are the test cases by name, each with what it came to: "", "failure" or "error".
func cases(suite node) (names []string, ends map[string]string) {
	ends = map[string]string{}
	for _, c := range suite.Children {
		if c.XMLName.Local != "testcase" {
			continue
		}
		name := attribute(c, "name")
		names = append(names, name)
		ends[name] = ""
		if len(c.Children) > 0 {
			ends[name] = c.Children[0].XMLName.Local
		}
	}
	return names, ends
}

// TestJUnit: what the counts say is what the cases are, and the verdict is one of them.
func TestJUnit(t *testing.T) {
	verdicts := map[verify.Verdict]string{verify.Accepted: "", verify.Refused: "failure", verify.Undecided: "error", "": "error"}
	decisions := results(t)
	decisions["zero"] = verify.Result{}
	for name, r := range decisions {
		_, suite := junit(t, r)
		names, ends := cases(suite)
		count := map[string]int{}
		for _, end := range ends {
			count[end]++
		}
		got := []string{attribute(suite, "tests"), attribute(suite, "failures"), attribute(suite, "errors")}
		want := []string{fmt.Sprint(len(names)), fmt.Sprint(count["failure"]), fmt.Sprint(count["error"])}
		if !slices.Equal(got, want) || len(names) != len(ends) {
			t.Errorf("%s: the suite counts %v, and has %v", name, got, want)
		}
		if end, there := ends["verdict"]; !there || end != verdicts[r.Verdict] {
			t.Errorf("%s: the verdict %s is a %q", name, r.Verdict, end)
		}
	}
}

// TestJUnitGroups: findings of one code are one case, which is an error only when nobody could tell any of them.
func TestJUnitGroups(t *testing.T) {
	r := verify.Result{Verdict: verify.Refused, Findings: []verify.Finding{
		{Code: "data.root", Detail: "first", Expected: "a", Found: "b", Where: "here", Hint: "move it"},
		{Code: "recheck.failed", Detail: "offline", Undecided: true},
		{Code: "data.root", Detail: "second", Undecided: true},
	}}
	_, suite := junit(t, r)
	names, ends := cases(suite)
	if !slices.Equal(names, []string{"verdict", "data.root", "recheck.failed"}) || ends["data.root"] != "failure" || ends["recheck.failed"] != "error" {
		t.Errorf("the cases are %v: %v", names, ends)
	}
	for _, c := range suite.Children {
		if attribute(c, "name") != "data.root" {
			continue
		}
		failure := c.Children[0]
		if got := attribute(failure, "message"); got != "first (and 1 more)" {
			t.Errorf("message %q", got)
		}
		if want := "first\n  expected: a\n  found:    b\n  in:       here\n  hint:     move it\nsecond\n  verdict:  nobody could tell"; failure.Text != want {
			t.Errorf("text %q, want %q", failure.Text, want)
		}
	}
}

// TestJUnitHostileText: neither the file nor what a reader of it then holds can command an agent or a terminal, and no text ends
// its own element.
func TestJUnitHostileText(t *testing.T) {
	const worse = poison + "]]></failure></testcase><testcase name=\"passed\"/>\x00\xff\ufffe&#35;#vso[task.complete]"
	r := poisoned(t)
	r.Findings = append(r.Findings, verify.Finding{Code: worse, Detail: worse, Expected: worse, Found: worse, Where: worse, Hint: worse, Undecided: true})
	r.Warnings = append(r.Warnings, r.Findings...)
	r.Repository, r.PolicyName = worse, worse
	text, suite := junit(t, r)
	if bad := unwelcome(text); bad != "" {
		t.Errorf("it holds %q:\n%s", bad, text)
	}
	if names, _ := cases(suite); len(names) != 3 || slices.Contains(names, "passed") {
		t.Errorf("the cases are %q", names)
	}
	texts := 0
	var walk func(node)
	walk = func(n node) {
		for _, a := range n.Attrs {
			texts++
			if bad := unwelcome(a.Value); bad != "" || strings.Contains(a.Value, "\n") {
				t.Errorf("the attribute %s of <%s> is %q", a.Name.Local, n.XMLName.Local, a.Value)
			}
		}
		if bad := unwelcome(n.Text); bad != "" {
			t.Errorf("<%s> holds %q", n.XMLName.Local, bad)
		}
		for _, c := range n.Children {
			walk(c)
		}
	}
	walk(suite)
	if texts < 10 {
		t.Errorf("only %d texts were looked at", texts)
	}
}
