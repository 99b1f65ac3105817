package sign

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore/pkg/signature/options"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/seed-3480f271/provenance/provenance/envelope"
)

// bundleType is the media type of the bundles that are written.
// Source: https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto (Bundle.media_type)
const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// SignBlob signs the bytes of a file, as `cosign sign-blob` does. The answer is a Sigstore bundle with a message signature, which was
// opened again with the public key.
func (k *Key) SignBlob(ctx context.Context, blob []byte) ([]byte, error) {
	sig, err := k.signer.SignMessage(bytes.NewReader(blob), options.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	fingerprint, err := hex.DecodeString(strings.TrimPrefix(k.Fingerprint(), "sha256:"))
	if err != nil {
		return nil, fmt.Errorf("reading the fingerprint of %s: %w", k.name, err)
	}
	digest := sha256.Sum256(blob)
	raw, err := protojson.Marshal(&protobundle.Bundle{
		MediaType: bundleType,
		VerificationMaterial: &protobundle.VerificationMaterial{Content: &protobundle.VerificationMaterial_PublicKey{
			PublicKey: &protocommon.PublicKeyIdentifier{Hint: base64.StdEncoding.EncodeToString(fingerprint)}}},
		Content: &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
			MessageDigest: &protocommon.HashOutput{Algorithm: protocommon.HashAlgorithm_SHA2_256, Digest: digest[:]}, Signature: sig}},
	})
	if err != nil {
		return nil, fmt.Errorf("putting the signature into a bundle: %w", err)
	}
	var compact bytes.Buffer // protobuf's JSON has spaces at random
	if err := json.Compact(&compact, raw); err != nil {
		return nil, fmt.Errorf("putting the signature into a bundle: %w", err)
	}
	if _, err := (envelope.Trust{Verifiers: []envelope.Verifier{k.verifier}}).OpenBlob(compact.Bytes(), blob); err != nil {
		return nil, fmt.Errorf("what %s signed does not open again: %s", k.name, err.Error())
	}
	return compact.Bytes(), nil
}
