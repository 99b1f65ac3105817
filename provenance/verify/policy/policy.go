// Package policy reads policy files: what has to hold of the signed record of an image for it to be released. It judges nothing;
// the package verify does.
//
// The format is specified in spec/policy-v1.md.
package policy

import (
	"slices"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/verify/internal/words"
)

// Policy is a policy file. A section that is nil asks for nothing; several of one kind all have to hold.
type Policy struct {
	Name    string            // the file
	Digest  provenance.Digest // sha256 of the file's bytes
	Serial  int64             // of the policy's own versions; 0: none
	Expires time.Time         // when the file stops to be valid; zero: never

	Files        []File                // the keys and the trusted root that are named by their paths, each once
	TrustedRoot  *envelope.TrustedRoot // nil: none is named
	Builders     []Builder
	Signature    []Signature
	MaxAge       time.Duration // between the signature's time and the decision; 0 is any
	Source       []Source
	Data         []Data
	Databricks   []Databricks
	Metrics      []Metrics
	Model        []Model
	Checks       []Checks
	Approvals    []Approvals
	Attestations []Attestation
	Rules        []Rule
	Deny         []Denied
	// Recheck is the least that has to be checked again.
	Recheck Mode
	// AllowDisagreement lets several valid statements disagree on commit, data or model.
	AllowDisagreement bool
}

// When says when a section applies, by the time of the decision, and whether breaking it refuses. Before From, what it finds is a
// warning, so that a rule can be announced; from Until on it asks for nothing.
type When struct {
	From, Until time.Time // zero: always
	Warn        bool      // it never refuses
}

// Over tells whether the section asks for nothing any more.
func (w When) Over(now time.Time) bool { return !w.Until.IsZero() && !now.Before(w.Until) }

// Warns tells whether what the section finds is only a warning now.
func (w When) Warns(now time.Time) bool { return w.Warn || now.Before(w.From) }

// Begins is when breaking the section refuses for the first time; zero: always.
func (w When) Begins() time.Time {
	if w.Warn {
		return time.Time{}
	}
	return w.From
}

// Pinned is a key or an identity, and the time in which its signatures count.
type Pinned struct {
	envelope.Verifier
	From, Until time.Time // of the signature, by a timestamp; zero: any
}

// Windowed tells whether a signature's time has to be known.
func (p Pinned) Windowed() bool { return !p.From.IsZero() || !p.Until.IsZero() }

// Covers tells whether a time lies in the window.
func (p Pinned) Covers(at time.Time) bool {
	return !at.Before(p.From) && (p.Until.IsZero() || at.Before(p.Until))
}

// Builder is a builder that is believed, and who may speak for it, and for no other.
type Builder struct {
	ID    string // SLSA builder.id, compared exactly
	Basis provenance.Basis
	Who   []Pinned
}

// Signature is about how the statement was signed.
type Signature struct {
	When
	Timestamp bool // its time is known, by whom the trusted root names
	Log       bool // a transparency log has it
}

// Source is about the commit. Basis is the weakest basis accepted of each fact that is compared; empty is any.
type Source struct {
	When
	Repository string
	Branches   []string // patterns of path.Match, on refs/heads/ unless they start with refs/
	Clean      bool
	Signed     bool // the repository's host says that the commit's signature is valid
	Basis      provenance.Basis
}

// Data is about every data folder; there has to be one. Basis is that of its URI and its digest only: what Azure says of its
// protection can be reported at best, and the link "trained on" has a rule of its own.
type Data struct {
	When
	Roots          []string // each folder lies within one of them
	Roles          []string // of each there is a folder
	Basis          provenance.Basis
	Immutability   []string         // the grades that are accepted, of provenance.Grades
	ProtectedUntil time.Time        // no file loses its protection before; zero asks for nothing
	ProtectedFor   time.Duration    // the same, from the time of the decision
	MaxDigestAge   time.Duration    // between the reading of any file's bytes and the recording; 0 is any
	NewestWithin   time.Duration    // between the newest file of all training folders and the decision; 0 is any
	TrainedOn      provenance.Basis // the weakest that is accepted of the link
	SharedFiles    bool             // a file may be in folders of two roles
}

// Databricks is about the training run; there has to be one.
type Databricks struct {
	When
	Result    string
	Notebooks bool // what ran is the commit's, and what it ran in turn
	Basis     provenance.Basis
}

// Metrics is about the MLflow run; there has to be one.
type Metrics struct {
	When
	Values   []Metric
	Dataset  string // that each of them was measured on; empty: any
	AfterEnd bool   // values may have been logged after the run had ended
	Basis    provenance.Basis
}

// Metric is what one metric has to be: all bounds hold.
type Metric struct {
	Name   string
	Text   string // as the policy writes it
	Bounds []Bound
}

// Bound compares a metric's value with a number.
type Bound struct {
	Operator string // >=, >, <=, <, ==
	Number   float64
}

