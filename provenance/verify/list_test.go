package verify

import (
	"context"
	"errors"
	"testing"
)

func TestList(t *testing.T) {
	s := newScene(t)
	s.attach(s.night)
	s.raw = append(s.raw, newSigner(t, "other.pub").sign(t, s.payload(t)),
		s.builder.sign(t, []byte(`{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://spdx.dev/Document"}`)),
		s.builder.sign(t, []byte(`"not a statement"`)))
	s.in.Candidates = []Candidate{{Where: "oversize", Err: errors.New("more than 8 MiB")}, {Where: "zero"}}
	s.decide()
	byPlace := map[string]Listed{}
	for _, l := range List(context.Background(), s.in) {
		byPlace[l.Where[0]] = l
	}
	for place, want := range map[string]struct {
		code              string
		signed, statement bool
		predicate         string
		record            bool
	}{
		"place 0":  {"", true, true, "https://slsa.dev/provenance/v1", true},
		"place 1":  {"signature.key", false, false, "", false},
		"place 2":  {"statement.predicateType", true, true, "https://spdx.dev/Document", false},
		"place 3":  {"statement.malformed", true, true, "", false},
		"oversize": {"attestations.unreadable", false, false, "", false},
		"zero":     {"signature.key", false, false, "", false},
	} {
		l, found := byPlace[place]
		if !found || (l.Signer != nil) != want.signed || (l.Statement != nil) != want.statement || l.PredicateType != want.predicate || (l.Record != nil) != want.record {
			t.Errorf("%s: %+v", place, l)
		}
		if got := codes(l.Findings); (want.code == "") != (len(got) == 0) || want.code != "" && got[0] != want.code {
			t.Errorf("%s: findings %q, want %q", place, got, want.code)
		}
	}
}

// TestWithoutKeysNothingIsChecked: show needs no key; then it believes nothing, and says so. Nor does Decide.
func TestWithoutKeysNothingIsChecked(t *testing.T) {
	s := newScene(t)
	in := s.in
	in.Candidates = []Candidate{candidate("x", s.builder.sign(t, s.payload(t)))}
	l := List(context.Background(), in)
	if len(l) != 1 || l[0].Signer != nil || l[0].Record != nil || l[0].Findings[0].Code != CodeUnchecked {
		t.Errorf("listed %+v", l)
	}
	expect(t, Decide(context.Background(), in), Undecided, CodeUnchecked)
}
