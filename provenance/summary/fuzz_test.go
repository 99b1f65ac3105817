package summary

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
)

// FuzzRead: whatever the bytes are, they are a summary that has everything that it must have, or refused with a code of this
// package; and what is read can be held against anything.
func FuzzRead(f *testing.F) {
	good, err := example(f).Bytes()
	must(f, err)
	f.Add(string(good))
	for _, edit := range []string{`"PASSED"`, `"verifier"`, `"SLSA_BUILD_LEVEL_1"`, `"uri"`, `"timeVerified"`, `"sha256"`} {
		f.Add(strings.Replace(string(good), edit, `"FAILED"`, 1))
		f.Add(strings.Replace(string(good), edit, "null", 1))
	}
	f.Fuzz(func(t *testing.T, payload string) {
		s, err := Read([]byte(payload))
		var refused *provenance.Refused
		if err != nil {
			if !errors.As(err, &refused) || !strings.HasPrefix(refused.Code, "summary.") {
				t.Errorf("%v", err)
			}
			return
		}
		if s.Verifier.ID == "" || s.ResourceURI == "" || s.Policy.URI == "" || len(s.Subjects) == 0 || s.Levels == nil || s.Result != Passed && s.Result != Failed {
			t.Errorf("read %+v", s)
		}
		if problems := s.Check(Want{Image: digest(t, "e1"), Levels: s.Levels}); len(problems) == 0 {
			t.Errorf("it is about an image that was made up: %+v", s)
		}
	})
}
