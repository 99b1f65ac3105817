package verify

import (
	"slices"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/summary"
	"github.com/seed-3480f271/provenance/provenance/verify/policy"
)

// checkSummary holds a verification summary against the policy. It has to be about this image and to have passed, whatever else is
// asked.
func (d *decider) checkSummary(a policy.Attestation, e *examined) (findings []*Finding) {
	s, err := summary.Read(e.payload)
	if err != nil {
		return []*Finding{unread(err)}
	}
	want := summary.Want{Image: d.in.Image}
	if a.VSA != nil {
		want.PolicyDigests, want.VerifierID, want.Levels = a.VSA.Policies, a.VSA.Verifier, a.VSA.Levels
		want.Repositories = a.VSA.Repositories
	}
	for _, p := range s.Check(want) {
		findings = append(findings, &Finding{Code: p.Code, Detail: p.Detail, Expected: p.Expected, Found: p.Found, Basis: provenance.Signed, Hint: p.Hint})
	}
	if a.MaxAge > 0 && !s.TimeVerified.IsZero() && e.ownClockIsOlder(s.TimeVerified) {
		findings = append(findings, tooOld("the attestation "+a.Name, "attestation.age", s.TimeVerified, "by its own clock", a.MaxAge, d.in.Now))
	}
	return findings
}

// ownClockIsOlder tells whether a statement says itself that it is older than its timestamp: the timestamp was asked for again, then.
func (e *examined) ownClockIsOlder(own time.Time) bool {
	return !e.signedAt().IsZero() && own.Before(e.signedAt().Add(-skew))
}

// someOtherKind tells whether a believed key signed something that is no build's statement: it says nothing of why there is none.
func (e *examined) someOtherKind() bool {
	return slices.ContainsFunc(e.trust, func(f Finding) bool { return f.Code == "statement.predicateType" })
}
