// Package verify decides whether an image is what its signed record says, and whether a policy allows it.
//
// [Decide] is pure once it has the envelopes: whatever has to be asked of the world again, it asks through the two
// functions of [Input]. One statement alone has to satisfy every rule; facts of several are never mixed. What is broken,
// foreign or too large beside it is a warning: it makes nothing pass and nothing fail. But valid statements of believed
// builders that contradict each other refuse the image.
//
// The policy's format and the codes of the findings are specified in spec/policy-v1.md.
package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/verify/internal/words"
	"github.com/seed-3480f271/provenance/provenance/verify/policy"
)

// MaxCandidates is how many attestations of one image are looked at; what follows is left out, and said to be.
const MaxCandidates = 1000

// Input is everything that a decision needs.
type Input struct {
	Image      provenance.Digest   // sha256: what the reference was resolved to, once
	Repository string              // for people
	Reference  string              // as asked, for people
	Candidates []Candidate         // everything that was attached
	FetchError error               // why there may be more than Candidates; nil when these are all
	Trust      envelope.Trust      // whose signatures are looked at: of builders, and of whoever makes other attestations
	Builders   []envelope.Verifier // those among them that make the build's statement; Believe tells
	Policy     *Policy             // nil: none

	// Members lists the manifests of an index in the registry. It proves that other sha256 subjects of a statement are
	// parts of the same image. Nil when there is no registry to ask.
	Members func(ctx context.Context, index provenance.Digest) ([]provenance.Digest, error)
	// Recheck checks a data folder again; nil when nothing can be reached. RecheckMode is how thoroughly; a policy can
	// demand more.
	Recheck     Recheck
	RecheckMode Mode

	Now time.Time
}

// Candidate is one attestation, opened or not.
type Candidate struct {
	Where    string // the place, for people
	Form     string // "bundle" or "att"
	Verified envelope.Verified
	Err      error // a *provenance.Refused of envelope.Open; any other error means that it could not be read
	// Claims is the predicateType that it says it has, where nobody who is believed signed it: it helps to word things, and proves nothing.
	Claims string
}

// Verdict is the outcome of a decision.
type Verdict string

// The three outcomes. Undecided is never to be read as a pass.
const (
	Accepted  Verdict = "accepted"
	Refused   Verdict = "refused"
	Undecided Verdict = "undecided"
)

// Finding is one thing that does not hold, or, when Undecided, that nobody could tell.
type Finding struct {
	Code      string           `json:"code"`   // dotted, stable, for machines
	Detail    string           `json:"detail"` // one sentence
	Expected  string           `json:"expected,omitempty"`
	Found     string           `json:"found,omitempty"`
	Basis     provenance.Basis `json:"basis,omitempty"` // how Found is known
	Where     string           `json:"where,omitempty"` // the attestation that it is about
	Hint      string           `json:"hint,omitempty"`
	Undecided bool             `json:"undecided,omitempty"`
}

// Attestation is a statement of a believed builder about the image.
type Attestation struct {
	Record    provenance.Record `json:"record"`
	Signer    envelope.Signer   `json:"signer"`
	Statement provenance.Digest `json:"statement"` // sha256 of the signed payload
	Where     []string          `json:"where"`
	Forms     []string          `json:"forms"`
	Times     []envelope.Time   `json:"times,omitempty"`    // when it was signed, as those say whom the trusted root names; the earliest first
	Logged    bool              `json:"logged,omitempty"`   // a transparency log that the trusted root names has the signature
	Rechecks  []Rechecked       `json:"rechecks,omitempty"` // in the order of Record.Data; none when nothing was asked
	Digest    provenance.Digest `json:"digest,omitzero"`    // sha256 of the bundle or envelope that was opened first
}

// Result is a decision, and everything that explains it.
type Result struct {
	Verdict      Verdict
	Image        provenance.Digest
	Repository   string
	Reference    string
	Findings     []Finding    // why the image is not accepted; none when it is
	Warnings     []Finding    // about neighbours
	Attestation  *Attestation // what was accepted, or, of what was judged, what came closest; nil when nothing was signed by a believed builder
	Others       []Other      // the other attestations that the policy asks for
	Rules        []Outcome    // what became of each section of the policy, for Attestation
	PolicyName   string       // empty: no policy
	PolicyDigest provenance.Digest
	Recheck      Mode // what was asked for
	Time         time.Time
}

