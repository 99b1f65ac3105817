package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestRecordAgain: the same build is not attested twice, and what is written then is what was attached before.
func TestRecordAgain(t *testing.T) {
	w := newWorld(t, "plain")
	digest := func(r result) (string, string) {
		var out struct{ Result, Statement string }
		if err := json.Unmarshal([]byte(r.stdout), &out); err != nil {
			t.Fatal(err)
		}
		return out.Result, out.Statement
	}
	first, statement := digest(w.must(statusDone, w.recordArgs("--format", "json", "--bundle", "first.json", "--statement", "first.statement")...))
	second, again := digest(w.must(statusDone, w.recordArgs("--format", "json", "--bundle", "second.json", "--statement", "second.statement")...))
	if first != "recorded" || second != "unchanged" || statement != again {
		t.Errorf("%s %s, then %s %s", first, statement, second, again)
	}
	for _, file := range []string{"json", "statement"} {
		if string(mustRead(t, w.path("first."+file))) != string(mustRead(t, w.path("second."+file))) {
			t.Errorf("the second %s is another one", file)
		}
	}
}

// TestRecordWarnsOfDisagreement: what verify would refuse later is told at once, and is no error.
func TestRecordWarnsOfDisagreement(t *testing.T) {
	w := newWorld(t, "referrers")
	w.must(statusDone, w.recordArgs()...)
	w.commit("Another commit")
	r := w.must(statusDone, w.recordArgs()...)
	if !strings.Contains(r.stderr, "warning: this image carries a statement of the same key that disagrees on the commit") {
		t.Errorf("no warning: %q", r.stderr)
	}
	w.must(statusRefused, "verify", w.ref, "--key", "cosign.pub")
}
