package envelope_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
)

func TestOpen(t *testing.T) {
	key, other := newP256(t), newP256(t)
	v, otherV := pin(t, "cosign.pub", key), pin(t, "other.pub", other)
	env := good(t, key)
	sig := env["signatures"].([]object)[0]
	stranger := signed(t, newP256(t), crypto.SHA256, envelope.PayloadType, statement)
	bundle := bundleOf(hintOf(t, key), env)
	tests := []struct {
		name string
		in   object
		form string
		keys []envelope.Verifier
	}{
		{"envelope", env, envelope.FormATT, []envelope.Verifier{v}},
		{"bundle", bundle, envelope.FormBundle, []envelope.Verifier{v}},
		{"bundle v0.1", with(bundle, "mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.1"), envelope.FormBundle, []envelope.Verifier{v}},
		{"bundle v0.2", with(bundle, "mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.2"), envelope.FormBundle, []envelope.Verifier{v}},
		{"bundle v0.3, old type", with(bundle, "mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.3"), envelope.FormBundle, []envelope.Verifier{v}},
		{"bundle without material", with(bundle, "verificationMaterial", nil), envelope.FormBundle, []envelope.Verifier{v}},
		{"bundle with a stranger's hint", bundleOf("c29tZWJvZHkgZWxzZQ==", env), envelope.FormBundle, []envelope.Verifier{v}},
		{"bundle with fields of the future", with(bundle, "future", object{"a": 1}), envelope.FormBundle, []envelope.Verifier{v}},
		{"second of two keys", env, envelope.FormATT, []envelope.Verifier{otherV, v}},
		{"second of two signatures", with(env, "signatures", []object{stranger, sig}), envelope.FormATT, []envelope.Verifier{v}},
		{"wrong key id", with(env, "signatures", []object{with(sig, "keyid", "sha256:00")}), envelope.FormATT, []envelope.Verifier{v}},
		{"URL-safe base64", with(env, "payload", base64.URLEncoding.EncodeToString([]byte(statement))), envelope.FormATT, []envelope.Verifier{v}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := marshal(t, tt.in)
			got, err := envelope.Open(raw, tt.keys...)
			if err != nil {
				t.Fatal(err)
			}
			if string(got.Payload()) != statement || got.Form() != tt.form || got.IsZero() || got.Digest() != provenance.SumSHA256(raw) {
				t.Errorf("form %q, digest %v, payload %s", got.Form(), got.Digest(), got.Payload())
			}
			if want := (envelope.Signer{Name: "cosign.pub", Fingerprint: v.Fingerprint()}); got.Signer() != want {
				t.Errorf("signer %+v, want %+v", got.Signer(), want)
			}
		})
	}
}

func TestZeroVerified(t *testing.T) {
	var v envelope.Verified
	if !v.IsZero() || len(v.Payload()) > 0 || v.Form() != "" || !v.Digest().IsZero() || v.Signer() != (envelope.Signer{}) ||
		len(v.Times()) > 0 || v.Logged() || v.Untimed() != "nothing was verified" {
		t.Errorf("the zero value says something: %+v", v)
	}
}

// What a caller does with the payload does not change what was verified.
func TestPayloadIsACopy(t *testing.T) {
	key := newP256(t)
	got, err := envelope.Open(marshal(t, good(t, key)), pin(t, "k", key))
	if err != nil {
		t.Fatal(err)
	}
	got.Payload()[0] = 'X'
	if string(got.Payload()) != statement {
		t.Errorf("payload is now %s", got.Payload())
	}
}

