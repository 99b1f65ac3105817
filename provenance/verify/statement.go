package verify

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/in-toto/in-toto-golang/in_toto"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/verify/internal/words"
	"github.com/seed-3480f271/provenance/provenance/verify/policy"
	"github.com/seed-3480f271/provenance/provenance/verify/rule"
)

// Bounds on a signed statement, those of sigstore-go.
const (
	maxSubjects = 1024
	maxDigests  = 32
)

// examined is one signed statement, in one or both forms, and what was found about it.
type examined struct {
	where     []string
	forms     []string
	signer    envelope.Signer
	payload   []byte
	digest    provenance.Digest
	statement provenance.Statement
	header    in_toto.StatementHeader
	predicate json.RawMessage // of another attestation
	isOther   bool            // it is none of the build's own, and the policy asks for it
	times     []envelope.Time // of all its forms, the earliest first
	untimed   string          // why there are none
	bare      bool            // a bundle of it carries none: whoever has that can ask for one at any later time
	logged    bool
	opened    provenance.Digest // of the bytes of its first form
	outcomes  []Outcome
	view      *rule.View     // made when the first rule asks for it
	counts    map[string]int // how many attestations of each name count
	notes     []Finding      // what was not checked, and need not be, and what the policy only warns of
	record    provenance.Record
	rechecks  []Rechecked
	trust     []Finding // why this is no statement of a believed builder about this image
	rules     []Finding // what the policy, or a check at the source, has against it
}

// examine finds out whether a candidate is a statement of a believed builder about this image, or another attestation that the
// policy asks for.
func (d *decider) examine(c Candidate) *examined {
	e := &examined{signer: c.Verified.Signer(), payload: c.Verified.Payload(), opened: c.Verified.Digest()}
	e.digest = provenance.SumSHA256(e.payload)
	e.add(c)
	e.trust = d.distrust(e)
	return e
}

// distrust is every reason not to take a statement for one of a believed builder about this image, or for another attestation; nil is
// none.
func (d *decider) distrust(e *examined) []Finding {
	if !slices.ContainsFunc(d.in.Trust.Verifiers, speaksFor(e.signer)) {
		return []Finding{d.notBelieved(e)}
	}
	if f := d.deniedKey(e); f != nil {
		return []Finding{*f}
	}
	var err error
	if e.header, err = provenance.ParseHeader(e.payload); err != nil {
		return collect(unread(err))
	}
	isBuilder := slices.ContainsFunc(d.in.Builders, speaksFor(e.signer))
	switch e.isOther = d.asked(e) && !(isBuilder && e.header.PredicateType == provenance.PredicateType); {
	case e.isOther:
		return d.distrustOther(e)
	case !isBuilder:
		return []Finding{d.notBelieved(e)}
	}
	return d.distrustBuild(e)
}

func (d *decider) notBelieved(e *examined) Finding {
	return Finding{Code: "signature.key", Detail: "the statement is not signed by a key that is believed",
		Expected: orNothing(d.builderNames()), Found: e.signer.Name, Hint: "verify with the builder's public key: --key, or the policy's builders"}
}

// builderNames are the keys and identities that are believed.
func (d *decider) builderNames() string {
	var all []string
	for _, v := range d.in.Builders {
		all = append(all, v.Name)
	}
	return strings.Join(all, " or ")
}

// distrustBuild looks at what seems to be a builder's statement.
func (d *decider) distrustBuild(e *examined) []Finding {
	if f := e.parse(); f != nil {
		return []Finding{*f}
	}
	subject := d.subject(e)
	if subject != nil && !subject.Undecided {
		return []Finding{*subject}
	}
	var err error
	if e.record, err = provenance.Read(e.statement); err != nil {
		return collect(subject, unread(err))
	}
	return collect(subject, d.builder(e))
}

// distrustOther looks at an attestation of another kind.
func (d *decider) distrustOther(e *examined) []Finding {
	if f := e.limits(); f != nil {
		return []Finding{*f}
	}
	return collect(d.subject(e), e.parseOther())
}

// parse reads the payload; predicateType and buildType are read from there, whatever an annotation says.
func (e *examined) parse() *Finding {
	var err error
	if e.statement, err = provenance.ParseStatement(e.payload); err != nil {
		return unread(err)
	}
	e.header = e.statement.StatementHeader
	if found := e.statement.Predicate.BuildDefinition.BuildType; found != provenance.BuildType {
		return &Finding{Code: "statement.buildType", Expected: provenance.BuildType, Found: found,
			Detail: "the statement is of another kind of build",
			Hint:   "its key signs for other programs too; give this builder a key of its own"}
	}
	return e.limits()
}

