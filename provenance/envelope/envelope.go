// Package envelope is the one door from bytes to trust.
//
// An attestation travels as a DSSE envelope: a payload, its type, and signatures over
//
//	"DSSEv1" SP len(type) SP type SP len(payload) SP payload
//
// (https://github.com/secure-systems-lab/dsse/blob/master/protocol.md). It is found in two forms: alone, as the layers of
// cosign's .att tags hold it, or inside a Sigstore bundle, version 0.1 to 0.3
// (https://docs.sigstore.dev/about/bundle/). [Trust.Open] reads both, checks the signature with keys and identities that the
// caller pins, and answers with a [Verified], which nothing else can make.
//
// A key speaks for itself. An identity is what a certificate in a bundle says, and counts when an authority of the trusted
// root issued the certificate and somebody whom the trusted root names saw the signature while it was valid. Timestamps and
// transparency log entries say when a signature was there, not by whom, and are believed of nobody else. Key ids and hints,
// which anybody can write, only help to word a refusal.
//
// The package has no network, and reads no files.
package envelope

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"github.com/sigstore/sigstore-go/pkg/verify"

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
	maxTokens     = 20_000  // of JSON, outside: a bundle with two log entries has about 300
)

// The codes of the refusals of Open.
const (
	CodeMalformed   = "envelope.malformed"    // no envelope, no bundle, or a payload that readers could take differently
	CodeForeign     = "envelope.foreign"      // a well-formed bundle of another kind, such as cosign sign's: a neighbour
	CodePayloadType = "envelope.payloadType"  // not an in-toto statement
	CodeUnsigned    = "envelope.unsigned"     // no signature at all
	CodeKey         = "signature.key"         // signed, but by none of the pinned keys, as far as one can tell
	CodeInvalid     = "signature.invalid"     // it names a pinned key or a certificate, whose key did not sign these bytes
	CodeCertificate = "signature.certificate" // a certificate that cannot count: no identity is pinned, there is no trusted root, or it is not for signing
	CodeIdentity    = "signature.identity"    // a certificate of another issuer or subject than the pinned ones
	CodeAuthority   = "signature.authority"   // no authority of the trusted root that was valid then issued the certificate
	CodeTime        = "signature.time"        // no believed time of a certificate's signature, or one outside of its validity
	CodeLog         = "signature.log"         // a log of the trusted root does not have what it should have
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

// Who tells signers apart: a key that speaks for itself, and each identity whose certificate has that key, are different ones.
func (s Signer) Who() string {
	if s.Identity == nil {
		return s.Fingerprint
	}
	return s.Fingerprint + " " + (&pinned{Identity: *s.Identity}).fingerprint()
}

// Verified is a payload whose signature was checked. Only [Open] makes one; the zero value is not trusted anywhere.
type Verified struct {
	payload []byte
	signer  Signer
	form    string
	digest  provenance.Digest
	seen    sightings
}

// IsZero tells whether v did not come from [Open].
func (v Verified) IsZero() bool { return v.form == "" }

// Payload is a copy of the signed bytes.
func (v Verified) Payload() []byte { return bytes.Clone(v.payload) }

// Signer is the pinned key or identity that signed.
func (v Verified) Signer() Signer {
	signer := v.signer
	if signer.Identity != nil {
		id := *signer.Identity // what a caller does with it changes nothing here
		signer.Identity = &id
	}
	return signer
}

// Form is [FormBundle] or [FormATT].
func (v Verified) Form() string { return v.form }

// Digest is the sha256 of the bytes that were opened.
func (v Verified) Digest() provenance.Digest { return v.digest }

// Open is [Trust.Open] without a trusted root: keys count, and certificates do not.
func Open(raw []byte, verifiers ...Verifier) (Verified, error) {
	return Trust{Verifiers: verifiers}.Open(raw)
}

// Open checks that raw is a DSSE envelope or a Sigstore bundle around one, that it holds an in-toto statement, and that one of
// the verifiers made one of its signatures.
//
// A certificate counts in a bundle only: it has to be for code signing, its key has to have made the signature, an authority of
// t.Root has to have issued it, it has to name exactly one subject, which is one of the pinned identities, and everybody of t.Root who saw
// the signature (at least one) has to have seen it while the certificate and all above it were valid. A log of t.Root that does
// not have what the bundle says is a refusal. For a key, all that only fills [Verified.Times] and [Verified.Logged].
//
// What does not hold is a *[provenance.Refused] with one of the codes of this package. No verifier at all is a
// *[provenance.Misused]. What is beyond [MaxSize] or [MaxSignatures], or has thousands of parts, is any other error: nobody looked at it.
func (t Trust) Open(raw []byte) (Verified, error) {
	if err := t.check(); err != nil {
		return Verified{}, err
	}
	p, err := parse(raw)
	if err != nil {
		return Verified{}, err
	}
	if err := p.checkKind(); err != nil {
		return Verified{}, err
	}
	signer, seen, err := t.findSigner(p.signed())
	if err != nil {
		return Verified{}, err
	}
	if err := strictjson.Check(p.envelope.Payload, maxDepth); err != nil {
		return Verified{}, provenance.Refuse(CodeMalformed, "whoever has the key signed it with another program: ask them how", "the payload that %s signed is not sound JSON: %.200s", signer.Name, err)
	}
	return Verified{p.envelope.Payload, signer, p.form, provenance.SumSHA256(raw), seen}, nil
}

// check tells whether t can decide anything.
func (t Trust) check() error {
	if len(t.Verifiers) == 0 {
		return provenance.Misuse("name a public key, or an identity and a trusted root", "there is no key to check the signature with")
	}
	for _, v := range t.Verifiers {
		if !v.isKey() && !v.IsIdentity() {
			return provenance.Misuse("", "the key %q was never parsed", v.Name)
		}
	}
	if t.Root != nil && t.Root.material == nil {
		return provenance.Misuse("", "the trusted root %q was never parsed", t.Root.Name)
	}
	return nil
}

// checkKind checks everything about an envelope that can be told before a key is tried.
func (p *parsed) checkKind() error {
	e := p.envelope
	switch {
	case e.PayloadType != PayloadType:
		return provenance.Instead(provenance.Refuse(CodePayloadType, "sign an in-toto statement", "the envelope holds %.80q, not an in-toto statement (%s)", e.PayloadType, PayloadType), PayloadType, e.PayloadType)
	case len(e.Signatures) == 0:
		return provenance.Refuse(CodeUnsigned, "record again: nobody signed it", "the envelope has no signature")
	case len(e.Signatures) > MaxSignatures:
		return fmt.Errorf("the envelope has %d signatures; at most %d are tried", len(e.Signatures), MaxSignatures)
	}
	return nil
}

// signed is what somebody signed, with the signatures that should be theirs, and what a bundle has beside them.
type signed struct {
	message    []byte // the bytes under the signature
	signatures [][]byte
	claims     []string                                       // the keys that it says it was signed with
	content    func(signature []byte) verify.SignatureContent // the same, for Sigstore's library
	material   *protobundle.VerificationMaterial              // nil when there is no bundle
}

// signed is an envelope's.
func (p *parsed) signed() signed {
	s := signed{message: dsse.PAE(p.envelope.PayloadType, p.envelope.Payload), content: p.content, material: p.material}
	if hint := p.material.GetPublicKey().GetHint(); hint != "" {
		s.claims = append(s.claims, hint)
	}
	for _, sig := range p.envelope.Signatures {
		s.signatures = append(s.signatures, sig.Sig)
		if sig.Keyid != "" {
			s.claims = append(s.claims, sig.Keyid)
		}
	}
	return s
}

// findSigner finds who of the verifiers signed, and who saw it. Where there is a certificate, identities are asked, and else
// keys: neither speaks for the other.
func (t Trust) findSigner(s signed) (Signer, sightings, error) {
	if s.isCertified() {
		return t.findIdentity(s)
	}
	for _, v := range t.Verifiers {
		for _, sig := range s.signatures {
			if v.verify(s.message, sig) {
				return Signer{Name: v.Name, Fingerprint: v.Fingerprint()}, t.Root.sightingsOfKey(v, s, sig), nil
			}
		}
	}
	return Signer{}, sightings{}, s.refuse(t.Verifiers)
}

// refuse words the refusal by what the signature itself says about its keys.
func (s signed) refuse(verifiers []Verifier) error {
	for _, v := range verifiers {
		if v.isKey() && slices.ContainsFunc(s.claims, v.isNamed) {
			return provenance.Refuse(CodeInvalid, "the payload or the signature was changed after signing",
				"it says that %s (%s) signed it, but the signature does not verify", v.Name, v.Fingerprint())
		}
	}
	by, found := "", "another key, which it does not name"
	if len(s.claims) > 0 {
		by, found = fmt.Sprintf("; it names the key %.100q", s.claims[0]), fmt.Sprintf("the key %.100q, as it says", s.claims[0])
	}
	if !slices.ContainsFunc(verifiers, Verifier.isKey) {
		return provenance.Refuse(CodeKey, "attach the signature as a bundle, which carries its certificate",
			"it carries no certificate, and no key is pinned, only identities (%s)%s", names(verifiers), by)
	}
	err := provenance.Refuse(CodeKey, "use the public key of the pipeline that built the image", "no pinned key (%s) verifies its signature: another key made it, or it was changed%s", names(verifiers), by)
	return provenance.Instead(err, "a signature of "+names(verifiers), found)
}

// parsed is an envelope that nobody has verified.
type parsed struct {
	form     string
	envelope *protodsse.Envelope
	material *protobundle.VerificationMaterial // nil when the envelope is alone
}
