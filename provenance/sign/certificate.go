package sign

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
)

// certificate says whose a key is.
type certificate struct {
	identity envelope.Identity
	renew    func(context.Context) (*x509.Certificate, error) // nil: it is as it is

	lock sync.Mutex
	leaf *x509.Certificate
}

// margin is how long a certificate has to be valid still for a signature to be begun: the timestamp comes after it.
const margin = time.Minute

// current is the certificate in PEM; nil when there is none. One that ends soon is renewed, for the same identity.
func (c *certificate) current(ctx context.Context) ([]byte, error) {
	if c == nil {
		return nil, nil
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.renew != nil && time.Until(c.leaf.NotAfter) < margin {
		if err := c.again(ctx); err != nil {
			return nil, err
		}
	}
	return cryptoutils.MarshalCertificateToPEM(c.leaf)
}

// again asks for another certificate.
func (c *certificate) again(ctx context.Context) error {
	leaf, err := c.renew(ctx)
	if err != nil {
		return err
	}
	identity, err := envelope.IdentityOf(leaf)
	if err != nil {
		return fmt.Errorf("the new certificate: %w", err)
	}
	if identity != c.identity {
		return fmt.Errorf("the certificate that signs would be of %s, but the run began with one of %s", identity, c.identity)
	}
	c.leaf = leaf
	return nil
}

// carry gives the key a certificate: from now on the identity speaks, not the key.
func (k *Key) carry(leaf *x509.Certificate, renew func(context.Context) (*x509.Certificate, error)) error {
	identity, err := envelope.IdentityOf(leaf)
	if err != nil {
		return err
	}
	verifier, err := envelope.NewIdentity(k.name, identity)
	if err != nil {
		return err
	}
	k.certificate, k.verifier = &certificate{identity: identity, renew: renew, leaf: leaf}, verifier
	return nil
}

// certify gives the key a certificate of an authority of one's own: PEM, the leaf first. What follows it is read and left out:
// verifiers take the authorities from the trusted root, and no bundle has more than the leaf.
// Source: https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto (VerificationMaterial.certificate)
func (k *Key) certify(data []byte) error {
	leaf, err := parseCertificates(data)
	if err != nil {
		return provenance.Misuse("give the certificate as PEM, the leaf first; of Key Vault, `az keyvault certificate download` writes it", "the certificate of %s: %v", k.name, err)
	}
	if !samePublic(leaf.PublicKey, k.public) {
		return provenance.Misuse("give the key's own certificate, the leaf first", "the certificate is of another key than %s", k.name)
	}
	if now := time.Now(); now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return provenance.Misuse("issue a new one", "the certificate of %s is valid from %s to %s, not now", k.name,
			leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	if err := k.carry(leaf, nil); err != nil {
		return provenance.Misuse("issue one with a subject alternative name of one URI, DNS name or email address", "the certificate of %s: %v", k.name, err)
	}
	return nil
}

// parseCertificates reads the leaf, and looks at what follows.
func parseCertificates(data []byte) (*x509.Certificate, error) {
	if len(data) > maxKeySize {
		return nil, errors.New("it is too large for a few certificates")
	}
	var all []*x509.Certificate
	for rest := bytes.TrimSpace(data); len(rest) > 0; rest = bytes.TrimSpace(rest) {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errors.New("it is not PEM")
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("it holds a %.40q", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("it is empty")
	}
	return all[0], nil
}

func samePublic(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}
