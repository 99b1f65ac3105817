package verify

import (
	"fmt"

	"github.com/seed-3480f271/provenance/provenance"
)

// disagreements compares valid statements with each other: each is by a believed builder and about this image, so what one
// says of commit, data and model, all have to say. It does not matter which of them the policy would let pass.
func (d *decider) disagreements(valid []*examined) (findings []Finding) {
	if len(valid) < 2 || d.in.Policy != nil && d.in.Policy.AllowDisagreement {
		return nil
	}
	first := valid[0]
	for _, other := range valid[1:] {
		for _, about := range provenance.Disagreements(first.record, other.record) {
			findings = append(findings, Finding{Code: "disagree." + about.About, Expected: orNothing(about.A), Found: orNothing(about.B), Where: other.where[0],
				Detail: fmt.Sprintf("two valid statements disagree on the %s: %s, %s", about.About, first.where[0], other.where[0]),
				Hint: "if one of them is wrong, build the image again, which gives it another digest, and record that; a policy may set " +
					"allowDisagreement where images are rebuilt bit by bit"})
		}
	}
	return findings
}
