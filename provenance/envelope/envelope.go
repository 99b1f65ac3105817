// Package envelope is the one door from bytes to trust.
//
// An attestation travels as a DSSE envelope: a payload, its type, and signatures over
//
//	"DSSEv1" SP len(type) SP type SP len(payload) SP payload
//
// (https://github.com/secure-systems-lab/dsse/blob/master/protocol.md). It is found in two forms: alone, as the layers of
// cosign's .att tags hold it, or inside a Sigstore bundle, version 0.1 to 0.3
// (https://docs.sigstore.dev/about/bundle/). [Open] reads both, checks the signature with keys that the caller pins, and
// answers with a [Verified], which nothing else can make.
//
// What Open does not look at: transparency log entries and timestamps of a bundle, which say when a signature was made, not
// by whom; and key ids and hints, which anybody can write. Those only help to word a refusal.
//
// The package has no network, and reads no files.
package envelope

import (
	"bytes"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
)

// PayloadType is the only type of payload that is opened: an in-toto statement.
// Source: https://github.com/in-toto/attestation/blob/main/spec/v1/envelope.md
const PayloadType = "application/vnd.in-toto+json"

// Limits of what is opened. A statement names its folders and leaves their manifests outside, so it takes about 3 KB for
// each, encoded: MaxSize has room for the largest statement that is read, some fifteen hundred folders, and is small enough for many
// neighbours to be read in turn.
const (
	MaxSize       = 6 << 20 // bytes of an envelope or bundle
	MaxSignatures = 16      // of one envelope
	maxDepth      = 64      // of JSON, outside and inside
)

// The codes of the refusals of Open.
const (
	CodeMalformed   = "envelope.malformed"    // no envelope, no bundle, or a payload that readers could take differently
	CodeForeign     = "envelope.foreign"      // a well-formed bundle of another kind, such as cosign sign's: a neighbour
	CodePayloadType = "envelope.payloadType"  // not an in-toto statement
	CodeUnsigned    = "envelope.unsigned"     // no signature at all
	CodeKey         = "signature.key"         // signed, but by none of the pinned keys, as far as one can tell
	CodeInvalid     = "signature.invalid"     // it names a pinned key, but that key did not sign these bytes
	CodeCertificate = "signature.certificate" // signed by a certificate, and only keys are pinned
)

// The two forms of an envelope, as [Verified.Form] says them.
const (
	FormBundle = "bundle" // a Sigstore bundle
	FormATT    = "att"    // a DSSE envelope alone, as a layer of cosign's .att tag
)

// Signer is the pinned key or identity that a signature was verified with.
type Signer struct {
	Name        string `json:"name"`        // the caller's name for the key or identity: the file's, as a rule
	Fingerprint string `json:"fingerprint"` // "sha256:HEX" of the key's PKIX DER form; of a certificate, that of its key
	// Identity is what the certificate says; nil when a key signed without one.
	Identity *Identity `json:"identity,omitempty"`
}

// Verified is a payload whose signature was checked. Only [Open] makes one; the zero value is not trusted anywhere.
type Verified struct {
	payload []byte
	signer  Signer
	form    string
	digest  provenance.Digest
}

// IsZero tells whether v did not come from [Open].
func (v Verified) IsZero() bool { return v.form == "" }

// Payload is a copy of the signed bytes.
func (v Verified) Payload() []byte { return bytes.Clone(v.payload) }

// Signer is the pinned key that signed.
func (v Verified) Signer() Signer { return v.signer }

// Form is [FormBundle] or [FormATT].
func (v Verified) Form() string { return v.form }

// Digest is the sha256 of the bytes that were opened.
func (v Verified) Digest() provenance.Digest { return v.digest }

// Open checks that raw is a DSSE envelope or a Sigstore bundle around one, that it holds an in-toto statement, and that one of
// the verifiers made one of its signatures.
//
// What does not hold is a *[provenance.Refused] with one of the codes of this package. No verifier at all is a
// *[provenance.Misused]. Bytes beyond [MaxSize] or [MaxSignatures] are any other error: nobody looked at them.
func Open(raw []byte, verifiers ...Verifier) (Verified, error) {
	return Trust{Verifiers: verifiers}.Open(raw)
}

