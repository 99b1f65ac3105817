package source

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestAnswersAreBounded: a service that never runs out of pages does not fill the memory.
func TestAnswersAreBounded(t *testing.T) {
	a, err := newAsking("MLflow", "http://127.0.0.1:1", nil, nil, Client{})
	if err != nil {
		t.Fatal(err)
	}
	a.size = maxAnswers - 2
	answer := keptAnswer{Request: "/x", Answer: json.RawMessage(`{}`)}
	if err := a.remember("reading run 7", answer, []string{"$.a"}); err != nil || len(a.kept) != 1 || a.removed[0] != "/x $.a" {
		t.Errorf("%v: %v, %v", err, a.kept, a.removed)
	}
	err = a.remember("reading run 7", answer, nil)
	if err == nil || !strings.Contains(err.Error(), "all answers together have more than 256 MiB") || len(a.kept) != 1 {
		t.Errorf("%v: %v", err, a.kept)
	}
}