func TestOpenRefuses(t *testing.T) {
	key, second := newP256(t), newP256(t)
	v := pin(t, "cosign.pub", key)
	env := good(t, key)
	sig := env["signatures"].([]object)[0]
	bundle := bundleOf(hintOf(t, key), env)
	edited := with(env, "payload", base64.StdEncoding.EncodeToString([]byte(strings.Replace(statement, `"b"`, `"c"`, 1))))
	of := func(payload string) object { // a payload that our key did sign
		return dsseOf(envelope.PayloadType, payload, signed(t, key, crypto.SHA256, envelope.PayloadType, payload))
	}
	material := func(m object) object { return with(bundle, "verificationMaterial", m) }
	raw := func(s string) any { return rawJSON(s) }
	tests := []struct {
		name string
		in   any
		code string
		want string // in the sentence
	}{
		{"another type", with(env, "payloadType", "application/json"), envelope.CodePayloadType, `"application/json"`},
		{"another type, truly signed", dsseOf("text/plain", statement, signed(t, key, crypto.SHA256, "text/plain", statement)), envelope.CodePayloadType, `"text/plain"`},
		{"type in other case", with(env, "payloadType", "Application/vnd.in-toto+json"), envelope.CodePayloadType, "not an in-toto statement"},
		{"no type in a bundle", with(bundle, "dsseEnvelope", with(env, "payloadType", "")), envelope.CodePayloadType, "not an in-toto statement"},
		{"unsigned", dsseOf(envelope.PayloadType, statement), envelope.CodeUnsigned, "no signature"},
		{"unsigned bundle", bundleOf("", dsseOf(envelope.PayloadType, statement)), envelope.CodeUnsigned, "no signature"},
		{"unpinned key", good(t, second), envelope.CodeKey, "no pinned key (cosign.pub)"},
		{"unpinned key in a bundle", bundleOf(hintOf(t, second), good(t, second)), envelope.CodeKey, hintOf(t, second)},
		{"empty signature", dsseOf(envelope.PayloadType, statement, object{"sig": ""}), envelope.CodeKey, "no pinned key"},
		{"signature of another payload", with(env, "signatures", of(`{}`)["signatures"]), envelope.CodeKey, "or it was changed"},
		{"signature of another type", with(env, "signatures", []object{signed(t, key, crypto.SHA256, "text/plain", statement)}), envelope.CodeKey, "no pinned key"},
		{"signature over the payload alone", with(env, "signatures", []object{bare(t, key)}), envelope.CodeKey, "no pinned key"},
		{"edited payload", edited, envelope.CodeKey, "or it was changed"},
		{"edited payload in a bundle", bundleOf(hintOf(t, key), edited), envelope.CodeInvalid, "cosign.pub"},
		{"edited payload, hex key id", with(edited, "signatures", []object{with(sig, "keyid", v.Fingerprint())}), envelope.CodeInvalid, v.Fingerprint()},
		{"our hint on a stranger's bundle", bundleOf(hintOf(t, key), good(t, second)), envelope.CodeInvalid, "does not verify"},
		{"certificate", material(object{"certificate": object{"rawBytes": "AAAA"}}), envelope.CodeCertificate, "identities are not configured"},
		{"certificate chain", material(object{"x509CertificateChain": object{"certificates": []object{{"rawBytes": "AAAA"}}}}), envelope.CodeCertificate, "identities are not configured"},
		{"cosign sign", with(with(bundle, "dsseEnvelope", nil), "messageSignature", object{"signature": "AAAA"}), envelope.CodeForeign, "signs an artifact itself"},
		{"bundle of the future", with(bundle, "mediaType", "application/vnd.dev.sigstore.bundle.v0.4+json"), envelope.CodeForeign, "v0.4"},
		{"something else with a type", object{"mediaType": "application/vnd.oci.image.manifest.v1+json"}, envelope.CodeForeign, "oci.image"},
		{"two contents", with(bundle, "messageSignature", object{"signature": "AAAA"}), envelope.CodeMalformed, "oneof"},
		{"two materials", material(object{"publicKey": object{"hint": ""}, "certificate": object{"rawBytes": "AAAA"}}), envelope.CodeMalformed, "oneof"},
		{"empty bundle", object{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json"}, envelope.CodeMalformed, "no dsseEnvelope"},
		{"neither", object{"payload": "AAAA"}, envelope.CodeMalformed, "neither payloadType nor mediaType"},
		{"array", []object{env}, envelope.CodeMalformed, "cannot unmarshal array"},
		{"text", raw(`hello`), envelope.CodeMalformed, "not JSON"},
		{"nothing", raw(``), envelope.CodeMalformed, "not JSON"},
		{"null", raw(`null`), envelope.CodeMalformed, "neither payloadType nor mediaType"},
		{"two envelopes", raw(string(marshal(t, env)) + string(marshal(t, env))), envelope.CodeMalformed, "more than one"},
		{"payload twice", raw(`{"payload":"AA==",` + string(marshal(t, env))[1:]), envelope.CodeMalformed, "stands twice"},
		{"payload twice, other case", raw(`{"PAYLOAD":"AA==",` + string(marshal(t, env))[1:]), envelope.CodeMalformed, "stands twice"},
		{"dsseEnvelope twice, by its other name", with(bundle, "dsse_envelope", env), envelope.CodeMalformed, "dsse_envelope"},
		{"deep", raw(strings.Repeat(`{"payloadType":`, 100) + "1" + strings.Repeat("}", 100)), envelope.CodeMalformed, "nested deeper"},
		{"payload is no base64", with(env, "payload", "&&&&"), envelope.CodeMalformed, "payload"},
		{"payload is a number", with(env, "payload", 12), envelope.CodeMalformed, "not a DSSE envelope"},
		{"signatures are an object", with(env, "signatures", object{}), envelope.CodeMalformed, "not a DSSE envelope"},
		{"signed: no JSON", of("hello"), envelope.CodeMalformed, "the payload that cosign.pub signed"},
		{"signed: empty", of(""), envelope.CodeMalformed, "the payload that cosign.pub signed"},
		{"signed: key twice", of(`{"a":1,"a":2}`), envelope.CodeMalformed, "stands twice"},
		{"signed: key twice, other case", of(`{"subject":[],"Subject":[]}`), envelope.CodeMalformed, "stands twice"},
		{"signed: key twice, deep inside", of(`{"a":[{"b":1,"B":2}]}`), envelope.CodeMalformed, "stands twice"},
		{"signed: two values", of(`{}{}`), envelope.CodeMalformed, "more than one"},
		{"signed: deep", of(strings.Repeat("[", 1000) + strings.Repeat("]", 1000)), envelope.CodeMalformed, "nested deeper"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := envelope.Open(marshalRaw(t, tt.in), v)
			if codeOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) || strings.ContainsAny(err.Error(), "\n\u00a0") {
				t.Errorf("got %q: %v\nwant %q with %q", codeOf(err), err, tt.code, tt.want)
			}
			if !got.IsZero() {
				t.Errorf("something was verified: %+v", got)
			}
		})
	}
}

