package verify

import (
	"fmt"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/verify/policy"
	"github.com/seed-3480f271/provenance/provenance/verify/rule"
)

// ruleExpectations are the policy's own expressions.
func (d *decider) ruleExpectations(e *examined) (all []expectation) {
	for _, r := range d.in.Policy.Rules {
		outcome, findings := rule.Outcome{}, []*Finding(nil)
		all = append(all, expectation{"rule." + r.Name, r,
			func() []*Finding { outcome, findings = d.evaluate(r, e); return findings },
			func() []rule.Input { return outcome.Inputs }})
	}
	return all
}

// evaluate asks an expression. What it cannot tell, above all because something is absent, is undecided.
func (d *decider) evaluate(r policy.Rule, e *examined) (rule.Outcome, []*Finding) {
	finding := &Finding{Code: "rule." + r.Name, Detail: r.Message, Expected: r.Expression, Found: "false"}
	view, counts := d.view(e)
	missing := false
	for _, name := range r.Compiled.Attestations() {
		if n := counts[name]; n > 1 {
			finding = undecidedRule(finding, r.Name, fmt.Errorf("there are %d attestations %s, and nobody says which is the newest", n, name))
			finding.Hint = "sign them with a timestamp"
			return rule.Outcome{}, []*Finding{finding}
		}
		missing = missing || counts[name] == 0
	}
	outcome, err := r.Compiled.Eval(d.ctx, view)
	switch {
	case err != nil:
		finding = undecidedRule(finding, r.Name, err)
		if missing {
			finding.Hint = "an attestation that the rule mentions is not there; what the policy says under attestations tells why"
		}
		return outcome, []*Finding{finding}
	case !outcome.Holds:
		finding.Found = orNothing(listInputs(outcome.Inputs))
		finding.Hint = "the message is the policy's; its owner knows why it asks for that"
		return outcome, []*Finding{finding}
	}
	return outcome, weakInputs(r, e)
}

func undecidedRule(finding *Finding, name string, err error) *Finding {
	finding.Undecided, finding.Found = true, "nothing that could be compared"
	finding.Detail = fmt.Sprintf("nobody could tell whether the rule %s holds (%s): %v", name, finding.Detail, err)
	finding.Hint = "record what the rule is about, or let the rule ask has(…) first"
	if strings.Contains(err.Error(), "signedAt") {
		finding.Hint = "record with --timestamp-url, and verify with a trusted root that names the authority"
	}
	return finding
}

// weakInputs are the facts that a rule mentions, and that are known on a weaker basis than it accepts.
func weakInputs(r policy.Rule, e *examined) (findings []*Finding) {
	if r.Basis == "" {
		return nil
	}
	for _, in := range r.Compiled.Weaker(e.record, r.Basis) {
		findings = append(findings, weak("rule", fmt.Sprintf("%s, which the rule %s mentions,", in.Path, r.Name), in.Basis, r.Basis))
	}
	return findings
}

// listInputs are the facts that a rule saw, for people.
func listInputs(inputs []rule.Input) string {
	var all []string
	for _, in := range inputs {
		all = append(all, in.Path+" = "+in.Value)
	}
	const most = 8
	return atMost(most, all, int64(len(all)))
}

// view is what expressions may name, made once for a statement, and how many attestations of each name count: of several nobody can
// tell which is meant.
func (d *decider) view(e *examined) (*rule.View, map[string]int) {
	if e.view != nil {
		return e.view, e.counts
	}
	f := rule.Facts{Record: e.record, Repository: d.in.Repository, Image: d.in.Image, Signer: e.signer, Times: e.times, Now: d.in.Now,
		Attestations: map[string]rule.Other{}}
	e.counts = map[string]int{}
	for _, o := range d.foundOthers() {
		e.counts[o.Name]++
		f.Attestations[o.Name] = rule.Other{PredicateType: o.PredicateType, Predicate: o.predicate, Signer: o.Signer, Time: o.SignedAt}
	}
	e.view = f.View()
	return e.view, e.counts
}
