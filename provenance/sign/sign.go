// Package sign is whatever makes a signature: cosign key files, keys in an environment variable, keys in Azure Key Vault, each alone
// or with a certificate; keys for one signature, with a certificate of Fulcio; timestamp authorities, and the log Rekor.
//
// A signature is made over a DSSE envelope with an in-toto statement, and is returned in the forms that stock cosign
// reads. Nothing is returned that the package envelope does not open again with the public key or the identity.
package sign

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

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
	verifier  envelope.Verifier // of the key; of the identity, when there is a certificate

	certificate *certificate // nil: the key speaks for itself
	authority   *authority   // nil: no timestamp is asked for
	log         *rekor       // nil: nothing is logged
	root        *envelope.TrustedRoot
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
	return &Key{name: name, signer: signer, public: public, publicPEM: publicPEM, verifier: verifier}, nil
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

// Fingerprint is "sha256:HEX" of the public half's PKIX DER form; of an identity, that of [envelope.Verifier].
func (k *Key) Fingerprint() string { return k.verifier.Fingerprint() }

// Identity is whom the key's certificate names; nil when there is none.
func (k *Key) Identity() *envelope.Identity {
	if k.certificate == nil {
		return nil
	}
	id := k.certificate.identity
	return &id
}

// Trust opens what the key signed: it believes this key or identity only, and the authorities of the trusted root.
func (k *Key) Trust() envelope.Trust {
	return envelope.Trust{Verifiers: []envelope.Verifier{k.verifier}, Root: k.root}
}

// Signed is one signature over one statement, in one or both forms.
type Signed struct {
	// Envelope is DSSE JSON with one signature, as a layer of cosign's .att tag holds it. Nil when a certificate signed: the old form
	// has no place for its timestamp that every verifier would look at, so it is not written.
	Envelope []byte
	Bundle   []byte // Sigstore bundle v0.3, compact JSON; of a key, its hint is the base64 of the key's fingerprint
}

// Sign signs the bytes of an in-toto statement, has the signature stamped and logged as [Options] say, and opens it again with
// [Key.Trust]: a key store, certificate authority, timestamp authority or log that answers with something else, or not at all, is an
// error. No error is a *[provenance.Refused]: nothing was judged.
func (k *Key) Sign(ctx context.Context, payload []byte) (Signed, error) {
	return k.sign(ctx, payload, k.log)
}

func (k *Key) sign(ctx context.Context, payload []byte, log *rekor) (Signed, error) {
	leaf, err := k.certificate.current(ctx)
	if err != nil {
		return Signed{}, err
	}
	env, err := dsse.WrapSigner(k.signer, envelope.PayloadType).SignMessage(bytes.NewReader(payload), options.WithContext(ctx))
	if err != nil {
		return Signed{}, err
	}
	raw, err := k.bundle(ctx, payload, env, leaf, log)
	if err != nil {
		return Signed{}, err
	}
	signed := Signed{Envelope: env, Bundle: raw}
	if leaf != nil {
		signed.Envelope = nil
	}
	for _, form := range [][]byte{signed.Bundle, signed.Envelope} {
		if form == nil {
			continue
		}
		if err := k.check(form, payload, log); err != nil {
			return Signed{}, err
		}
	}
	return signed, nil
}

// bundle puts an envelope into a bundle, with all that stands beside the signature.
func (k *Key) bundle(ctx context.Context, payload, env, leaf []byte, log *rekor) ([]byte, error) {
	stamp, err := k.authority.stamp(ctx, env)
	if err != nil {
		return nil, err
	}
	raw, err := bundle.MakeNewBundle(k.public, nil, payload, env, leaf, stamp)
	if err != nil {
		return nil, fmt.Errorf("putting the signature into a bundle: %w", err)
	}
	if log != nil {
		if raw, err = log.add(ctx, raw, cmp.Or(string(leaf), string(k.publicPEM))); err != nil {
			return nil, err
		}
	}
	var compact bytes.Buffer // protobuf's JSON has spaces at random
	if err := json.Compact(&compact, raw); err != nil {
		return nil, fmt.Errorf("putting the signature into a bundle: %w", err)
	}
	return compact.Bytes(), nil
}

// check opens a form as a verifier would. That it does not open is no verdict about anything: only an error.
func (k *Key) check(form, payload []byte, log *rekor) error {
	verified, err := k.Trust().Open(form)
	var refused *provenance.Refused
	if errors.As(err, &refused) && k.certificate == nil && (refused.Code == envelope.CodeKey || refused.Code == envelope.CodeInvalid) {
		return fmt.Errorf("the signature that %s made does not verify with its own public key", k.name)
	}
	if err != nil { // a refusal would be a verdict
		return provenance.WithHint(fmt.Errorf("what %s signed does not open again: %s", k.name, err.Error()), strings.Join(provenance.Hints(err), "; "))
	}
	if !bytes.Equal(verified.Payload(), payload) {
		return fmt.Errorf("%s signed something else than it was given", k.name)
	}
	if verified.Form() == envelope.FormATT {
		return nil
	}
	return k.seen(verified, log)
}

// Open opens a bundle that the key signed in this or another run, with all that [Options] ask for beside the signature: without the
// timestamp or the entry that are wanted now, it is another one.
func (k *Key) Open(bundle []byte) (envelope.Verified, error) {
	verified, err := k.Trust().Open(bundle)
	if err != nil {
		return envelope.Verified{}, err
	}
	if err := k.seen(verified, k.log); err != nil {
		return envelope.Verified{}, err
	}
	return verified, nil
}

// seen tells whether those saw a signature who should.
func (k *Key) seen(v envelope.Verified, log *rekor) error {
	stamped := slices.ContainsFunc(v.Times(), func(t envelope.Time) bool { return t.Kind == envelope.TimeStamp })
	switch {
	case k.authority != nil && !stamped:
		return provenance.WithHint(fmt.Errorf("there is no timestamp of %s that %s lets anybody believe: %s", k.authority.url, k.root.Name, v.Untimed()),
			"name the timestamp authority in the trusted root: `cosign trusted-root create --tsa …`")
	case log != nil && !v.Logged():
		return provenance.WithHint(fmt.Errorf("there is no entry of %s that %s lets anybody believe", log.url, k.root.Name),
			"name the log in the trusted root: `cosign trusted-root create --rekor …`")
	}
	return nil
}