// rawJSON is sent as it stands.
type rawJSON string

func marshalRaw(t *testing.T, v any) []byte {
	t.Helper()
	if s, ok := v.(rawJSON); ok {
		return []byte(s)
	}
	return marshal(t, v)
}

// bare is a signature over the payload without the encoding that DSSE asks for.
func bare(t *testing.T, key *ecdsa.PrivateKey) object {
	t.Helper()
	h := crypto.SHA256.New()
	h.Write([]byte(statement))
	sig, err := ecdsa.SignASN1(rand.Reader, key, h.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	return object{"sig": base64.StdEncoding.EncodeToString(sig)}
}

// What is too large is undecided: nobody looked at it.
func TestOpenLimits(t *testing.T) {
	key := newP256(t)
	v, env := pin(t, "cosign.pub", key), good(t, key)
	sig := env["signatures"].([]object)[0]
	var crowd []object
	for range envelope.MaxSignatures {
		crowd = append(crowd, sig)
	}
	if _, err := envelope.Open(marshal(t, with(env, "signatures", crowd)), v); err != nil {
		t.Errorf("%d signatures: %v", len(crowd), err)
	}
	padded := append(marshal(t, env), bytes.Repeat([]byte(" "), envelope.MaxSize)...)
	if _, err := envelope.Open(padded[:envelope.MaxSize], v); err != nil {
		t.Errorf("%d bytes: %v", envelope.MaxSize, err)
	}
	tests := []struct {
		name string
		raw  []byte
		want string
	}{
		{"size", padded[:envelope.MaxSize+1], fmt.Sprintf("has %d bytes", envelope.MaxSize+1)},
		{"signatures", marshal(t, with(env, "signatures", append(crowd, sig))), "has 17 signatures"},
		{"parts", marshal(t, with(env, "signatures", slices.Repeat([]object{{}}, 10_000))), "too many values"},
		{"parts of what nobody knows", marshal(t, with(bundleOf("", env), "x", slices.Repeat([]int{7}, 20_000))), "too many values"},
	}
	for _, tt := range tests {
		got, err := envelope.Open(tt.raw, v)
		if err == nil || codeOf(err) != "" || !strings.Contains(err.Error(), tt.want) || !got.IsZero() {
			t.Errorf("%s: got %v, want an error that is no refusal, with %q", tt.name, err, tt.want)
		}
	}
}

// A refusal does not repeat megabytes of what it refuses.
func TestRefusalsAreShort(t *testing.T) {
	key := newP256(t)
	long := strings.Repeat("x", 1<<20)
	for _, in := range []object{
		with(good(t, key), "payloadType", long),
		with(good(t, key), "payload", long+"&"),
		with(bundleOf("", good(t, key)), "mediaType", long),
		bundleOf(long, good(t, newP256(t))),
		{long: long},
	} {
		_, err := envelope.Open(marshal(t, in), pin(t, "cosign.pub", key))
		if codeOf(err) == "" || len(err.Error()) > 500 {
			t.Errorf("%d bytes of error: %.200v", len(err.Error()), err)
		}
	}
}

func TestOpenWithoutKeys(t *testing.T) {
	key := newP256(t)
	raw := marshal(t, good(t, key))
	for name, keys := range map[string][]envelope.Verifier{
		"none": nil, "zero": {{}}, "zero with a name": {{Name: "k"}}, "zero beside a good one": {pin(t, "k", key), {}},
	} {
		got, err := envelope.Open(raw, keys...)
		var misused *provenance.Misused
		if !errors.As(err, &misused) || !got.IsZero() {
			t.Errorf("%s: got %v, want a mistake", name, err)
		}
	}
}

// Every kind of key, with every hash that its owner may have signed with, and no other.
func TestKeysAndHashes(t *testing.T) {
	curve := func(c elliptic.Curve) crypto.Signer {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		key  crypto.Signer
		good []crypto.Hash
		bad  []crypto.Hash
	}{
		{"P-256", curve(elliptic.P256()), []crypto.Hash{crypto.SHA256}, []crypto.Hash{crypto.SHA1, crypto.SHA384, crypto.SHA512}},
		{"P-384", curve(elliptic.P384()), []crypto.Hash{crypto.SHA256, crypto.SHA384}, []crypto.Hash{crypto.SHA1, crypto.SHA512}},
		{"P-521", curve(elliptic.P521()), []crypto.Hash{crypto.SHA256, crypto.SHA512}, []crypto.Hash{crypto.SHA1, crypto.SHA384}},
		{"RSA", rsaKey, []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}, []crypto.Hash{crypto.SHA1}},
		{"Ed25519", edKey, []crypto.Hash{0, crypto.SHA512}, nil},
	}
	for _, tt := range tests {
		v := pin(t, tt.name, tt.key)
		for _, h := range tt.good {
			env := dsseOf(envelope.PayloadType, statement, signed(t, tt.key, h, envelope.PayloadType, statement))
			if _, err := envelope.Open(marshal(t, env), v); err != nil {
				t.Errorf("%s with %v: %v", tt.name, h, err)
			}
		}
		for _, h := range tt.bad {
			env := dsseOf(envelope.PayloadType, statement, signed(t, tt.key, h, envelope.PayloadType, statement))
			if _, err := envelope.Open(marshal(t, env), v); codeOf(err) != envelope.CodeKey {
				t.Errorf("%s with %v: got %v, want a refusal", tt.name, h, err)
			}
		}
	}
}

