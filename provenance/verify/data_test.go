package verify

import (
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
)

// protected gives the train folder a grade that Azure reported, and a time until which it holds.
func protected(grade string, until time.Time) func(*night) {
	return func(n *night) {
		f := &n.data[0]
		f.Immutability = grade
		f.Protection = &provenance.Protection{Account: "contoso", Container: "mortgages", Until: until}
		f.BasisOf["immutability"], f.BasisOf["protection"] = provenance.Reported, provenance.Reported
	}
}

// listed says when the train folder was listed.
func listed(when time.Time, change func(*night)) func(*night) {
	return func(n *night) {
		n.data[0].Listed = when
		change(n)
	}
}

// reused says that digests were read so long before the folder was listed.
func reused(age time.Duration) func(*night) {
	return func(n *night) {
		f := &n.data[0]
		f.Listed, f.BasisOf["digest"] = at(23, 2), provenance.Signed
		f.Reused = &provenance.Reused{Files: 2, Bytes: 100, ReadSince: f.Listed.Add(-age), Previous: digestOfNight}
	}
}

var digestOfNight = provenance.SumSHA256([]byte("the night before"))

// tied proves the link between the run and the folder.
func tied(n *night) {
	f := &n.data[0]
	n.databricks.Started, n.databricks.Ended = at(23, 1), at(23, 2)
	f.Newest, f.BasisOf["newest"] = at(22, 0), provenance.Reported
	f.Before = &provenance.Before{Listed: at(23, 0), Listing: digestOfNight, Same: true, SealedBy: digestOfNight.String()}
	if f.Protection == nil {
		protected(provenance.GradeLocked, at(30, 0))(n)
	}
	f.Protection.Policy = &provenance.RetentionPolicy{State: "Locked", Days: 365, Updates: []provenance.PolicyUpdate{{Update: "lock", Days: 365, At: at(1, 0)}}}
}

// both adds a test folder, which shares so many files with the train folder.
func both(shared int64) func(*night) {
	return func(n *night) {
		n.data[0].Shared = []provenance.Shared{} // compared, and there are none
		test := n.data[0]
		test.Role, test.URI = "test", "abfss://mortgages@contoso.dfs.core.windows.net/20261101T0000/"
		if shared > 0 {
			test.Shared = []provenance.Shared{{Role: "train", URI: n.data[0].URI, Files: shared, Names: []string{"part-0.csv"}}}
		}
		n.data = append(n.data, test)
	}
}

// then makes several changes.
func then(changes ...func(*night)) func(*night) {
	return func(n *night) {
		for _, change := range changes {
			change(n)
		}
	}
}

// editChecks changes what the statement says of the cross-checks.
func editChecks(change func(checks []any) []any) func(*night) {
	return func(n *night) {
		n.edit = func(f map[string]any) {
			for _, b := range run(f)["byproducts"].([]any) {
				if d := b.(map[string]any); d["name"] == "checks" {
					annotations := d["annotations"].(map[string]any)
					annotations["provenance_checks"] = change(annotations["provenance_checks"].([]any))
				}
			}
		}
	}
}

// setCheck changes the value of a check, wherever it is.
func setCheck(name, value string) func(*night) {
	return editChecks(func(checks []any) []any {
		for _, c := range checks {
			if fact := c.(map[string]any); fact["name"] == name {
				fact["value"] = value
			}
		}
		return checks
	})
}

// unsaid takes a basis away from a data folder.
func unsaid(fact string) func(*night) {
	return func(n *night) {
		n.edit = func(f map[string]any) {
			for _, d := range definition(f)["resolvedDependencies"].([]any) {
				if d := d.(map[string]any); strings.HasPrefix(d["name"].(string), "data/") {
					delete(d["annotations"].(map[string]any)["provenance_basisOf"].(map[string]any), fact)
				}
			}
		}
	}
}

// declared weakens the basis of a fact of the train folder.
// imported makes the first folder one whose digests other machines computed and sealed, from bytes read since then.
func imported(since time.Time) func(*night) {
	return listed(at(23, 2), func(n *night) {
		n.data[0].Imported = &provenance.Imported{Files: 3, Parts: 1, SealedBy: "sha256:aa", ReadSince: since}
		n.data[0].BasisOf["digest"] = provenance.Signed
	})
}

func declared(fact string) func(*night) {
	return func(n *night) { n.data[0].BasisOf[fact] = provenance.Declared }
}

