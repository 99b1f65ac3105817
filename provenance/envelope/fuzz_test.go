package envelope_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"strings"
	"testing"
	"unicode/utf8"

	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/proto"

	"github.com/seed-3480f271/provenance/provenance/envelope"
)

// FuzzOpen throws bytes at the door. Whatever comes through was signed by the pinned key, or by the certificate of the pinned
// identity, which signed one statement only.
func FuzzOpen(f *testing.F) {
	key := newP256(f)
	s := play(f, nil, nil)
	trust := s.trust()
	trust.Verifiers = append(trust.Verifiers, pin(f, "cosign.pub", key))
	seeds := keySeeds(f, key)
	for name, seed := range certificateSeeds(f, s) {
		seeds[name] = seed
	}
	for name, seed := range seeds {
		raw := marshal(f, seed)
		want, _, _ := strings.Cut(name, " ")
		if _, err := trust.Open(raw); codeOf(err) != want || (err == nil) != (want == "") {
			f.Fatalf("seed %q: got %v", name, err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := trust.Open(raw)
		if err != nil {
			if !got.IsZero() {
				t.Errorf("%v, and yet verified: %+v", err, got)
			}
			return
		}
		signer := pin(t, "cosign.pub", key)
		if got.Signer().Identity != nil {
			signer = pin(t, "leaf", s.leaf.key)
		}
		if id := got.Signer().Identity; id != nil && *id != s.identity {
			t.Errorf("believed %v", id)
		}
		if string(got.Payload()) != statement || got.Signer().Fingerprint != signer.Fingerprint() {
			t.Errorf("believed %s by %+v", got.Payload(), got.Signer())
		}
	})
}

// FuzzSightings throws bytes at what stands beside a signature: it stays good, and nobody saw it who did not.
func FuzzSightings(f *testing.F) {
	a, key := newAuthorities(f), newP256(f)
	env, root := good(f, key), parseRoot(f, a.trustedRoot(f))
	trust := envelope.Trust{Verifiers: []envelope.Verifier{pin(f, "cosign.pub", key)}, Root: root}
	v1, v2 := entryV1(f, a.log, env, pemOf("PUBLIC KEY", derOf(f, key.Public())), noon), entryV2(f, a.log, env, byKey(f, key))
	beside := func(t testing.TB, stamp, body []byte, checkpoint string, old bool) object {
		entry := proto.CloneOf(v2)
		if old {
			entry = proto.CloneOf(v1)
		}
		entry.CanonicalizedBody, entry.InclusionProof.Checkpoint.Envelope = body, checkpoint
		return object{"timestampVerificationData": stamps(stamp), "tlogEntries": entries(t, entry)}
	}
	open := func(t testing.TB, material object) envelope.Verified {
		got, err := trust.Open(marshal(t, with(bundleOf("", env), "verificationMaterial", material)))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	stamp := stampOf(f, a.tsa, sigOf(f, env), noon)
	for _, entry := range []*protorekor.TransparencyLogEntry{v1, v2} {
		old, checkpoint := entry.InclusionPromise != nil, entry.InclusionProof.Checkpoint.Envelope
		if got := open(f, beside(f, stamp, entry.CanonicalizedBody, checkpoint, old)); !got.Logged() || (len(got.Times()) == 2) != old {
			f.Fatalf("the seed is not good: %v, %q", got.Times(), got.Untimed())
		}
		f.Add(stamp, entry.CanonicalizedBody, checkpoint, old)
	}
	f.Fuzz(func(t *testing.T, stamp, body []byte, checkpoint string, old bool) {
		if !utf8.ValidString(checkpoint) {
			return // no bundle, which is JSON, can hold it
		}
		got := open(t, beside(t, stamp, body, checkpoint, old))
		for _, at := range got.Times() {
			if !at.At.Equal(noon) {
				t.Errorf("seen at %v", at)
			}
		}
		if got.Logged() && !bytes.Equal(body, v1.CanonicalizedBody) && !bytes.Equal(body, v2.CanonicalizedBody) {
			t.Errorf("logged by %s", body)
		}
	})
}

// keySeeds are bundles and envelopes of a key, by the code that is expected of them; empty: it opens.
func keySeeds(f *testing.F, key *ecdsa.PrivateKey) map[string]object {
	env := good(f, key)
	sig := env["signatures"].([]object)[0]
	bundle := bundleOf(hintOf(f, key), env)
	return map[string]object{
		"":                       env,
		" bundle":                bundle,
		" old bundle":            with(bundle, "mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.1"),
		" two signatures":        with(env, "signatures", []object{signed(f, newP256(f), crypto.SHA256, envelope.PayloadType, statement), sig}),
		envelope.CodePayloadType: with(env, "payloadType", "text/plain"),
		envelope.CodeUnsigned:    dsseOf(envelope.PayloadType, statement),
		envelope.CodeKey:         good(f, newP256(f)),
		envelope.CodeInvalid:     bundleOf(hintOf(f, key), good(f, newP256(f))),
		envelope.CodeForeign:     with(with(bundle, "dsseEnvelope", nil), "messageSignature", object{"signature": "AAAA"}),
		envelope.CodeMalformed:   with(env, "payload", "&"),
	}
}

// certificateSeeds are bundles with a certificate.
func certificateSeeds(f *testing.F, s *scene) map[string]object {
	stamp := s.beside["timestampVerificationData"]
	v1, v2 := entryV1(f, s.log, s.env, s.certPEM(), noon), entryV2(f, s.log, s.env, byCertificate(s.leaf))
	foreign := entryV1(f, s.log, good(f, s.leaf.key), s.certPEM(), noon)
	of := func(leaf *x509.Certificate, beside object) object { return certified(leaf, s.env, beside) }
	server := s.template
	server.ExtKeyUsage = nil
	chain := object{"timestampVerificationData": stamp, "x509CertificateChain": object{"certificates": []object{{"rawBytes": s.leaf.cert.Raw}}}}
	return map[string]object{
		" certificate":                    of(s.leaf.cert, s.beside),
		" certificate in a chain":         with(bundleOf("", s.env), "verificationMaterial", chain),
		" certificate in logs":            of(s.leaf.cert, object{"timestampVerificationData": stamp, "tlogEntries": entries(f, v1, v2)}),
		envelope.CodeTime:                 of(s.leaf.cert, object{"tlogEntries": entries(f, v2)}),
		envelope.CodeLog:                  of(s.leaf.cert, object{"tlogEntries": entries(f, foreign)}),
		envelope.CodeAuthority:            of(issueFor(f, s.template, nil, s.leaf.key).cert, s.beside),
		envelope.CodeCertificate:          of(issueFor(f, server, &s.ca, s.leaf.key).cert, s.beside),
		envelope.CodeIdentity:             of(issueFor(f, otherTemplate(), &s.ca, s.leaf.key).cert, s.beside),
		envelope.CodeInvalid + " by it":   certified(s.leaf.cert, good(f, newP256(f)), s.beside),
		envelope.CodeMalformed + " in it": with(bundleOf("", s.env), "verificationMaterial", object{"certificate": object{"rawBytes": "AAAA"}}),
	}
}

// otherTemplate is of a certificate of somebody else.
func otherTemplate() x509.Certificate {
	template := leafTemplate()
	template.ExtraExtensions = append(v2Only(oidcIssuer), names(true, uri("https://mallory.example/")))
	return template
}

// FuzzUnverifiedEnvelopeOf checks that copying an attestation from a bundle into an envelope neither adds nor loses trust.
func FuzzUnverifiedEnvelopeOf(f *testing.F) {
	key := newP256(f)
	v := pin(f, "cosign.pub", key)
	for _, seed := range []object{good(f, key), bundleOf(hintOf(f, key), good(f, key)), good(f, newP256(f))} {
		raw := marshal(f, seed)
		if _, _, err := envelope.UnverifiedEnvelopeOf(raw); err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, before := envelope.Open(raw, v)
		copied, _, err := envelope.UnverifiedEnvelopeOf(raw)
		if err != nil {
			if before == nil {
				t.Errorf("it opens, and cannot be copied: %v", err)
			}
			return
		}
		_, after := envelope.Open(copied, v)
		if after == nil && before != nil && codeOf(before) != envelope.CodeCertificate {
			t.Errorf("only the copy opens; the original: %v", before)
		}
		if before == nil && after != nil {
			t.Errorf("only the original opens; the copy: %v", after)
		}
	})
}
