package verify

import (
	"fmt"

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
	view, several := d.view(e)
	for _, name := range r.Compiled.Attestations() {
		if several[name] {
			return rule.Outcome{}, []*Finding{undecidedRule(finding, fmt.Errorf("there are several attestations %s, and no timestamp says which is the newest", name))}
		}
	}
	outcome, err := r.Compiled.Eval(d.ctx, view)
	switch {
	case err != nil:
		return outcome, []*Finding{undecidedRule(finding, err)}
	case !outcome.Holds:
		finding.Found = orNothing(listInputs(outcome.Inputs))
		finding.Hint = "the message is the policy's; its owner knows why it asks for that"
		return outcome, []*Finding{finding}
	}
	return outcome, weakInputs(r, e)
}

func undecidedRule(finding *Finding, err error) *Finding {
	finding.Undecided, finding.Found = true, ""
	finding.Detail = fmt.Sprintf("%s: nobody could tell: %v", finding.Detail, err)
	finding.Hint = "record what the rule is about, or let the rule ask has(…) first"
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

// view is what expressions may name, made once for a statement, and the names under which several attestations count: of those nobody
// can tell which is meant.
func (d *decider) view(e *examined) (*rule.View, map[string]bool) {
	if e.view != nil {
		return e.view, e.several
	}
	f := rule.Facts{Record: e.record, Repository: d.in.Repository, Image: d.in.Image, Signer: e.signer, Times: e.times, Now: d.in.Now,
		Attestations: map[string]rule.Other{}}
	e.several = map[string]bool{}
	for _, o := range d.foundOthers() {
		_, e.several[o.Name] = f.Attestations[o.Name]
		f.Attestations[o.Name] = rule.Other{PredicateType: o.PredicateType, Predicate: o.predicate, Signer: o.Signer, Time: o.SignedAt}
	}
	e.view = f.View()
	return e.view, e.several
}
