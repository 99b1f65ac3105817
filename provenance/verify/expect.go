package verify

import (
	"fmt"
	"slices"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/verify/policy"
	"github.com/seed-3480f271/provenance/provenance/verify/rule"
)

// expectation is one section of the policy, held against one statement.
type expectation struct {
	name   string
	when   interval
	check  func() []*Finding
	inputs func() []rule.Input // what it looks at, for people
}

// interval is when a section applies: a policy.When, or something that has one.
type interval interface {
	Over(now time.Time) bool
	Warns(now time.Time) bool
	Begins() time.Time
}

// State is what became of an expectation.
type State string

// The states.
const (
	Holds     State = "holds"
	Broken    State = "refused"
	Unknown   State = "undecided"
	Warned    State = "warned" // it does not hold, or nobody could tell, and it only warns
	NotTested State = "off"    // its time is over, or it is about signatures and was only tried
)

// Outcome is what became of one section of the policy.
type Outcome struct {
	Rule     string       `json:"rule"` // "source", "data[2]" (the second of several), "rule.NAME", "attestation.NAME"
	State    State        `json:"state"`
	Inputs   []rule.Input `json:"inputs"`
	Findings []Finding    `json:"findings"`
}

// judge holds a statement against the policy, its folders against their sources, and the record against itself. Every rule that is
// broken is listed, not just the first. What a rule is about has to be there: absence never passes.
func (d *decider) judge(e *examined) {
	for _, x := range d.expectations(e) {
		e.settle(x, d.in.Now)
	}
	e.rules = append(e.rules, d.recheck(e)...)
	if len(e.rules) == 0 {
		e.rules = collect(contradiction(e.record))
	}
}

func notTested(name string) Outcome {
	return Outcome{Rule: name, State: NotTested, Inputs: []rule.Input{}, Findings: []Finding{}}
}

// settle makes the outcome of an expectation.
func (e *examined) settle(x expectation, now time.Time) {
	o := notTested(x.name)
	if !x.when.Over(now) {
		o.Findings = append(o.Findings, collect(x.check()...)...)
		o.State = stateOf(o.Findings)
		if x.inputs != nil {
			o.Inputs = append(o.Inputs, x.inputs()...)
		}
	}
	if o.State != NotTested && o.State != Holds && x.when.Warns(now) {
		o.State = Warned
		e.notes = append(e.notes, announced(o.Findings, x.when.Begins(), now)...)
	} else {
		e.refuse(o.Findings)
	}
	e.outcomes = append(e.outcomes, o)
}

// announced says of warnings from when on they refuse.
func announced(findings []Finding, begins, now time.Time) (out []Finding) {
	for _, f := range findings {
		if now.Before(begins) {
			f.Detail += "; this refuses from " + begins.Format("2 Jan 2006") + " on"
		}
		out = append(out, f)
	}
	return out
}

// refuse adds reasons, each once: two sections may find the same.
func (e *examined) refuse(findings []Finding) {
	for _, f := range findings {
		if !slices.Contains(e.rules, f) {
			e.rules = append(e.rules, f)
		}
	}
}

// stateOf is what findings come to.
func stateOf(findings []Finding) State {
	switch {
	case len(findings) == 0:
		return Holds
	case slices.ContainsFunc(findings, func(f Finding) bool { return !f.Undecided }):
		return Broken
	}
	return Unknown
}

// expectations are those of the policy, in the order of its specification.
func (d *decider) expectations(e *examined) []expectation {
	p, r := d.in.Policy, e.record
	if p == nil {
		return nil
	}
	return slices.Concat(
		d.denials(e),
		each("signature", p.Signature, func(s policy.Signature) []*Finding { return checkSigned(s, e) }, func() []rule.Input { return signatureInputs(e) }),
		d.ageOf(e),
		each("source", p.Source, func(s policy.Source) []*Finding { return checkSource(s, r) }, func() []rule.Input { return sourceInputs(r) }),
		each("data", p.Data, func(s policy.Data) []*Finding { return checkData(s, r.Data, d.in.Now) }, func() []rule.Input { return dataInputs(r) }),
		each("databricks", p.Databricks, func(s policy.Databricks) []*Finding { return checkDatabricks(s, r) }, func() []rule.Input { return databricksInputs(r) }),
		each("metrics", p.Metrics, func(s policy.Metrics) []*Finding { return checkMetrics(s, r.MLflow) }, func() []rule.Input { return metricInputs(r) }),
		each("model", p.Model, func(s policy.Model) []*Finding { return checkModel(s, r.Model, d.platforms(r.Image)) }, func() []rule.Input { return modelInputs(r) }),
		[]expectation{{"checks of the record", always{}, func() []*Finding { return checkChecks(p, r, d.in.Now) }, func() []rule.Input { return checkInputs(r) }}},
		each("checks", p.Checks, func(s policy.Checks) []*Finding { return checkDemands(s, r) }, func() []rule.Input { return checkInputs(r) }),
		each("approvals", p.Approvals, func(s policy.Approvals) []*Finding { return checkApprovals(s, r) }, func() []rule.Input { return approvalInputs(r) }),
		d.otherExpectations(),
		d.ruleExpectations(e),
	)
}

// each makes an expectation of each section of one kind.
func each[T interval](name string, sections []T, check func(T) []*Finding, inputs func() []rule.Input) (all []expectation) {
	for i, s := range sections {
		numbered := name
		if len(sections) > 1 {
			numbered = fmt.Sprintf("%s[%d]", name, i+1)
		}
		all = append(all, expectation{numbered, s, func() []*Finding { return check(s) }, inputs})
	}
	return all
}

// input is one fact that an expectation looks at.
func input(path, value string, basis provenance.Basis) rule.Input {
	return rule.Input{Path: path, Value: orNothing(value), Basis: basis}
}

// contradiction holds the record against itself, where no rule that names what is wrong has found anything.
func contradiction(r provenance.Record) *Finding {
	err := r.Contradiction()
	if err == nil {
		return nil
	}
	return &Finding{Code: "statement.contradiction", Detail: "the record contradicts itself: " + err.Error(),
		Hint: "who signed it wrote it with another program, or by hand: ask them how"}
}

// weak is the finding that something is known on a weaker basis than a rule accepts, or nil. An empty weakest accepts any.
func weak(rule, what string, known, weakest provenance.Basis) *Finding {
	if weakest == "" || known.AtLeast(weakest) {
		return nil
	}
	return &Finding{Code: rule + ".basis", Detail: fmt.Sprintf("%s is only %s", what, orNothing(string(known))), Basis: known,
		Expected: string(weakest) + " or better", Found: orNothing(string(known)),
		Hint: "let a service that the pipeline cannot overrule tell it, or accept a weaker basis"}
}
