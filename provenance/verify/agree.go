package verify

import (
	"fmt"
	"slices"
	"strings"
)

// disagreements compares valid statements with each other: each is by a believed builder and about this image, so what one
// says of commit, data and model, all have to say. It does not matter which of them the policy would let pass.
func (d *decider) disagreements(valid []*examined) (findings []Finding) {
	if len(valid) < 2 || d.in.Policy != nil && d.in.Policy.AllowDisagreement {
		return nil
	}
	for _, about := range []struct {
		code, what string
		of         func(*examined) string
	}{{"disagree.commit", "commit", commitOf}, {"disagree.data", "data", dataOf}, {"disagree.model", "model", modelOf}} {
		for _, other := range valid[1:] {
			if a, b := about.of(valid[0]), about.of(other); a != b {
				findings = append(findings, Finding{Code: about.code, Expected: a, Found: b, Where: other.where[0],
					Detail: fmt.Sprintf("two valid statements disagree on the %s: %s, %s", about.what, valid[0].where[0], other.where[0]),
					Hint:   "find out which one is true; a policy may set allowDisagreement where images are rebuilt bit by bit"})
			}
		}
	}
	return findings
}

func commitOf(e *examined) string { return e.record.Commit.ID.String() }

// dataOf is what the folders hold, wherever they lie, and what each was for.
func dataOf(e *examined) string {
	var all []string
	for _, f := range e.record.Data {
		all = append(all, f.Role+" "+f.Digest.String())
	}
	slices.Sort(all)
	return orNothing(strings.Join(slices.Compact(all), ", "))
}

func modelOf(e *examined) string {
	if e.record.Model == nil {
		return orNothing("")
	}
	return e.record.Model.Digest.String()
}