// Open is the function [Open], with a trusted root.
func (t Trust) Open(raw []byte) (Verified, error) {
	verifiers := t.Verifiers
	if err := checkVerifiers(verifiers); err != nil {
		return Verified{}, err
	}
	p, err := parse(raw)
	if err != nil {
		return Verified{}, err
	}
	if err := p.checkKind(); err != nil {
		return Verified{}, err
	}
	signer, err := p.findSigner(verifiers)
	if err != nil {
		return Verified{}, err
	}
	if err := strictjson.Check(p.envelope.Payload, maxDepth); err != nil {
		return Verified{}, provenance.Refuse(CodeMalformed, "", "the payload that %s signed is not sound JSON: %.200s", signer.Name, err)
	}
	return Verified{p.envelope.Payload, signer, p.form, provenance.SumSHA256(raw)}, nil
}

func checkVerifiers(verifiers []Verifier) error {
	if len(verifiers) == 0 {
		return provenance.Misuse("name a public key", "there is no key to check the signature with")
	}
	for _, v := range verifiers {
		if len(v.schemes) == 0 {
			return provenance.Misuse("", "the key %q was never parsed", v.Name)
		}
	}
	return nil
}

// checkKind checks everything about an envelope that can be told before a key is tried.
func (p *parsed) checkKind() error {
	e := p.envelope
	switch {
	case e.PayloadType != PayloadType:
		return provenance.Refuse(CodePayloadType, "", "the envelope holds %.80q, not an in-toto statement (%s)", e.PayloadType, PayloadType)
	case p.certificate:
		return provenance.Refuse(CodeCertificate, "", "it is signed by a certificate; identities are not configured")
	case len(e.Signatures) == 0:
		return provenance.Refuse(CodeUnsigned, "", "the envelope has no signature")
	case len(e.Signatures) > MaxSignatures:
		return fmt.Errorf("the envelope has %d signatures; at most %d are tried", len(e.Signatures), MaxSignatures)
	}
	return nil
}

// findSigner tries every pinned key on every signature. Key ids are not asked: they are not signed.
func (p *parsed) findSigner(verifiers []Verifier) (Signer, error) {
	message := dsse.PAE(p.envelope.PayloadType, p.envelope.Payload)
	for _, v := range verifiers {
		for _, s := range p.envelope.Signatures {
			if v.verify(message, s.Sig) {
				return Signer{Name: v.Name, Fingerprint: v.Fingerprint()}, nil
			}
		}
	}
	return Signer{}, p.refuseSigner(verifiers)
}

// refuseSigner words the refusal by what the envelope itself says about its keys.
func (p *parsed) refuseSigner(verifiers []Verifier) error {
	claims := p.claims()
	for _, v := range verifiers {
		for _, claim := range claims {
			if v.isNamed(claim) {
				return provenance.Refuse(CodeInvalid, "the payload or the signature was changed after signing",
					"it says that %s (%s) signed it, but the signature does not verify", v.Name, v.Fingerprint())
			}
		}
	}
	by := ""
	if len(claims) > 0 {
		by = fmt.Sprintf("; it names the key %.100q", claims[0])
	}
	return provenance.Refuse(CodeKey, "use the public key of the pipeline that built the image", "no pinned key (%s) verifies its signature: another key made it, or it was changed%s", names(verifiers), by)
}

// claims are the keys that an envelope says it was signed with.
func (p *parsed) claims() []string {
	var claims []string
	if p.hint != "" {
		claims = append(claims, p.hint)
	}
	for _, s := range p.envelope.Signatures {
		if s.Keyid != "" {
			claims = append(claims, s.Keyid)
		}
	}
	return claims
}

// parsed is an envelope that nobody has verified.
type parsed struct {
	form        string
	envelope    *protodsse.Envelope
	hint        string // of the bundle's public key
	certificate bool   // the bundle names a certificate instead of a key
}