// decider holds what the steps of one decision share.
type decider struct {
	ctx    context.Context
	in     Input
	others []*examined // the attestations that are not the build's own, and that the policy asks for
}

// Decide judges an image.
func Decide(ctx context.Context, in Input) Result {
	d := &decider{ctx: ctx, in: in}
	result := Result{Image: in.Image, Repository: in.Repository, Reference: in.Reference, Recheck: d.mode(), Time: in.Now}
	if in.Policy != nil {
		result.PolicyName, result.PolicyDigest = in.Policy.Name, in.Policy.Digest
	}
	statements, neighbours := d.examineAll()
	var valid []*examined
	for _, e := range statements {
		if e.trust == nil {
			d.judge(e)
			valid = append(valid, e)
		}
	}
	slices.SortStableFunc(valid, byMerit)
	if len(valid) > 0 {
		result.Attestation, result.Rules = valid[0].attestation(), valid[0].outcomes
	}
	result.Others = d.foundOthers()
	d.conclude(&result, statements, valid, neighbours)
	return result
}

// conclude sorts what was found into reasons and warnings, and draws the verdict from the reasons. Every outcome is built
// from something that is there: accepted needs a statement without findings.
func (d *decider) conclude(result *Result, statements, valid []*examined, neighbours []Finding) {
	if disagreements := d.disagreements(valid); disagreements != nil {
		result.Verdict, result.Findings = Refused, disagreements
		result.Warnings = append(allFindings(statements), neighbours...)
		return
	}
	if len(valid) > 0 && valid[0].rules == nil && !slices.ContainsFunc(neighbours, isPartial) {
		result.Verdict = Accepted
		result.Warnings = append(allFindings(statements), neighbours...)
		return
	}
	result.Findings, result.Warnings = reasons(statements, valid, neighbours)
	if len(statements) == 0 && !slices.ContainsFunc(neighbours, isNear) {
		result.Findings, result.Warnings = []Finding{d.nothingAttached()}, neighbours
	}
	result.Verdict = Refused
	if slices.ContainsFunc(statements, (*examined).undecided) || slices.ContainsFunc(neighbours, isUndecided) {
		result.Verdict = Undecided
	}
}

// reasons are the findings about the statements that came closest, and about whatever nobody could read; the others are
// warnings.
func reasons(statements, valid []*examined, neighbours []Finding) (findings, warnings []Finding) {
	closest := valid
	if len(valid) == 0 {
		closest = slices.DeleteFunc(slices.Clone(statements), (*examined).someOtherKind)
	}
	if len(closest) == 0 {
		closest = statements
	}
	for _, e := range statements {
		if slices.Contains(closest, e) || e.undecided() {
			findings, warnings = append(findings, e.reasons()...), append(warnings, e.warnings()...)
		} else {
			warnings = append(warnings, e.findings()...)
		}
	}
	for _, n := range neighbours {
		if n.Undecided || len(statements) == 0 {
			findings = append(findings, n)
		} else {
			warnings = append(warnings, n)
		}
	}
	return findings, warnings
}

// nothingAttached is the finding for an image that nobody signed anything about.
func (d *decider) nothingAttached() Finding {
	return Finding{Code: "signature.none", Detail: fmt.Sprintf("no signed statement is attached to %s", d.in.Image),
		Hint: "run `provenance record` in the pipeline that builds the image; check that this digest is the one that was recorded"}
}

