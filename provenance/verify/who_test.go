package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/digitorus/timestamp"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/seed-3480f271/provenance/provenance/envelope"
)

// office is an authority of one's own that certifies keys, and says the time.
type office struct {
	key    signer
	cert   *x509.Certificate
	second *x509.Certificate // of its clock
}

func newOffice(t testing.TB) office {
	t.Helper()
	o := office{key: newSigner(t, "office")}
	ca := x509.Certificate{Subject: pkix.Name{CommonName: "Contoso"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	o.cert = &ca
	o.cert = o.certify(t, ca, o.key.private)
	timeStamping, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	must(t, err)
	o.second = o.certify(t, x509.Certificate{Subject: pkix.Name{CommonName: "Contoso Time"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: timeStamping}}}, o.key.private)
	return o
}

func (o office) certify(t testing.TB, template x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = at(1, 0), time.Now().Add(24*time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, &template, o.cert, key.Public(), o.key.private)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return cert
}

// root is the trusted root that names it.
func (o office) root(t testing.TB) *envelope.TrustedRoot {
	t.Helper()
	entry := func(chain ...*x509.Certificate) []any {
		var certs []any
		for _, c := range chain {
			certs = append(certs, map[string]any{"rawBytes": c.Raw})
		}
		return []any{map[string]any{"uri": "https://contoso.com", "certChain": map[string]any{"certificates": certs}, "validFor": map[string]any{"start": at(1, 0)}}}
	}
	root, err := envelope.ParseTrustedRoot("root.json", marshal(t, map[string]any{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
		"certificateAuthorities": entry(o.cert), "timestampAuthorities": entry(o.second, o.cert)}))
	must(t, err)
	return root
}

// certified is an envelope in a bundle, with a certificate of the key, and a timestamp.
func (o office) certified(t testing.TB, raw []byte, by signer, name string, when time.Time) []byte {
	t.Helper()
	uri, err := url.Parse(name)
	must(t, err)
	leaf := o.certify(t, x509.Certificate{KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, URIs: []*url.URL{uri}}, by.private)
	var env dsse.Envelope
	must(t, json.Unmarshal(raw, &env))
	sig, err := base64.StdEncoding.DecodeString(env.Signatures[0].Sig)
	must(t, err)
	sum := sha256.Sum256(sig)
	stamp, err := (&timestamp.Timestamp{HashAlgorithm: crypto.SHA256, HashedMessage: sum[:], Time: when, Policy: asn1.ObjectIdentifier{1, 2, 3},
		AddTSACertificate: true}).CreateResponseWithOpts(o.second, o.key.private, crypto.SHA256)
	must(t, err)
	return marshal(t, map[string]any{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "dsseEnvelope": json.RawMessage(raw),
		"verificationMaterial": map[string]any{"certificate": map[string]any{"rawBytes": leaf.Raw},
			"timestampVerificationData": map[string]any{"rfc3161Timestamps": []any{map[string]any{"signedTimestamp": stamp}}}}})
}

// TestAKeyAndItsCertificateAreTwo: whoever can write to the registry can take the certificate off a signature. What is left is the
// key's own word, whose time is over, and does no harm to what the identity said, wherever it lies; nor has it the other's timestamp.
func TestAKeyAndItsCertificateAreTwo(t *testing.T) {
	const text = "version: 1\nbuilders: [{id: \"" + builderID + "\", keys: [{key: cosign.pub, until: 2026-11-02}], identities: [{san: \"https://contoso.com/nightly\"}]}]"
	builder, o := newSigner(t, "cosign.pub"), newOffice(t)
	s := newScene(t)
	s.in.Policy = policyOf(t, text, builder)
	var err error
	s.in.Trust, s.in.Builders, err = Believe(s.in.Policy, nil, o.root(t))
	must(t, err)
	bare := builder.sign(t, s.night.payload(t))
	opened := func(where string, raw []byte) Candidate {
		verified, err := s.in.Trust.Open(raw)
		must(t, err)
		return Candidate{Where: where, Form: verified.Form(), Verified: verified}
	}
	key, identity := opened("key", bare), opened("identity", o.certified(t, bare, builder, "https://contoso.com/nightly", at(23, 3)))
	for name, candidates := range map[string][]Candidate{"the key's first": {key, identity}, "the identity's first": {identity, key}, "alone": {identity}} {
		s.in.Candidates = candidates
		r := Decide(t.Context(), s.in)
		if r.Verdict != Accepted || r.Attestation.Signer.Identity == nil || len(r.Attestation.Where) != 1 || len(r.Attestation.Times) != 1 {
			t.Errorf("%s: %s %+v", name, r.Verdict, r.Findings)
		}
	}
	s.in.Candidates = []Candidate{key}
	expect(t, Decide(t.Context(), s.in), Refused, "signature.time")
}
