package envelope

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/seed-3480f271/provenance/provenance"
)

// OpenBlob checks that bundle is a Sigstore bundle with a signature of blob itself, as `cosign sign-blob --bundle` writes it,
// and that one of the verifiers made it. Errors are those of [Trust.Open].
func (t Trust) OpenBlob(raw, blob []byte) (Signer, error) {
	if err := t.check(); err != nil {
		return Signer{}, err
	}
	if _, err := fieldsOf(raw); err != nil {
		return Signer{}, err
	}
	b, err := decodeBundle(raw)
	if err != nil {
		return Signer{}, err
	}
	m := b.GetMessageSignature()
	if m == nil {
		return Signer{}, provenance.Refuse(CodeForeign, "sign the file with `cosign sign-blob --bundle`", "the bundle holds no signature of a file")
	}
	if err := checkDigest(m, blob); err != nil {
		return Signer{}, err
	}
	if len(m.GetSignature()) == 0 {
		return Signer{}, provenance.Refuse(CodeUnsigned, "", "the bundle has no signature")
	}
	signer, _, err := t.findSigner(signedBlob(b, m, blob))
	return signer, err
}

// checkDigest compares the digest that a bundle has of the file. It is not signed, but says at once that a bundle is of another.
func checkDigest(m *protocommon.MessageSignature, blob []byte) error {
	algorithm := m.GetMessageDigest().GetAlgorithm()
	if len(m.GetMessageDigest().GetDigest()) == 0 {
		return provenance.WithHint(malformed(errors.New("it has no digest of its file")), "cosign leaves it out for Ed25519 keys: sign with another kind of key")
	}
	hash, known := map[protocommon.HashAlgorithm]crypto.Hash{
		protocommon.HashAlgorithm_SHA2_256: crypto.SHA256,
		protocommon.HashAlgorithm_SHA2_384: crypto.SHA384,
		protocommon.HashAlgorithm_SHA2_512: crypto.SHA512,
	}[algorithm]
	if !known {
		return malformed(fmt.Errorf("the digest of its file is a %s", algorithm))
	}
	h := hash.New()
	h.Write(blob)
	if got := h.Sum(nil); !bytes.Equal(got, m.GetMessageDigest().GetDigest()) {
		return provenance.Refuse(CodeInvalid, "the file was changed after signing, or the bundle is of another one",
			"the bundle is of a file with the digest %.128x, this one has %x", m.GetMessageDigest().GetDigest(), got)
	}
	return nil
}

func signedBlob(b *protobundle.Bundle, m *protocommon.MessageSignature, blob []byte) signed {
	s := signed{message: blob, signatures: [][]byte{m.GetSignature()}, material: b.GetVerificationMaterial()}
	s.content = func(sig []byte) verify.SignatureContent {
		return bundle.NewMessageSignature(m.GetMessageDigest().GetDigest(), m.GetMessageDigest().GetAlgorithm().String(), sig)
	}
	if hint := s.material.GetPublicKey().GetHint(); hint != "" {
		s.claims = []string{hint}
	}
	return s
}
