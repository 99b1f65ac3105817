package image

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/seed-3480f271/provenance/provenance"
)

// Attachment is one attestation in one or both of its forms, and what it refers to.
type Attachment struct {
	Bundle        []byte // Sigstore bundle, JSON: goes into the journal
	Envelope      []byte // DSSE envelope, JSON: goes into the .att tag; nil: the bundle only
	PredicateType string
	// Blobs lie beside the attestation under their own digests. They are there before the attestation is.
	Blobs []provenance.Stored
}

// Attach attaches an attestation to the image, and to each platform of an index. It is in the journal first, from where
// Attestations reads it whole; the shared places follow, and are read again until they hold all of the journal. Whatever was
// interrupted is completed by attaching the same bundle again, and nothing is added twice.
//
// A tag that points elsewhere since Resolve is a *provenance.Refused.
func (i *Image) Attach(ctx context.Context, a Attachment) error {
	if err := i.notMoved(ctx); err != nil {
		return err
	}
	up := &upload{image: i, attachment: a, sent: map[v1.Hash]bool{}}
	for _, target := range i.targets() {
		if err := up.to(ctx, target); err != nil {
			return fmt.Errorf("attaching to %s@%s: %w", i.store.name(), target.Digest, err)
		}
	}
	i.attached = up.own
	return nil
}

// notMoved reads the tag once more, if the image was asked for by one.
func (i *Image) notMoved(ctx context.Context) error {
	if i.tag == "" {
		return nil
	}
	now, err := i.store.manifest(ctx, i.tag)
	switch {
	case errors.Is(err, errMissing):
		return provenance.Refuse("image.moved", "", "the tag %s of %s pointed to %s and is gone", i.tag, i.store.name(), i.top.digest)
	case err != nil:
		return fmt.Errorf("reading the tag %s of %s again: %w", i.tag, i.store.name(), err)
	case now.digest != i.top.digest:
		return provenance.Refuse("image.moved", "did another build push in between? name the image by its digest",
			"the tag %s of %s pointed to %s and points to %s now", i.tag, i.store.name(), i.top.digest, now.digest)
	}
	return nil
}

// targets are what an attestation is attached to: the image first, for that is where a reader looks.
func (i *Image) targets() []v1.Descriptor {
	targets := []v1.Descriptor{*pointer(i.self.descriptor())}
	for _, m := range i.members {
		if m.Digest != i.self.digest && m.name != unknownPlatform {
			targets = append(targets, *pointer(m.Descriptor))
		}
	}
	return targets
}

// upload attaches one attestation to several targets. What they share is sent once.
type upload struct {
	image      *Image
	attachment Attachment
	sent       map[v1.Hash]bool
	own        *manifest // that of the first target: the image
}

// to attaches to one target.
func (u *upload) to(ctx context.Context, target v1.Descriptor) error {
	release, err := u.image.store.alone(ctx)
	if err != nil {
		return err
	}
	defer release()
	sh := &shared{image: u.image, target: target.Digest, known: map[v1.Hash]v1.Descriptor{}}
	if err := sh.readJournal(ctx); err != nil {
		return err
	}
	own, err := u.push(ctx, sh, target)
	if err != nil {
		return err
	}
	if err := sh.readShared(ctx); err != nil { // only now: between a read and a put others may put, and be lost
		return err
	}
	if err := sh.settle(ctx, own); err != nil {
		return err
	}
	u.own = cmp.Or(u.own, &own)
	return nil
}

// push writes the attestation, unless it is there: blobs first, then the manifests that refer to them. The answer is its
// manifest.
func (u *upload) push(ctx context.Context, sh *shared, target v1.Descriptor) (manifest, error) {
	if there, err := u.earlier(ctx, sh, target); there != nil || err != nil {
		return *cmp.Or(there, &manifest{}), err
	}
	if err := u.store(ctx, sh, target); err != nil {
		return manifest{}, err
	}
	own, err := bundleManifest(target, u.attachment, u.envelope())
	if err != nil {
		return manifest{}, err
	}
	blobs := []blob{bytesBlob(emptyConfig), bytesBlob(u.attachment.Bundle)}
	if u.attachment.Envelope != nil {
		blobs = append(blobs, bytesBlob(u.attachment.Envelope))
	}
	if err := u.send(ctx, blobs); err != nil {
		return manifest{}, err
	}
	return own, u.image.store.addToJournal(ctx, sh.target, own)
}

// envelope is the layer of the .att tag; nil when there is to be none.
func (u *upload) envelope() *v1.Descriptor {
	if u.attachment.Envelope == nil {
		return nil
	}
	return &v1.Descriptor{Digest: sum(u.attachment.Envelope), Size: int64(len(u.attachment.Envelope))}
}

