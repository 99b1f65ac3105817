package image

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// The forms in which an attestation can be attached.
const (
	FormBundle = "bundle" // a Sigstore bundle, from the journal or any other referrer
	FormAtt    = "att"    // a DSSE envelope, from the .att tag
)

// Found is something attached to an image that may be an attestation: nobody has looked into it yet.
type Found struct {
	Form  string // FormBundle or FormAtt
	Where string // for people: repository, and the digest of what holds it
	Bytes []byte
	// Err says why there are no Bytes: this one could not be read, is too large, or is not what its digest says.
	Err error

	layer v1.Descriptor
}

// Attestations reads everything attached to the image that may be an attestation, in both forms and from every place, each
// content once. What cannot be read is a Found with an error. An error means that nobody knows what is attached; a
// *LimitError, that it was more, or took longer, than anything honest. What was found until then is returned too.
func (i *Image) Attestations(ctx context.Context) ([]Found, error) {
	ctx, cancel := i.limits.deadline(ctx, "reading what is attached to "+i.self.digest.String())
	defer cancel()
	sh := &shared{image: i, target: i.self.digest}
	if err := sh.read(ctx); err != nil {
		return nil, orLimit(ctx, fmt.Errorf("attestations of %s@%s: %w", i.store.name(), i.self.digest, err))
	}
	found := slices.Concat(i.inJournal(ctx, sh.journal.entries), i.inAtt(sh))
	found, limit := i.within(unique(found))
	_ = inParallel(ctx, len(found), func(ctx context.Context, n int) error {
		i.fetch(ctx, &found[n])
		return nil
	})
	return found, cmp.Or(limit, orLimit(ctx, ctx.Err()))
}

// inJournal looks into each manifest of the journal, and names what its layers' media types call an attestation. The media
// type of the manifest itself says nothing: some registries record it wrongly.
func (i *Image) inJournal(ctx context.Context, entries []v1.Descriptor) []Found {
	entries = slices.DeleteFunc(slices.Clone(entries), func(d v1.Descriptor) bool {
		return d.Annotations[storedMark] != "" || d.MediaType.IsIndex()
	})
	slices.SortFunc(entries, func(a, b v1.Descriptor) int { return compare(a.Digest, b.Digest) })
	entries = slices.CompactFunc(entries, func(a, b v1.Descriptor) bool { return a.Digest == b.Digest })
	found := make([][]Found, len(entries))
	_ = inParallel(ctx, len(entries), func(ctx context.Context, n int) error {
		where := i.store.name() + "@" + entries[n].Digest.String()
		m, err := i.store.manifest(ctx, entries[n].Digest.String())
		if err != nil {
			found[n] = []Found{{Form: FormBundle, Where: where, Err: fmt.Errorf("%s is listed and cannot be read: %w", where, err)}}
			return nil
		}
		found[n] = inLayers(m, where)
		return nil
	})
	return slices.Concat(found...)
}

// inAtt names the layers of the .att tag.
func (i *Image) inAtt(sh *shared) []Found {
	where := i.store.name() + ":" + attTag(sh.target)
	if sh.attErr != nil {
		return []Found{{Form: FormAtt, Where: where, Err: fmt.Errorf("%s cannot be read: %w", where, sh.attErr)}}
	}
	return inLayers(sh.att, where)
}

// inLayers names the layers that are attestations by their media type.
func inLayers(m manifest, where string) (found []Found) {
	for _, d := range m.Layers {
		switch {
		case strings.HasPrefix(string(d.MediaType), bundleTypePrefix):
			found = append(found, Found{Form: FormBundle, Where: where, layer: d})
		case d.MediaType == dsseType:
			found = append(found, Found{Form: FormAtt, Where: where + " layer " + d.Digest.String(), layer: d})
		}
	}
	return found
}

// unique leaves out what is there a second time, by its content.
func unique(found []Found) []Found {
	seen := map[v1.Hash]bool{}
	return slices.DeleteFunc(found, func(f Found) bool {
		again := f.Err == nil && seen[f.layer.Digest]
		seen[f.layer.Digest] = true
		return again
	})
}

// within refuses one attestation that is too large, and says so when all together are too many or too large: what is over
// is left out.
func (i *Image) within(found []Found) ([]Found, error) {
	what, total := "what is attached to "+i.self.digest.String(), int64(0)
	for n := range found {
		if n >= i.limits.layers {
			return found[:n], tooMany(what, i.limits.layers)
		}
		f := &found[n]
		if f.Err != nil {
			continue
		}
		if f.layer.Size < 0 || f.layer.Size > i.limits.attestation {
			f.Err = fmt.Errorf("%s: %w", f.Where, tooLarge("an attestation of "+strconv.FormatInt(f.layer.Size, 10)+" bytes", i.limits.attestation))
			continue
		}
		if total += f.layer.Size; total > i.limits.total {
			return found[:n], tooLarge(what, i.limits.total)
		}
	}
	return found, nil
}

// fetch reads one attestation.
func (i *Image) fetch(ctx context.Context, f *Found) {
	if f.Err != nil {
		return
	}
	data, err := readBlob(ctx, i.store, f.layer, i.limits.attestation)
	if err != nil {
		f.Err = fmt.Errorf("%s: %w", f.Where, orLimit(ctx, err))
		return
	}
	f.Bytes = data
}
