// Package rule is a stub until the real one is merged.
package rule

import (
	"context"
	"encoding/json"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
)

type Rule struct{}
type Problem struct {
	Line, Column int
	Text         string
}

func (p *Problem) Error() string { return p.Text }

func Compile(string) (*Rule, error)      { return &Rule{}, nil }
func (*Rule) Attestations() []string     { return nil }
func (*Rule) Weaker(provenance.Record, provenance.Basis) []Input { return nil }

type Input struct {
	Path, Value string
	Basis       provenance.Basis
}
type Outcome struct {
	Holds  bool
	Inputs []Input
}
type Other struct {
	PredicateType string
	Predicate     json.RawMessage
	Signer        envelope.Signer
	Time          time.Time
}
type Facts struct {
	Record       provenance.Record
	Repository   string
	Image        provenance.Digest
	Signer       envelope.Signer
	Times        []envelope.Time
	Attestations map[string]Other
	Now          time.Time
}

func (*Rule) Eval(context.Context, Facts) (Outcome, error) { return Outcome{Holds: true}, nil }
