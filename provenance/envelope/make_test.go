package envelope_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
)

// blob is what the statement is about.
const blob = "hello\n"

// statement is the least that stock cosign takes for SLSA provenance.
const statement = `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"blob","digest":{"sha256":` +
	`"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"}}],"predicateType":"https://slsa.dev/provenance/v1",` +
	`"predicate":{"buildDefinition":{"buildType":"https://example.com/build","externalParameters":{"a":"b"}},` +
	`"runDetails":{"builder":{"id":"https://example.com/builder"}}}}`

// object is some JSON.
type object = map[string]any

func newP256(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func derOf(t testing.TB, key crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// pin is the verifier of a private key.
func pin(t testing.TB, name string, key crypto.Signer) envelope.Verifier {
	t.Helper()
	v, err := envelope.ParsePublicKey(name, pemOf("PUBLIC KEY", derOf(t, key.Public())))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// signed is a signature as an envelope holds it, over the payload with the digest that hash makes; hash 0 signs the message.
func signed(t testing.TB, key crypto.Signer, hash crypto.Hash, payloadType, payload string) object {
	t.Helper()
	message := dsse.PAE(payloadType, []byte(payload))
	if hash != 0 {
		h := hash.New()
		h.Write(message)
		message = h.Sum(nil)
	}
	var options crypto.SignerOpts = hash
	if _, isEd := key.(ed25519.PrivateKey); isEd {
		options = &ed25519.Options{Hash: hash}
	}
	sig, err := key.Sign(rand.Reader, message, options)
	if err != nil {
		t.Fatal(err)
	}
	return object{"sig": base64.StdEncoding.EncodeToString(sig)}
}

// dsseOf is a DSSE envelope.
func dsseOf(payloadType, payload string, signatures ...object) object {
	if signatures == nil {
		signatures = []object{}
	}
	return object{"payloadType": payloadType, "payload": base64.StdEncoding.EncodeToString([]byte(payload)), "signatures": signatures}
}

// good is an envelope with the statement, signed as cosign signs.
func good(t testing.TB, key crypto.Signer) object {
	t.Helper()
	return dsseOf(envelope.PayloadType, statement, signed(t, key, crypto.SHA256, envelope.PayloadType, statement))
}

// bundleOf is a Sigstore bundle around an envelope.
func bundleOf(hint string, env object) object {
	return object{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
		"verificationMaterial": object{"publicKey": object{"hint": hint}}, "dsseEnvelope": env}
}

// hintOf is how Sigstore names a key.
func hintOf(t testing.TB, key crypto.Signer) string {
	t.Helper()
	sum := sha256.Sum256(derOf(t, key.Public()))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// with is o with one field more, or another.
func with(o object, key string, value any) object {
	out := object{key: value}
	for k, v := range o {
		if k != key {
			out[k] = v
		}
	}
	return out
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// codeOf is the code of a refusal, and empty for every other error.
func codeOf(err error) string {
	var refused *provenance.Refused
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

// otherKeys are private keys, in PKCS #8, of the kinds that `cosign import-key-pair` takes beside P-256.
func otherKeys(t testing.TB) map[string][]byte {
	t.Helper()
	ders := map[string][]byte{}
	for name, make := range map[string]func() (any, error){
		"p384":    func() (any, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) },
		"p521":    func() (any, error) { return ecdsa.GenerateKey(elliptic.P521(), rand.Reader) },
		"rsa3072": func() (any, error) { return rsa.GenerateKey(rand.Reader, 3072) },
		"ed25519": func() (any, error) { _, key, err := ed25519.GenerateKey(rand.Reader); return key, err },
	} {
		key, err := make()
		if err != nil {
			t.Fatal(err)
		}
		if ders[name], err = x509.MarshalPKCS8PrivateKey(key); err != nil {
			t.Fatal(err)
		}
	}
	return ders
}
