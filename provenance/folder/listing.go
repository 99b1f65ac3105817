package folder

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// Listing is what the storage says of a folder: names, sizes, ETags and times. One that was taken before training shows that
// nothing has changed since.
type Listing struct {
	URI    string
	Digest provenance.Digest // of names, sizes, ETags and times
	Files  int64
	Bytes  int64
	Listed time.Time         // when it was complete, by the clock of whoever took it
	File   provenance.Digest // sha256 of the file that it was read from, to check a seal against; zero if it was taken here
	index  *Index
}

// TakeListing lists a folder. An empty one is Refused as data.empty.
func TakeListing(ctx context.Context, f storage.Folder, o Options) (*Listing, error) {
	s := newSorter(o.Dir)
	defer s.close()
	meter := meter{report: o.Progress}
	err := listSome(ctx, f, func(object storage.Object) error {
		meter.add(Progress{ListedFiles: 1, ListedBytes: object.Size})
		return s.addEntry(listedEntry(object))
	})
	if err != nil {
		return nil, err
	}
	meter.listedAll()
	r, err := build(o.Dir, s)
	if err == nil && r.Files == 0 {
		err = isEmpty(f)
	}
	if err != nil {
		return nil, err
	}
	return listingOf(r, f.URI(), o.clock()), nil
}

func listingOf(r *Result, uri string, listed time.Time) *Listing {
	return &Listing{URI: uri, Digest: r.Listing, Files: r.Files, Bytes: r.Bytes, Listed: listed, index: r.index}
}

// Write writes the listing as a digest file.
func (l *Listing) Write(w io.Writer) error {
	return writeDigestFile(w, digestHeader{provenance.FolderDigestType, l.URI, isListing, l.Digest.Hex(), l.Files, l.Bytes, l.Files, l.Listed.UTC(), 0}, l.index)
}

// ReadListing reads a listing from a file, once. What is none, or contradicts itself, is Refused as data.listing.
func ReadListing(ctx context.Context, path string, o Options) (*Listing, error) {
	file, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() // was read only
	hash := sha256.New()
	l, err := readListing(ctx, io.TeeReader(file, hash), o)
	var unreadable *fs.PathError
	switch {
	case err == nil:
		l.File = provenance.DigestOf(provenance.SHA256, [sha256.Size]byte(hash.Sum(nil)))
	case ctx.Err() == nil && !errors.As(err, &unreadable):
		err = provenance.Refuse("data.listing", "", "%s: %v", path, err)
	}
	return l, err
}

func readListing(ctx context.Context, in io.Reader, o Options) (*Listing, error) {
	s := newSorter(o.Dir)
	defer s.close()
	var header digestHeader
	err := readDigestFile(in, func(h digestHeader) error {
		if header = h; h.Shard != isListing {
			return errors.New("it holds digests, and is no listing")
		}
		return nil
	}, func(e IndexEntry) error {
		return errors.Join(ctx.Err(), s.addEntry(e))
	})
	if err != nil {
		return nil, err
	}
	r, err := build(o.Dir, s)
	if err == nil && (r.Files != header.Files || r.Bytes != header.Bytes || r.Listing.Hex() != header.Listing) {
		err = errors.New("its lines are not what its header says")
	}
	if err != nil {
		return nil, err
	}
	return listingOf(r, header.URI, header.ListedAt.UTC()), nil
}

// CompareListing tells whether a listing from before training is the folder's at recording, too. sealedBy is the fingerprint
// of the key that sealed its file; empty: somebody wrote it. A listing of another folder is Refused as data.listing.
func CompareListing(l *Listing, sealedBy string, r *Result) (provenance.Before, error) {
	if l.URI != r.URI {
		return provenance.Before{}, provenance.Refuse("data.listing", "", "the listing from before training is of %s, not of %s", l.URI, r.URI)
	}
	before := provenance.Before{Listed: l.Listed, Listing: l.Digest, Same: l.Digest == r.Listing, SealedBy: sealedBy}
	if before.Same {
		return before, nil
	}
	changes, err := compare(l.index, timesDiffer, r.index.each)
	before.Changes = changes.String()
	return before, err
}

// timesDiffer is listingDiffers, and compares times beside ETags, as the digest of a listing does.
func timesDiffer(was, now IndexEntry) string {
	what := listingDiffers(was, now)
	if what == "" && !was.Modified.Equal(now.Modified) {
		what = "modified"
	}
	return what
}