// No bit of an envelope can be flipped so that something else is believed: it is refused, or (in the hint, or between the
// tokens) it still says exactly what was signed.
func TestFlippedBits(t *testing.T) {
	key := newP256(t)
	v := pin(t, "cosign.pub", key)
	env := good(t, key)
	for name, o := range map[string]object{"envelope": env, "bundle": bundleOf(hintOf(t, key), env)} {
		raw := marshal(t, o)
		believed := 0
		for bit := range len(raw) * 8 {
			flipped := bytes.Clone(raw)
			flipped[bit/8] ^= 1 << (bit % 8)
			got, err := envelope.Open(flipped, v)
			switch {
			case err != nil && codeOf(err) == "":
				t.Fatalf("%s, bit %d: %v is no refusal", name, bit, err)
			case err == nil && (string(got.Payload()) != statement || got.Signer().Fingerprint != v.Fingerprint()):
				t.Fatalf("%s, bit %d: believed %s by %+v", name, bit, got.Payload(), got.Signer())
			case err == nil:
				believed++
			}
		}
		if believed > len(raw)*8/10 {
			t.Errorf("%s: %d of %d flips change nothing: the test does not test", name, believed, len(raw)*8)
		}
	}
}

// No bit of the payload, the signature or the type itself can be flipped at all.
func TestFlippedContent(t *testing.T) {
	key := newP256(t)
	v, env := pin(t, "cosign.pub", key), good(t, key)
	sig := env["signatures"].([]object)[0]["sig"].(string)
	decoded, err := base64.StdEncoding.DecodeString(sig)
	if err != nil {
		t.Fatal(err)
	}
	flip := func(data []byte, bit int) []byte {
		out := bytes.Clone(data)
		out[bit/8] ^= 1 << (bit % 8)
		return out
	}
	var changed []object
	for bit := range len(statement) * 8 {
		changed = append(changed, with(env, "payload", base64.StdEncoding.EncodeToString(flip([]byte(statement), bit))))
	}
	for bit := range len(decoded) * 8 {
		changed = append(changed, with(env, "signatures", []object{{"sig": base64.StdEncoding.EncodeToString(flip(decoded, bit))}}))
	}
	for bit := range len(envelope.PayloadType) * 8 {
		changed = append(changed, with(env, "payloadType", string(flip([]byte(envelope.PayloadType), bit))))
	}
	for i, o := range changed {
		if _, err := envelope.Open(marshal(t, o), v); codeOf(err) == "" {
			t.Fatalf("change %d: got %v, want a refusal: %v", i, err, o)
		}
	}
}

