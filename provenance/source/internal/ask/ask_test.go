package ask

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// TestAnswersAreBounded: a service that never runs out of pages does not fill the memory.
func TestAnswersAreBounded(t *testing.T) {
	a, err := New("MLflow", "http://127.0.0.1:1", nil, nil, Client{})
	if err != nil {
		t.Fatal(err)
	}
	a.size = maxAnswers - 2
	answer := keptAnswer{Request: "/x", Answer: json.RawMessage(`{}`)}
	if err := a.remember("reading run 7", answer, []string{"$.a"}); err != nil || len(a.Kept) != 1 || a.Removed[0] != "/x $.a" {
		t.Errorf("%v: %v, %v", err, a.Kept, a.Removed)
	}
	err = a.remember("reading run 7", answer, nil)
	if err == nil || !strings.Contains(err.Error(), "all answers together have more than 256 MiB") || len(a.Kept) != 1 {
		t.Errorf("%v: %v", err, a.Kept)
	}
}

// TestSignedURLs: the query of a signed URL is the permission, however short it is; alone, it may be any text.
func TestSignedURLs(t *testing.T) {
	used := &foreign.Tokens{}
	used.Add("https://files.example/zip/7?s=a#x")
	r := &foreign.Redactor{Known: used.All()}
	for in, want := range map[string]string{
		"https://files.example/zip/7?s=a#x": "[removed]",
		"GET /zip/7?s=a HTTP/1.1":           "GET /zip/7?[removed] HTTP/1.1",
		"classes=a, s=a":                    "classes=a, s=a",
	} {
		if got := r.Text(in); got != want {
			t.Errorf("%q became %q, not %q", in, got, want)
		}
	}
	if got := used.Mask("cannot read /zip/7?s=a"); got != "cannot read /zip/7[removed]" {
		t.Error(got)
	}
}
