package envelope

import (
	"time"

	"github.com/seed-3480f271/provenance/provenance"
)

// Trust says whose signatures count, and whose clocks.
type Trust struct {
	Verifiers []Verifier
	// Root names the certificate authorities, timestamp authorities and transparency logs that are believed. Nil: none, so that no
	// certificate can be believed and no time of a signature is known.
	Root *TrustedRoot
}

// TrustedRoot is a Sigstore trusted root file. [ParseTrustedRoot] makes it.
// Source: https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto (TrustedRoot)
type TrustedRoot struct {
	Name   string            // the file, for messages
	Digest provenance.Digest // sha256 of its bytes
}

// ParseTrustedRoot reads a trusted root file. name is what messages call it. Everything that is not one is a *[provenance.Misused].
func ParseTrustedRoot(name string, data []byte) (*TrustedRoot, error) {
	return nil, provenance.Misuse("", "trusted roots are not read yet: %s", name)
}

// Identity is whom a certificate names.
type Identity struct {
	// Issuer is the OIDC issuer that Fulcio wrote into the certificate, compared exactly. Empty: the certificate is of another
	// kind of authority, and names none.
	Issuer string `json:"issuer,omitempty"`
	SAN    string `json:"san,omitempty"` // subject alternative name, compared exactly
	// SANPattern is a regular expression (RE2) that the whole name has to match, in place of SAN.
	SANPattern string `json:"sanPattern,omitempty"`
}

// NewIdentity pins an identity instead of a key. Open believes it only with a [TrustedRoot] that has the certificate's authority.
// An identity that says less than it must is a *[provenance.Misused].
func NewIdentity(name string, id Identity) (Verifier, error) {
	return Verifier{}, provenance.Misuse("", "identities are not read yet: %s", name)
}

// The kinds of a [Time].
const (
	TimeStamp = "timestamp" // RFC 3161, by a timestamp authority
	TimeLog   = "log"       // the time at which a transparency log took the signature in
)

// Time is when a signature was there, as somebody says whom the trusted root names. It may have been made earlier.
type Time struct {
	At   time.Time `json:"at"`
	Kind string    `json:"kind"`
	By   string    `json:"by"` // the authority's or log's name in the trusted root
}

// Times are the verified times of the signature, the earliest first.
func (v Verified) Times() []Time { return nil }

// Untimed says why there are no verified times; empty when there are some.
func (v Verified) Untimed() string { return "it carries no timestamp" }

// Logged tells whether a transparency log that the trusted root names has the signature.
func (v Verified) Logged() bool { return false }

// Made tells whether s is this key, or an identity that this one covers.
func (v Verifier) Made(s Signer) bool { return s.Fingerprint == v.Fingerprint() }

// IsIdentity tells whether an identity is pinned, and no key.
func (v Verifier) IsIdentity() bool { return false }

// OpenBlob is a stub until the real one is merged.
func (t Trust) OpenBlob(bundle, blob []byte) (Signer, error) {
	return Signer{}, provenance.Misuse("", "not yet")
}
