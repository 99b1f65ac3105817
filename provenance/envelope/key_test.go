package envelope_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
)

func TestFingerprint(t *testing.T) {
	key := newP256(t)
	want := fmt.Sprintf("sha256:%x", sha256.Sum256(derOf(t, key.Public())))
	if v := pin(t, "cosign.pub", key); v.Fingerprint() != want || v.Name != "cosign.pub" {
		t.Errorf("got %s, %s; want %s", v.Name, v.Fingerprint(), want)
	}
}

// The two PEM forms of an RSA key are the same key.
func TestPKCS1(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	v, err := envelope.ParsePublicKey("rsa.pub", pemOf("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey)))
	if err != nil || v.Fingerprint() != pin(t, "rsa.pub", key).Fingerprint() {
		t.Errorf("got %v, %v", v, err)
	}
}

func TestParsePublicKeyMistakes(t *testing.T) {
	weak := weakRSA(t)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der := derOf(t, newP256(t).Public())
	one := pemOf("PUBLIC KEY", der)
	tests := []struct {
		name string
		in   []byte
		want string
		hint string
	}{
		{"empty", nil, "not PEM", "BEGIN PUBLIC KEY"},
		{"DER", der, "not PEM", "BEGIN PUBLIC KEY"},
		{"cosign's private key", pemOf("ENCRYPTED SIGSTORE PRIVATE KEY", []byte("{}")), "it is a private key", "public half"},
		{"cosign's old private key", pemOf("ENCRYPTED COSIGN PRIVATE KEY", []byte("{}")), "it is a private key", "public half"},
		{"plain private key", pemOf("PRIVATE KEY", []byte("x")), "it is a private key", "public half"},
		{"private key after the public one", append(bytes.Clone(one), pemOf("EC PRIVATE KEY", []byte("x"))...), "something follows", "BEGIN PUBLIC KEY"},
		{"two keys", append(bytes.Clone(one), one...), "something follows", "BEGIN PUBLIC KEY"},
		{"certificate", pemOf("CERTIFICATE", der), `PEM "CERTIFICATE"`, "BEGIN PUBLIC KEY"},
		{"garbled", pemOf("PUBLIC KEY", der[:20]), "asn1", "BEGIN PUBLIC KEY"},
		{"weak RSA", pemOf("PUBLIC KEY", derOf(t, weak)), "1024 bits is too weak", "BEGIN PUBLIC KEY"},
		{"P-224", pemOf("PUBLIC KEY", derOf(t, p224.Public())), "P-224 is not supported", "BEGIN PUBLIC KEY"},
		{"X25519", pemOf("PUBLIC KEY", derOf(t, x25519.PublicKey())), "not supported", "BEGIN PUBLIC KEY"},
		{"too large", bytes.Repeat([]byte("x"), 1<<20), "1048576 bytes", "BEGIN PUBLIC KEY"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := envelope.ParsePublicKey("cosign.pub", tt.in)
			var misused *provenance.Misused
			if !errors.As(err, &misused) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(misused.Hint, tt.hint) ||
				!strings.HasPrefix(err.Error(), "cosign.pub ") {
				t.Errorf("got %v (hints %q); want a mistake with %q and the hint %q", err, provenance.Hints(err), tt.want, tt.hint)
			}
		})
	}
}

// weakRSA is a public key of 1024 bits.
func weakRSA(t *testing.T) *rsa.PublicKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return &key.PublicKey
}
