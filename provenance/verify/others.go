package verify

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
	"github.com/seed-3480f271/provenance/provenance/summary"
	"github.com/seed-3480f271/provenance/provenance/verify/internal/words"
	"github.com/seed-3480f271/provenance/provenance/verify/policy"
	"github.com/seed-3480f271/provenance/provenance/verify/rule"
)

// Other is an attestation on the image that the policy asks for beside the build's own.
type Other struct {
	Name          string            `json:"name"` // the policy's
	PredicateType string            `json:"predicateType"`
	Signer        envelope.Signer   `json:"signer"`
	Statement     provenance.Digest `json:"statement"` // sha256 of the signed payload
	SignedAt      time.Time         `json:"signedAt,omitzero"`
	Where         []string          `json:"where"`

	predicate json.RawMessage
}

// asked tells whether the policy asks for an attestation of that kind by whoever signed this one. It may be the build's own kind,
// of another builder.
func (d *decider) asked(e *examined) bool {
	return d.in.Policy != nil && slices.ContainsFunc(d.in.Policy.Attestations, func(a policy.Attestation) bool { return e.answers(a) })
}

// answers tells whether a statement is of the kind that a policy asks for, by somebody who may sign it.
func (e *examined) answers(a policy.Attestation) bool {
	return e.header.PredicateType == a.PredicateType && slices.ContainsFunc(a.Who, func(p policy.Pinned) bool { return p.Made(e.signer) })
}

// otherExpectations hold the other attestations against the policy. They are about the image, whichever statement the builder made.
func (d *decider) otherExpectations() (all []expectation) {
	for _, a := range d.in.Policy.Attestations {
		all = append(all, expectation{"attestation." + a.Name, a, func() []*Finding { return d.checkOther(a) }, func() []rule.Input { return d.otherInputs(a) }})
	}
	return all
}

// checkOther wants the attestation to be there. Of several, the newest counts; where nobody says when one was made, nobody can tell
// which that is, and all have to hold.
func (d *decider) checkOther(a policy.Attestation) []*Finding {
	candidates := d.candidatesFor(a)
	if len(candidates) == 0 {
		return []*Finding{d.missing(a)}
	}
	var findings []*Finding
	for _, e := range newest(candidates) {
		for _, f := range d.checkPredicate(a, e) {
			if f != nil {
				f.Where = e.where[0]
				findings = append(findings, f)
			}
		}
	}
	return findings
}

// missing is the finding that an attestation is not there. What was there and did not count is a warning beside it.
func (d *decider) missing(a policy.Attestation) *Finding {
	return &Finding{Code: "attestation.missing", Detail: fmt.Sprintf("no attestation %s (%s) is attached by a signer whom the policy names", a.Name, a.PredicateType),
		Expected: "signed by " + words.Join(whoNames(a.Who)), Found: d.ofThatKind(a), Where: d.in.Image.String(), Hint: "run the step of the pipeline that makes it, or have its signer listed in the policy"}
}

// ofThatKind says what there is of a kind, though it does not count.
func (d *decider) ofThatKind(a policy.Attestation) string {
	strangers, unsound, others := 0, 0, 0
	for _, c := range d.in.Candidates {
		var refused *provenance.Refused
		switch {
		case !errors.As(c.Err, &refused) || c.Claims != a.PredicateType:
		case isAnothers(refused.Code):
			strangers++
		default:
			unsound++
		}
	}
	for _, e := range d.others {
		if e.answers(a) {
			others++
		}
	}
	switch {
	case others > 0:
		return fmt.Sprintf("%d that do not count: about another image, or not signed in time", others)
	case unsound > 0:
		return fmt.Sprintf("%d of that type, whose signature or certificate does not hold", unsound)
	case strangers > 0:
		return fmt.Sprintf("%d of that type, by nobody whom the policy names", strangers)
	}
	return "nothing"
}

func whoNames(who []policy.Pinned) (names []string) {
	for _, p := range who {
		names = append(names, p.Name)
	}
	return names
}

// candidatesFor are the attestations of that kind, about this image, by its signers in their time.
func (d *decider) candidatesFor(a policy.Attestation) (all []*examined) {
	for _, e := range d.others {
		if e.answers(a) && e.trust == nil && d.pinned(a.Who, e) == nil {
			all = append(all, e)
		}
	}
	return all
}

// pinned holds the signature's time against the windows of whoever may sign; nil is good.
func (d *decider) pinned(who []policy.Pinned, e *examined) *Finding {
	var finding *Finding
	for _, p := range who {
		if !p.Made(e.signer) {
			continue
		}
		if finding = e.window(p, d.in.Now); finding == nil {
			return nil
		}
	}
	return finding
}

