package verify

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
)

// Trial is what a policy makes of a statement whose signature nobody looked at.
type Trial struct {
	Verdict      Verdict // of what could be tried
	PolicyName   string
	PolicyDigest provenance.Digest
	Against      string            // the file, for people
	Statement    provenance.Digest // sha256 of its bytes
	Rules        []Outcome
	Findings     []Finding
	Warnings     []Finding
}

// Try holds a statement against a policy as [Decide] does, but for everything that is about signatures: who signed it and when, other
// attestations, and rules that mention any of that. Those have the state [NotTested]. Nothing is checked again at its source.
func Try(ctx context.Context, p *Policy, payload []byte, now time.Time) (Trial, error) {
	d := &decider{ctx: ctx, in: Input{Policy: p, Now: now}}
	e := &examined{payload: payload, digest: provenance.SumSHA256(payload), where: []string{"the statement"}}
	t := Trial{PolicyName: p.Name, PolicyDigest: p.Digest, Statement: e.digest}
	if finding := e.parse(); finding != nil {
		return t, provenance.Refuse(finding.Code, finding.Hint, "%s", finding.Detail)
	}
	var err error
	if e.record, err = provenance.Read(e.statement); err != nil {
		return t, err
	}
	d.in.Image, d.in.Repository = e.record.Image.Digest, e.record.Image.Repository
	d.try(e)
	t.Rules, t.Findings, t.Warnings = e.outcomes, e.reasons(), e.warnings()
	t.Verdict = map[State]Verdict{Holds: Accepted, Broken: Refused, Unknown: Undecided}[stateOf(t.Findings)]
	return t, nil
}

// try makes the outcomes, without those that are about signatures.
func (d *decider) try(e *examined) {
	if d.in.Policy.Builders != nil {
		e.settle(expectation{"builders", always{}, func() []*Finding { return []*Finding{d.named(e)} }, nil}, d.in.Now)
	}
	for _, x := range d.expectations(e) {
		if d.needsSignature(x.name) {
			e.outcomes = append(e.outcomes, notTested(x.name))
			continue
		}
		e.settle(x, d.in.Now)
	}
	if len(e.rules) == 0 {
		e.rules = collect(contradiction(e.record))
	}
}

// always is in force at every time.
type always struct{}

func (always) Over(time.Time) bool  { return false }
func (always) Warns(time.Time) bool { return false }
func (always) Begins() time.Time    { return time.Time{} }

// needsSignature tells whether an expectation is about who signed what, and when.
func (d *decider) needsSignature(name string) bool {
	if name == "maxAge" || strings.HasPrefix(name, "signature") || strings.HasPrefix(name, "attestation.") {
		return true
	}
	for _, r := range d.in.Policy.Rules {
		if name == "rule."+r.Name {
			return r.Compiled.NeedsSignature()
		}
	}
	return false
}

// named is the finding that no builder of the policy has the statement's id.
func (d *decider) named(e *examined) *Finding {
	id := e.statement.Predicate.RunDetails.Builder.ID
	for _, b := range d.in.Policy.Builders {
		if b.ID == id {
			return weak("builder", "the builder's id", e.record.Pipeline.Of("builderId"), b.Basis)
		}
	}
	return &Finding{Code: "builder.id", Detail: "the policy names no such builder", Expected: strings.Join(d.builderIDs(), " or "), Found: id,
		Basis: e.record.Pipeline.Of("builderId"), Hint: "list the builder's id, and its keys, under builders, if it is to be believed"}
}

func (d *decider) builderIDs() (ids []string) {
	for _, b := range d.in.Policy.Builders {
		ids = append(ids, b.ID)
	}
	return slices.Compact(ids)
}