// earlier is the manifest in the journal that holds this very bundle; nil if there is none. Nobody's word is taken for it: its
// digest must be the one that it has with this bundle.
func (u *upload) earlier(ctx context.Context, sh *shared, target v1.Descriptor) (*manifest, error) {
	entries, err := sh.annotated(ctx, sh.journal.entries)
	if err != nil {
		return nil, err
	}
	for _, d := range entries {
		envelope := envelopeOf(d.Annotations)
		if (envelope == nil) != (u.attachment.Envelope == nil) {
			continue
		}
		m, err := bundleManifest(target, u.attachment, envelope)
		if err != nil || m.digest != d.Digest {
			continue
		}
		if envelope == nil {
			return &m, nil
		}
		return &m, u.keep(ctx, envelope.Digest)
	}
	return nil, nil
}

// keep sends the envelope if the store lost it: it may be that nothing referred to it until now.
func (u *upload) keep(ctx context.Context, envelope v1.Hash) error {
	there, err := u.image.store.hasBlob(ctx, envelope)
	if there || err != nil || envelope != sum(u.attachment.Envelope) {
		return err
	}
	return u.send(ctx, []blob{bytesBlob(u.attachment.Envelope)})
}

// store writes the blobs that the attestation speaks of, before it: beside the image itself, not beside each platform again.
func (u *upload) store(ctx context.Context, sh *shared, target v1.Descriptor) error {
	if len(u.attachment.Blobs) == 0 || target.Digest != u.image.self.digest {
		return nil
	}
	m, err := storedManifest(target, u.attachment.Blobs)
	if err != nil || sh.lists(m.digest) {
		return err
	}
	blobs := []blob{bytesBlob(emptyConfig)}
	for _, s := range u.attachment.Blobs {
		blobs = append(blobs, blob{hashOf(s.Digest), s.Size, s.Open, s.Size >= askFrom})
	}
	if err := u.send(ctx, blobs); err != nil {
		return err
	}
	return u.image.store.addToJournal(ctx, sh.target, m)
}

// askFrom is the size from which it costs less to ask for a blob that another night may have sent than to send it again.
const askFrom = 4 << 10

// send puts each blob once.
func (u *upload) send(ctx context.Context, blobs []blob) error {
	var todo []blob
	for _, b := range blobs {
		if !u.sent[b.digest] {
			u.sent[b.digest] = true
			todo = append(todo, b)
		}
	}
	return inParallel(ctx, len(todo), func(ctx context.Context, n int) error {
		if err := u.image.store.putBlob(ctx, todo[n]); err != nil {
			return fmt.Errorf("writing blob %s: %w", todo[n].digest, err)
		}
		return nil
	})
}

func bytesBlob(data []byte) blob {
	return blob{sum(data), int64(len(data)), func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }, false}
}

// emptyConfig is the configuration of what is no container.
// Source: https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidance-for-an-empty-descriptor
var emptyConfig = []byte("{}")

func emptyDescriptor() v1.Descriptor {
	return v1.Descriptor{MediaType: emptyType, Digest: sum(emptyConfig), Size: int64(len(emptyConfig))}
}

// bundleManifest is the manifest that the stock cosign reads a bundle from, with our annotations for rebuilding the .att tag, unless
// there is no envelope for it.
func bundleManifest(target v1.Descriptor, a Attachment, envelope *v1.Descriptor) (manifest, error) {
	m := manifest{
		SchemaVersion: 2, MediaType: manifestType, ArtifactType: bundleType, Config: emptyDescriptor(),
		Layers:      []v1.Descriptor{{MediaType: bundleType, Digest: sum(a.Bundle), Size: int64(len(a.Bundle))}},
		Subject:     pointer(target),
		Annotations: map[string]string{bundleContent: "dsse-envelope", bundlePredicate: a.PredicateType, created: epoch},
	}
	if envelope != nil {
		m.Annotations[envelopeDigest], m.Annotations[envelopeSize] = envelope.Digest.String(), strconv.FormatInt(envelope.Size, 10)
	}
	return newManifest(m)
}

// storedManifest keeps blobs reachable from the image: registries delete what nothing refers to.
func storedManifest(target v1.Descriptor, blobs []provenance.Stored) (manifest, error) {
	m := manifest{
		SchemaVersion: 2, MediaType: manifestType, ArtifactType: storedType, Config: emptyDescriptor(), Subject: pointer(target),
		Annotations: map[string]string{storedMark: "1", created: epoch},
	}
	for _, s := range blobs {
		if s.Digest.Algorithm() != provenance.SHA256 || s.Open == nil {
			return manifest{}, fmt.Errorf("%s cannot be stored: it has no sha256 digest, or no bytes", s.Name)
		}
		d := v1.Descriptor{MediaType: types.MediaType(s.MediaType), Digest: hashOf(s.Digest), Size: s.Size, Annotations: map[string]string{title: s.Name}}
		if !slices.ContainsFunc(m.Layers, func(l v1.Descriptor) bool { return l.Digest == d.Digest }) {
			m.Layers = append(m.Layers, d)
		}
	}
	return newManifest(m)
}
