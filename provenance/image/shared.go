package image

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/seed-3480f271/provenance/provenance"
)

// shared is what is attached to one image, as last read: the journal, and the two places that all writers share and that
// are merged from it.
type shared struct {
	image   *Image
	target  v1.Hash
	journal journal
	att     manifest                  // of the .att tag; zero if there is none
	attErr  error                     // why the .att tag is nonsense: it is there, and cannot be read
	known   map[v1.Hash]v1.Descriptor // entries of the journal whose annotations the list left out

	// What was in the shared places at any read. Somebody else's that is gone was overwritten: it is put back.
	seenLayers, seenEntries []v1.Descriptor
}

// read reads the journal and the .att tag.
func (s *shared) read(ctx context.Context) error {
	return inParallel(ctx, 2, func(ctx context.Context, n int) error {
		if n == 0 {
			return s.readJournal(ctx)
		}
		return s.readAtt(ctx)
	})
}

// readShared reads the places that are shared. Where the store lists by itself the journal is none of them.
func (s *shared) readShared(ctx context.Context) error {
	if s.journal.shared {
		return s.read(ctx)
	}
	return s.readAtt(ctx)
}

func (s *shared) readJournal(ctx context.Context) (err error) {
	if s.journal, err = s.image.store.journal(ctx, s.target); err != nil {
		return fmt.Errorf("the list of what is attached: %w", err)
	}
	s.seenEntries = union(s.seenEntries, s.journal.fallback.Manifests)
	return nil
}

func (s *shared) readAtt(ctx context.Context) (err error) {
	s.att, err = s.image.store.manifest(ctx, attTag(s.target))
	s.attErr = nil
	switch {
	case errors.As(err, new(*malformed)), errors.As(err, new(*LimitError)):
		s.attErr = err
	case err != nil && !errors.Is(err, errMissing):
		return fmt.Errorf("the tag %s: %w", attTag(s.target), err)
	}
	s.seenLayers = union(s.seenLayers, s.att.Layers)
	return nil
}

// union is list with what more has beyond it.
func union(list, more []v1.Descriptor) []v1.Descriptor {
	list = slices.Clip(list)
	for _, d := range more {
		if !has(list, d.Digest) {
			list = append(list, d)
		}
	}
	return list
}

// lists tells whether the journal has the manifest.
func (s *shared) lists(digest v1.Hash) bool { return has(s.journal.entries, digest) }

// hasLayer tells whether the .att tag has the envelope.
func (s *shared) hasLayer(digest v1.Hash) bool { return has(s.att.Layers, digest) }

func has(list []v1.Descriptor, digest v1.Hash) bool {
	return slices.ContainsFunc(list, func(d v1.Descriptor) bool { return d.Digest == digest })
}

// settle merges the journal, which has own in it, into the shared places, and reads everything again, until they hold all
// of it. The last writer of ours to put one of them has read the whole journal after its put, so none of ours is lost.
func (s *shared) settle(ctx context.Context, own manifest) error {
	pause := s.image.limits.backoff
	for round := 0; ; round++ {
		wrote, err := s.merge(ctx, own)
		if err != nil || !wrote && s.lists(own.digest) {
			return err
		}
		if round >= s.image.limits.rounds {
			return provenance.WithHint(fmt.Errorf("%s does not hold what was put there, after %d attempts", s.image.store.name(), round),
				"do other programs write attestations to the same image at this moment?")
		}
		if round > 0 {
			if err := sleep(ctx, jitter(min(pause, s.image.limits.patience))); err != nil {
				return err
			}
			pause = pause * 3 / 2
		}
		if err := s.read(ctx); err != nil {
			return err
		}
	}
}

// merge puts the shared places where they lack something of the journal or of own, and tells whether they did.
func (s *shared) merge(ctx context.Context, own manifest) (wrote bool, err error) {
	entries := union(union(s.journal.entries, s.seenEntries), []v1.Descriptor{own.descriptor()})
	if entries, err = s.annotated(ctx, entries); err != nil {
		return false, err
	}
	layers, err := s.missingLayers(ctx, entries, own)
	if err != nil {
		return false, err
	}
	if len(layers) > 0 {
		if err := s.putAtt(ctx, layers); err != nil {
			return false, err
		}
	}
	if !s.journal.shared {
		return len(layers) > 0, nil
	}
	missing := slices.DeleteFunc(entries, func(d v1.Descriptor) bool { return has(s.journal.fallback.Manifests, d.Digest) })
	if len(missing) == 0 {
		return len(layers) > 0, nil
	}
	return true, s.putFallback(ctx, missing)
}

// annotated fills in the annotations that a list of referrers left out.
func (s *shared) annotated(ctx context.Context, entries []v1.Descriptor) ([]v1.Descriptor, error) {
	var mu sync.Mutex
	out := slices.Clone(entries)
	return out, inParallel(ctx, len(out), func(ctx context.Context, n int) error {
		mu.Lock()
		known, found := s.known[out[n].Digest]
		mu.Unlock()
		if !found && out[n].Annotations == nil {
			known = out[n]
			if m, err := s.image.store.referrer(ctx, out[n].Digest); err == nil { // else somebody else's, and broken
				known = trimmed([]v1.Descriptor{m.descriptor()})[0]
			}
			mu.Lock()
			s.known[out[n].Digest], found = known, true
			mu.Unlock()
		}
		if found {
			out[n] = known
		}
		return ctx.Err()
	})
}

