package report

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/verify"
)

// lines are facts as "value | known".
func lines(facts []fact) (out []string) {
	for _, f := range facts {
		out = append(out, f.value+" | "+f.known)
	}
	return out
}

// TestProtectionFacts: every grade is told as what it is worth, and never as more.
func TestProtectionFacts(t *testing.T) {
	until := time.Date(2033, 11, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		grade string
		p     *provenance.Protection
		want  []string
	}{
		"locked":          {provenance.GradeLocked, &provenance.Protection{Until: until}, []string{"locked until 1 Nov 2033 | reported (Azure)"}},
		"locked, no time": {provenance.GradeLocked, &provenance.Protection{}, []string{"locked, nobody says until when | reported (Azure)"}},
		"locked-append": {provenance.GradeLockedAppend, &provenance.Protection{Until: until, Policy: &provenance.RetentionPolicy{AppendWrites: "append-blobs"}},
			[]string{"locked until 1 Nov 2033 | reported (Azure)", "warning: append writes are allowed (append-blobs): files can grow | reported (Azure)"}},
		"locked-append, alone": {provenance.GradeLockedAppend, nil,
			[]string{"locked, nobody says until when | reported (Azure)", "warning: append writes are allowed: files can grow | reported (Azure)"}},
		"version-worm": {provenance.GradeVersionWORM, &provenance.Protection{Until: until}, []string{"every file locked until 1 Nov 2033 | reported (Azure)"}},
		"unlocked": {provenance.GradeUnlocked, &provenance.Protection{Until: until, Policy: &provenance.RetentionPolicy{Days: 30}},
			[]string{"not locked: its retention policy of 30 days can be shortened or deleted | reported (Azure)"}},
		"unlocked, alone": {provenance.GradeUnlocked, nil, []string{"not locked: its retention policy can be shortened or deleted | reported (Azure)"}},
		"legal-hold": {provenance.GradeLegalHold, &provenance.Protection{LegalHolds: []provenance.LegalHold{{Tag: "audit"}, {Tag: "case7"}}},
			[]string{"not locked: a legal hold (audit, case7), which can be cleared at any time | reported (Azure)"}},
		"legal-hold, alone": {provenance.GradeLegalHold, nil, []string{"not locked: a legal hold, which can be cleared at any time | reported (Azure)"}},
		"none":              {provenance.GradeNone, &provenance.Protection{}, []string{"not locked: nothing protects it | reported (Azure)"}},
		"unknown":           {provenance.GradeUnknown, nil, []string{"not known whether it is locked | "}},
		"unknown, why":      {provenance.GradeUnknown, &provenance.Protection{Unknown: "a SAS cannot ask"}, []string{"not known whether it is locked: a SAS cannot ask | "}},
		"nothing":           {"", nil, []string{"not known whether it is locked | "}},
		"a later program's": {"frozen", nil, []string{"immutability frozen | reported (Azure)"}},
	} {
		f := provenance.Folder{Grounds: provenance.Grounds{Basis: provenance.Observed, BasisOf: map[string]provenance.Basis{"immutability": provenance.Reported}},
			Immutability: c.grade, Protection: c.p}
		if got := lines(protectionFacts(f)); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestReadFacts: whose digests they are is told, each with who vouches for them.
func TestReadFacts(t *testing.T) {
	previous := digest(t, provenance.SHA256, "cafe")
	sealed := digest(t, provenance.SHA256, "0c2f").String()
	grounds := func(digest provenance.Basis) provenance.Grounds {
		return provenance.Grounds{Basis: provenance.Observed, BasisOf: map[string]provenance.Basis{"digest": digest}}
	}
	for name, c := range map[string]struct {
		f     provenance.Folder
		known string
		want  []string
	}{
		"read": {provenance.Folder{Grounds: grounds(provenance.Observed)}, "observed by the builder; not re-checked", nil},
		"reused": {provenance.Folder{Grounds: grounds(provenance.Signed), Reused: &provenance.Reused{Files: 1, Bytes: 1024, Previous: previous}},
			"signed (earlier attestation); not re-checked", []string{"1 digest (1.0 KiB) reused | signed (statement sha256:cafecafecafe…)"}},
		"imported": {provenance.Folder{Grounds: grounds(provenance.Declared), Imported: &provenance.Imported{Files: 2, Parts: 1}},
			"declared (imported); not re-checked", []string{"2 digests imported from 1 part | declared: nobody sealed them"}},
		"sealed": {provenance.Folder{Grounds: grounds(provenance.Signed), Imported: &provenance.Imported{Files: 2, Parts: 7, SealedBy: sealed}},
			"signed (sha256:0c2f0c2f0c2f…); not re-checked", []string{"2 digests imported from 7 parts | signed (sha256:0c2f0c2f0c2f…)"}},
		"resumed": {provenance.Folder{Grounds: grounds(provenance.Declared), Resumed: 2},
			"declared (resumed); not re-checked", []string{"2 digests left behind by an interrupted run | declared (agent)"}},
	} {
		if got := lines(readFacts(c.f)); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if got := digestFact(c.f, verify.Rechecked{}).known; got != c.known {
			t.Errorf("%s: known as %q, want %q", name, got, c.known)
		}
	}
}

// TestDeltaFacts: why it is this version.
func TestDeltaFacts(t *testing.T) {
	for asked, want := range map[string]string{"version": "Delta table version 7, as asked", "run start": "Delta table version 7, current when the run started",
		"now": "Delta table version 7, current when it was recorded", "otherwise": "Delta table version 7"} {
		f := provenance.Folder{Grounds: provenance.Grounds{Basis: provenance.Observed}, Delta: &provenance.DeltaTable{ID: "x", Version: 7, Asked: asked, DataFiles: 1}}
		if got, want := fmt.Sprint(lines(deltaFacts(f))), "["+want+" | observed by the builder 1 data file | observed by the builder]"; got != want {
			t.Errorf("%s: %s, want %s", asked, got, want)
		}
	}
}

// TestTrainedFacts: a link that nobody vouches for is not taken for what the builder saw.
func TestTrainedFacts(t *testing.T) {
	f := provenance.Folder{Grounds: provenance.Grounds{Basis: provenance.Observed}, TrainedOn: "because"}
	if got, want := fmt.Sprint(lines(trainedFacts(f))), "[link to the model: because | nobody says how this is known]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	f.Before = &provenance.Before{Listed: time.Date(2026, 11, 22, 18, 31, 0, 0, time.UTC), Same: true}
	if got, want := lines(trainedFacts(f))[1], "listed before training, 22 Nov 2026 18:31 UTC, and the same since | declared: nobody sealed it"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestSharedFacts: many names are cut.
func TestSharedFacts(t *testing.T) {
	var names []string
	for i := range 12 {
		names = append(names, fmt.Sprint(i))
	}
	f := provenance.Folder{Grounds: provenance.Grounds{Basis: provenance.Observed}, Shared: []provenance.Shared{
		{Role: "train", URI: "/a/", Files: 12, Names: names}, {Role: "validation", URI: "/b/", Files: 1, Names: []string{"x"}}}}
	want := "[warning: 12 files also in train /a/: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, … | observed by the builder warning: 1 file also in validation /b/: x | observed by the builder]"
	if got := fmt.Sprint(lines(sharedFacts(f))); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
