package envelope

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/seed-3480f271/provenance/provenance"
)

// isCertified tells whether a certificate stands beside the signature.
func (s signed) isCertified() bool {
	return s.material.GetCertificate() != nil || s.material.GetX509CertificateChain() != nil
}

// leafDER is the certificate beside the signature. What else a chain has is not read: the trusted root has the authorities.
func (s signed) leafDER() []byte {
	if chain := s.material.GetX509CertificateChain().GetCertificates(); len(chain) > 0 {
		return chain[0].GetRawBytes()
	}
	return s.material.GetCertificate().GetRawBytes()
}

// findIdentity finds who of the pinned identities signed with a certificate, and who saw it.
func (t Trust) findIdentity(s signed) (Signer, sightings, error) {
	if err := t.checkCertificates(); err != nil {
		return Signer{}, sightings{}, err
	}
	leaf, key, err := s.certificate()
	if err != nil {
		return Signer{}, sightings{}, err
	}
	seen, err := t.Root.checkLeaf(leaf, s)
	if err != nil {
		return Signer{}, sightings{}, err
	}
	id, err := identityOf(leaf)
	if err != nil {
		return Signer{}, sightings{}, provenance.Refuse(CodeIdentity, "issue a certificate with one subject alternative name, of a URI, a DNS name or an address", "%s", err)
	}
	for _, v := range t.Verifiers {
		if v.IsIdentity() && v.identity.covers(id) {
			return Signer{Name: v.Name, Fingerprint: key.Fingerprint(), Identity: &id}, seen, nil
		}
	}
	return Signer{}, sightings{}, t.refuseIdentity(id)
}

// checkCertificates tells whether t can believe any certificate.
func (t Trust) checkCertificates() error {
	switch {
	case !slices.ContainsFunc(t.Verifiers, Verifier.IsIdentity):
		return provenance.Refuse(CodeCertificate, "name the identity of the builder, and a trusted root with its authority", "it is signed by a certificate; identities are not configured")
	case t.Root == nil:
		return provenance.Refuse(CodeCertificate, "give a trusted root with the certificate's authority", "it is signed by a certificate; there is no trusted root to check it with")
	}
	return nil
}

// refuseIdentity says whom the certificate names, and whom it should.
func (t Trust) refuseIdentity(found Identity) error {
	var expected []string
	for _, v := range t.Verifiers {
		if v.IsIdentity() {
			expected = append(expected, v.identity.String())
		}
	}
	wanted := strings.Join(expected, ", or ")
	return provenance.Instead(provenance.Refuse(CodeIdentity, "if it is a builder of yours, pin its identity", "the certificate is of %s; expected is %.1000s", found, wanted), wanted, found.String())
}

// certificate is the certificate beside the signature, with its key, after all checks that need nobody else: that it is for
// signing, and that its key signed.
func (s signed) certificate() (*x509.Certificate, Verifier, error) {
	der := s.leafDER()
	if len(der) > maxCertificate {
		return nil, Verifier{}, provenance.Refuse(CodeCertificate, "issue a certificate of the usual size: some kilobytes", "its certificate has %d bytes; at most %d are read", len(der), maxCertificate)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, Verifier{}, malformed(fmt.Errorf("its certificate: %w", err))
	}
	schemes, err := schemesOf(leaf.PublicKey)
	if err != nil {
		return nil, Verifier{}, provenance.Refuse(CodeCertificate, "sign with an ECDSA P-256 key, or RSA of 2048 bits", "the key of its certificate cannot be used: %v", err)
	}
	key, err := newVerifier("the certificate's key", leaf.PublicKey, schemes)
	if err != nil {
		return nil, Verifier{}, err
	}
	if err := checkUsage(leaf); err != nil {
		return nil, Verifier{}, err
	}
	if len(s.signatures) != 1 {
		return nil, Verifier{}, malformed(fmt.Errorf("a bundle with a certificate has one signature, not %d", len(s.signatures)))
	}
	if !key.verify(s.message, s.signatures[0]) {
		return nil, Verifier{}, provenance.Refuse(CodeInvalid, "the payload, the signature or the certificate was changed after signing",
			"the key of its certificate did not make its signature")
	}
	return leaf, key, nil
}

