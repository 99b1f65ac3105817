package image

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
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
	room  int64 // bytes of memory that are set aside for it
}

// Attestations reads everything attached to the image that may be an attestation, in both forms and from every place, each
// content once. What cannot be read is a Found with an error. An error means that nobody knows what is attached; a
// *LimitError, that it was more, or took longer, than anything honest. What was found until then is returned too.
func (i *Image) Attestations(ctx context.Context) ([]Found, error) {
	var all []Found
	err := i.EachAttestation(ctx, func(f Found) { all = append(all, f) })
	return all, err
}

// EachAttestation is [Image.Attestations] for callers that do not keep the bytes: they are given to visit one after the other, in the
// same order, and only so many are in memory at a time.
func (i *Image) EachAttestation(ctx context.Context, visit func(Found)) error {
	ctx, b, cancel := i.limits.begin(ctx, "reading what is attached to "+i.self.digest.String())
	defer cancel()
	sh := &shared{image: i, target: i.self.digest}
	if err := sh.read(ctx); err != nil {
		return orLimit(ctx, fmt.Errorf("attestations of %s@%s: %w", i.store.name(), i.self.digest, err))
	}
	if errors.As(sh.attErr, new(*LimitError)) { // what it lists could be anything, a contradiction, too
		b.end(fmt.Errorf("the tag %s: %w", attTag(sh.target), sh.attErr))
	}
	found := unique(slices.Concat(i.inJournal(ctx, b, sh.journal.entries), i.inAtt(sh)))
	if what := "what is attached to " + i.self.digest.String(); len(found) > i.limits.layers {
		found = found[:i.limits.layers]
		b.end(tooMany(what, i.limits.layers))
	}
	i.fetch(ctx, b, found, visit)
	return orLimit(ctx, ctx.Err())
}

// inJournal looks into each manifest of the journal, and names what its layers' media types call an attestation. The media
// type of the manifest itself says nothing: some registries record it wrongly.
func (i *Image) inJournal(ctx context.Context, b *budget, entries []v1.Descriptor) []Found {
	entries = slices.DeleteFunc(slices.Clone(entries), func(d v1.Descriptor) bool {
		return d.Annotations[storedMark] != "" || d.MediaType.IsIndex()
	})
	slices.SortFunc(entries, func(a, b v1.Descriptor) int { return compare(a.Digest, b.Digest) })
	entries = slices.CompactFunc(entries, func(a, b v1.Descriptor) bool { return a.Digest == b.Digest })
	found := make([][]Found, len(entries))
	var count atomic.Int64
	_ = inParallel(ctx, len(entries), func(ctx context.Context, n int) error {
		found[n] = i.inReferrer(ctx, entries[n].Digest)
		if count.Add(int64(len(found[n]))) > int64(i.limits.layers) {
			b.end(tooMany("what is attached to "+i.self.digest.String(), i.limits.layers))
		}
		return ctx.Err()
	})
	return slices.Concat(found...)
}

// maxBundles is how many attestations one referrer can hold. Ours hold one, and cosign looks at no more.
const maxBundles = 16

// inReferrer looks into one manifest of the journal.
func (i *Image) inReferrer(ctx context.Context, digest v1.Hash) []Found {
	where := i.store.name() + "@" + digest.String()
	m, err := i.store.referrer(ctx, digest)
	if err != nil {
		return []Found{{Form: FormBundle, Where: where, Err: fmt.Errorf("%s is listed and cannot be read: %w", where, err)}}
	}
	found := inLayers(m, where, maxBundles+1)
	if len(found) > maxBundles {
		found[maxBundles] = Found{Form: FormBundle, Where: where, Err: tooMany(where, maxBundles)}
	}
	return found
}

// inAtt names the layers of the .att tag.
func (i *Image) inAtt(sh *shared) []Found {
	where := i.store.name() + ":" + attTag(sh.target)
	if sh.attErr != nil {
		return []Found{{Form: FormAtt, Where: where, Err: fmt.Errorf("%s cannot be read: %w", where, sh.attErr)}}
	}
	return inLayers(sh.att, where, i.limits.layers+1)
}

// inLayers names the layers that are attestations by their media type, up to max of them.
func inLayers(m manifest, where string, max int) (found []Found) {
	for _, d := range m.Layers {
		switch d := *pointer(d); {
		case len(found) >= max:
			return found
		case strings.HasPrefix(string(d.MediaType), bundleTypePrefix):
			found = append(found, Found{Form: FormBundle, Where: where, layer: d})
		case d.MediaType == dsseType:
			found = append(found, Found{Form: FormAtt, Where: where + " layer " + d.Digest.String(), layer: d})
		}
	}
	return found
}

// unique leaves out what is there a second time, by its content. Of the same digest with several sizes only one can be read, and which
// one nobody knows yet: a wrong size must not hide the right one.
func unique(found []Found) []Found {
	type content struct {
		digest v1.Hash
		size   int64
	}
	seen := map[content]bool{}
	return slices.DeleteFunc(found, func(f Found) bool {
		c := content{f.layer.Digest, f.layer.Size}
		again := f.Err == nil && seen[c]
		seen[c] = true
		return again
	})
}

// fetch reads the attestations and gives each to visit. All that is read counts, whatever it turns out to be, and what a list says of sizes does not:
// whoever goes beyond the limit makes it undecided what is attached, and cannot choose what is left out.
func (i *Image) fetch(ctx context.Context, b *budget, found []Found, visit func(Found)) {
	total := newAllowance("what is attached to "+i.self.digest.String(), i.limits.total)
	total.exceeded = b.end
	space := semaphore.NewWeighted(i.limits.attestation)
	done := make([]chan struct{}, len(found))
	for n := range found {
		done[n] = make(chan struct{})
	}
	go i.fetchInOrder(ctx, found, total, space, done)
	for n := range found {
		<-done[n]
		visit(found[n])
		space.Release(found[n].room)
		found[n].Bytes = nil
	}
}

// fetchInOrder reads several attestations at a time. Room for each is taken in their order, which is that in which it is given back: so
// the first of those that are waited for always has its room.
func (i *Image) fetchInOrder(ctx context.Context, found []Found, total *allowance, space *semaphore.Weighted, done []chan struct{}) {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for n := range found {
		f := &found[n]
		room := min(max(f.layer.Size, 1), i.limits.attestation)
		switch {
		case f.Err != nil:
		case space.Acquire(ctx, room) != nil:
			f.Err = fmt.Errorf("%s was not read: %w", f.Where, orLimit(ctx, ctx.Err()))
		default:
			f.room = room
			group.Go(func() error {
				defer close(done[n])
				f.Bytes, f.Err = i.fetchOne(ctx, *f, total)
				return nil
			})
			continue
		}
		close(done[n])
	}
	_ = group.Wait()
}

// fetchOne reads one attestation.
func (i *Image) fetchOne(ctx context.Context, f Found, total *allowance) ([]byte, error) {
	if size := f.layer.Size; size < 0 || size > i.limits.attestation {
		return nil, fmt.Errorf("%s: %w", f.Where, tooLarge("an attestation of "+strconv.FormatInt(size, 10)+" bytes", i.limits.attestation))
	}
	data, err := readBlob(ctx, i.store, f.layer, i.limits.attestation, total)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Where, orLimit(ctx, err))
	}
	return data, nil
}
