package folder

import (
	"context"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// How [Recheck] compares.
const (
	RecheckListing = "listing" // names, sizes and ETags; without ETags, modification times, which can be set back
	RecheckContent = "content" // names and digests: every file is read again
)

// Recheck compares a folder as it is now with the index of a record, by [RecheckListing] or [RecheckContent]. Changes are
// not an error. A folder that changes while its content is read again is refused, as in [Hash]. Nothing is reused or resumed.
func Recheck(ctx context.Context, f storage.Folder, index *Index, mode string, o Options) (Changes, error) {
	switch mode {
	case RecheckListing:
		return compareListing(ctx, f, index, o, listingDiffers)
	case RecheckContent:
		return compareContent(ctx, f, index, o)
	}
	return Changes{}, provenance.Misuse("write listing or content", "%q is no way to check a folder again", mode)
}

// compareListing compares what the storage says.
func compareListing(ctx context.Context, f storage.Folder, index *Index, o Options, differs func(was, now IndexEntry) string) (Changes, error) {
	return compare(index, differs, func(see func(IndexEntry) error) error {
		return listMaybeTimed(ctx, f, o.timeless, func(o storage.Object) error { return see(listedEntry(o)) })
	})
}

// compareContent compares digests.
func compareContent(ctx context.Context, f storage.Folder, index *Index, o Options) (Changes, error) {
	o.Previous, o.State, o.Shard = nil, "", Shard{}
	now, err := hashStill(ctx, f, o)
	if err != nil {
		return Changes{}, err
	}
	return compare(index, contentDiffers, now.index.each)
}

// listingDiffers says in what an entry differs from the listing, or nothing. An ETag changes with every write, so where
// there is one the times need not be compared.
func listingDiffers(was, now IndexEntry) string {
	switch {
	case was.Size != now.Size:
		return "size"
	case was.ETag != now.ETag:
		return "etag"
	case was.ETag == "" && !was.Modified.Equal(now.Modified):
		return "modified"
	}
	return ""
}

// movedOn is listingDiffers for a folder that is being hashed: then the change time of local files is known, too, which means
// nothing to another run.
func movedOn(was, now IndexEntry) string {
	what := listingDiffers(was, now)
	if what == "" && was.changed != now.changed {
		what = "modified"
	}
	return what
}

func contentDiffers(was, now IndexEntry) string {
	if was.SHA256 != now.SHA256 {
		return "content"
	}
	return ""
}

// compare goes through the files that are there now, in any order.
func compare(index *Index, differs func(was, now IndexEntry) string, now func(see func(IndexEntry) error) error) (Changes, error) {
	c, err := newComparison(index, differs)
	if err != nil {
		return Changes{}, err
	}
	defer c.close()
	err = now(func(e IndexEntry) error {
		_, err := c.see(e)
		return err
	})
	if err != nil {
		return Changes{}, err
	}
	return c.changes()
}

// comparison compares files that are there now with an index.
type comparison struct {
	index   *Index
	differs func(was, now IndexEntry) string // in what; empty: they do not
	finder  finder
	seen    bits
	found   Changes
}

func newComparison(index *Index, differs func(was, now IndexEntry) string) (*comparison, error) {
	finder, err := index.finder()
	return &comparison{index: index, differs: differs, finder: finder, seen: newBits(index.Files), found: Changes{Listed: index.Listed}}, err
}

func (c *comparison) close() { c.finder.close() }

// see takes one file that is there now, and returns what the index has of it.
func (c *comparison) see(now IndexEntry) (was IndexEntry, err error) {
	was, place, err := c.finder.find(now.Name)
	if err != nil {
		return was, err
	}
	if place < 0 || c.seen.has(place) {
		note(&c.found.Added, &c.found.More.Added, Change{Name: now.Name, Since: now.Modified})
		return was, nil
	}
	c.seen.set(place)
	if what := c.differs(was, now); what != "" {
		note(&c.found.Modified, &c.found.More.Modified, Change{now.Name, what, now.Modified})
	}
	return was, nil
}

// changes are all differences, once every file was seen.
func (c *comparison) changes() (Changes, error) {
	place := int64(-1)
	err := c.index.each(func(e IndexEntry) error {
		if place++; !c.seen.has(place) {
			note(&c.found.Removed, &c.found.More.Removed, Change{Name: e.Name})
		}
		return nil
	})
	if err != nil {
		return Changes{}, err
	}
	c.found.sort()
	return c.found, nil
}
