package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
)

func TestRecheck(t *testing.T) {
	answer := func(c Changes, err error) Recheck {
		return func(context.Context, provenance.Folder, Mode) (Changes, error) { return c, err }
	}
	for name, c := range map[string]struct {
		recheck Recheck
		asked   Mode
		policy  string
		verdict Verdict
		codes   []string
		done    Mode
	}{
		"not asked":           {nil, "", "", Accepted, nil, ""},
		"none":                {nil, RecheckNone, "", Accepted, nil, ""},
		"unchanged":           {answer(Changes{}, nil), RecheckListing, "", Accepted, nil, RecheckListing},
		"policy demands more": {answer(Changes{}, nil), RecheckListing, "recheck: content", Accepted, nil, RecheckContent},
		"asked for more":      {answer(Changes{}, nil), RecheckContent, "recheck: listing", Accepted, nil, RecheckContent},
		"changed":             {answer(Changes{Added: []string{"new.csv"}}, nil), RecheckListing, "", Refused, []string{"recheck.changed"}, RecheckListing},
		"unreachable":         {answer(Changes{}, errors.New("timeout")), RecheckListing, "", Undecided, []string{"recheck.failed"}, RecheckNone},
		"gone":                {answer(Changes{}, provenance.Refuse("folder.missing", "", "it is gone")), RecheckListing, "", Refused, []string{"folder.missing"}, RecheckNone},
		"nobody to ask":       {nil, "", "recheck: listing", Undecided, []string{"recheck.failed"}, RecheckNone},
		"refused anyway":      {answer(Changes{}, errors.New("timeout")), "", "source: {branches: [x]}\nrecheck: listing", Refused, []string{"source.branch", "recheck.failed"}, RecheckNone},
		"outside the roots":   {answer(Changes{}, errors.New("asked")), "", "data: {roots: [/lake]}\nrecheck: listing", Refused, []string{"data.root"}, RecheckNone},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.in.Recheck, s.in.RecheckMode = c.recheck, c.asked
			if c.policy != "" {
				s.policy = "version: 1\n" + c.policy
			}
			s.attach(s.night)
			r := s.decide()
			expect(t, r, c.verdict, c.codes...)
			if got := r.Attestation.Rechecks; (c.done == "") != (got == nil) || got != nil && (got[0].Mode != c.done || got[0].URI != s.data[0].URI) {
				t.Errorf("rechecked %+v, want %q", got, c.done)
			}
		})
	}
}

// TestRecheckAsksForTheRecordedFolder: what is asked is what was signed, in the mode that was demanded.
// TestRecheckOfNothing: a check that was asked for and has nothing to look at is no pass.
func TestRecheckOfNothing(t *testing.T) {
	s := newScene(t)
	s.night.data = nil
	s.attach(s.night)
	s.in.RecheckMode = RecheckListing
	expect(t, s.decide(), Refused, "data.missing")
}

func TestRecheckAsksForTheRecordedFolder(t *testing.T) {
	s := newScene(t)
	var asked []string
	s.in.RecheckMode = RecheckContent
	s.in.Recheck = func(_ context.Context, f provenance.Folder, m Mode) (Changes, error) {
		asked = append(asked, fmt.Sprint(f.URI, " ", f.Digest, " ", f.Index.Digest, " ", m))
		return Changes{Modified: []string{"a"}, Removed: []string{"b"}}, nil
	}
	s.attach(s.night)
	r := s.decide()
	expect(t, r, Refused, "recheck.changed")
	if want := fmt.Sprint(s.data[0].URI, " ", s.data[0].Digest, " ", s.data[0].Index.Digest, " content"); len(asked) != 1 || asked[0] != want {
		t.Errorf("asked %q, want %q", asked, want)
	}
	if f := r.Findings[0]; f.Found != "removed b; modified a" || f.Basis != provenance.Observed {
		t.Errorf("finding %+v", f)
	}
}

// TestNothingIsAskedForAStranger: the folders of a statement that is not believed are never touched.
func TestNothingIsAskedForAStranger(t *testing.T) {
	s := newScene(t)
	s.in.RecheckMode = RecheckContent
	s.in.Recheck = func(context.Context, provenance.Folder, Mode) (Changes, error) {
		t.Error("asked")
		return Changes{}, nil
	}
	s.in.Members = func(context.Context, provenance.Digest) ([]provenance.Digest, error) {
		t.Error("asked")
		return nil, nil
	}
	s.raw = append(s.raw, newSigner(t, "other.pub").sign(t, s.payload(t)))
	expect(t, s.decide(), Refused, "signature.key")
}

func TestChangesListOnlySoMany(t *testing.T) {
	names := strings.Split(strings.Repeat("a ", 24)+"a", " ")
	if got := (Changes{Added: names}).String(); !strings.HasSuffix(got, "a and 15 more") {
		t.Error(got)
	}
}

func TestParseMode(t *testing.T) {
	for _, s := range []string{"none", "listing", "content"} {
		if m, err := ParseMode(s); err != nil || string(m) != s {
			t.Errorf("%q: %q %v", s, m, err)
		}
	}
	var misused *provenance.Misused
	for _, s := range []string{"", "all", "Listing"} {
		if _, err := ParseMode(s); !errors.As(err, &misused) {
			t.Errorf("%q: %v", s, err)
		}
	}
}