// TestDataRules: each rule about data passes, refuses, and is undecided when nobody could tell.
func TestDataRules(t *testing.T) {
	nothing := func(*night) {}
	far, near := time.Date(2034, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2032, 12, 31, 23, 59, 0, 0, time.UTC)
	exactly := time.Date(2033, 1, 1, 0, 0, 0, 0, time.UTC)
	const (
		locked = `data: {immutability: [locked, version-worm]}`
		until  = `data: {protectedUntil: 2033-01-01}`
		forNow = `data: {protectedFor: 2160h}` // decided on 24 November 2026: until 22 February 2027
		age    = `data: {maxDigestAge: 720h}`
		link   = `data: {trainedOn: reported}`
	)
	for name, c := range map[string]struct {
		rules   string
		change  func(*night)
		verdict Verdict
		code    string
		found   string // of the finding
		hint    string // a part of it
	}{
		"locked":                     {locked, protected(provenance.GradeLocked, far), Accepted, "", "", ""},
		"version-worm":               {locked, protected(provenance.GradeVersionWORM, far), Accepted, "", "", ""},
		"locked, and ended":          {locked, listed(at(23, 2), protected(provenance.GradeLocked, at(23, 1))), Refused, "data.immutability", "until", "extend"},
		"locked, ended since":        {locked, listed(at(23, 2), protected(provenance.GradeLocked, at(23, 3))), Accepted, "", "", ""},
		"locked-append":              {locked, protected(provenance.GradeLockedAppend, far), Refused, "data.immutability", "locked-append", "append writes"},
		"unlocked":                   {locked, protected(provenance.GradeUnlocked, far), Refused, "data.immutability", "unlocked", "lock the container"},
		"legal-hold":                 {locked, protected(provenance.GradeLegalHold, time.Time{}), Refused, "data.immutability", "legal-hold", "lock the container"},
		"none":                       {locked, protected(provenance.GradeNone, time.Time{}), Refused, "data.immutability", "none", "lock the container"},
		"none, accepted":             {`data: {immutability: [none]}`, protected(provenance.GradeNone, time.Time{}), Accepted, "", "", ""},
		"locked, not accepted":       {`data: {immutability: [legal-hold]}`, protected(provenance.GradeLocked, far), Refused, "data.immutability", "locked", "accept locked"},
		"a later program's grade":    {locked, protected("frozen", far), Refused, "data.immutability", "frozen", "lock the container"},
		"unknown":                    {locked, nothing, Undecided, "data.immutability", "unknown", "--storage-account-id"},
		"no grade":                   {locked, protected("", far), Undecided, "data.immutability", "nothing", "--storage-account-id"},
		"locked, declared":           {locked, then(protected(provenance.GradeLocked, far), declared("immutability")), Refused, "data.basis", "declared", ""},
		"locked, digest observed":    {`data: {immutability: [locked], basis: observed}`, protected(provenance.GradeLocked, far), Accepted, "", "", ""},
		"until, longer":              {until, protected(provenance.GradeLocked, far), Accepted, "", "", ""},
		"until, exactly":             {until, protected(provenance.GradeLocked, exactly), Accepted, "", "", ""},
		"until, append":              {until, protected(provenance.GradeLockedAppend, far), Accepted, "", "", ""},
		"until, shorter":             {until, protected(provenance.GradeLocked, near), Refused, "data.protected", "until 31 Dec 2032 23:59 UTC", "extend"},
		"until, unlocked":            {until, protected(provenance.GradeUnlocked, far), Refused, "data.protected", "unlocked", "lock the container"},
		"until, none":                {until, protected(provenance.GradeNone, time.Time{}), Refused, "data.protected", "none", "lock the container"},
		"until, unknown":             {until, nothing, Undecided, "data.protected", "unknown", "--storage-account-id"},
		"until, no time":             {until, protected(provenance.GradeLocked, time.Time{}), Undecided, "data.protected", "locked", "--storage-account-id"},
		"until, no protection":       {until, func(n *night) { protected(provenance.GradeLocked, far)(n); n.data[0].Protection = nil }, Undecided, "data.protected", "locked", "--storage"},
		"until, declared":            {until, then(protected(provenance.GradeLocked, far), declared("protection")), Refused, "data.basis", "declared", ""},
		"for, longer":                {forNow, protected(provenance.GradeLocked, far), Accepted, "", "", ""},
		"for, exactly":               {forNow, protected(provenance.GradeLocked, at(24, 0).Add(2160*time.Hour)), Accepted, "", "", ""},
		"for, shorter":               {forNow, protected(provenance.GradeLocked, at(24, 0).Add(2159*time.Hour)), Refused, "data.protected", "until 21 Feb 2027 23:00 UTC", "extend"},
		"for and until, the earlier": {`data: {protectedFor: 2160h, protectedUntil: 2033-01-01}`, protected(provenance.GradeLocked, near), Refused, "data.protected", "until 31 Dec 2032 23:59 UTC", ""},
		"until and for, the earlier": {`data: {protectedUntil: 2027-01-01, protectedFor: 2160h}`, protected(provenance.GradeLocked, at(24, 0).Add(2159*time.Hour)), Refused, "data.protected",
			"until 21 Feb 2027 23:00 UTC", ""},
		"read now":                {age, nothing, Accepted, "", "", ""},
		"reused, young":           {age, reused(720 * time.Hour), Accepted, "", "", ""},
		"reused, old":             {age, reused(720*time.Hour + time.Second), Refused, "data.digestAge", "read since 24 Oct 2026 01:59 UTC, 720h0m1s before", "--reuse 720h"},
		"reused, no time":         {age, func(n *night) { reused(0)(n); n.data[0].Reused.ReadSince = time.Time{} }, Undecided, "data.digestAge", "unknown", "have no known age"},
		"reused, from the future": {age, func(n *night) { reused(-time.Hour)(n) }, Undecided, "data.digestAge", "unknown", "have no known age"},
		"reused, only declared":   {age, func(n *night) { reused(time.Hour)(n); n.data[0].BasisOf["digest"] = provenance.Declared }, Undecided, "data.digestAge", "unknown", "have no known age"},
		"reused, no list":         {age, func(n *night) { reused(time.Hour)(n); n.data[0].Listed = time.Time{} }, Undecided, "data.digestAge", "unknown", "have no known age"},
		"imported, no time":       {age, imported(time.Time{}), Undecided, "data.digestAge", "unknown", "--key"},
		"imported, young":         {age, imported(at(23, 2).Add(-720 * time.Hour)), Accepted, "", "", ""},
		"imported, old":           {age, imported(at(23, 2).Add(-721 * time.Hour)), Refused, "data.digestAge", "read since 24 Oct 2026 01:00 UTC, 721h before", "let the machines"},
		"imported, nobody sealed": {age, then(imported(at(23, 1)), declared("digest")), Undecided, "data.digestAge", "unknown", "--key"},
		"resumed":                 {age, func(n *night) { n.data[0].Resumed = 1 }, Undecided, "data.digestAge", "unknown", "--state"},
		"reused, any age":         {`data: {basis: signed}`, reused(1e5 * time.Hour), Accepted, "", "", ""},
		"reused, read anew":       {`data: {basis: observed}`, reused(time.Hour), Refused, "data.basis", "signed", "--reuse never"},
		"imported, not sealed": {`data: {basis: signed}`, then(declared("digest"), func(n *night) { n.data[0].Imported = &provenance.Imported{Files: 3} }), Refused,
			"data.basis", "declared", "--key"},
		"imported, sealed": {`data: {basis: observed}`, then(reused(0), func(n *night) { n.data[0].Imported = &provenance.Imported{SealedBy: "sha256:aa"} }), Refused,
			"data.basis", "signed", "accept signed"},
		"resumed, basis":         {`data: {basis: signed}`, then(declared("digest"), func(n *night) { n.data[0].Resumed = 1 }), Refused, "data.basis", "declared", "--state"},
		"trained on, proved":     {link, tied, Accepted, "", "", ""},
		"trained on, declared":   {link, nothing, Refused, "data.trainedOn", "declared", "--listing"},
		"trained on, any":        {`data: {trainedOn: declared}`, nothing, Accepted, "", "", ""},
		"trained on, nobody":     {link, then(tied, unsaid("trainedOn")), Undecided, "data.trainedOn", "nothing", "--listing"},
		"apart":                  {`data: {sharedFiles: false}`, both(0), Accepted, "", "", ""},
		"one role":               {`data: {sharedFiles: false}`, nothing, Accepted, "", "", ""},
		"shared":                 {`data: {sharedFiles: false}`, both(3), Refused, "check.rolesDisjoint", "part-0.csv and 2 more of ", "data.sharedFiles"},
		"shared, by default":     {`source: {clean: true}`, both(1), Refused, "check.rolesDisjoint", "part-0.csv of ", "data.sharedFiles"},
		"shared, allowed":        {`data: {sharedFiles: true}`, both(3), Accepted, "", "", ""},
		"shared, says otherwise": {`source: {clean: true}`, then(both(3), setCheck(provenance.CheckRoles, "true")), Refused, "check.rolesDisjoint", "part-0.csv and 2 more", ""},
		"shared, not named":      {`source: {clean: true}`, then(both(0), setCheck(provenance.CheckRoles, "false")), Refused, "check.rolesDisjoint", "nothing", ""},
		"not compared":           {`data: {sharedFiles: false}`, then(both(0), setCheck(provenance.CheckRoles, "unknown")), Undecided, "check.rolesDisjoint", "unknown", "data.sharedFiles"},
		"not compared, recorded": {`data: {sharedFiles: false}`, then(both(0), func(n *night) { n.data[0].Shared = nil }), Undecided, "check.rolesDisjoint", "unknown", "data.sharedFiles"},
		"not compared, old":      {`data: {sharedFiles: false}`, then(both(0), editChecks(func([]any) []any { return []any{} })), Undecided, "check.rolesDisjoint", "unknown", "newer"},
		"not compared, no rule":  {`source: {clean: true}`, then(both(0), setCheck(provenance.CheckRoles, "unknown")), Accepted, "", "", ""},
		"another check failed":   {`source: {clean: true}`, setCheck(provenance.CheckModel, "false"), Refused, "check.modelInImage", "false", ""},
		"another check, nothing": {`source: {clean: true}`, setCheck(provenance.CheckModel, ""), Refused, "check.modelInImage", "nothing", ""},
		"another check, unknown": {`source: {clean: true}`, setCheck(provenance.CheckModel, "unknown"), Accepted, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.policy = "version: 1\n" + c.rules
			c.change(s.night)
			s.attach(s.night)
			r := s.decide()
			if c.code == "" {
				expect(t, r, c.verdict)
				return
			}
			expect(t, r, c.verdict, c.code)
			f := r.Findings[0]
			if !strings.HasPrefix(f.Found, c.found) || !strings.Contains(f.Hint, c.hint) || f.Expected == "" || f.Undecided != (c.verdict == Undecided) {
				t.Errorf("finding %+v", f)
			}
			if f.Basis == "" && c.found != "nothing" && c.found != "unknown" {
				t.Errorf("it does not say how it is known: %+v", f)
			}
		})
	}
}

