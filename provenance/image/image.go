// Package image attaches opaque bytes to container images and fetches them again: in OCI registries and in OCI layouts on
// disk. It knows nothing of what the bytes say: attestations are parsed and verified elsewhere.
//
// A reference is resolved once, and everything after speaks digest. What is attached lies in two places, so that every
// cosign reads it:
//
//   - the journal: one manifest for each attestation, with the image as its subject and the Sigstore bundle as its only
//     layer. Nobody contends for its name, which is its digest. Registries list it over the referrers API; where there is
//     none, the unique tag sha256-HEX.prov-ID and the index at the tag sha256-HEX point to it.
//   - the tag sha256-HEX.att: one image with one DSSE envelope a layer, which all writers share.
//
// A third tag, provenance-ID with an ID for each pipeline, points to what a pipeline attached last to any image of the
// repository. It is a hint for the pipeline's next run, and nothing is missing without it.
//
// Registries have no compare-and-swap, so the journal is the truth, and the shared places are merged from it until they hold
// all of it.
//
// Sources: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md,
// https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md,
// https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md,
// https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/seed-3480f271/provenance/provenance"
)

// Options are what Resolve works with. The zero value works for public images and layouts.
type Options struct {
	// Transport sends the requests; nil is http.DefaultTransport. What is worth retrying is retried above it.
	Transport http.RoundTripper
	// Keychain finds credentials for a registry; nil is none.
	Keychain authn.Keychain
	// TrustedRealms are further hosts (HOST or HOST:PORT) that may see credentials, because a registry leaves login to them.
	// A registry's own host is always trusted, and so are the few that are known to belong together (docker.io).
	TrustedRealms []string
	// Platform restricts the image to one member of an index: "linux/amd64", "linux/arm64/v8". Empty is all of it.
	Platform string
	// UserAgent names this program to registries.
	UserAgent string
	// Debug is told each request and how it ended, without secrets; nil is nobody.
	Debug func(string)

	limits limits // of what foreign registries can make us read and wait; zero is defaultLimits
}

// Image is an image that was found: its digest is known, and does not change any more.
type Image struct {
	store   store
	limits  limits
	noun    provenance.Image
	tag     string   // the tag that the reference named, or empty
	top     manifest // what the reference named
	self    manifest // the image: top, or its one member that Options.Platform picked
	members []member // a single image is its own only member

	attached *manifest // what Attach has attached to self last; nil: nothing
}

// Resolve finds an image, once: everything after speaks digest. The reference is one of
//
//	REGISTRY/REPOSITORY:TAG     REGISTRY/REPOSITORY@sha256:HEX
//	oci:DIR     oci:DIR:TAG     oci:DIR@sha256:HEX
//
// where oci:DIR alone is the only image of a layout. An image, tag or platform that is not there is a *provenance.Refused, a
// malformed reference a *provenance.Misused; a registry that cannot be reached, or does not let us in, is neither.
//
// It reads and waits within limits: what exceeds them is a *LimitError.
func Resolve(ctx context.Context, ref string, o Options) (*Image, error) {
	o.limits = o.limits.orDefault()
	ctx, _, cancel := o.limits.begin(ctx, "finding the image "+clean(ref))
	defer cancel()
	i, err := locate(ctx, ref, o)
	return i, orLimit(ctx, err)
}

// locate is Resolve without limits of its own.
func locate(ctx context.Context, ref string, o Options) (*Image, error) {
	wanted, err := parsePlatform(o.Platform)
	if err != nil {
		return nil, err
	}
	p, err := parseReference(ref, o)
	if err != nil {
		return nil, err
	}
	top, err := p.find(ctx)
	if err != nil {
		return nil, err
	}
	i := &Image{store: p.store, limits: o.limits, top: top}
	if !p.isDigest() {
		i.tag = p.identifier
	}
	if i.self, i.members, err = i.open(ctx, top, wanted); err != nil {
		return nil, err
	}
	i.noun, err = i.describe(p)
	return i, err
}

// open reads the members of the image, and picks the wanted one if one is wanted.
func (i *Image) open(ctx context.Context, top manifest, wanted *v1.Platform) (manifest, []member, error) {
	members, err := i.membersOf(ctx, top)
	if err != nil || wanted == nil {
		return top, members, err
	}
	picked, err := pick(members, *wanted, i.store.name()+"@"+top.digest.String())
	if err != nil || picked.Digest == top.digest {
		return top, members, err
	}
	self, err := i.store.manifest(ctx, picked.Digest.String())
	if err != nil {
		return manifest{}, nil, fmt.Errorf("platform %s of %s: %w", picked.name, i.store.name(), err)
	}
	return self, []member{picked}, nil
}