// Holds tells whether a value keeps the bound. NaN keeps none.
func (b Bound) Holds(value float64) bool {
	switch b.Operator {
	case ">=":
		return value >= b.Number
	case ">":
		return value > b.Number
	case "<=":
		return value <= b.Number
	case "<":
		return value < b.Number
	}
	return value == b.Number
}

// Model is about the model; there has to be one.
type Model struct {
	When
	InImage bool   // every platform of the image contains it
	Path    string // there; empty is anywhere
	Basis   provenance.Basis
}

// Checks says of cross-checks whether they have to be there and true, or may be false.
type Checks struct {
	When
	Of    map[string]Demand
	Basis provenance.Basis
}

// Demand is what a policy says of a cross-check. Without one, a check may be unknown, and must not be false.
type Demand string

// The demands.
const (
	Required Demand = "required" // it was made, and is true
	Allowed  Demand = "allowed"  // it may be false
)

// Approvals is about who agreed.
type Approvals struct {
	When
	Review     int      // so many others than its authors approved the change
	Deployment int      // so many others than its authors approved the stage or the release
	Distinct   []string // of author, approver and deployer: nobody is two of these
	Basis      provenance.Basis
}

// The parts that people play.
const (
	Author   = "author"
	Approver = "approver"
	Deployer = "deployer"
)

// Attestation is another attestation on the image that has to be there.
type Attestation struct {
	When
	Name          string // by which rules call it
	PredicateType string
	Who           []Pinned
	MaxAge        time.Duration // between the signature's time and the decision; 0 is any
	Result        string        // of a test result: predicate.result
	VSA           *VSA          // of a verification summary
}

// VSA is what a verification summary has to say, beside PASSED.
type VSA struct {
	Policies []provenance.Digest // one of them was applied; nil: any
	Verifier string              // its verifier.id; empty: any that its key speaks for
	Levels   []string            // each was verified
	// Repositories are where the image may have been verified; nil: anywhere.
	Repositories []string
}

// Denied is something that is withdrawn.
type Denied struct {
	Kind    string // digest, commit, folder, invocation, key
	Value   string
	Because string
}

// The kinds of what is withdrawn.
const (
	DenyDigest     = "digest"
	DenyCommit     = "commit"
	DenyFolder     = "folder"
	DenyInvocation = "invocation"
	DenyKey        = "key"
)

// Mode is how thoroughly a data folder is checked again at its source.
type Mode string

// From the least to the most.
const (
	RecheckNone    Mode = "none"    // not at all
	RecheckListing Mode = "listing" // names, sizes, ETags and times are those in the signed index
	RecheckContent Mode = "content" // every file is hashed again
)

// modeRank orders the modes; an unknown one, or none, is RecheckNone.
var modeRank = map[Mode]int{RecheckListing: 1, RecheckContent: 2}

// ParseMode reads a mode; anything else is a *provenance.Misused.
func ParseMode(s string) (Mode, error) {
	if m := Mode(s); m == RecheckNone || modeRank[m] > 0 {
		return m, nil
	}
	return "", provenance.Misuse("", "%q is no way to check again: none, listing or content", words.Clip(s))
}

// AtLeast is the more thorough of two modes.
func (m Mode) AtLeast(other Mode) Mode {
	switch {
	case modeRank[other] > modeRank[m]:
		return other
	case modeRank[m] == 0:
		return RecheckNone
	}
	return m
}

// Empty tells whether every image would do.
func (p *Policy) Empty() bool {
	asked := len(p.Builders) + len(p.Signature) + len(p.Source) + len(p.Data) + len(p.Databricks) + len(p.Metrics) + len(p.Model) +
		len(p.Approvals) + len(p.Attestations) + len(p.Rules) + len(p.Deny)
	for _, c := range p.Checks {
		for _, demand := range c.Of {
			if demand == Required {
				asked++
			}
		}
	}
	return asked == 0 && p.MaxAge == 0 && p.Recheck == RecheckNone
}

// Allows tells whether a check may be false now.
func (p *Policy) Allows(check string, now time.Time) bool {
	for _, c := range p.Checks {
		if c.Of[check] == Allowed && !c.Over(now) && !now.Before(c.From) {
			return true
		}
	}
	return false
}

// SharesFiles tells whether a file may be in folders of two roles now.
func (p *Policy) SharesFiles(now time.Time) bool {
	for _, d := range p.Data {
		if d.SharedFiles && !d.Over(now) && !now.Before(d.From) {
			return true
		}
	}
	return p.Allows(provenance.CheckRoles, now)
}

// NeedsRoot tells whether some of it can hold only with a trusted root.
func (p *Policy) NeedsRoot() bool {
	needs := func(who []Pinned) bool {
		return slices.ContainsFunc(who, func(w Pinned) bool { return w.Windowed() || w.IsIdentity() })
	}
	return p.MaxAge > 0 || p.Signature != nil || slices.ContainsFunc(p.Builders, func(b Builder) bool { return needs(b.Who) }) ||
		slices.ContainsFunc(p.Attestations, func(a Attestation) bool { return a.MaxAge > 0 || needs(a.Who) })
}