// examineAll looks at every candidate once. What was not opened is a finding about a neighbour.
func (d *decider) examineAll() (statements []*examined, neighbours []Finding) {
	if d.in.FetchError != nil {
		neighbours = append(neighbours, Finding{Code: codePartial, Undecided: true,
			Detail: fmt.Sprintf("not everything that is attached could be read: %v", d.in.FetchError), Hint: words.FirstHint(d.in.FetchError)})
	}
	candidates := d.in.Candidates
	if n := len(candidates); n > MaxCandidates {
		candidates = candidates[:MaxCandidates]
		neighbours = append(neighbours, Finding{Code: codeLimit, Undecided: true,
			Detail: fmt.Sprintf("%d attestations are attached; only the first %d were looked at", n, MaxCandidates)})
	}
	seen := map[string]*examined{}
	for _, c := range candidates {
		if c.Err != nil {
			neighbours = append(neighbours, d.unopened(c))
			continue
		}
		key := c.Verified.Signer().Who() + " " + provenance.SumSHA256(c.Verified.Payload()).Hex()
		if e := seen[key]; e != nil { // the same statement of the same signer, in its other form
			e.add(c)
			continue
		}
		e := d.examine(c)
		seen[key] = e
		if e.isOther {
			d.others = append(d.others, e)
			neighbours = append(neighbours, e.reasons()...)
			continue
		}
		statements = append(statements, e)
	}
	return statements, neighbours
}

// Codes of findings that leave it open what else is attached.
const (
	codePartial = "attestations.partial" // the list, or part of it, could not be read
	codeLimit   = "attestations.limit"   // there is more than is looked at
)

// CodeUnchecked is the code of an attestation that nobody tried to verify, because there was no key.
const CodeUnchecked = "signature.unchecked"

// unopened is the finding about a candidate that envelope.Open did not let through, or that could not be read at all.
func (d *decider) unopened(c Candidate) Finding {
	var refused *provenance.Refused
	if errors.As(c.Err, &refused) && d.isStrangers(c, refused.Code) {
		return Finding{Code: envelope.CodeForeign, Detail: fmt.Sprintf("it is no build's statement, but says that it is %s, by somebody whom nobody asked for", words.Clip(c.Claims)), Where: c.Where}
	}
	if errors.As(c.Err, &refused) {
		return Finding{Code: refused.Code, Detail: refused.Detail, Expected: refused.Expected, Found: refused.Found, Where: c.Where, Hint: refused.Hint}
	}
	var misused *provenance.Misused
	if errors.As(c.Err, &misused) {
		return Finding{Code: CodeUnchecked, Undecided: true, Where: c.Where, Hint: misused.Hint, Detail: misused.Detail}
	}
	return Finding{Code: "attestations.unreadable", Undecided: true, Where: c.Where, Hint: words.FirstHint(c.Err),
		Detail: fmt.Sprintf("an attestation could not be read: %v", c.Err)}
}

// isStrangers tells whether what was not opened seems to be of another kind, by somebody else. What was changed after it was signed is
// not; and of a kind that is asked for, why a certificate or its time does not hold matters: it may be of the right signer.
func (d *decider) isStrangers(c Candidate, code string) bool {
	switch {
	case c.Claims == "" || c.Claims == provenance.PredicateType || code == envelope.CodeInvalid:
		return false
	case isAnothers(code):
		return true
	}
	return d.in.Policy == nil || !slices.ContainsFunc(d.in.Policy.Attestations, func(a policy.Attestation) bool { return a.PredicateType == c.Claims })
}

// isAnothers tells whether a refusal says that somebody else signed.
func isAnothers(code string) bool { return code == envelope.CodeKey || code == envelope.CodeIdentity }

// byMerit orders valid statements: those that nothing is wrong with first, then by fewer findings, then the newest. The
// last is a clock that the builder declared: it chooses what is shown, never what passes.
func byMerit(a, b *examined) int {
	if c := len(a.rules) - len(b.rules); c != 0 {
		return c
	}
	if c := b.record.Pipeline.Finished.Compare(a.record.Pipeline.Finished); c != 0 {
		return c
	}
	return strings.Compare(a.digest.Hex(), b.digest.Hex())
}

// allFindings are the findings of all statements.
func allFindings(statements []*examined) (all []Finding) {
	for _, e := range statements {
		all = append(all, e.findings()...)
	}
	return all
}

// isPartial tells whether a finding says that not everything was looked at. A single neighbour that cannot be read does no
// harm, but what nobody listed could be a statement that contradicts the accepted one.
func isPartial(f Finding) bool {
	return f.Code == codePartial || f.Code == codeLimit
}

func isUndecided(f Finding) bool { return f.Undecided }

// isNear tells whether what was not opened could have been a statement of ours, rather than another kind of thing.
func isNear(f Finding) bool { return f.Code != envelope.CodeForeign }
