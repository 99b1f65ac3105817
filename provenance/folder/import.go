package folder

import (
	"context"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// Import takes the digests that other machines computed for a folder as it is now: it lists the folder, and every file must be
// among those of merged, with the same size and ETag, or the same time to the second where one of both has no ETag, and none
// more. Of a manifest, names alone are compared. sealedBy is the fingerprint of the key that sealed every part, whose seals
// the caller has checked; empty: somebody wrote them.
//
// A folder that differs is Refused as data.manifest.
func Import(ctx context.Context, f storage.Folder, merged *Merged, sealedBy string, o Options) (*Result, error) {
	if !merged.namesOnly && merged.URI != f.URI() {
		return nil, provenance.Refuse("data.manifest", "", "the digest files are of %s, not of %s", merged.URI, f.URI())
	}
	i := &importer{merged: merged, sorter: newSorter(o.Dir)}
	defer i.sorter.close()
	changes, err := i.list(ctx, f)
	if err != nil {
		return nil, err
	}
	if !changes.Empty() {
		return nil, provenance.Refuse("data.manifest", "compute the digests again", "%s is not what its digests were computed of: %s", f.URI(), changes)
	}
	r, err := build(o.Dir, i.sorter)
	if err != nil {
		return nil, err
	}
	r.URI, r.Listed, r.Warnings = f.URI(), o.clock(), i.odd.list()
	r.RetainUntil, r.AllRetained = i.retained.all()
	r.Resumed = merged.Resumed // a seal does not make them better
	r.untouched = !i.touched
	r.Imported = &provenance.Imported{Files: r.Files, Parts: len(merged.Parts), SealedBy: sealedBy, ReadSince: r.readSince}
	return r, nil
}

// importer lists a folder whose digests are known.
type importer struct {
	merged   *Merged
	sorter   *sorter
	odd      oddNames
	retained retention
	touched  bool // a file may have changed since it was hashed
}

func (i *importer) list(ctx context.Context, f storage.Folder) (Changes, error) {
	differs := importDiffers
	if i.merged.namesOnly {
		differs = func(was, now IndexEntry) string { return "" }
	}
	c, err := newComparison(i.merged.index, differs)
	if err != nil {
		return Changes{}, err
	}
	defer c.close()
	err = listSome(ctx, f, func(o storage.Object) error {
		i.odd.look(o.Name)
		i.retained.look(o)
		now := listedEntry(o)
		was, err := c.see(now)
		if err != nil {
			return err
		}
		i.touched = i.touched || !untouched(was, o)
		return i.sorter.addEntry(hashedLike(now, was))
	})
	if err != nil {
		return Changes{}, err
	}
	return c.changes()
}

// untouched tells whether a file is the one that was hashed: its ETag says so, or, of a local file, its inode and the time of its last
// change, which nobody can set. (Its modification time can be set by whoever may write it.)
func untouched(was IndexEntry, now storage.Object) bool {
	if now.ETag != "" {
		return was.ETag == now.ETag || was.ETag == "" && !was.HashedAt.IsZero()
	}
	return sameInode(was, now)
}

// importDiffers says in what a file differs from the one that was hashed elsewhere, or nothing.
func importDiffers(was, now IndexEntry) string {
	switch byETag := was.ETag != "" && now.ETag != ""; {
	case was.Size != now.Size:
		return "size"
	case byETag && was.ETag != now.ETag:
		return "etag"
	case !byETag && !was.Modified.Truncate(time.Second).Equal(now.Modified.Truncate(time.Second)):
		return "modified"
	case !byETag && now.ETag != "" && was.HashedAt.Before(was.Modified.Truncate(time.Second).Add(2*time.Second)):
		return "modified in the second in which it was hashed" // and perhaps once more, afterwards
	}
	return ""
}
