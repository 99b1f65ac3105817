package image

import (
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Media types and annotations, as cosign writes and reads them.
// Source: https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md
const (
	bundleType       = "application/vnd.dev.sigstore.bundle.v0.3+json"
	bundleTypePrefix = "application/vnd.dev.sigstore.bundle" // of all versions
	dsseType         = "application/vnd.dsse.envelope.v1+json"
	emptyType        = "application/vnd.oci.empty.v1+json"
	storedType       = "application/vnd.provenance.stored.v1"

	bundleContent   = "dev.sigstore.bundle.content"
	bundlePredicate = "dev.sigstore.bundle.predicateType"
	attPredicate    = "predicateType"
	attSignature    = "dev.cosignproject.cosign/signature"
	created         = "org.opencontainers.image.created"
	title           = "org.opencontainers.image.title"
	refName         = "org.opencontainers.image.ref.name"
	baseName        = "org.opencontainers.image.base.name"
	baseDigest      = "org.opencontainers.image.base.digest"
)

// Annotations of our own. envelopeDigest and envelopeSize let anybody rebuild the .att tag from the list of referrers alone.
// storedMark says that a manifest holds stored blobs and no attestation, so that a reader need not look into it.
const (
	envelopeDigest = "com.github.seed-3480f271.provenance.envelope.digest"
	envelopeSize   = "com.github.seed-3480f271.provenance.envelope.size"
	storedMark     = "com.github.seed-3480f271.provenance.stored"
)

// epoch stands where the time of writing would: the same attestation has the same manifest whenever it is attached.
const epoch = "1970-01-01T00:00:00Z"

// fallbackTag is the tag of the index that lists an image's referrers where there is no referrers API.
func fallbackTag(image v1.Hash) string { return image.Algorithm + "-" + image.Hex }

// attTag is the tag of the image whose layers are an image's attestations.
func attTag(image v1.Hash) string { return fallbackTag(image) + ".att" }

// journalPrefix is how the tags of our journal begin where there is no referrers API.
func journalPrefix(image v1.Hash) string { return fallbackTag(image) + ".prov-" }

// journalTag is the tag of one manifest of the journal. It is made of the manifest's digest, so nobody contends for it.
func journalTag(image, m v1.Hash) string { return journalPrefix(image) + m.Hex[:min(40, len(m.Hex))] }

// ofAnotherImage tells whether a tag in a layout belongs to what is attached to an image, by cosign or by us.
func ofAnotherImage(tag string) bool {
	hex, found := strings.CutPrefix(tag, "sha256-")
	return found && len(hex) >= 64 && strings.Trim(hex[:64], "0123456789abcdef") == "" && (len(hex) == 64 || hex[64] == '.')
}
