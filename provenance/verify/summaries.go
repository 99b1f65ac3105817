package verify

import "github.com/seed-3480f271/provenance/provenance/verify/policy"

// checkSummary holds a verification summary against the policy.
func (d *decider) checkSummary(a policy.Attestation, e *examined) []*Finding {
	return nil
}
