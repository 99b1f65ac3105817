package envelope

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha512" // SHA-384 and SHA-512, by crypto.Hash
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
)

// maxKeySize bounds the bytes of a key file: an RSA key of 8192 bits has 1.5 KB.
const maxKeySize = 64 << 10

// minRSA is the least number of bits of an RSA key.
// Source: https://nvlpubs.nist.gov/nistpubs/SpecialPublications/NIST.SP.800-131Ar2.pdf, section 3
const minRSA = 2048

// maxRSA is the most, as for Go's TLS: certificates that anybody put into bundles must not keep the processor busy for hours, and twice
// the bits take six times as long.
const maxRSA = 8192

// Verifier is a public key or an identity that the caller pins. [ParsePublicKey] and [NewIdentity] make one.
type Verifier struct {
	Name string // what messages call it: the key file's name, as a rule

	der      []byte // PKIX; of a key
	schemes  []scheme
	identity *pinned // of an identity
}

func (v Verifier) isKey() bool      { return len(v.schemes) > 0 }
func (v Verifier) IsIdentity() bool { return v.identity != nil }

// scheme is one way in which the key may have signed a message.
type scheme func(message, signature []byte) bool

// Fingerprint is "sha256:HEX" of the key's PKIX DER form: `openssl pkey -pubin -in FILE -outform DER | sha256sum`. That of an
// identity is the sha256 of its JSON form, `{"issuer":…,"san":…}`: it tells whether two identities are the same, and is not the
// fingerprint of any [Signer].
func (v Verifier) Fingerprint() string {
	if v.IsIdentity() {
		return v.identity.fingerprint()
	}
	return provenance.SumSHA256(v.der).String()
}

// Made tells whether s is this key, or an identity that this one covers. A key never speaks for an identity, whose certificate
// may well have that key, nor an identity for a key.
func (v Verifier) Made(s Signer) bool {
	switch {
	case v.IsIdentity():
		return s.Identity != nil && v.identity.covers(*s.Identity)
	case v.isKey():
		return s.Identity == nil && s.Fingerprint == v.Fingerprint()
	}
	return false
}

// ParsePublicKey reads a PEM public key: ECDSA P-256, P-384 or P-521, RSA of 2048 bits or more, Ed25519. name is what messages
// call it. Everything else is a *[provenance.Misused] that says what was found instead.
func ParsePublicKey(name string, data []byte) (Verifier, error) {
	key, err := decodeKey(data)
	if err == nil {
		var schemes []scheme
		if schemes, err = schemesOf(key); err == nil {
			return newVerifier(name, key, schemes)
		}
	}
	return Verifier{}, provenance.Misuse(keyHint(err), "%s is not a public key that can be used: %v", name, err)
}

func newVerifier(name string, key crypto.PublicKey, schemes []scheme) (Verifier, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return Verifier{}, fmt.Errorf("encoding %s: %w", name, err)
	}
	return Verifier{Name: name, der: der, schemes: schemes}, nil
}

// errPrivate says that somebody handed the secret half to a verifier.
var errPrivate = errors.New("it is a private key")

func keyHint(err error) string {
	if errors.Is(err, errPrivate) {
		return "give the public half: `cosign public-key --key FILE` prints it; and keep the private one to yourself"
	}
	return "a public key file starts with -----BEGIN PUBLIC KEY-----"
}

// decodeKey reads the only PEM block of data.
func decodeKey(data []byte) (crypto.PublicKey, error) {
	if len(data) > maxKeySize {
		return nil, fmt.Errorf("it has %d bytes", len(data))
	}
	block, rest := pem.Decode(data)
	switch {
	case block == nil:
		return nil, errors.New("it is not PEM")
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, errPrivate
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, errors.New("something follows the first key")
	case block.Type == "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case block.Type == "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	}
	return nil, fmt.Errorf("it is a PEM %.40q", block.Type)
}

// schemesOf are the ways in which a kind of key signs: with the hash that suits its size, as KMSs and new versions of cosign
// do, or with SHA-256, as cosign once did for every key. Ed25519 signs the message or, in cosign, its SHA-512.
func schemesOf(key crypto.PublicKey) ([]scheme, error) {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return ecdsaSchemes(k)
	case *rsa.PublicKey:
		if k.N.BitLen() < minRSA {
			return nil, fmt.Errorf("an RSA key of %d bits is too weak: %d are needed", k.N.BitLen(), minRSA)
		}
		if k.N.BitLen() > maxRSA {
			return nil, fmt.Errorf("an RSA key of %d bits is too large: at most %d are used", k.N.BitLen(), maxRSA)
		}
		return hashed([]crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}, func(h crypto.Hash, digest, sig []byte) bool {
			return rsa.VerifyPKCS1v15(k, h, digest, sig) == nil
		}), nil
	case ed25519.PublicKey:
		pure := func(message, sig []byte) bool { return ed25519.Verify(k, message, sig) }
		return append(hashed([]crypto.Hash{crypto.SHA512}, func(h crypto.Hash, digest, sig []byte) bool {
			return ed25519.VerifyWithOptions(k, digest, sig, &ed25519.Options{Hash: h}) == nil
		}), pure), nil
	}
	return nil, fmt.Errorf("keys of the kind %T are not supported", key)
}

func ecdsaSchemes(k *ecdsa.PublicKey) ([]scheme, error) {
	hashes := map[elliptic.Curve][]crypto.Hash{
		elliptic.P256(): {crypto.SHA256},
		elliptic.P384(): {crypto.SHA384, crypto.SHA256},
		elliptic.P521(): {crypto.SHA512, crypto.SHA256},
	}[k.Curve]
	if hashes == nil {
		return nil, fmt.Errorf("the curve %s is not supported", k.Params().Name)
	}
	return hashed(hashes, func(_ crypto.Hash, digest, sig []byte) bool { return ecdsa.VerifyASN1(k, digest, sig) }), nil
}

// hashed makes a scheme of a check of digests, for each hash.
func hashed(hashes []crypto.Hash, check func(h crypto.Hash, digest, signature []byte) bool) []scheme {
	var schemes []scheme
	for _, h := range hashes {
		schemes = append(schemes, func(message, signature []byte) bool {
			sum := h.New()
			sum.Write(message)
			return check(h, sum.Sum(nil), signature)
		})
	}
	return schemes
}

// Covers tells whether whoever other stands for is one that v stands for, too: the same key, or an identity that v names or whose
// name v's pattern matches. Of two patterns nobody can tell, unless they are one.
func (v Verifier) Covers(other Verifier) bool {
	if v.IsIdentity() && other.IsIdentity() && other.identity.SAN != "" {
		return v.identity.covers(other.identity.Identity)
	}
	return v.Fingerprint() == other.Fingerprint()
}

// verify tells whether the key made the signature over message.
func (v Verifier) verify(message, signature []byte) bool {
	return slices.ContainsFunc(v.schemes, func(s scheme) bool { return s(message, signature) })
}

// isNamed tells whether a key id or hint means this key: the base64 of its fingerprint, as Sigstore writes it, or the hex.
func (v Verifier) isNamed(claim string) bool {
	sum := provenance.SumSHA256(v.der).Hex()
	if strings.TrimPrefix(strings.ToLower(claim), "sha256:") == sum {
		return true
	}
	raw, err := base64.StdEncoding.DecodeString(claim)
	return err == nil && fmt.Sprintf("%x", raw) == sum
}

func names(verifiers []Verifier) string {
	var all []string
	for _, v := range verifiers {
		all = append(all, v.Name)
	}
	return strings.Join(all, ", ")
}