// checkUsage tells whether a certificate is one for signing. Go's chains accept a certificate that does not say what it is for.
// Source: https://github.com/sigstore/fulcio/blob/main/docs/certificate-specification.md
func checkUsage(leaf *x509.Certificate) error {
	reason := ""
	switch {
	case leaf.IsCA:
		reason = "is that of an authority"
	case leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		reason = "is not for digital signatures"
	case !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageCodeSigning):
		reason = "is not for code signing"
	default:
		return nil
	}
	return provenance.Refuse(CodeCertificate, "issue a certificate with the extended key usage codeSigning", "its certificate %s", reason)
}

// checkLeaf checks that an authority of the trusted root issued the certificate, and that both were valid whenever somebody
// saw the signature.
func (r *TrustedRoot) checkLeaf(leaf *x509.Certificate, s signed) (sightings, error) {
	sig := s.signatures[0]
	seen := r.sightings(observed{sig, s.content(sig), maker{leaf: leaf}, s.material})
	if len(seen.badEntries) > 0 {
		return sightings{}, provenance.Refuse(CodeLog, "record again; somebody changed the entry, or the trusted root has another key of the log", "%.500s", joined(seen.badEntries))
	}
	if len(seen.times) == 0 {
		return sightings{}, provenance.Refuse(CodeTime, "sign with --timestamp-url, and name the timestamp authority in the trusted root",
			"nobody says when the certificate signed: %s", seen.untimed())
	}
	var chains [][]*x509.Certificate
	for _, at := range seen.times {
		var err error
		if chains, err = r.chainsAt(leaf, at); err != nil {
			return sightings{}, err
		}
	}
	if len(r.material.CTLogs()) == 0 {
		return seen, nil
	}
	if err := verify.VerifySignedCertificateTimestamp(chains, 1, r.material); err != nil {
		return sightings{}, provenance.Refuse(CodeLog, "a trusted root that names logs of certificates wants every certificate in one: keep an own authority in a trusted root of its own",
			"no certificate transparency log of %s vouches for its certificate: %.300v", r.Name, err)
	}
	return seen, nil
}

// chainsAt are the chains from the certificate to an authority that was valid at a time: the certificate, every one above it,
// and the trusted root's own window for it.
func (r *TrustedRoot) chainsAt(leaf *x509.Certificate, at Time) ([][]*x509.Certificate, error) {
	when := at.At.Format(time.RFC3339)
	if at.At.Before(leaf.NotBefore) || at.At.After(leaf.NotAfter) {
		return nil, provenance.Refuse(CodeTime, "record again: a certificate signs while it is valid", "its certificate was valid from %s to %s, but %s saw the signature at %s",
			leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339), at.By, when)
	}
	leaf = withoutSAN(leaf)
	var reasons []error
	for _, authority := range r.material.FulcioCertificateAuthorities() {
		chains, err := authority.Verify(leaf, at.At)
		if err == nil {
			return chains, nil
		}
		if issues(authority, leaf) {
			reasons = append(reasons, err)
		}
	}
	if len(reasons) == 0 {
		return nil, provenance.Refuse(CodeAuthority, "name its authority in the trusted root, if it is yours",
			"its certificate is of %.200q, which %s does not name", leaf.Issuer, r.Name)
	}
	return nil, provenance.Refuse(CodeAuthority, "was the authority still valid, and is it the one in the trusted root? record with a certificate of one that is", "its certificate does not lead to %.200q as %s has it at %s: %.400s", leaf.Issuer, r.Name, when, joined(reasons))
}

// withoutSAN is the certificate with its subject alternative names marked as understood. Go does not know Fulcio's otherName,
// which is critical; [identityOf] reads it.
func withoutSAN(leaf *x509.Certificate) *x509.Certificate {
	known := *leaf
	known.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(leaf.UnhandledCriticalExtensions), func(id asn1.ObjectIdentifier) bool {
		return id.Equal(cryptoutils.SANOID)
	})
	return &known
}

// issues tells whether an authority has the name that the certificate gives for its issuer.
func issues(authority root.CertificateAuthority, leaf *x509.Certificate) bool {
	a, ok := authority.(*root.FulcioCertificateAuthority)
	return ok && slices.ContainsFunc(append(slices.Clone(a.Intermediates), a.Root), func(c *x509.Certificate) bool {
		return bytes.Equal(c.RawSubject, leaf.RawIssuer)
	})
}