// describe makes the noun.
func (i *Image) describe(p place) (provenance.Image, error) {
	digest, err := digestOf(i.self.digest)
	if err != nil {
		return provenance.Image{}, err
	}
	noun := provenance.Image{
		Grounds:    provenance.Grounds{Basis: provenance.Observed},
		Repository: p.repository, Reference: p.identifier, Digest: digest, Base: base(i.self.Annotations),
	}
	if noun.Base == nil {
		noun.Base = base(i.top.Annotations)
	}
	for _, m := range i.members {
		d, err := digestOf(m.Digest)
		if err != nil {
			return provenance.Image{}, fmt.Errorf("%s has a member that cannot be named: %w", i.store.name(), err)
		}
		noun.Platforms = append(noun.Platforms, provenance.Platform{Name: m.name, Digest: d})
	}
	return noun, nil
}

// base is what the annotations say the image was built from; nil if they say nothing.
func base(annotations map[string]string) *provenance.BaseImage {
	if annotations[baseName] == "" && annotations[baseDigest] == "" {
		return nil
	}
	digest, _ := provenance.ParseDigest(annotations[baseDigest]) // what is no digest says nothing
	return &provenance.BaseImage{
		Grounds: provenance.Grounds{Basis: provenance.Declared}, Name: annotations[baseName], Digest: digest,
	}
}

// Created is the latest time at which a platform of the image was built, as whoever built it wrote it; zero when none says it.
func (i *Image) Created(ctx context.Context) (latest time.Time, err error) {
	ctx, _, cancel := i.limits.begin(ctx, "reading when "+i.store.name()+" was built")
	defer cancel()
	platforms, err := i.platformImages(ctx)
	for _, p := range platforms {
		config, err := p.Image.ConfigFile()
		if err != nil {
			return time.Time{}, orLimit(ctx, fmt.Errorf("platform %s of %s: %w", p.Name, i.store.name(), err))
		}
		if config.Created.After(latest) {
			latest = config.Created.UTC()
		}
	}
	return latest, orLimit(ctx, err)
}

// Noun is the image for the statement.
func (i *Image) Noun() provenance.Image { return i.noun }

// Blob opens a blob that lies beside the image: a folder's manifest, a service's answer. Reading ends with an error unless
// the bytes have the digest, and with a *LimitError after max bytes. A blob that is not there is a *provenance.Refused.
func (i *Image) Blob(ctx context.Context, digest provenance.Digest, max int64) (io.ReadCloser, error) {
	h := v1.Hash{Algorithm: "sha256", Hex: digest.Hex()} // a dirHash is the sha256 of a manifest
	rc, err := i.store.blob(ctx, h, -1)
	if errors.Is(err, errMissing) {
		return nil, provenance.Refuse("blob.missing", "was it deleted, or the image copied without what is attached to it?",
			"%s has no blob %s", i.store.name(), h)
	}
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", h, err)
	}
	return &cappedReader{rc, max, tooLarge("blob "+h.String(), max)}, nil
}

// find reads what the place's identifier names.
func (p place) find(ctx context.Context) (manifest, error) {
	if l, ok := p.store.(*layout); ok && p.identifier == "" {
		return l.only(ctx)
	}
	m, err := p.store.manifest(ctx, p.identifier)
	if errors.Is(err, errMissing) {
		return manifest{}, provenance.Refuse("image.missing", "was it pushed, and is the name right?", "there is no image %s in %s", p.identifier, p.store.name())
	}
	if err != nil {
		return manifest{}, fmt.Errorf("reading image %s of %s: %w", p.identifier, p.store.name(), err)
	}
	return m, nil
}

// platformImage is an image that can run: an index has one for each platform.
type platformImage struct {
	Name   string // linux/amd64
	Digest provenance.Digest
	Image  v1.Image // reads from the registry or layout when asked, each blob checked against its digest
}

// platformImages are the images that can run; BuildKit's attestation manifests are left out. Their methods use ctx.
func (i *Image) platformImages(ctx context.Context) ([]platformImage, error) {
	var out []platformImage
	for n, m := range i.members {
		if m.name == unknownPlatform {
			continue
		}
		read := i.self
		if m.Digest != i.self.digest {
			var err error
			if read, err = i.store.manifest(ctx, m.Digest.String()); err != nil {
				return nil, fmt.Errorf("platform %s of %s: %w", m.name, i.store.name(), err)
			}
		}
		img, err := openImage(ctx, i.store, read)
		if err != nil {
			return nil, err
		}
		out = append(out, platformImage{m.name, i.noun.Platforms[n].Digest, img})
	}
	return out, nil
}