// speaksFor tells whether a verifier is the key that signed.
func speaksFor(signer envelope.Signer) func(envelope.Verifier) bool {
	return func(v envelope.Verifier) bool { return v.Made(signer) }
}

// collect makes a list of the findings that there are.
func collect(findings ...*Finding) (all []Finding) {
	for _, f := range findings {
		if f != nil {
			all = append(all, *f)
		}
	}
	return all
}

// unread is the finding about a payload that is not a statement of ours. The bytes are at hand, so it is never undecided.
func unread(err error) *Finding {
	var refused *provenance.Refused
	if errors.As(err, &refused) {
		return &Finding{Code: refused.Code, Detail: refused.Detail, Expected: refused.Expected, Found: refused.Found, Hint: refused.Hint}
	}
	return &Finding{Code: "statement.malformed", Detail: fmt.Sprintf("the signed statement cannot be read: %v", err), Hint: words.FirstHint(err)}
}

// limits bounds what a statement may list.
func (e *examined) limits() *Finding {
	subjects := e.header.Subject
	if len(subjects) > maxSubjects {
		return &Finding{Code: "statement.limit", Detail: "the statement has too many subjects",
			Expected: fmt.Sprintf("at most %d", maxSubjects), Found: fmt.Sprint(len(subjects))}
	}
	for _, s := range subjects {
		if len(s.Digest) > maxDigests {
			return &Finding{Code: "statement.limit", Detail: fmt.Sprintf("the subject %q has too many digests", words.Clip(s.Name)),
				Expected: fmt.Sprintf("at most %d", maxDigests), Found: fmt.Sprint(len(s.Digest))}
		}
	}
	return nil
}

// subject holds the statement against the image: one sha256 subject is the image, and every other one is a part of the same
// image. The first subject is what was recorded: the image, or the index that it is in. That the others are its members
// is only a claim, and no proof, because a subject could be anything whose bytes happen to be another image's manifest: a
// model file, say. So the registry is asked for the members of the index, whose bytes the index's digest vouches for.
func (d *decider) subject(e *examined) *Finding {
	subjects, bad := sha256Subjects(e.header)
	if bad != nil {
		return bad
	}
	if !slices.Contains(subjects, d.in.Image) {
		return &Finding{Code: "subject.mismatch", Detail: "the statement is about something else",
			Expected: d.in.Image.String(), Found: joinDigests(subjects),
			Hint: "it was copied from another image, or the image was built again and not recorded"}
	}
	if !slices.ContainsFunc(subjects, func(s provenance.Digest) bool { return s != d.in.Image }) {
		return nil
	}
	if d.in.Members == nil {
		return d.unproved(e, subjects[0])
	}
	return d.prove(subjects)
}

// prove asks the registry whether all subjects are one image.
func (d *decider) prove(subjects []provenance.Digest) *Finding {
	index := subjects[0]
	members, err := d.in.Members(d.ctx, index)
	var refused *provenance.Refused
	if errors.As(err, &refused) {
		return &Finding{Code: "subject.foreign", Detail: "the first subject is no index with the other subjects in it: " + refused.Detail,
			Expected: "the image, or members of its index", Found: index.String(), Hint: refused.Hint}
	}
	if err != nil {
		return &Finding{Code: "subject.unproved", Undecided: true, Hint: words.FirstHint(err),
			Detail: fmt.Sprintf("the members of the index %s could not be read: %v", index, err)}
	}
	allowed := append([]provenance.Digest{index}, members...)
	for _, s := range subjects {
		if !slices.Contains(allowed, s) {
			return &Finding{Code: "subject.foreign", Expected: joinDigests(allowed), Found: s.String(),
				Detail: "a sha256 subject of the statement is neither the image nor a member of its index",
				Hint:   "it makes a statement about one thing pass for another; a model is a subject by its dirHash only"}
		}
	}
	return nil
}

// unproved is what to say of several subjects when there is no registry to ask. A statement whose first subject is this
// image is about it, whatever else it names: the others could only make it pass for something else. (That they are those
// of the record, provenance.Read checks.) That a platform's manifest belongs to the index which a statement names is
// exactly what has to be proved.
func (d *decider) unproved(e *examined, index provenance.Digest) *Finding {
	if d.in.Image == index {
		e.notes = append(e.notes, Finding{Code: "subject.unproved",
			Detail: "without a registry it was not checked that the statement's other subjects are platforms of this image"})
		return nil
	}
	return &Finding{Code: "subject.unproved", Undecided: true, Expected: d.in.Image.String(), Found: index.String(),
		Detail: "the statement is about an index; without a registry nothing proves that this image is one of its platforms",
		Hint:   fmt.Sprintf("give the index's digest, %s, or verify against the registry", index)}
}

