package provenance

import (
	"encoding/json"
	"fmt"
	"strings"

	provenancepb "github.com/in-toto/attestation/go/predicates/provenance/v1"
	ita1 "github.com/in-toto/attestation/go/v1"
	"github.com/in-toto/in-toto-golang/in_toto"
	slsa1 "github.com/in-toto/in-toto-golang/in_toto/slsa_provenance/v1"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
	"google.golang.org/protobuf/encoding/protojson"
)

// BuildType names what the parameters of a statement mean; its page is spec/azure-pipelines-ml-v1.md.
const BuildType = "https://github.com/seed-3480f271/provenance/spec/azure-pipelines-ml/v1"

// PredicateType is SLSA provenance v1.
const PredicateType = slsa1.PredicateSLSAProvenance

// Bounds for statements that are read. A statement of ours has a few KiB; the manifests lie beside the image.
const (
	MaxStatement = 4 << 20 // bytes
	MaxDepth     = 32      // nested JSON objects and arrays
)

// Statement is an in-toto Statement v1 with a SLSA provenance v1 predicate. The plain structs of in-toto-golang are used,
// and not the protobuf types, because the output of protojson is deliberately unstable; what is written is checked against
// the protobuf types.
type Statement struct {
	in_toto.StatementHeader
	Predicate slsa1.ProvenancePredicate `json:"predicate"`
}

// Bytes is the statement as deterministic JSON: the same facts give the same bytes. They are valid for in-toto's own
// protobuf types, or there is an error; more than [MaxStatement] are a *Refused.
func (s Statement) Bytes() ([]byte, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("write statement: %w", err)
	}
	if len(data) > MaxStatement { // nobody could read it
		return nil, Refuse("statement.large", "record fewer or larger folders, and leave long parameters out of the run",
			"the statement has %d bytes, more than the limit of %d", len(data), MaxStatement)
	}
	return data, validate(data, protojson.UnmarshalOptions{})
}

// ParseHeader reads _type, predicateType and subject of any in-toto statement, whatever its predicate. data is bounded in
// size and depth, and has no duplicate keys. A _type other than Statement v0.1 or v1 is a *Refused.
func ParseHeader(data []byte) (in_toto.StatementHeader, error) {
	var header in_toto.StatementHeader
	if len(data) > MaxStatement {
		return header, Refuse("statement.malformed", "", "the statement has %d bytes, more than the limit of %d", len(data), MaxStatement)
	}
	if err := strictjson.Unmarshal(data, MaxDepth, &header); err != nil {
		return header, Refuse("statement.malformed", "", "the statement cannot be read: %v", err)
	}
	if header.Type != in_toto.StatementInTotoV1 && header.Type != in_toto.StatementInTotoV01 {
		return header, Refuse("statement.type", "", "_type is %q, not an in-toto Statement v0.1 or v1", clip(header.Type))
	}
	return header, nil
}

// ParseStatement reads a statement with a SLSA provenance v1 predicate. What it refuses is a *Refused: it is not such a
// statement, whoever signed it.
func ParseStatement(data []byte) (Statement, error) {
	var s Statement
	header, err := ParseHeader(data)
	if err != nil {
		return s, err
	}
	if header.PredicateType != PredicateType {
		return s, Refuse("statement.predicateType", "", "predicateType is %q, not %s", clip(header.PredicateType), PredicateType)
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, Refuse("statement.malformed", "", "the predicate cannot be read: %v", err)
	}
	if err := validate(data, protojson.UnmarshalOptions{DiscardUnknown: true}); err != nil {
		return s, Refuse("statement.malformed", "", "%v", err)
	}
	return s, nil
}

// validate lets the in-toto project's own types read and judge a statement.
func validate(data []byte, read protojson.UnmarshalOptions) error {
	var statement ita1.Statement
	if err := read.Unmarshal(data, &statement); err != nil {
		return fmt.Errorf("not an in-toto statement: %w", err)
	}
	if err := statement.Validate(); err != nil {
		return fmt.Errorf("not a valid in-toto statement: %w", err)
	}
	predicate, err := statement.GetPredicate().MarshalJSON()
	if err != nil {
		return fmt.Errorf("read predicate: %w", err)
	}
	var provenance provenancepb.Provenance
	if err := read.Unmarshal(predicate, &provenance); err != nil {
		return fmt.Errorf("not SLSA provenance v1: %w", err)
	}
	if err := provenance.Validate(); err != nil {
		return fmt.Errorf("not valid SLSA provenance v1: %w", err)
	}
	return nil
}

// CheckSecrets is the last look at bytes before they are signed or stored: a *Refused that names the kind of secret it
// sees, and never repeats it. known are the values of secrets that this process itself was given.
func CheckSecrets(what string, data []byte, known ...string) error {
	kinds := redact.Find(data, known...)
	if kinds == nil {
		return nil
	}
	if at := redact.Where(data, known...); at != "" {
		what += ", at " + at + ","
	}
	return Refuse("secret.found", "remove it where it comes from: a commit message, a parameter, a folder's name; signatures are for ever",
		"%s holds what looks like a secret (%s): it is not signed", what, strings.Join(kinds, ", "))
}
