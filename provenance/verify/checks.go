package verify

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/verify/policy"
	"github.com/seed-3480f271/provenance/provenance/verify/rule"
)

// checkChecks wants no cross-check of the record to have failed, but for those that the policy allows.
func checkChecks(p *Policy, r provenance.Record, now time.Time) []*Finding {
	var findings []*Finding
	for _, c := range r.Checks {
		if c.Name != provenance.CheckRoles && c.Value != "true" && c.Value != "unknown" && !p.Allows(c.Name, now) {
			findings = append(findings, failed(c))
		}
	}
	return append(findings, checkRoles(p, r, now))
}

// failed is the finding about a check that is false.
func failed(c provenance.Fact) *Finding {
	return &Finding{Code: "check." + c.Name, Detail: "a check of the builder's own failed: " + orNothing(c.Note),
		Expected: "true", Found: orNothing(c.Value), Basis: c.Basis, Hint: failedHint(c.Name)}
}

// failedHint says what to do about a check that is false.
func failedHint(check string) string {
	if slices.Contains(provenance.MayBeFalse, check) {
		return fmt.Sprintf("mend the build and record again; where it may be so, the policy can say checks: {%s: allowed}", check)
	}
	return "mend the build, and record again"
}

// checkDemands wants checks to have been made, and to be true.
func checkDemands(s policy.Checks, r provenance.Record) (findings []*Finding) {
	for _, name := range slices.Sorted(maps.Keys(s.Of)) {
		if s.Of[name] == policy.Required {
			findings = append(findings, checkDemand(name, s.Basis, r))
		}
	}
	return findings
}

func checkDemand(name string, weakest provenance.Basis, r provenance.Record) *Finding {
	finding := &Finding{Code: "check." + name, Expected: "true", Found: "nothing", Undecided: true, Detail: "nobody made the check " + name,
		Hint: "record with what it compares; spec/azure-pipelines-ml-v1.md says what that is"}
	for _, c := range r.Checks {
		if c.Name != name {
			continue
		}
		finding.Found, finding.Basis = orNothing(c.Value), c.Basis
		switch c.Value {
		case "true":
			return weak("check", "the check "+name, c.Basis, weakest)
		case "unknown":
			finding.Detail = fmt.Sprintf("the check %s could not tell: %s", name, orNothing(c.Note))
			return finding
		}
		return failed(c)
	}
	return finding
}

// checkRoles wants no file in folders of two roles. A record that lists such files has them, whatever its check says. Only a
// policy that asks about data wants the check to have been made.
func checkRoles(p *Policy, r provenance.Record, now time.Time) *Finding {
	if p.SharesFiles(now) {
		return nil
	}
	found := provenance.Fact{Value: "unknown", Note: "nobody compared them"}
	for _, c := range r.Checks {
		if c.Name == provenance.CheckRoles {
			found = c
		}
	}
	shared := sharedFiles(r.Data)
	finding := &Finding{Code: "check." + provenance.CheckRoles, Expected: "no file in two roles", Found: orNothing(shared), Basis: found.Basis}
	switch {
	case shared != "" || found.Value != "true" && found.Value != "unknown":
		finding.Detail = strings.Join(nonEmpty("files are in folders of two roles", found.Note), ": ")
		finding.Hint = "keep them apart; where files may be equal for a good reason, allow data.sharedFiles"
		return finding
	case p.Data != nil && found.Value != "true" && roles(r.Data) > 1:
		finding.Detail, finding.Found = "nobody could tell whether files are in two roles: "+found.Note, found.Value
		finding.Undecided, finding.Hint = true, "record again with a newer provenance, or allow data.sharedFiles"
		return finding
	}
	return nil
}

func checkInputs(r provenance.Record) (all []rule.Input) {
	for _, c := range r.Checks {
		all = append(all, input("checks "+c.Name, c.Value, c.Basis))
	}
	return all
}

// sharedFiles names files that are in folders of two roles.
func sharedFiles(folders []provenance.Folder) string {
	var all []string
	for _, f := range folders {
		for _, s := range f.Shared {
			all = append(all, fmt.Sprintf("%s of %s in %s", atMost(MaxNamed, s.Names, s.Files), f.URI, s.URI))
		}
	}
	return strings.Join(all, "; ")
}

// roles counts the roles that must not share files.
func roles(folders []provenance.Folder) int {
	seen := map[string]bool{}
	for _, f := range folders {
		if f.Role != "other" {
			seen[f.Role] = true
		}
	}
	return len(seen)
}
