package policy

import (
	"strings"
	"testing"
)

// TestBlanksThatAreNone: what looks like a comment, or like nothing, must not become a part of what is denied.
func TestBlanksThatAreNone(t *testing.T) {
	const head = "version: 1\ndeny:\n  folders:\n  - "
	for _, text := range []string{"/lake/x\u00a0# since March", "/lake/x\u00a0", "/lake/x\u3000# since March", "/lake/x\u2800"} {
		_, err := Parse("policy.yaml", []byte(head+text+"\n"), nil)
		if err == nil || !strings.Contains(err.Error(), "policy.yaml:4:5:") || !strings.Contains(err.Error(), "none to YAML") {
			t.Errorf("%q: %v", text, err)
		}
	}
	for text, want := range map[string]string{"\"/lake/x\u00a0y\"": "/lake/x\u00a0y", "/lake/x y # since March": "/lake/x y"} {
		p, err := Parse("policy.yaml", []byte(head+text+"\n"), nil)
		if err != nil || p.Deny[0].Value != want {
			t.Errorf("%q: %+v, %v", text, p, err)
		}
	}
}
