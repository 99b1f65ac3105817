package verify

import (
	"context"
	"encoding/json"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
)

// Listed is one attestation as `show` lists it: what it says, when it holds; why it does not, otherwise. What does not
// verify is listed, never followed: of that there is no signer, record or statement.
type Listed struct {
	Where         []string           `json:"where"`
	Forms         []string           `json:"forms"`
	Times         []envelope.Time    `json:"times,omitempty"`  // as those of [Attestation]
	Signer        *envelope.Signer   `json:"signer,omitempty"` // nil: no believed key signed it
	Digest        provenance.Digest  `json:"digest,omitzero"`  // of the statement
	PredicateType string             `json:"predicateType,omitempty"`
	Statement     json.RawMessage    `json:"statement,omitempty"` // in full, when it is JSON
	Record        *provenance.Record `json:"record,omitempty"`    // nil unless nothing is wrong with it
	Findings      []Finding          `json:"findings"`            // what is wrong with it
}

// List looks at everything that is attached as [Decide] does, but for the policy's rules on the record.
func List(ctx context.Context, in Input) []Listed {
	d := &decider{ctx: ctx, in: in}
	statements, neighbours := d.examineAll()
	all := []Listed{}
	for _, e := range statements {
		all = append(all, e.listed())
	}
	for _, n := range neighbours {
		l := Listed{Where: []string{}, Forms: []string{}, Findings: []Finding{n}}
		if n.Where != "" {
			l.Where = append(l.Where, n.Where)
		}
		all = append(all, l)
	}
	return all
}

// listed tells what is known of a statement that a key signed.
func (e *examined) listed() Listed {
	l := Listed{Where: e.where, Forms: e.forms, Findings: append([]Finding{}, e.findings()...)}
	if e.signer.Fingerprint == "" {
		return l
	}
	l.Signer, l.Digest, l.Times = &e.signer, e.digest, e.times
	if json.Valid(e.payload) {
		l.Statement = e.payload
	}
	if header, err := provenance.ParseHeader(e.payload); err == nil {
		l.PredicateType = header.PredicateType
	}
	if e.trust == nil {
		l.Record = &e.record
	}
	return l
}
