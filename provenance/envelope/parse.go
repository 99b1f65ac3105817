package envelope

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
)

// bundleTypes are the media types of the bundles that are read.
// Source: https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto (Bundle.media_type)
var bundleTypes = map[string]bool{
	"application/vnd.dev.sigstore.bundle+json;version=0.1": true,
	"application/vnd.dev.sigstore.bundle+json;version=0.2": true,
	"application/vnd.dev.sigstore.bundle+json;version=0.3": true,
	"application/vnd.dev.sigstore.bundle.v0.3+json":        true,
}

// kindFields tell what kind of thing it is. The payload is not among them: it can be large.
type kindFields struct {
	MediaType   json.RawMessage `json:"mediaType"`
	PayloadType json.RawMessage `json:"payloadType"`
}

// parse reads either form, and verifies nothing.
func parse(raw []byte) (*parsed, error) {
	fields, err := fieldsOf(raw)
	if err != nil {
		return nil, err
	}
	if fields.MediaType != nil {
		return parseBundle(raw)
	}
	if fields.PayloadType != nil {
		return parseEnvelope(raw)
	}
	return nil, malformed(fmt.Errorf("neither payloadType nor mediaType stands in it"))
}

// fieldsOf are the outermost fields of raw, which is bounded and free of keys that two readers could take differently.
func fieldsOf(raw []byte) (fields kindFields, err error) {
	if len(raw) > MaxSize {
		return fields, fmt.Errorf("the envelope has %d bytes; at most %d are read", len(raw), MaxSize)
	}
	if err := strictjson.CheckSmall(raw, maxDepth, maxTokens); errors.Is(err, strictjson.ErrTooMany) {
		return fields, fmt.Errorf("the envelope has %w", err)
	} else if err != nil {
		return fields, malformed(err)
	}
	if err := json.Unmarshal(raw, &fields); err != nil {
		return fields, malformed(err)
	}
	return fields, nil
}

func parseEnvelope(raw []byte) (*parsed, error) {
	e := &protodsse.Envelope{}
	if err := unmarshal(raw, e); err != nil {
		return nil, err
	}
	return &parsed{form: FormATT, envelope: e}, nil
}

func parseBundle(raw []byte) (*parsed, error) {
	b, err := decodeBundle(raw)
	if err != nil {
		return nil, err
	}
	if b.GetMessageSignature() != nil {
		return nil, provenance.Refuse(CodeForeign, "", "the bundle signs an artifact itself (as cosign sign does); it holds no statement")
	}
	if b.GetDsseEnvelope() == nil {
		return nil, malformed(fmt.Errorf("the bundle has no dsseEnvelope"))
	}
	material := cmp.Or(b.GetVerificationMaterial(), &protobundle.VerificationMaterial{})
	return &parsed{form: FormBundle, envelope: b.GetDsseEnvelope(), material: material}, nil
}

// decodeBundle reads a Sigstore bundle of a version that is known.
func decodeBundle(raw []byte) (*protobundle.Bundle, error) {
	b := &protobundle.Bundle{}
	if err := unmarshal(raw, b); err != nil {
		return nil, err
	}
	if !bundleTypes[b.MediaType] {
		return nil, provenance.Refuse(CodeForeign, "", "%.80q is not a Sigstore bundle of version 0.1 to 0.3", b.MediaType)
	}
	return b, nil
}

// unmarshal decodes protobuf's JSON. Fields that a newer version added do not disturb: what is signed is not among them.
func unmarshal(raw []byte, m proto.Message) error {
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(raw, m); err != nil {
		return malformed(errors.New(strings.ReplaceAll(err.Error(), "\u00a0", " "))) // protobuf varies its spaces at random
	}
	return nil
}

// malformed clips the error: it may repeat what it could not read.
func malformed(err error) error {
	return provenance.Refuse(CodeMalformed, "", "not a DSSE envelope or Sigstore bundle: %.200s", err)
}

// UnverifiedEnvelopeOf takes the DSSE envelope out of a Sigstore bundle, as a layer of cosign's .att tag holds it, and the
// predicateType that its payload names. Nothing of it is verified: it serves to copy an attestation from one form into the
// other, and to label it; never to believe it.
func UnverifiedEnvelopeOf(bundle []byte) (envelope []byte, predicateType string, err error) {
	p, err := parse(bundle)
	if err != nil {
		return nil, "", err
	}
	var statement struct {
		PredicateType string `json:"predicateType"`
	}
	if err := strictjson.Unmarshal(p.envelope.Payload, maxDepth, &statement); err != nil {
		return nil, "", malformed(fmt.Errorf("its payload: %w", err))
	}
	envelope, err = json.Marshal(p.wire())
	return envelope, statement.PredicateType, err
}

// UnverifiedPayloadOf gives the payload of a bundle whose signature nobody checked: fit for finding out that a bundle is about
// something else, and for nothing more.
func UnverifiedPayloadOf(bundle []byte) ([]byte, error) {
	p, err := parse(bundle)
	if err != nil {
		return nil, err
	}
	return p.envelope.Payload, nil
}

// wire is the envelope as its own JSON form has it.
func (p *parsed) wire() dsse.Envelope {
	e := dsse.Envelope{
		PayloadType: p.envelope.PayloadType,
		Payload:     base64.StdEncoding.EncodeToString(p.envelope.Payload),
		Signatures:  []dsse.Signature{},
	}
	for _, s := range p.envelope.Signatures {
		e.Signatures = append(e.Signatures, dsse.Signature{KeyID: s.Keyid, Sig: base64.StdEncoding.EncodeToString(s.Sig)})
	}
	return e
}

// content is an envelope with one of its signatures, for Sigstore's library.
func (p *parsed) content(signature []byte) verify.SignatureContent {
	e := p.wire()
	e.Signatures = []dsse.Signature{{Sig: base64.StdEncoding.EncodeToString(signature)}}
	return &bundle.Envelope{Envelope: &e}
}