func TestUnverifiedEnvelopeOf(t *testing.T) {
	key := newP256(t)
	env := good(t, key)
	got, predicateType, err := envelope.UnverifiedEnvelopeOf(marshal(t, bundleOf(hintOf(t, key), env)))
	if err != nil {
		t.Fatal(err)
	}
	if predicateType != "https://slsa.dev/provenance/v1" {
		t.Errorf("predicateType %q", predicateType)
	}
	verified, err := envelope.Open(got, pin(t, "cosign.pub", key))
	if err != nil || verified.Form() != envelope.FormATT || string(verified.Payload()) != statement {
		t.Errorf("%v: %s", err, got)
	}
	again, _, err := envelope.UnverifiedEnvelopeOf(got)
	if err != nil || !bytes.Equal(again, got) {
		t.Errorf("an envelope's envelope is itself: %v\n%s\n%s", err, again, got)
	}
	for name, in := range map[string]object{
		envelope.CodeForeign:   {"mediaType": "text/plain"},
		envelope.CodeMalformed: dsseOf(envelope.PayloadType, "hello"),
	} {
		if _, _, err := envelope.UnverifiedEnvelopeOf(marshal(t, in)); codeOf(err) != name {
			t.Errorf("got %v, want %s", err, name)
		}
	}
}
