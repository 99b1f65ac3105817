package envelope_test

import (
	"crypto"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance/envelope"
)

// FuzzOpen throws bytes at the door. Whatever comes through was signed by the pinned key, which signed one statement only.
func FuzzOpen(f *testing.F) {
	key := newP256(f)
	v := pin(f, "cosign.pub", key)
	env := good(f, key)
	sig := env["signatures"].([]object)[0]
	bundle := bundleOf(hintOf(f, key), env)
	seeds := map[string]object{ // by the code that is expected of them; empty: it opens
		"":                       env,
		" bundle":                bundle,
		" old bundle":            with(bundle, "mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.1"),
		" two signatures":        with(env, "signatures", []object{signed(f, newP256(f), crypto.SHA256, envelope.PayloadType, statement), sig}),
		envelope.CodePayloadType: with(env, "payloadType", "text/plain"),
		envelope.CodeUnsigned:    dsseOf(envelope.PayloadType, statement),
		envelope.CodeKey:         good(f, newP256(f)),
		envelope.CodeInvalid:     bundleOf(hintOf(f, key), good(f, newP256(f))),
		envelope.CodeCertificate: with(bundle, "verificationMaterial", object{"certificate": object{"rawBytes": "AAAA"}}),
		envelope.CodeForeign:     with(with(bundle, "dsseEnvelope", nil), "messageSignature", object{"signature": "AAAA"}),
		envelope.CodeMalformed:   with(env, "payload", "&"),
	}
	for name, seed := range seeds {
		raw := marshal(f, seed)
		want, _, _ := strings.Cut(name, " ")
		if _, err := envelope.Open(raw, v); codeOf(err) != want || (err == nil) != (want == "") {
			f.Fatalf("seed %q: got %v", name, err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := envelope.Open(raw, v)
		if err != nil {
			if !got.IsZero() {
				t.Errorf("%v, and yet verified: %+v", err, got)
			}
			return
		}
		if string(got.Payload()) != statement || got.Signer().Fingerprint != v.Fingerprint() {
			t.Errorf("believed %s by %+v", got.Payload(), got.Signer())
		}
	})
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
