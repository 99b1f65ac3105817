package envelope_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
)

// blobBundle is a bundle with a signature of a file itself.
func blobBundle(t testing.TB, key *ecdsa.PrivateKey, content string, material object) (bundle object, sig []byte) {
	t.Helper()
	sum := sha256.Sum256([]byte(content))
	sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return object{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "verificationMaterial": material,
		"messageSignature": object{"messageDigest": object{"algorithm": "SHA2_256", "digest": sum[:]}, "signature": sig}}, sig
}

// certifiedBlob is one of a certificate, with a timestamp.
func certifiedBlob(s *scene, content string) object {
	bundle, sig := blobBundle(s.t, s.leaf.key, content, nil)
	return with(bundle, "verificationMaterial", object{"certificate": object{"rawBytes": s.leaf.cert.Raw},
		"timestampVerificationData": stamps(stampOf(s.t, s.tsa, sig, s.at))})
}

func TestOpenBlob(t *testing.T) {
	key := newP256(t)
	s := play(t, nil, nil)
	byKey, _ := blobBundle(t, key, blob, object{"publicKey": object{"hint": hintOf(t, key)}})
	big := sha512.Sum512([]byte(blob))
	k := pin(t, "cosign.pub", key)
	trust := s.trust()
	trust.Verifiers = append(trust.Verifiers, k)
	tests := []struct {
		name string
		in   object
		want string
	}{
		{"key", byKey, "cosign.pub"},
		{"key, with another digest of the file", with(byKey, "messageSignature", with(byKey["messageSignature"].(object), "messageDigest", object{"algorithm": "SHA2_512", "digest": big[:]})), "cosign.pub"},
		{"identity", certifiedBlob(s, blob), "builder"},
	}
	for _, tt := range tests {
		got, err := trust.OpenBlob(marshal(t, tt.in), []byte(blob))
		if err != nil || got.Name != tt.want || (got.Identity != nil) != (tt.want == "builder") {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		}
		if pin := k.Made(got); pin != (tt.want == "cosign.pub") {
			t.Errorf("%s: the key made %+v: %v", tt.name, got, pin)
		}
	}
}

func TestOpenBlobRefuses(t *testing.T) {
	key := newP256(t)
	s := play(t, nil, nil)
	trust := s.trust()
	trust.Verifiers = append(trust.Verifiers, pin(t, "cosign.pub", key))
	good1, sig := blobBundle(t, key, blob, object{"publicKey": object{"hint": hintOf(t, key)}})
	message := good1["messageSignature"].(object)
	other, _ := blobBundle(t, key, "bye\n", object{"publicKey": object{"hint": hintOf(t, key)}})
	digested := with(good1, "messageSignature", with(other["messageSignature"].(object), "signature", sig))
	stranger, _ := blobBundle(t, newP256(t), blob, nil)
	unseen, _ := blobBundle(t, s.leaf.key, blob, object{"certificate": object{"rawBytes": s.leaf.cert.Raw}})
	foreign := with(certifiedBlob(s, blob), "messageSignature", message)
	mallory := play(t, func(m *scene) {
		m.authorities, m.issuer, m.root = s.authorities, s.ca, s.root
		says(v2Only("https://mallory.example"), names(true, uri(pipeline)))(m)
	}, nil)
	tests := []struct {
		name string
		in   any
		blob string
		code string
		want string
	}{
		{"another file", good1, "bye\n", envelope.CodeInvalid, "is of a file with the digest"},
		{"an empty file", good1, "", envelope.CodeInvalid, "is of a file with the digest"},
		{"another digest", digested, blob, envelope.CodeInvalid, "is of a file with the digest"},
		{"a digest that was changed with the file", digested, "bye\n", envelope.CodeInvalid, "does not verify"},
		{"no digest", with(good1, "messageSignature", with(message, "messageDigest", nil)), blob, envelope.CodeMalformed, "no digest of its file"},
		{"a digest of an unknown kind", with(good1, "messageSignature", with(message, "messageDigest", object{"algorithm": "SHA3_256", "digest": "AAAA"})), blob, envelope.CodeMalformed, "SHA3_256"},
		{"no signature", with(good1, "messageSignature", with(message, "signature", "")), blob, envelope.CodeUnsigned, "no signature"},
		{"another key", stranger, blob, envelope.CodeKey, "no pinned key"},
		{"a signature of the statement's kind", bundleOf(hintOf(t, key), good(t, key)), blob, envelope.CodeForeign, "no signature of a file"},
		{"an envelope", good(t, key), blob, envelope.CodeForeign, "not a Sigstore bundle"},
		{"nothing inside", with(good1, "messageSignature", nil), blob, envelope.CodeForeign, "no signature of a file"},
		{"text", rawJSON("hello"), blob, envelope.CodeMalformed, "not JSON"},
		{"a key twice", rawJSON(`{"mediaType":"",` + string(marshal(t, good1))[1:]), blob, envelope.CodeMalformed, "stands twice"},
		{"a certificate without a time", unseen, blob, envelope.CodeTime, "carries no timestamp"},
		{"a certificate beside a key's signature", foreign, blob, envelope.CodeInvalid, "did not make its signature"},
		{"a certificate of somebody else", certifiedBlob(mallory, blob), blob, envelope.CodeIdentity, "mallory"},
		{"a certificate re-labelled as a key's", with(certifiedBlob(s, blob), "verificationMaterial", object{"publicKey": object{"hint": hintOf(t, s.leaf.key)}}), blob, envelope.CodeKey, "no pinned key"},
	}
	for _, tt := range tests {
		got, err := trust.OpenBlob(marshalRaw(t, tt.in), []byte(tt.blob))
		if codeOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) || got != (envelope.Signer{}) {
			t.Errorf("%s: got %q: %v\nwant %q with %q", tt.name, codeOf(err), err, tt.code, tt.want)
		}
	}
	var misused *provenance.Misused
	if _, err := (envelope.Trust{}).OpenBlob(marshal(t, good1), []byte(blob)); !errors.As(err, &misused) {
		t.Errorf("nobody pinned: got %v, want a mistake", err)
	}
	if _, err := trust.OpenBlob(make([]byte, envelope.MaxSize+1), []byte(blob)); err == nil || codeOf(err) != "" {
		t.Errorf("too large: got %v, want an error that is no refusal", err)
	}
}

