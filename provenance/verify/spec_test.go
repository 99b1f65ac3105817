package verify

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSpecification: the page names every code that this package gives.
func TestSpecification(t *testing.T) {
	page, err := os.ReadFile("../spec/policy-v1.md")
	must(t, err)
	files, err := filepath.Glob("*.go")
	must(t, err)
	code := regexp.MustCompile(`(?:Code: |CodeUnchecked = |\{)"([a-z]+\.[a-zA-Z]+)"`)
	rule := regexp.MustCompile(`weak\("([a-z]+)"`)
	found := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		must(t, err)
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		var names []string
		for _, m := range code.FindAllStringSubmatch(string(source), -1) {
			names = append(names, m[1])
		}
		for _, m := range rule.FindAllStringSubmatch(string(source), -1) {
			names = append(names, m[1]+".basis")
		}
		for _, name := range names {
			found++
			if !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("the page does not explain %s of %s", name, file)
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d codes were found", found)
	}
}