// newest is the one that was made last, or several of one time; all of them, when nobody says when one of them was.
func newest(candidates []*examined) []*examined {
	last := time.Time{}
	for _, e := range candidates {
		if e.madeAt().IsZero() {
			return candidates
		}
		if e.madeAt().After(last) {
			last = e.madeAt()
		}
	}
	return slices.DeleteFunc(slices.Clone(candidates), func(e *examined) bool { return !e.madeAt().Equal(last) })
}

// madeAt is when an attestation was made, to tell which is the newest. Its signer is believed, so what it says itself comes first: a
// timestamp is not signed with it, and whoever can write to the registry could have an old one stamped again. A timestamp beside a bundle
// without one proves nothing here: it may have been asked for long after, in any order, so that an old result would be the newest.
func (e *examined) madeAt() time.Time {
	if e.header.PredicateType == policy.TypeVSA {
		if s, err := summary.Read(e.payload); err == nil && !s.TimeVerified.IsZero() {
			return s.TimeVerified
		}
	}
	if e.bare {
		return time.Time{}
	}
	return e.signedAt()
}

// checkPredicate holds one attestation against the policy.
func (d *decider) checkPredicate(a policy.Attestation, e *examined) (findings []*Finding) {
	if a.MaxAge > 0 {
		if e.signedAt().IsZero() {
			findings = append(findings, e.untimedFinding("the policy asks for a maximum age of the attestation "+a.Name))
		} else {
			findings = append(findings, tooOld("the attestation "+a.Name, "attestation.age", e.signedAt(), "by its timestamp", a.MaxAge, d.in.Now))
		}
	}
	if a.PredicateType == policy.TypeTestResult {
		findings = append(findings, checkResult(a, e))
	}
	if a.PredicateType == policy.TypeVSA {
		findings = append(findings, d.checkSummary(a, e)...)
	}
	return findings
}

// testPassed is what a test result has to be where the policy does not say it.
const testPassed = "PASSED"

// checkResult wants a test result to be that.
// Source: https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md
func checkResult(a policy.Attestation, e *examined) *Finding {
	var predicate map[string]any // a struct would take RESULT, too, which rules and other readers do not
	if err := json.Unmarshal(e.predicate, &predicate); err != nil {
		return &Finding{Code: "attestation.malformed", Detail: fmt.Sprintf("the predicate of the attestation %s cannot be read: %v", a.Name, err)}
	}
	result, _ := predicate["result"].(string)
	wanted := cmp.Or(a.Result, testPassed)
	if result == wanted {
		return nil
	}
	return &Finding{Code: "attestation.result", Detail: fmt.Sprintf("the attestation %s has another result", a.Name), Expected: wanted, Found: orNothing(result),
		Basis: provenance.Signed, Hint: "mend what the tests found, and build again"}
}

// parseOther reads the predicate of a statement of any kind.
func (e *examined) parseOther() *Finding {
	var statement struct {
		Predicate json.RawMessage `json:"predicate"`
	}
	if err := strictjson.Unmarshal(e.payload, provenance.MaxDepth, &statement); err != nil {
		return &Finding{Code: "statement.malformed", Detail: fmt.Sprintf("the signed statement cannot be read: %v", err)}
	}
	e.predicate = statement.Predicate
	return nil
}

// other is an attestation for reports and rules.
func (e *examined) other(name string) Other {
	return Other{Name: name, PredicateType: e.header.PredicateType, Signer: e.signer, Statement: e.digest, SignedAt: e.signedAt(), Where: e.where, predicate: e.predicate}
}

func (d *decider) otherInputs(a policy.Attestation) (all []rule.Input) {
	for _, e := range d.candidatesFor(a) {
		at := "at an unknown time"
		if !e.signedAt().IsZero() {
			at = moment(e.signedAt())
		}
		all = append(all, input(a.Name, fmt.Sprintf("%s by %s, %s", e.digest, e.signer.Name, at), provenance.Signed))
	}
	return all
}

// foundOthers are the attestations that were found for the policy's names of them.
func (d *decider) foundOthers() (all []Other) {
	if d.in.Policy == nil {
		return nil
	}
	for _, a := range d.in.Policy.Attestations {
		candidates := d.candidatesFor(a)
		if len(candidates) == 0 {
			continue
		}
		for _, e := range newest(candidates) {
			all = append(all, e.other(a.Name))
		}
	}
	return all
}