// sha256Subjects are the sha256 digests of all subjects, in the statement's order. The algorithm's name is compared as loosely as any verifier
// might, and its value strictly.
func sha256Subjects(s in_toto.StatementHeader) ([]provenance.Digest, *Finding) {
	var digests []provenance.Digest
	for _, subject := range s.Subject {
		for algorithm, value := range subject.Digest {
			if !strings.EqualFold(algorithm, string(provenance.SHA256)) {
				continue
			}
			d, err := provenance.NewDigest(provenance.SHA256, value)
			if err != nil {
				return nil, &Finding{Code: "statement.malformed", Detail: fmt.Sprintf("the subject %q: %v", words.Clip(subject.Name), err)}
			}
			digests = append(digests, d)
		}
	}
	return digests, nil
}

// builder holds the statement's builder against the policy's. A key speaks only for the builders that list it.
func (d *decider) builder(e *examined) *Finding {
	if d.in.Policy == nil || d.in.Policy.Builders == nil {
		return nil
	}
	id := e.statement.Predicate.RunDetails.Builder.ID
	var mine []string
	for _, b := range d.in.Policy.Builders {
		if !slices.ContainsFunc(b.Who, func(p policy.Pinned) bool { return p.Made(e.signer) }) {
			continue
		}
		if b.ID == id {
			return cmp.Or(d.pinned(b.Who, e), weak("builder", "the builder's id", e.record.Pipeline.Of("builderId"), b.Basis))
		}
		mine = append(mine, b.ID)
	}
	return &Finding{Code: "builder.id", Expected: orNothing(strings.Join(mine, " or ")), Found: id, Basis: e.record.Pipeline.Of("builderId"),
		Detail: fmt.Sprintf("the policy does not let the key %s speak for this builder", e.signer.Name),
		Hint:   "list the builder's id with that key under builders, if it is to be believed"}
}

// add notes another place where the same statement lies. Its form is what was opened: what a manifest calls it, anybody can write.
func (e *examined) add(c Candidate) {
	e.where = append(e.where, c.Where)
	form := cmp.Or(c.Verified.Form(), c.Form)
	if !slices.Contains(e.forms, form) {
		e.forms = append(e.forms, form)
	}
	e.times = earliest(append(e.times, c.Verified.Times()...))
	e.logged = e.logged || c.Verified.Logged()
	e.untimed = cmp.Or(e.untimed, c.Verified.Untimed())
	e.bare = e.bare || form == envelope.FormBundle && len(c.Verified.Times()) == 0
}

// earliest leaves of each witness the first time, and puts the first of all in front. The old form has none, and a statement that was
// signed twice was there when it was seen first.
func earliest(times []envelope.Time) (out []envelope.Time) {
	slices.SortStableFunc(times, func(a, b envelope.Time) int { return a.At.Compare(b.At) })
	for _, t := range times {
		if !slices.ContainsFunc(out, func(o envelope.Time) bool { return o.Kind == t.Kind && o.By == t.By }) {
			out = append(out, t)
		}
	}
	return out
}

// reasons are the findings that keep the statement from being accepted, with their place; warnings are the others.
func (e *examined) reasons() []Finding  { return e.placed(slices.Concat(e.trust, e.rules)) }
func (e *examined) warnings() []Finding { return e.placed(slices.Clone(e.notes)) }

// findings are both.
func (e *examined) findings() []Finding { return append(e.reasons(), e.warnings()...) }

func (e *examined) placed(all []Finding) []Finding {
	for i := range all {
		all[i].Where = cmp.Or(all[i].Where, e.where[0])
	}
	return all
}

// undecided tells whether nothing is wrong with the statement but what nobody could tell.
func (e *examined) undecided() bool {
	all := slices.Concat(e.trust, e.rules)
	return len(all) > 0 && !slices.ContainsFunc(all, func(f Finding) bool { return !f.Undecided })
}

// attestation is the statement for reports.
func (e *examined) attestation() *Attestation {
	return &Attestation{Record: e.record, Signer: e.signer, Statement: e.digest, Where: e.where, Forms: e.forms,
		Times: e.times, Logged: e.logged, Rechecks: e.rechecks, Digest: e.opened}
}