// TestEachFolderIsHeldAgainstTheRules: one that is good does not speak for another.
func TestEachFolderIsHeldAgainstTheRules(t *testing.T) {
	s := newScene(t)
	s.policy = "version: 1\ndata: {immutability: [locked], protectedUntil: 2030-01-01}"
	protected(provenance.GradeLocked, at(24, 0).AddDate(9, 0, 0))(s.night)
	other := folder(t, "validation", "abfss://mortgages@contoso.dfs.core.windows.net/20261101T0000/", "c")
	other.Protection = &provenance.Protection{Unknown: "a SAS cannot ask"}
	s.data[0].Shared, other.Shared = []provenance.Shared{}, []provenance.Shared{}
	s.data = append(s.data, other)
	s.attach(s.night)
	r := s.decide()
	expect(t, r, Undecided, "data.immutability", "data.protected")
	for _, f := range r.Findings {
		if !strings.HasSuffix(f.Detail, other.URI+" is protected: a SAS cannot ask") {
			t.Error(f.Detail)
		}
	}
}

// TestFailedChecksWithoutAPolicy: nobody asked, so it is shown, and decides nothing.
func TestFailedChecksWithoutAPolicy(t *testing.T) {
	s := newScene(t)
	both(3)(s.night)
	s.attach(s.night)
	r := s.decide()
	expect(t, r, Accepted)
	if c := r.Attestation.Record.Checks; c[len(c)-1].Value != "false" {
		t.Errorf("checks %+v", c)
	}
}

func TestHours(t *testing.T) {
	for d, want := range map[time.Duration]string{720 * time.Hour: "720h", 90 * time.Minute: "1h30m", 10 * time.Minute: "10m", 61 * time.Second: "1m1s",
		time.Hour + time.Second: "1h0m1s", 20 * time.Second: "20s", 100 * time.Hour: "100h"} {
		if got := hours(d); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
