// Package sign is whatever makes a signature: cosign key files, keys in an environment variable, keys in Azure Key Vault.
//
// A signature is made over a DSSE envelope with an in-toto statement, and is returned in the two forms that stock cosign
// reads. Nothing is returned that the package envelope does not open again with the public key.
package sign

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/cosign/v2/pkg/cosign/bundle"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/dsse"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
)

// Generate makes an ECDSA P-256 pair in cosign's own format, as `cosign generate-key-pair` writes it: the private key,
// encrypted with the password (which may be empty), is for cosign.key, the public one for cosign.pub.
func Generate(password []byte) (privatePEM, publicPEM []byte, err error) {
	keys, err := cosign.GenerateKeyPair(func(bool) ([]byte, error) { return password, nil })
	if err != nil {
		return nil, nil, fmt.Errorf("making a key pair: %w", err)
	}
	return keys.PrivateBytes, keys.PublicBytes, nil
}

// Key signs. [Load] makes it. It may be used by several goroutines.
type Key struct {
	name      string // as the caller named it
	signer    signature.Signer
	public    crypto.PublicKey
	publicPEM []byte
	verifier  envelope.Verifier
}

// newKey checks that attestations signed with the key are of use.
func newKey(name string, signer signature.Signer, public crypto.PublicKey) (*Key, error) {
	if err := checkKind(name, public); err != nil {
		return nil, err
	}
	publicPEM, err := cryptoutils.MarshalPublicKeyToPEM(public)
	if err != nil {
		return nil, fmt.Errorf("encoding the public key of %s: %w", name, err)
	}
	verifier, err := envelope.ParsePublicKey(name, publicPEM)
	if err != nil {
		return nil, err
	}
	return &Key{name, signer, public, publicPEM, verifier}, nil
}

// checkKind lets the keys through whose attestations stock cosign 2.6 and 3.1 verify, wherever the key lies. They check every
// one with SHA-256, while key files and Key Vault sign with larger hashes for larger keys, and Ed25519 with SHA-512.
func checkKind(name string, public crypto.PublicKey) error {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return nil
		}
		return unfit(name, "ECDSA "+k.Params().Name)
	case *rsa.PublicKey:
		if k.N.BitLen() == 2048 {
			return nil
		}
		return unfit(name, fmt.Sprintf("RSA of %d bits", k.N.BitLen()))
	}
	return unfit(name, fmt.Sprintf("%T", public))
}

func unfit(name, kind string) error {
	return provenance.Misuse("sign with an ECDSA P-256 key (`provenance keygen` makes one) or RSA of 2048 bits",
		"%s is %s: stock cosign does not verify attestations signed with such a key", name, kind)
}

// PublicKey is the public half.
func (k *Key) PublicKey() crypto.PublicKey { return k.public }

// PublicPEM is the public half as a PEM file, for `--key` of verify and of cosign.
func (k *Key) PublicPEM() []byte { return bytes.Clone(k.publicPEM) }

// Fingerprint is "sha256:HEX" of the public half's PKIX DER form.
func (k *Key) Fingerprint() string { return k.verifier.Fingerprint() }

// Verifier opens what the key signed.
func (k *Key) Verifier() envelope.Verifier { return k.verifier }

// Signed is one signature over one statement, in both forms.
type Signed struct {
	Envelope []byte // DSSE JSON with one signature, as a layer of cosign's .att tag holds it
	Bundle   []byte // Sigstore bundle v0.3, compact JSON; its hint is the base64 of the key's fingerprint
}

// Sign signs the bytes of an in-toto statement. What it returns was opened again with the public key: a key store that answers
// with something else is an error.
func (k *Key) Sign(ctx context.Context, payload []byte) (Signed, error) {
	env, err := dsse.WrapSigner(k.signer, envelope.PayloadType).SignMessage(bytes.NewReader(payload), options.WithContext(ctx))
	if err != nil {
		return Signed{}, err
	}
	raw, err := bundle.MakeNewBundle(k.public, nil, payload, env, nil, nil)
	if err != nil {
		return Signed{}, fmt.Errorf("putting the signature into a bundle: %w", err)
	}
	var compact bytes.Buffer // protobuf's JSON has spaces at random
	if err := json.Compact(&compact, raw); err != nil {
		return Signed{}, fmt.Errorf("putting the signature into a bundle: %w", err)
	}
	signed := Signed{Envelope: env, Bundle: compact.Bytes()}
	if err := k.check(signed, payload); err != nil {
		return Signed{}, err
	}
	return signed, nil
}

// check opens both forms as a verifier would. That they do not open is no verdict about anything: only an error.
func (k *Key) check(signed Signed, payload []byte) error {
	for _, form := range [][]byte{signed.Envelope, signed.Bundle} {
		verified, err := envelope.Open(form, k.verifier)
		var refused *provenance.Refused
		if errors.As(err, &refused) && (refused.Code == envelope.CodeKey || refused.Code == envelope.CodeInvalid) {
			return fmt.Errorf("the signature that %s made does not verify with its own public key", k.name)
		}
		if err != nil {
			return fmt.Errorf("what %s signed does not open again: %s", k.name, err.Error()) // a refusal would be a verdict
		}
		if !bytes.Equal(verified.Payload(), payload) {
			return fmt.Errorf("%s signed something else than it was given", k.name)
		}
	}
	return nil
}
