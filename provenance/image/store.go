package image

import (
	"context"
	"errors"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/seed-3480f271/provenance/provenance"
)

// store is one repository: in a registry, or a layout on disk.
type store interface {
	// name is the repository for people: registry and path, or oci:DIR.
	name() string
	// manifest reads the manifest with this tag or digest (sha256:HEX), which is checked; errMissing if there is none.
	manifest(ctx context.Context, ref string) (manifest, error)
	// referrer reads a manifest that refers to an image. It is small: a larger one is a *LimitError.
	referrer(ctx context.Context, digest v1.Hash) (manifest, error)
	// blob opens a blob. Reading ends with an error unless the bytes have the digest, and the size if it is not negative.
	blob(ctx context.Context, digest v1.Hash, size int64) (io.ReadCloser, error)
	hasBlob(ctx context.Context, digest v1.Hash) (bool, error)
	// journal lists the manifests whose subject is the image.
	journal(ctx context.Context, image v1.Hash) (journal, error)

	// alone keeps other writers of ours out until release is called, where that is possible.
	alone(ctx context.Context) (release func(), err error)
	// putBlob writes a blob, of any size, as it is read.
	putBlob(ctx context.Context, b blob) error
	// putManifest writes a manifest under a tag that is shared by all writers.
	putManifest(ctx context.Context, tag string, m manifest) error
	// addToJournal writes a manifest, whose subject is the image, under a name of its own.
	addToJournal(ctx context.Context, image v1.Hash, m manifest) error
}

// journal is what a store lists as attached to an image.
type journal struct {
	entries []v1.Descriptor // each trimmed
	// shared says that the store does not list by itself: readers look at the index fallback, and it must be kept complete.
	shared   bool
	fallback manifest // zero if there is none yet
}

// blob is a blob to write.
type blob struct {
	digest v1.Hash
	size   int64
	open   func() (io.ReadCloser, error) // for each attempt
	ask    bool                          // the repository may well have it, from an earlier attestation: ask first
}

// errMissing is "there is no such manifest or blob": looked at, and absent.
var errMissing = errors.New("there is no such thing in the repository")

// digestOf is the digest for another library's hash; only sha256 is taken.
func digestOf(h v1.Hash) (provenance.Digest, error) { return provenance.ParseDigest(h.String()) }

// hashOf is another library's hash for a digest.
func hashOf(d provenance.Digest) v1.Hash {
	return v1.Hash{Algorithm: string(d.Algorithm()), Hex: d.Hex()}
}

// atOnce is how many requests of one kind are under way at the same time.
const atOnce = 8

// inParallel calls f for 0 to n-1, several at once; the first error, or the end of ctx, ends them all.
func inParallel(ctx context.Context, n int, f func(ctx context.Context, n int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for k := range n {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return f(ctx, k)
		})
	}
	return group.Wait()
}