// What stock cosign signs as a file is opened, with every kind of key with which it can: with Ed25519 cosign 2 panics, and
// cosign 3 leaves out the digest, so that it cannot verify its own bundle.
func TestCosignsBlobs(t *testing.T) {
	for _, tt := range offlineCosigns() {
		t.Run(tt.tool, func(t *testing.T) {
			c := newCosign(t, tt.tool)
			keys := []string{"cosign"}
			others := otherKeys(t)
			delete(others, "ed25519")
			for name, der := range others {
				if err := os.WriteFile(filepath.Join(c.dir, name+".pem"), pemOf("PRIVATE KEY", der), 0o600); err != nil {
					t.Fatal(err)
				}
				c.run(t, "import-key-pair", "--key", name+".pem", "--output-key-prefix", name)
				keys = append(keys, name)
			}
			for _, name := range keys {
				flags := append([]string{"sign-blob", "--key", name + ".key", "--bundle", name + ".json"}, append(tt.offline, tt.bundle...)...)
				c.run(t, append(flags, "blob")...)
				raw := c.read(t, name+".json")
				trust := envelope.Trust{Verifiers: []envelope.Verifier{c.verifier(t, name+".pub")}}
				if got, err := trust.OpenBlob(raw, []byte(blob)); err != nil || got.Name != name+".pub" {
					t.Errorf("%s: %+v, %v: %s", name, got, err, raw)
				}
				if _, err := trust.OpenBlob(raw, []byte("bye\n")); codeOf(err) != envelope.CodeInvalid {
					t.Errorf("%s, another file: got %v", name, err)
				}
				other := envelope.Trust{Verifiers: []envelope.Verifier{pin(t, "other.pub", newP256(t))}}
				if _, err := other.OpenBlob(raw, []byte(blob)); codeOf(err) != envelope.CodeKey {
					t.Errorf("%s, another key: got %v", name, err)
				}
			}
		})
	}
}

// Stock cosign believes the certificates, timestamps and trusted roots that we believe, and makes trusted roots that we read.
func TestCosignBelievesTheSame(t *testing.T) {
	for _, tt := range offlineCosigns() {
		t.Run(tt.tool, func(t *testing.T) {
			c := newCosign(t, tt.tool)
			s := play(t, nil, nil)
			for name, data := range map[string][]byte{"bundle.json": s.raw(), "blob.json": marshal(t, certifiedBlob(s, blob)),
				"ca.pem": chainPEM(s.ca, s.authorities.root), "tsa.pem": chainPEM(s.tsa, s.tsaRoot), "root.json": marshal(t, s.root)} {
				if err := os.WriteFile(filepath.Join(c.dir, name), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c.run(t, "trusted-root", "create", "--fulcio=url="+caURI+",certificate-chain=ca.pem", "--tsa=url="+tsaURI+",certificate-chain=tsa.pem", "--out", "made.json")
			for _, root := range []string{"root.json", "made.json"} {
				flags := []string{"--trusted-root", root, "--certificate-identity", pipeline, "--certificate-oidc-issuer", oidcIssuer,
					"--use-signed-timestamps", "--insecure-ignore-tlog", "--insecure-ignore-sct", "--new-bundle-format"}
				c.run(t, append([]string{"verify-blob-attestation", "--bundle", "bundle.json", "--type", "slsaprovenance1", "blob"}, flags...)...)
				c.run(t, append([]string{"verify-blob", "--bundle", "blob.json", "blob"}, flags...)...)
				trust := s.trust()
				var err error
				if trust.Root, err = envelope.ParseTrustedRoot(root, c.read(t, root)); err != nil {
					t.Fatal(err)
				}
				if got, err := trust.Open(s.raw()); err != nil || got.Times()[0].By != tsaURI {
					t.Errorf("%s: %v, %v", root, got.Times(), err)
				}
			}
		})
	}
}

func chainPEM(chain ...holder) (out []byte) {
	for _, h := range chain {
		out = append(out, pemOf("CERTIFICATE", h.cert.Raw)...)
	}
	return out
}

// The digest that a key signs is that of the file, with the hash of its size.
func TestOpenBlobHashes(t *testing.T) {
	key := newP256(t)
	bundle, _ := blobBundle(t, key, blob, nil)
	sum := crypto.SHA1.New()
	sum.Write([]byte(blob))
	sig, err := ecdsa.SignASN1(rand.Reader, key, sum.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	bundle = with(bundle, "messageSignature", with(bundle["messageSignature"].(object), "signature", sig))
	if _, err := (envelope.Trust{Verifiers: []envelope.Verifier{pin(t, "k", key)}}).OpenBlob(marshal(t, bundle), []byte(blob)); codeOf(err) != envelope.CodeKey {
		t.Errorf("SHA-1: got %v", err)
	}
}
