package rule

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
)

// Facts are what an expression may name.
type Facts struct {
	Record     provenance.Record
	Repository string            // of the image that is being verified: registry and path
	Image      provenance.Digest // its digest, as it is being verified
	Signer     envelope.Signer   // of the statement
	// Times are when the statement's signature was there, the earliest first, as trusted clocks say. Without one signedAt is absent.
	Times        []envelope.Time
	Attestations map[string]Other // by the policy's names; those that were not found are left out
	Now          time.Time        // of the decision
}

// Other is another attestation of the image, whose signature was verified.
type Other struct {
	PredicateType string
	Predicate     json.RawMessage
	Signer        envelope.Signer
	Time          time.Time // when its signature was there; zero: unknown
}

// View is facts as expressions see them. It is made once for all rules, which may use it at the same time.
type View struct {
	record       *provenance.Record
	signer       *envelope.Signer
	signedAt     ref.Val
	image        ref.Val
	repository   ref.Val
	now          ref.Val
	attestations map[string]*attestation
}

// attestation is what an expression sees of an Other.
type attestation struct {
	PredicateType string          `json:"predicateType"`
	Predicate     document        `json:"predicate"`
	Signer        envelope.Signer `json:"signer"`
	SignedAt      time.Time       `json:"signedAt,omitzero"`
}

// View prepares facts for expressions.
func (f Facts) View() *View {
	v := &View{record: &f.Record, signer: &f.Signer, repository: types.String(f.Repository),
		image:        noVariable("image", "nobody said which image is being verified"),
		now:          noVariable("now", "nobody said when it is decided"),
		signedAt:     noVariable("signedAt", "no trusted clock says when the statement was signed"),
		attestations: make(map[string]*attestation, len(f.Attestations))}
	if !f.Image.IsZero() {
		v.image = types.String(f.Image.String())
	}
	if !f.Now.IsZero() {
		v.now = types.Timestamp{Time: f.Now}
	}
	if len(f.Times) > 0 && !f.Times[0].At.IsZero() {
		v.signedAt = types.Timestamp{Time: f.Times[0].At}
	}
	for name, o := range f.Attestations {
		predicate := sync.OnceValues(func() (any, error) { return parseJSON(o.Predicate) })
		v.attestations[name] = &attestation{o.PredicateType, predicate, o.Signer, o.Time}
	}
	return v
}

// variables are the variables of one evaluation, which notes what is read.
type variables struct {
	values  map[string]ref.Val
	reading *reading
}

// bind makes the variables of one evaluation.
func (v *View) bind(in *reading) interpreter.Activation {
	return variables{map[string]ref.Val{
		"record":       rootObject("record", v.record, in),
		"signer":       rootObject("signer", v.signer, in),
		"attestations": attestationTable(v.attestations, in),
		"image":        v.image, "repository": v.repository, "signedAt": v.signedAt, "now": v.now,
	}, in}
}

// ResolveName gives the value of a variable.
func (v variables) ResolveName(name string) (any, bool) {
	value, ok := v.values[name]
	switch name {
	case "image", "repository", "signedAt", "now":
		v.reading.note(readKey{name: name}, func() Input { return Input{Path: name, Value: valueText(value)} })
	}
	return value, ok
}

// Parent is that there is no other scope.
func (variables) Parent() interpreter.Activation { return nil }