// missingLayers are the layers that the .att tag lacks: those that were overwritten, and the envelopes of the journal in the
// order of their digests. Envelopes of others are taken only if the store has them, for it would refuse the whole.
func (s *shared) missingLayers(ctx context.Context, entries []v1.Descriptor, own manifest) ([]v1.Descriptor, error) {
	var layers []v1.Descriptor
	for _, d := range entries {
		envelope := envelopeOf(d.Annotations)
		if envelope == nil || s.hasLayer(envelope.Digest) || has(layers, envelope.Digest) {
			continue
		}
		if d.Digest != own.digest {
			there, err := s.image.store.hasBlob(ctx, envelope.Digest)
			if err != nil {
				return nil, err
			}
			if !there {
				continue
			}
		}
		layers = append(layers, *envelope)
	}
	slices.SortFunc(layers, func(a, b v1.Descriptor) int { return compare(a.Digest, b.Digest) })
	lost := slices.DeleteFunc(slices.Clone(s.seenLayers), func(d v1.Descriptor) bool { return s.hasLayer(d.Digest) })
	layers = union(lost, layers)
	if len(layers) > 0 && len(s.att.Layers)+len(layers) > s.image.limits.layers {
		return nil, tooMany("the tag "+attTag(s.target), s.image.limits.layers)
	}
	return layers, nil
}

// envelopeOf is the layer of the .att tag that belongs to a manifest of the journal with these annotations; nil if none does.
func envelopeOf(annotations map[string]string) *v1.Descriptor {
	digest, err := v1.NewHash(annotations[envelopeDigest])
	size, err2 := strconv.ParseInt(annotations[envelopeSize], 10, 64)
	if err != nil || err2 != nil || size < 0 || digest.Algorithm != "sha256" {
		return nil
	}
	return &v1.Descriptor{
		MediaType: dsseType, Digest: digest, Size: size,
		Annotations: map[string]string{attPredicate: annotations[bundlePredicate], attSignature: ""},
	}
}

// putAtt puts the .att tag with further layers. The layers that are there, and whatever else somebody wrote, stay.
func (s *shared) putAtt(ctx context.Context, layers []v1.Descriptor) error {
	if s.attErr != nil {
		return provenance.WithHint(fmt.Errorf("the tag %s cannot be added to: %w", attTag(s.target), s.attErr), "somebody wrote nonsense there: delete the tag")
	}
	raw, mediaType := s.att.raw, s.att.MediaType
	if raw == nil {
		raw, mediaType = []byte(`{"schemaVersion":2,"mediaType":"`+manifestType+`"}`), manifestType
	}
	config, err := attConfig(append(slices.Clone(s.att.Layers), layers...))
	if err != nil {
		return err
	}
	if err := s.image.store.putBlob(ctx, bytesBlob(config)); err != nil {
		return err
	}
	raw, err = appended(raw, "layers", layers, map[string]any{"config": v1.Descriptor{
		MediaType: types.OCIConfigJSON, Digest: sum(config), Size: int64(len(config)),
	}})
	if err != nil {
		return err
	}
	return s.put(ctx, attTag(s.target), raw, mediaType)
}

// attConfig is the configuration of an image with these layers, which are not compressed.
func attConfig(layers []v1.Descriptor) ([]byte, error) {
	config := v1.ConfigFile{RootFS: v1.RootFS{Type: "layers"}}
	for _, d := range layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, d.Digest)
		config.History = append(config.History, v1.History{})
	}
	return json.Marshal(config)
}

// putFallback puts the index of referrers with further entries.
func (s *shared) putFallback(ctx context.Context, missing []v1.Descriptor) error {
	if len(s.journal.fallback.Manifests)+len(missing) > s.image.limits.referrers {
		return tooMany("the tag "+fallbackTag(s.target), s.image.limits.referrers)
	}
	raw := s.journal.fallback.raw
	if raw == nil {
		raw = []byte(`{"schemaVersion":2,"mediaType":"` + indexType + `"}`)
	}
	slices.SortFunc(missing, func(a, b v1.Descriptor) int { return compare(a.Digest, b.Digest) })
	raw, err := appended(raw, "manifests", missing, nil)
	if err != nil {
		return err
	}
	return s.put(ctx, fallbackTag(s.target), raw, indexType)
}

// put writes a manifest to a shared tag, after a look at whether we could read it again.
func (s *shared) put(ctx context.Context, tag string, raw []byte, mediaType string) error {
	if int64(len(raw)) > s.image.limits.manifest {
		return tooLarge("the tag "+tag, s.image.limits.manifest)
	}
	m, err := parseManifest(raw, mediaType)
	if err != nil {
		return err
	}
	return s.image.store.putManifest(ctx, tag, m)
}

// compare orders digests.
func compare(a, b v1.Hash) int { return cmp.Compare(a.String(), b.String()) }
