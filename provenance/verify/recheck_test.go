package verify

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

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
		"changed":             {answer(Changes{Added: []Change{{Name: "new.csv"}}}, nil), RecheckListing, "", Refused, []string{"recheck.changed"}, RecheckListing},
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

// TestRecheckOfNothing: a check that was asked for and has nothing to look at is no pass.
func TestRecheckOfNothing(t *testing.T) {
	s := newScene(t)
	s.night.data = nil
	s.attach(s.night)
	s.in.RecheckMode = RecheckListing
	expect(t, s.decide(), Refused, "data.missing")
}

// TestRecheckAsksForTheRecordedFolder: what is asked is what was signed, in the mode that was demanded.
func TestRecheckAsksForTheRecordedFolder(t *testing.T) {
	s := newScene(t)
	s.data[0].Listed = at(23, 2).Add(25 * time.Minute)
	var asked []string
	s.in.RecheckMode = RecheckContent
	s.in.Recheck = func(_ context.Context, f provenance.Folder, m Mode) (Changes, error) {
		asked = append(asked, fmt.Sprint(f.URI, " ", f.Digest, " ", f.Index.Digest, " ", m))
		return Changes{Modified: []Change{{"a", "size", at(23, 8)}}, Removed: []Change{{Name: "b"}}}, nil
	}
	s.attach(s.night)
	r := s.decide()
	expect(t, r, Refused, "recheck.changed")
	if want := fmt.Sprint(s.data[0].URI, " ", s.data[0].Digest, " ", s.data[0].Index.Digest, " content"); len(asked) != 1 || asked[0] != want {
		t.Errorf("asked %q, want %q", asked, want)
	}
	if f := r.Findings[0]; !strings.HasSuffix(f.Detail, "/ is not what was recorded: removed b (last seen 23 Nov 2026 02:25 UTC); modified a (size, since 23 Nov 2026 08:00 UTC)"+
		"; whether it was protected is not known") || f.Found != "1 removed, 1 modified" || f.Basis != provenance.Observed {
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

// TestRecheckOfWhatWasReadElsewhere: a snapshot of a Delta table, and digests that other machines computed, are asked for like
// any others; who asks gets the version.
func TestRecheckOfWhatWasReadElsewhere(t *testing.T) {
	for name, change := range map[string]func(*provenance.Folder){
		"delta":    func(f *provenance.Folder) { f.Delta = &provenance.DeltaTable{ID: "x", Version: 7, Asked: "now"} },
		"imported": func(f *provenance.Folder) { f.Imported = &provenance.Imported{Files: 3, Parts: 2} },
		"reused": func(f *provenance.Folder) {
			f.Reused = &provenance.Reused{Files: 1, Previous: sha(t, "a"), ReadSince: at(1, 0)}
		},
	} {
		s := newScene(t)
		s.policy = "version: 1\ndata: {roots: ['abfss://mortgages@contoso.dfs.core.windows.net/']}\nrecheck: content"
		change(&s.data[0])
		var asked provenance.Folder
		s.in.Recheck = func(_ context.Context, f provenance.Folder, _ Mode) (Changes, error) {
			asked = f
			return Changes{Removed: []Change{{Name: "part-0.parquet"}}}, nil
		}
		s.attach(s.night)
		r := s.decide()
		expect(t, r, Refused, "recheck.changed")
		got, want := asked, s.data[0]
		if !reflect.DeepEqual(got.Delta, want.Delta) || !reflect.DeepEqual(got.Imported, want.Imported) || !reflect.DeepEqual(got.Reused, want.Reused) {
			t.Errorf("%s: asked for %+v", name, got)
		}
		if got := r.Attestation.Rechecks[0]; got.Mode != RecheckContent || got.Changes.Removed[0].Name != "part-0.parquet" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestChangesDespiteProtection: a change says how it sits with the protection that was recorded.
func TestChangesDespiteProtection(t *testing.T) {
	modified := Changes{Modified: []Change{{Name: "a"}}}
	removed, added := Changes{Removed: []Change{{Name: "a"}}}, Changes{Added: []Change{{Name: "a"}}}
	now, later, before := at(24, 0), at(30, 0), at(23, 0)
	const alarm = "Azure allows no such change"
	for name, c := range map[string]struct {
		grade   string
		until   time.Time
		changes Changes
		want    string // after the names
		alarm   bool
	}{
		"locked":                 {provenance.GradeLocked, later, modified, ", although its files were locked until 30 Nov 2026 00:00 UTC", true},
		"locked, removed":        {provenance.GradeLocked, later, removed, ", although its files were locked until 30 Nov 2026 00:00 UTC", true},
		"locked, for how long":   {provenance.GradeLocked, time.Time{}, removed, ", although its files were locked", true},
		"locked, added":          {provenance.GradeLocked, later, added, "", false},
		"locked, expired":        {provenance.GradeLocked, before, removed, "; its files were locked until 23 Nov 2026 00:00 UTC only", false},
		"locked, expires now":    {provenance.GradeLocked, now, removed, "; its files were locked until 24 Nov 2026 00:00 UTC only", false},
		"locked-append":          {provenance.GradeLockedAppend, later, modified, "; its files were locked until 30 Nov 2026 00:00 UTC, but append writes were allowed", false},
		"locked-append, removed": {provenance.GradeLockedAppend, later, removed, ", although its files were locked until 30 Nov 2026 00:00 UTC", true},
		"version-worm":           {provenance.GradeVersionWORM, later, modified, "; its bytes are kept until 30 Nov 2026 00:00 UTC, as former versions of the files", false},
		"unlocked":               {provenance.GradeUnlocked, later, modified, "; it was not locked: its retention policy can be shortened or deleted", false},
		"legal-hold":             {provenance.GradeLegalHold, time.Time{}, modified, "; it was not locked: its legal hold can be cleared at any time", false},
		"none":                   {provenance.GradeNone, time.Time{}, removed, "; it was not protected", false},
		"unknown":                {provenance.GradeUnknown, time.Time{}, removed, "; whether it was protected is not known", false},
		"of a later program":     {"frozen", later, removed, "; its protection was frozen", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := provenance.Folder{Immutability: c.grade, Protection: &provenance.Protection{Until: c.until}}
			if got := despite(f, c.changes, now); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if got := strings.HasPrefix(changedHint(RecheckContent, f, c.changes, now), alarm); got != c.alarm {
				t.Errorf("alarm %v", got)
			}
		})
	}
	if despite(provenance.Folder{}, removed, now) != "; whether it was protected is not known" {
		t.Error("a folder without a grade is taken for one")
	}
}

func TestChangedHint(t *testing.T) {
	f := provenance.Folder{Immutability: provenance.GradeNone}
	for _, c := range []struct {
		mode    Mode
		changes Changes
		want    string
	}{
		{RecheckListing, Changes{Modified: []Change{{Name: "a"}}}, "--recheck content compares"},
		{RecheckListing, Changes{Removed: []Change{{Name: "a"}}}, "restore the folder"},
		{RecheckContent, Changes{Modified: []Change{{Name: "a"}}}, "restore the folder"},
	} {
		if got := changedHint(c.mode, f, c.changes, at(24, 0)); !strings.Contains(got, c.want) {
			t.Errorf("%s %+v: %s", c.mode, c.changes, got)
		}
	}
}

// TestChanges: what changed is named, with what is known of it, and counted beyond that.
func TestChanges(t *testing.T) {
	many := func(n int) (changes []Change) {
		for i := range n {
			changes = append(changes, Change{Name: fmt.Sprint("f", i)})
		}
		return changes
	}
	since := at(23, 8)
	for name, c := range map[string]struct {
		changes  Changes
		recorded time.Time
		want     string
	}{
		"none":     {Changes{}, since, ""},
		"added":    {Changes{Added: []Change{{Name: "a", Since: since}, {Name: "b"}}}, since, "added a (since 23 Nov 2026 08:00 UTC), b"},
		"removed":  {Changes{Removed: []Change{{Name: "a"}}}, since, "removed a (last seen 23 Nov 2026 08:00 UTC)"},
		"old":      {Changes{Removed: []Change{{Name: "a"}}}, time.Time{}, "removed a"},
		"modified": {Changes{Modified: []Change{{"a", "content", since}, {Name: "b", What: "size"}}}, since, "modified a (content, since 23 Nov 2026 08:00 UTC), b (size)"},
		"all": {Changes{Added: many(1), Removed: many(1), Modified: many(1)}, time.Time{},
			"added f0; removed f0; modified f0"},
		"many": {Changes{Added: many(25)}, since, "added f0, f1, f2, f3, f4, f5, f6, f7, f8, f9 and 15 more"},
		"more": {Changes{Added: many(2), More: Counts{Added: 7}}, since, "added f0, f1 and 7 more"},
	} {
		if got := c.changes.Text(c.recorded); got != c.want || c.changes.None() != (c.want == "") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	total := Changes{Added: many(1), Removed: many(2), Modified: many(3), More: Counts{10, 20, 30}}.Total()
	if total != (Counts{11, 22, 33}) {
		t.Errorf("total %+v", total)
	}
	if got := total.String(); got != "11 added, 22 removed, 33 modified" || (Counts{}).String() != "nothing" {
		t.Error(got)
	}
}

// TestChangesAsJSON: machines get names, what differs, and since when, and nothing that there is none of.
func TestChangesAsJSON(t *testing.T) {
	data := marshal(t, Rechecked{URI: "/lake/", Mode: RecheckListing, Recorded: at(23, 2), Changes: Changes{
		Removed: []Change{{Name: "b"}}, Modified: []Change{{"a", "etag", at(23, 8)}}, More: Counts{Modified: 3}}})
	const want = `{"uri":"/lake/","mode":"listing","recorded":"2026-11-23T02:00:00Z","changes":{"removed":[{"name":"b"}],` +
		`"modified":[{"name":"a","what":"etag","since":"2026-11-23T08:00:00Z"}],"more":{"modified":3}}}`
	if string(data) != want {
		t.Errorf("%s\nwant %s", data, want)
	}
	if got := string(marshal(t, Rechecked{URI: "/lake/", Mode: RecheckNone})); got != `{"uri":"/lake/","mode":"none"}` {
		t.Error(got)
	}
}
